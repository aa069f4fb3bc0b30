"""People's words leave for other programs, and nothing of anybody else is harmed by it."""

import json
import os
from dataclasses import replace

import pytest

from batch.captioned import Captioned, open_captioned
from batch.errors import ArchiveError
from batch.export import TARGETS, Export, export_captions
from manifests.manifest import write_records
from manifests.record import LanguageCaption, Status
from manifests.review import Review, ReviewStatus
from tests.batch.archives import draw, state_of
from tests.manifests.examples import record

APPROVED, EDITED, REJECTED = ReviewStatus.APPROVED, ReviewStatus.EDITED, ReviewStatus.REJECTED


def row(raw_path, status=None, caption="a person's words", **more):
    """Give a row; with a status, a person has decided on it."""
    said = None if status is REJECTED else caption
    reviews = (Review("en", status, said, "Kim"),) if status else ()
    return record(
        raw_path, **{"language": "en", "reviews": reviews, "caption": "a machine's"} | more
    )


ROWS = [
    row(b"2019/a.jpg", APPROVED, "a dog"),
    row(b"2019/b.jpg", EDITED, "개가\n달린다"),
    row(b"2019/c.jpg", REJECTED),
    row(b"2019/d.jpg"),
]


@pytest.fixture
def captioned(tmp_path):
    """Make a run's folder of rows, and photos for them."""

    def make(rows=ROWS):
        photos = tmp_path / "photos"
        photos.mkdir(exist_ok=True)
        for number, each in enumerate(rows):
            name = os.fsdecode(each.raw_path)
            if not name.startswith(("http", "/", "..")):
                draw(photos / name, number)
        (tmp_path / "out").mkdir(exist_ok=True)
        write_records(tmp_path / "out" / "captions.parquet", rows, str(photos))
        return open_captioned(str(tmp_path / "out"))

    return make


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def texts_in(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.txt")}


@pytest.mark.parametrize("to", TARGETS)
def test_only_what_people_let_stand_leaves_and_no_photo_is_touched(captioned, tmp_path, to):
    found = captioned()
    before = state_of(tmp_path / "photos")
    summary = export_captions(found, Export(to))
    assert (summary.photos, summary.machine) == (2, 0)
    place = tmp_path / "out" / "export" / to
    words = "".join(each.read_text() for each in place.rglob("*") if each.is_file())
    assert "a dog" in words and "달린다" in words
    assert to == "jsonl" or "a machine's" not in words
    assert state_of(tmp_path / "photos") == before


@pytest.mark.parametrize("to", TARGETS)
def test_the_same_again_changes_nothing(captioned, tmp_path, to):
    found = captioned()
    export_captions(found, Export(to))
    before = {path: data for path, (data, *_) in state_of(tmp_path / "out").items()}
    again = export_captions(found, Export(to))
    assert again.changes.written == 0
    assert again.changes.unchanged
    assert {path: data for path, (data, *_) in state_of(tmp_path / "out").items()} == before


@pytest.mark.parametrize("to", TARGETS)
def test_a_machine_s_captions_leave_where_asked_but_for_rejected_ones(captioned, tmp_path, to):
    summary = export_captions(captioned(), Export(to, include_machine=True))
    assert (summary.photos, summary.machine) == (3, 1)
    assert "1 of them a machine's" in str(summary)


def test_txt_files_mirror_the_archive(captioned, tmp_path):
    export_captions(captioned(), Export("txt", str(tmp_path / "to")))
    assert texts_in(tmp_path / "to") == {"2019/a.txt": "a dog\n", "2019/b.txt": "개가 달린다\n"}


def test_txt_files_go_beside_photos_where_asked(captioned, tmp_path):
    summary = export_captions(captioned(), Export("txt", beside=True))
    assert set(texts_in(tmp_path / "photos")) == {"2019/a.txt", "2019/b.txt"}
    assert summary.place == str(tmp_path / "photos")


@pytest.mark.parametrize("to", TARGETS)
def test_no_place_among_the_photos_unless_asked(captioned, tmp_path, to):
    with pytest.raises(ArchiveError, match="INTO"):
        export_captions(captioned(), Export(to, str(tmp_path / "photos" / "to")))


def test_two_photos_never_share_a_txt(captioned, tmp_path):
    rows = [
        row(b"a.jpg", APPROVED),
        row(b"a.png"),
        row(b"B.jpg", APPROVED),
        row(b"b.png", APPROVED),
    ]
    rows += [row(b"c.jpg", APPROVED)]
    rows += [record(b"c.nef", caption=None, status=Status.UNSUPPORTED, captioner=None)]
    summary = export_captions(captioned(rows), Export("txt", str(tmp_path / "to")))
    assert set(texts_in(tmp_path / "to")) == {"c.txt"}
    assert summary.photos == 1
    (why,) = summary.skipped
    assert summary.skipped[why] == 3
    assert "share" in why
    assert any(line.startswith("a.jpg: ") for line in summary.told())


def test_a_txt_of_another_or_that_was_edited_stays(captioned, tmp_path):
    to = tmp_path / "to"
    (to / "2019").mkdir(parents=True)
    (to / "2019" / "a.txt").write_text("by hand")
    summary = export_captions(captioned(), Export("txt", str(to)))
    assert summary.changes.kept == ["2019/a.txt"]
    assert (summary.photos, summary.exit_code) == (1, 3)
    (to / "2019" / "b.txt").write_text("edited")
    summary = export_captions(captioned(), Export("txt", str(to)))
    assert texts_in(to) == {"2019/a.txt": "by hand", "2019/b.txt": "edited"}
    assert len(summary.told()) == 2
    assert (summary.photos, summary.machine, summary.exit_code) == (0, 0, 3)
    assert str(summary).startswith("0 captions, 2 of others left as they are")


def test_a_txt_of_the_same_words_is_still_another_s(captioned, tmp_path):
    to = tmp_path / "to"
    (to / "2019").mkdir(parents=True)
    (to / "2019" / "a.txt").write_text("a dog\n")
    export_captions(captioned(), Export("txt", str(to)))
    export_captions(captioned([row(b"2019/a.jpg", APPROVED, "a cat")]), Export("txt", str(to)))
    assert texts_in(to) == {"2019/a.txt": "a dog\n"}


def test_a_caption_that_stands_no_more_goes_and_a_new_one_replaces_ours(captioned, tmp_path):
    to = tmp_path / "to"
    export_captions(captioned(), Export("txt", str(to)))
    rows = [row(b"2019/a.jpg", EDITED, "a wolf"), row(b"2019/b.jpg", REJECTED)]
    summary = export_captions(captioned(rows), Export("txt", str(to)))
    assert texts_in(to) == {"2019/a.txt": "a wolf\n"}
    assert (summary.changes.written, summary.changes.removed) == (1, 1)
    export_captions(captioned([row(b"2019/a.jpg", REJECTED)]), Export("txt", str(to)))
    assert texts_in(to) == {}


def test_an_interrupted_export_knows_its_own_files_again(captioned, tmp_path, monkeypatch):
    import batch.exported

    def stop(path):
        raise KeyboardInterrupt

    to = tmp_path / "to"
    write, calls = batch.exported.atomic_write, []
    monkeypatch.setattr(
        batch.exported,
        "atomic_write",
        lambda path: write(path) if not calls.append(1) and len(calls) < 2 else stop(path),
    )
    with pytest.raises(KeyboardInterrupt):
        export_captions(captioned(), Export("txt", str(to)))
    monkeypatch.undo()
    assert len(texts_in(to)) == 1
    rows = [row(b"2019/a.jpg", EDITED, "a wolf"), row(b"2019/b.jpg", EDITED, "개")]
    summary = export_captions(captioned(rows), Export("txt", str(to)))
    assert not summary.changes.kept
    assert texts_in(to) == {"2019/a.txt": "a wolf\n", "2019/b.txt": "개\n"}


@pytest.mark.parametrize(
    ("to", "name"),
    [("coco", "captions.json"), ("imagefolder", "metadata.jsonl"), ("jsonl", "captions.jsonl")],
)
def test_a_file_of_another_is_set_aside(captioned, tmp_path, to, name):
    place = tmp_path / "to"
    place.mkdir()
    (place / name).write_text("by hand")
    summary = export_captions(captioned(), Export(to, str(place)))
    (aside,) = summary.changes.set_aside
    assert (place / aside).read_text() == "by hand"
    assert "a dog" in (place / name).read_text()
    rows = [row(b"2019/a.jpg", EDITED, "a wolf")]
    again = export_captions(captioned(rows), Export(to, str(place)))
    assert not again.changes.set_aside
    assert "a wolf" in (place / name).read_text()


def test_image_ids_are_places_in_the_archive(captioned, tmp_path):
    export_captions(captioned(), Export("coco", include_machine=True))
    place = tmp_path / "out" / "export" / "coco"
    data = json.loads((place / "captions.json").read_text())
    assert [(each["id"], each["file_name"]) for each in data["images"]] == [
        (1, "2019/a.jpg"),
        (2, "2019/b.jpg"),
        (4, "2019/d.jpg"),
    ]
    sources = [each["source"] for each in data["annotations"]]
    assert sources == ["human", "human", "flickr8k@12ab"]
    results = json.loads((place / "results.json").read_text())
    assert results[1] == {"image_id": 2, "caption": "개가\n달린다"}


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("coco", "captions.json"),
        ("imagefolder", "metadata.jsonl"),
        ("imagefolder-csv", "metadata.csv"),
    ],
)
def test_what_was_filled_in_says_so_and_is_no_machine_s(captioned, tmp_path, to, name):
    filled = Review("en", APPROVED, "a dog", "Kim", like="2019/a.jpg")
    rows = [ROWS[0], replace(row(b"2019/e.jpg"), reviews=(filled,))]
    summary = export_captions(captioned(rows), Export(to))
    assert (summary.photos, summary.machine) == (2, 0)
    text = (tmp_path / "out" / "export" / to / name).read_text(encoding="utf-8")
    assert text.count("human, of a photo like it") == 1


