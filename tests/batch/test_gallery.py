"""A run's gallery: a picture for each photo that has one, made once, and files that are whole."""

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import batch.gallery
from batch.attended import Said
from batch.captioned import Captioned
from batch.gallery import said_in
from batch.pages import _STYLE
from manifests.gallery import FIELDS, Looked, page_files, picture_name
from manifests.record import LanguageCaption, Status
from tests.batch.archives import state_of
from tests.batch.galleries import Galleried, row_of
from tests.manifests.examples import record
from tests.pictures import RED, encoded, turned, upright


@pytest.fixture
def gallery(tmp_path):
    """Draw an archive of three photos."""
    made = Galleried(tmp_path)
    made.add("2019/a.png", "A dog.", 0.9)
    made.add("b.png", "A cat.", 0.1)
    made.add(b"caf\xe9.png", "A bird.", 0.5)
    return made


def told(page, name="head.js"):
    """Read what a script of a gallery calls the page with."""
    text = (page.parent / name).read_text(encoding="ascii")
    return json.loads(f"[{text[text.index('(') + 1 : text.rindex(')')]}]")


def shown(page):
    """Read the rows of a gallery, by path."""
    rows = [cells for name in told(page)[0]["rows"] for cells in told(page, name)[1]]
    return {row["path"]: row for row in (dict(zip(FIELDS, cells, strict=True)) for cells in rows)}


def pictures(page):
    """Give the pictures of a gallery, by their photos' identities."""
    return {path.stem: path for path in page.parent.glob("thumbs/??/*.jpg")}


# Pictures.


def test_each_photo_has_its_own_small_upright_picture(gallery):
    photo_id = gallery.add("turned.jpg", "Fields.", 0.2, data=turned(6))
    large = gallery.add("large.jpg", "Fields.", 0.2, data=encoded(upright(1200, 800)))
    page = gallery.write()
    assert pictures(page).keys() == {row.photo_id for row in gallery.rows}
    assert all(row["pictured"] and not row["problem"] for row in shown(page).values())
    picture = Image.open(pictures(page)[photo_id])
    assert picture.size == (96, 64)
    assert max(abs(a - b) for a, b in zip(picture.getpixel((8, 8)), RED, strict=True)) < 24
    assert Image.open(pictures(page)[large]).size == (320, 213)


def test_photos_are_opened_read_only(gallery):
    before = state_of(gallery.root)
    gallery.write()
    assert state_of(gallery.root) == before


def test_a_second_run_makes_only_what_is_new(gallery, monkeypatch):
    page = gallery.write()
    before = state_of(page.parent)
    asked = []
    picture = Captioned.picture
    monkeypatch.setattr(
        Captioned, "picture", lambda self, *args: asked.append(args[0].path) or picture(self, *args)
    )
    gallery.write()
    assert state_of(page.parent) == before
    assert asked == []
    gallery.add("new.png", "A horse.", 0.3)
    gallery.write()
    assert asked == ["new.png"]


def test_pictures_stay_while_their_photos_are_out_of_reach_and_go_with_them(gallery):
    page = gallery.write()
    gallery.root.rename(gallery.root.with_name("unplugged"))
    gallery.write()
    assert len(pictures(page)) == 3
    assert all(row["pictured"] for row in shown(page).values())
    gone = gallery.rows.pop()
    gallery.write()
    assert pictures(page).keys() == {row.photo_id for row in gallery.rows}
    assert gone.photo_id not in pictures(page)


def test_a_photo_without_a_picture_says_why(gallery):
    (gallery.root / "b.png").write_bytes(b"other bytes")
    gallery.add("cut.png", None, None, status=str(Status.TRUNCATED), error="ends too early")
    gallery.records.append(record(b"denied.png", status=Status.DENIED, photo_id=None))
    gallery.rows.append(row_of(gallery.records[-1]))
    found = shown(gallery.write())
    assert found["b.png"]["problem"] == "has changed since: run again"
    assert found["cut.png"]["problem"] == "ends too early"
    assert found["denied.png"]["problem"] == "could not be read"
    assert [path for path, row in found.items() if row["pictured"]] == [
        "caf\\xe9.png",
        "2019/a.png",
    ]


