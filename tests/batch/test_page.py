"""An archive's page: each photo beside what the manifest says of it, nothing fetched or changed."""

import base64
import io
import os
import socket
from dataclasses import replace
from hashlib import sha256

import pytest
from PIL import Image

from batch.__main__ import main
from batch.caption import make_record
from batch.errors import ArchiveError
from batch.page import write_page
from batch.photos import LoadedPhoto
from batch.scan import Photo
from batch.urls import UrlPhoto
from manifests.manifest import write_records
from manifests.record import Status
from manifests.review import Review, ReviewStatus
from tests.batch.archives import draw, state_of
from tests.batch.test_pages import Reader

HOSTILE = "<img src=x onerror=alert(1)> & \"'.png"


@pytest.fixture
def photos(tmp_path):
    """Make an empty folder of photos."""
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


@pytest.fixture
def out(tmp_path):
    """Make an empty folder of a run."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def row(name, caption=None, captioner="flickr8k-en@0123456789abcdef", **changes):
    """Write a manifest's row of a photo, which has a caption where one is given."""
    photo = UrlPhoto("", name, 0, 0) if name.startswith("http") else Photo("", name, 0, 0)
    record = make_record(LoadedPhoto(photo, "ok", "", 0, 0), Status.UNREADABLE, "is a web page")
    if caption is not None:
        changes = {"confidence": 0.71, "alternatives": ("Otherwise.",)} | changes
        record = replace(record, caption=caption, status=Status.CAPTIONED, error=None)
        record = replace(record, captioner=captioner)
    return replace(record, **changes)