def test_photos_that_no_program_could_open_are_left_out_and_told(captioned, tmp_path):
    rows = [
        row(b"/etc/a.jpg", APPROVED),
        row(b"../b.jpg", APPROVED),
        row(b"caf\xe9.jpg", APPROVED),
        row(b"ok.jpg", APPROVED),
        row(b"https://example.org/c.jpg", APPROVED),
    ]
    summary = export_captions(captioned(rows), Export("imagefolder"))
    (line,) = lines_of(tmp_path / "out/export/imagefolder/metadata.jsonl")
    assert line["file_name"] == "ok.jpg"
    assert summary.skipped.total() == 4
    summary = export_captions(captioned(rows), Export("txt"))
    names = {os.fsencode(path.name) for path in (tmp_path / "out/export/txt").rglob("*.txt")}
    assert names == {b"caf\xe9.txt", b"ok.txt"}
    assert not (tmp_path / "out" / "b.txt").exists()
    everything = lines_of(export_path(captioned(rows), "jsonl", tmp_path))
    assert len(everything) == 5
    assert everything[2]["raw_path"] == "caf%E9.jpg"


def export_path(found, to, tmp_path):
    export_captions(found, Export(to))
    return tmp_path / "out" / "export" / to / "captions.jsonl"


def test_a_missing_photo_has_no_txt(captioned, tmp_path):
    gone = record(
        b"gone.jpg", language="en", status=Status.MISSING, reviews=(Review("en", APPROVED, "x"),)
    )
    summary = export_captions(captioned([gone, *ROWS]), Export("txt"))
    assert (summary.skipped, summary.exit_code) == ({}, 0)