def test_copies_share_a_picture_made_from_the_one_that_can_be_read(gallery):
    data = encoded(upright())
    gallery.add("gone.jpg", "Fields.", 0.5, data=data, status=str(Status.MISSING))
    photo_id = gallery.add("kept.jpg", "Fields.", 0.5, data=data)
    (gallery.root / "gone.jpg").unlink()
    page = gallery.write()
    assert photo_id in pictures(page)
    assert shown(page)["gone.jpg"]["pictured"]


@pytest.mark.parametrize("photo_id", ["../../../../tmp/x", "AB" * 32, "ab" * 31, "ab/" + "c" * 61])
def test_an_identity_that_is_none_becomes_no_file(gallery, photo_id):
    before = state_of(gallery.root)
    gallery.records[0] = replace(gallery.records[0], photo_id=photo_id)
    gallery.rows[0] = replace(gallery.rows[0], photo_id=photo_id)
    found = shown(gallery.write())
    assert not found["2019/a.png"]["pictured"]
    assert "no identity" in found["2019/a.png"]["problem"]
    assert state_of(gallery.root) == before


def test_a_picture_tells_nothing_of_who_took_it_and_where(gallery):
    comment = encoded(upright(), comment=b"Mr Secret, 12 Hidden Street")
    photo_id = gallery.add("named.jpg", "Fields.", 0.5, data=comment)
    picture = pictures(gallery.write())[photo_id].read_bytes()
    assert b"Secret" not in picture
    assert Image.open(io.BytesIO(picture)).info.keys() <= {
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
    }


# Rows and files.


def test_rows_say_where_their_photo_is_and_when_it_was_taken(gallery):
    gallery.add("x y#?.png", "A dog.", 0.2, taken_at=None, mtime_ns=86_400 * 10**9)
    gallery.add("odd.png", "A dog.", 0.2, taken_at=None, mtime_ns=2**63 - 1)
    page = gallery.write()
    found = shown(page)
    assert told(page)[0]["address"] == f"{gallery.root.as_uri()}/"
    assert found["caf\\xe9.png"]["original"] == "caf%E9.png"
    assert found["x y#?.png"]["original"] == "x%20y%23%3F.png"
    assert found["x y#?.png"]["taken"] == "1970-01-02T00:00:00"
    assert found["2019/a.png"]["taken"] == "2019-05-01T10:00:00"


@pytest.mark.parametrize("raw", [b"https://example.org/a.jpg", b"../outside.jpg", b"/etc/passwd"])
def test_what_is_not_in_the_archive_is_not_shown_or_linked(gallery, raw):
    gallery.records.append(record(raw, photo_id="cd" * 32, language="en"))
    gallery.rows.append(row_of(gallery.records[-1]))
    row = shown(gallery.write())[raw.decode()]
    assert row["original"] == ""
    assert not row["pictured"]
    assert row["problem"]


def test_two_rows_of_a_photo_in_two_languages_both_come(gallery):
    gallery.rows.append(replace(gallery.rows[0], language="ko", caption="개", machine="개"))
    page = gallery.write()
    rows = [cells for name in told(page)[0]["rows"] for cells in told(page, name)[1]]
    assert len(rows) == 4