def page_of(out, archive, *rows, limit=200):
    """Write the manifest and its page, and read that as a browser does."""
    named = os.fsencode(str(archive)).decode("utf-8", "backslashreplace")
    write_records(out / "captions.parquet", rows, named)
    write_page(str(out), limit)
    return Reader((out / "captions.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("status", "words", "shown"),
    [("edited", "Two dogs run.", "Two dogs run."), ("rejected", None, "A dog runs.")],
)
def test_what_a_person_decided_is_told_instead_of_how_sure_the_captioner_was(
    photos, out, status, words, shown
):
    draw(photos / "a.png")
    decided = (Review("en", ReviewStatus(status), words),)
    read = page_of(out, photos, row("a.png", "A dog runs.", language="en", reviews=decided))
    assert read.said("p") == [shown]
    assert (read.said("dt"), read.said("dd")) == (["review", "status"], [status, "captioned"])


def test_a_photo_stands_beside_its_caption_confidence_status_and_alternatives(photos, out):
    draw(photos / "2019/a.png")
    read = page_of(out, photos, row("2019/a.png", "A dog runs."))
    assert read.said("p") == ["A dog runs."]
    assert (read.said("dt"), read.said("dd")) == (["confidence", "status"], ["0.71", "captioned"])
    assert read.said("li") == ["Otherwise."]
    assert read.said("bdi") == ["2019/a.png"]
    [image] = read.all("img")
    _, data = image["src"].split(",")
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (48, 32)


def test_the_page_says_of_which_archive_it_is_and_how_it_went(photos, out):
    rows = [row("a.jpg", "A dog."), row("b.jpg", "A cat."), row("c.jpg")]
    read = page_of(out, photos, *rows, limit=2)
    assert read.said("h1") == read.said("title") == ["Captions of photos"]
    assert dict(zip(read.said("th"), read.said("td"), strict=True)) == {
        "Archive": str(photos),
        "Photos": "2 of 3",
        "Captioned by": "flickr8k-en@0123456789abcdef",
        "captioned": "2",
        "unreadable": "1",
    }
    assert read.said("bdi") == ["a.jpg", "b.jpg"]


def test_a_photo_that_has_changed_since_is_not_shown_beside_its_old_caption(photos, out):
    path = draw(photos / "a.png")
    known = row("a.png", "A dog.", photo_id=sha256(path.read_bytes()).hexdigest())
    assert page_of(out, photos, known).all("img")
    draw(path, 5)
    read = page_of(out, photos, known)
    assert not read.all("img")
    assert read.said("p") == ["A dog.", "has changed since: run again"]


@pytest.mark.parametrize("name", ["../secret.png", "{}/secret.png", "a/../../secret.png"])
def test_a_manifest_from_elsewhere_shows_nothing_outside_its_archive(photos, out, tmp_path, name):
    draw(tmp_path / "secret.png")
    read = page_of(out, photos, row(name.format(tmp_path), "A secret."))
    assert not read.all("img")
    assert "not a path within the archive" in read.said("p")[-1]


def test_a_failed_photo_says_why(photos, out):
    (photos / "bad.jpg").write_bytes(b"<html>")
    read = page_of(out, photos, row("bad.jpg"))
    assert read.said("p") == ["is a web page"]
    assert read.said("dd") == ["unreadable"]
    assert not read.all("img")
    assert not read.said("li")


def test_a_photo_that_is_gone_keeps_its_caption_on_a_card_without_picture(photos, out):
    draw(photos / "there.png")
    read = page_of(out, photos, row("gone.png", "A dog."), row("there.png", "A cat."))
    caption, problem, other = read.said("p")
    assert (caption, other) == ("A dog.", "A cat.")
    assert "no longer there" in problem
    assert len(read.all("img")) == 1


def test_hostile_names_and_captions_are_shown_as_they_are_and_do_nothing(photos, out):
    draw(photos / HOSTILE)
    rows = [row(HOSTILE, HOSTILE, alternatives=(HOSTILE,)), row("z", error=HOSTILE)]
    read = page_of(out, photos, *rows)
    assert read.said("p") == [HOSTILE, HOSTILE]
    assert read.said("li") == [HOSTILE]
    assert read.said("bdi") == [HOSTILE, "z"]
    assert len(read.all("img")) == 1
    assert not [name for _, attrs in read.elements for name in attrs if name.startswith("on")]


def test_names_and_folders_that_are_no_text_are_found_and_shown(tmp_path, out):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    name = os.fsdecode(b"\xed\xa0\x80 \xff.png")
    try:
        draw(folder / name)
    except OSError:
        pytest.skip("this disk takes text alone")
    record = row(name, "A dog.", path=Photo("", name, 0, 0).path)
    read = page_of(out, folder, record)
    assert len(read.all("img")) == 1
    assert read.said("bdi") == [r"\xed\xa0\x80 \xff.png"]
    assert read.said("h1") == [r"Captions of caf\xe9"]


def test_a_folder_whose_name_looks_like_a_code_is_found(tmp_path, out):
    draw(tmp_path / r"a\xe9" / "a.png")
    assert page_of(out, tmp_path / r"a\xe9", row("a.png", "A dog.")).all("img")


def test_photos_on_the_web_are_not_fetched(tmp_path, out, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    read = page_of(out, tmp_path / "list.txt", row("https://example.org/a.jpg", "A dog."))
    assert not read.all("img")
    assert read.said("p") == ["A dog.", "on the web: not shown here"]
    assert read.said("bdi") == ["https://example.org/a.jpg"]
    assert not [attrs for _, attrs in read.elements if {"href", "src"} & attrs.keys()]


LANGUAGES = {
    "of a captioner that ships": ("flickr8k-en@0123", "A dog runs.", "en"),
    "Korean, by its letters": ("mine@0123", "개가 달린다.", "ko"),
    "unknown": ("mine@0123", "A dog runs.", ""),
    "of no captioner": (None, "A dog runs.", ""),
}


@pytest.mark.parametrize(("captioner", "caption", "language"), LANGUAGES.values(), ids=LANGUAGES)
def test_captions_are_marked_with_their_language(photos, out, captioner, caption, language):
    read = page_of(out, photos, row("a.jpg", caption, captioner), row("b.jpg"))
    said = [attrs for attrs in read.all("p") if "lang" in attrs]
    assert said == [{"lang": language}]
    assert {attrs["lang"] for attrs in read.all("ul") if "lang" in attrs} == {language}


def test_nothing_among_the_photos_changes_and_the_same_rows_give_the_same_page(photos, out):
    draw(photos / "a.png")
    before = state_of(photos)
    page_of(out, photos, row("a.png", "A dog."))
    first = (out / "captions.html").read_bytes()
    page_of(out, photos, row("a.png", "A dog."))
    assert (out / "captions.html").read_bytes() == first
    assert state_of(photos) == before
    assert sorted(path.name for path in out.iterdir()) == ["captions.html", "captions.parquet"]


def test_no_page_is_written_among_the_photos(photos):
    draw(photos / "a.png")
    with pytest.raises(ArchiveError, match=r"OUT is .*never written to"):
        page_of(photos, photos, row("a.png", "A dog."))
    assert not (photos / "captions.html").exists()


def test_a_folder_of_no_run_is_told(out, capsys):
    assert main(["page", "--out", str(out)]) == 1
    assert "holds no captions.parquet" in capsys.readouterr().err


def test_the_command_makes_the_page_of_a_run(archive, fake_encoder, capsys):
    archive.draw("a.png", "b.png")
    options = ["--out", str(archive.out), "--features", str(archive.features)]
    options += ["--captioner", archive.captioner]
    assert main(["caption", *options, str(archive.root)]) == 0
    capsys.readouterr()
    assert main(["page", "--limit", "1", "--out", str(archive.out)]) == 0
    path = capsys.readouterr().out.strip()
    assert path == str(archive.out / "captions.html")
    read = Reader((archive.out / "captions.html").read_text(encoding="utf-8"))
    assert read.said("p") == [archive.captions["a.png"]]