BOTH = record(
    b"a.jpg",
    language="en",
    languages=(LanguageCaption("en", "a dog", 0.5, "e@1"), LanguageCaption("ko", "개", 0.5, "k@1")),
    reviews=(Review("en", APPROVED, "a dog"), Review("ko", EDITED, "강아지")),
)


def test_one_caption_a_photo_needs_a_language_where_there_are_several(captioned, tmp_path):
    with pytest.raises(ArchiveError, match=r"en and ko.*LANGUAGE="):
        export_captions(captioned([BOTH]), Export("txt"))
    export_captions(captioned([BOTH]), Export("txt", language="ko"))
    assert texts_in(tmp_path / "out/export/txt-ko") == {"a.txt": "강아지\n"}
    (line,) = lines_of(export_path(captioned([BOTH]), "jsonl", tmp_path))
    assert {name: said["human"] for name, said in line["captions"].items()} == {
        "en": "a dog",
        "ko": "강아지",
    }


def test_a_manifest_of_old_tells_its_language_by_its_letters(captioned, tmp_path):
    old = record(
        b"a.jpg",
        caption="개",
        language=None,
        captioner="x@1",
        reviews=(Review("ko", APPROVED, "개"),),
    )
    export_captions(captioned([old]), Export("txt"))
    assert texts_in(tmp_path / "out/export/txt") == {"a.txt": "개\n"}


def test_nothing_to_export_says_what_to_do(captioned, tmp_path):
    with pytest.raises(ArchiveError, match="review"):
        export_captions(captioned([row(b"a.jpg")]), Export("coco"))
    assert not (tmp_path / "out" / "export").exists()


def test_an_unknown_target_is_told(captioned):
    with pytest.raises(ArchiveError, match="imagefolder"):
        export_captions(captioned(), Export("docx"))


def test_photos_out_of_reach_can_be_exported_but_not_beside_them(captioned, tmp_path):
    found = captioned()
    away = Captioned(found.out, str(tmp_path / "unplugged"), found.records)
    assert export_captions(away, Export("txt", str(tmp_path / "to"))).photos == 2
    with pytest.raises(ArchiveError, match="not there"):
        export_captions(away, Export("txt", beside=True))


def test_nothing_is_written_where_a_link_leads_out_of_the_archive(captioned, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "out").symlink_to(tmp_path / "elsewhere")
    summary = export_captions(captioned([row(b"out/a.jpg", APPROVED)]), Export("txt", beside=True))
    assert not list((tmp_path / "elsewhere").glob("*.txt"))
    assert (summary.photos, summary.exit_code) == (0, 3)


def test_a_folder_that_cannot_be_written_to_is_told(captioned, tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "2019").write_text("a file")
    summary = export_captions(captioned(), Export("txt", str(tmp_path / "to")))
    assert (len(summary.changes.failed), summary.photos, summary.exit_code) == (2, 0, 3)
    assert (tmp_path / "to" / "2019").read_text() == "a file"