def test_an_interrupted_run_leaves_the_old_gallery_whole(gallery, monkeypatch):
    page = gallery.write()
    before = shown(page)
    gallery.rows[0] = replace(gallery.rows[0], caption="Other words.")
    with monkeypatch.context() as broken:
        broken.setattr(batch.gallery, "head_file", lambda head: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gallery.write()
    assert shown(page) == before
    gallery.write()
    assert shown(page)["2019/a.png"]["caption"] == "Other words."
    assert len([*page.parent.glob("rows/*.js")]) == 1


def test_decisions_are_found_again_after_a_move_and_a_new_gallery(tmp_path, gallery):
    key = told(gallery.write())[0]["key"]
    shutil.rmtree(gallery.out / "gallery")
    (tmp_path / "elsewhere").mkdir()
    gallery.root = gallery.root.rename(tmp_path / "elsewhere" / "photos")
    gallery.out = gallery.out.rename(tmp_path / "elsewhere" / "results")
    assert told(gallery.write())[0]["key"] == key


def test_each_results_folder_has_a_key_of_its_own_and_a_broken_one_is_made_anew(tmp_path):
    galleries = [Galleried(tmp_path / name) for name in "ab"]
    keys = {told(each.write())[0]["key"] for each in galleries}
    assert len(keys) == 2
    (galleries[0].out / ".gallery-key").write_bytes(b"\xff<script>")
    key = told(galleries[0].write())[0]["key"]
    assert re.fullmatch("[0-9a-f]{16}", key)
    assert key not in keys
    assert told(galleries[0].write())[0]["key"] == key


def test_an_archive_without_rows_has_an_empty_gallery(tmp_path):
    page = Galleried(tmp_path).write()
    assert told(page)[0]["rows"] == []
    assert told(page)[0]["total"] == 0


def test_the_gallery_looks_like_the_other_pages():
    style = page_files()["gallery.css"].decode()
    for name in ("--page", "--ink", "--faint", "--line", "--back"):
        light, dark = (_STYLE.split(f"{name}: ")[n].split(";")[0] for n in (1, 2))
        assert style.split(f"{name}: ")[1].startswith(f"{light};")
        assert style.split(f"{name}: ")[2].startswith(f"{dark};")


# Where the captioner looked.


class Watched:
    """Stand in for Attended: a grid that tells the caption; `asked` are those it was asked for."""

    def __init__(self, *unknown):
        self.unknown, self.asked = unknown, []

    def can_tell(self, said):
        """Know all but some."""
        return said.photo_id not in self.unknown

    def looks(self, captions):
        """Give one grid a word."""
        for said in captions:
            self.asked.append(said.caption)
            words = tuple(said.caption.split())
            yield said, Looked(words, bytes([len(said.caption)] * 64 * len(words)))


def looks_in(page):
    files = told(page)[0]["looks"]
    return {key: each for name in files.values() for key, each in told(page, name)[0].items()}


def test_where_the_captioner_looked_is_found_by_photo_and_words(gallery):
    unknown = gallery.rows[1].photo_id
    page = gallery.write(attention=Watched(unknown))
    a, _, c = gallery.rows
    assert {*looks_in(page)} == {f"{a.photo_id}/A dog.", f"{c.photo_id}/A bird."}
    assert looks_in(page)[f"{a.photo_id}/A dog."][0] == ["A", "dog."]
    assert {*told(page)[0]["looks"]} == {a.photo_id[:2], c.photo_id[:2]}


def test_only_new_captions_are_looked_at_again(gallery):
    gallery.write(attention=Watched())
    again = Watched()
    gallery.write(attention=again)
    assert again.asked == []
    gallery.records[0] = replace(gallery.records[0], caption="A wolf.")
    gallery.rows[0] = replace(gallery.rows[0], caption="A wolf.", machine="A wolf.")
    page = gallery.write(attention=again)
    assert "A wolf." in again.asked
    assert "A cat." not in again.asked
    assert len(looks_in(page)) == 3
    assert len([*page.parent.glob("looks/*.js")]) == len(told(page)[0]["looks"])


def test_a_caption_belongs_to_the_captioner_that_wrote_it():
    both = (LanguageCaption("en", "A dog.", 0.5, "en@1"), LanguageCaption("ko", "개", 0.5, "ko@2"))
    records = [
        record(caption="A dog.", captioner="en@1", languages=both),
        record(b"b", caption="No."),
    ]
    row = row_of(records[0])
    rows = [row, replace(row, language="ko", machine="개", caption="강아지")]
    photo_id = str(records[0].photo_id)
    assert said_in(records, rows) == [
        Said(photo_id, "en@1", "A dog."),
        Said(photo_id, "ko@2", "개"),
    ]
    imported = replace(row, machine="Somebody else's words.")
    assert said_in(records, [imported]) == []


def test_pictures_are_named_by_identity():
    assert picture_name("ab" * 32) == f"thumbs/ab/{'ab' * 32}.jpg"
    assert Path(picture_name("ab" * 32)).suffix == ".jpg"
