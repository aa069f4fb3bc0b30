"""What other captioners wrote is reviewed here: on its own photo, as a machine's, nothing lost."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256

import pytest

from batch.captioned import open_captioned
from batch.errors import ArchiveError, LockedError
from batch.export import Export, export_captions
from batch.import_captions import Source, import_captions
from batch.lock import locked
from batch.pipeline import run
from batch.results import Results
from manifests.errors import ManifestError
from manifests.manifest import write_records
from manifests.record import LanguageCaption, Status
from manifests.review import Review, ReviewStatus
from tests.batch.archives import state_of
from tests.pictures import encoded, noise


def xmp(data):
    """Stand in for the reader of sidecars."""
    return {"x-default": data.decode(), "en": data.decode()}


NAMES = ["2019/dog.png", "2019/바다.png", "2020/cat.png", "z.png"]


@pytest.fixture
def album(archive):
    """Make an archive that was never captioned."""
    archive.draw(*NAMES)
    return archive


@pytest.fixture
def captioned(album):
    """Let each photo have our caption."""
    rows = dict.fromkeys(NAMES, "our words")
    take(album, jsonl(album, rows), name="ours")
    edit(album, lambda row: replace(row, captioner="flickr8k-en@12", decode="beam", log_prob=-1.0))
    return album


def jsonl(archive, rows, **more):
    path = archive.root.parent / "in.jsonl"
    lines = [json.dumps({"path": name, "caption": said} | more) for name, said in rows.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def take(archive, path, name="florence", **more):
    return import_captions(
        str(archive.root), str(archive.out), Source(str(path), name, **more), xmp
    )


def edit(archive, change):
    """Change the rows of the manifest, as if they had always been so."""
    rows = [change(row) for row in archive.records.values()]
    write_records(archive.out / "captions.parquet", rows, os.path.realpath(archive.root))


def test_an_archive_that_was_never_captioned_gets_rows(album):
    before = state_of(album.root)
    summary = take(album, jsonl(album, {NAMES[0]: "a dog", NAMES[1]: "바다"}, confidence=0.3))
    assert (summary.captioned, summary.new, summary.exit_code) == (2, 2, 0)
    dog, sea = (album.records[name] for name in NAMES[:2])
    assert (dog.caption, dog.language, sea.language) == ("a dog", "en", "ko")
    assert (dog.captioner, dog.decode) == ("florence@imported", "imported from in.jsonl")
    assert dog.confidence == pytest.approx(0.3)
    assert dog.photo_id == sha256((album.root / NAMES[0]).read_bytes()).hexdigest()
    assert (dog.width, dog.status, dog.log_prob) == (48, Status.CAPTIONED, None)
    assert [row["caption"] for row in album.csv_rows] == ["a dog", "바다"]
    assert state_of(album.root) == before


def test_no_network_is_loaded_for_it(album):
    program = (
        "import sys; from batch.import_captions import *\n"
        "import_captions(*sys.argv[1:3], Source(sys.argv[3], 'x'), None)\n"
        "assert not {'tensorflow', 'keras'} & {*sys.modules}"
    )
    given = [str(album.root), str(album.out), str(jsonl(album, {NAMES[0]: "a dog"}))]
    subprocess.run([sys.executable, "-c", program, *given], check=True, timeout=120)
    assert list(album.captions.values()) == ["a dog"]


def test_the_same_again_changes_nothing(captioned):
    path = jsonl(captioned, {NAMES[0]: "a dog", NAMES[1]: "바다"}, confidence=0.1)
    take(captioned, path)
    before = captioned.results
    summary = take(captioned, path)
    assert (summary.captioned, summary.unchanged) == (0, 2)
    assert captioned.results == before


def test_our_caption_becomes_the_first_alternative(captioned):
    take(captioned, jsonl(captioned, {NAMES[0]: ["a dog", "two dogs", "a dog"]}))
    row = captioned.records[NAMES[0]]
    assert (row.caption, row.alternatives) == ("a dog", ("our words", "two dogs"))
    assert captioned.captions[NAMES[2]] == "our words"


def test_two_captions_of_one_photo_are_one_and_an_alternative(captioned):
    path = captioned.root.parent / "in.csv"
    path.write_text(f"file,text\n{NAMES[0]},first\n{NAMES[0]},second\n", encoding="utf-8")
    summary = take(captioned, path)
    row = captioned.records[NAMES[0]]
    assert (row.caption, row.alternatives) == ("first", ("our words", "second"))
    assert summary.several == 1


def test_what_people_said_stays(captioned):
    review = Review("en", ReviewStatus.EDITED, "a person's", "Kim", at="2026-11-28T10:00:00Z")
    edit(captioned, lambda row: replace(row, reviews=(review,)))
    summary = take(captioned, jsonl(captioned, dict.fromkeys(NAMES, "a dog")))
    assert {row.reviews for row in captioned.records.values()} == {(review,)}
    assert summary.reviewed == 4


def test_what_people_said_goes_along_with_a_photo_that_has_moved(captioned):
    review = Review("en", ReviewStatus.APPROVED, "our words", "Kim", at="2026-11-28T10:00:00Z")
    edit(captioned, lambda row: replace(row, reviews=(review,) if row.path == NAMES[0] else ()))
    (captioned.root / NAMES[0]).rename(captioned.root / "moved.png")
    take(captioned, jsonl(captioned, {"moved.png": "a dog"}))
    assert captioned.records["moved.png"].reviews == (review,)
    assert NAMES[0] not in captioned.records


def test_a_caption_in_another_language_goes_beside_ours(captioned):
    take(captioned, jsonl(captioned, {NAMES[0]: "개"}))
    row = captioned.records[NAMES[0]]
    assert (row.caption, row.language, row.captioner) == ("our words", "en", "flickr8k-en@12")
    assert row.languages == (
        LanguageCaption("en", "our words", None, "flickr8k-en@12"),
        LanguageCaption("ko", "개", None, "florence@imported"),
    )
    shown = captioned.csv_rows[2]
    assert shown["caption_en"] == "our words"
    assert (shown["confidence_en"], shown["confidence_ko"]) == ("", "")
    before = captioned.results
    take(captioned, jsonl(captioned, {NAMES[0]: "개"}))
    assert captioned.results == before


@pytest.mark.parametrize(
    ("caption", "given", "language"),
    [
        ("a dog", None, "en"),
        ("Hund über", None, "en"),
        ("서울 tower", None, "ko"),
        ("собака", "ru", "ru"),
    ],
)
def test_the_language_is_told_or_that_of_the_letters(album, caption, given, language):
    take(album, jsonl(album, {NAMES[0]: caption}), language=given)
    assert album.records[NAMES[0]].language == language


def test_letters_of_another_script_need_a_language(album):
    summary = take(album, jsonl(album, {NAMES[0]: "собака"}))
    assert "LANGUAGE=" in summary.told()[0]


def test_a_region_does_not_make_another_language(captioned):
    take(captioned, jsonl(captioned, {NAMES[0]: "a dog"}, language="en-GB"))
    assert (captioned.captions[NAMES[0]], captioned.records[NAMES[0]].language) == ("a dog", "en")


def test_captions_in_another_language_than_asked_for_are_left_out(album):
    summary = take(album, jsonl(album, {NAMES[0]: "개"}, language="ko"), language="en")
    assert summary.other_languages == 1
    assert not album.records


HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "http://x/dog.png",
    "a\0b",
    "2019/../z.png",
    "x/dog.png",
]


def test_what_leads_elsewhere_is_told_and_never_opened(album, monkeypatch):
    path = jsonl(album, dict.fromkeys([*HOSTILE, NAMES[0]], "a dog"))
    seen, stat = [], os.stat
    monkeypatch.setattr(os, "stat", lambda name, *a, **k: seen.append(name) or stat(name, *a, **k))
    summary = take(album, path)
    monkeypatch.undo()
    assert list(album.records) == [NAMES[0]]
    assert len(summary.unmatched) == len(HOSTILE)
    assert summary.exit_code == 3
    assert not [name for name in map(str, seen) if "passwd" in name or "\0" in name]


def test_bad_lines_are_told_and_the_others_taken(album):
    path = jsonl(album, {NAMES[0]: "a dog"})
    deep, long = "[" * 100_000, json.dumps({"path": NAMES[2], "caption": "x" * 20_000})
    half = '{"path": "z.png", "caption": "\\ud800"}'
    path.write_text("\n".join([deep, long, half, path.read_text()]), encoding="utf-8")
    summary = take(album, path)
    assert len(summary.unread) == 3
    assert album.captions == {NAMES[0]: "a dog"}


def test_a_dry_run_writes_nothing(album):
    summary = take(album, jsonl(album, {NAMES[0]: "a dog", "gone.png": "x"}), dry_run=True)
    assert (summary.captioned, len(summary.unmatched)) == (1, 1)
    assert not album.out.exists()


def test_a_caption_of_other_bytes_is_not_taken(album):
    summary = take(album, jsonl(album, {NAMES[0]: "a dog"}, photo_id="ab" * 32))
    assert "another file" in summary.told()[0]
    assert not album.records


def test_copies_share_a_caption_that_names_their_bytes(captioned):
    (captioned.root / "copy.png").write_bytes((captioned.root / NAMES[0]).read_bytes())
    take(captioned, jsonl(captioned, {"copy.png": "x", NAMES[2]: "y"}))
    photo_id = captioned.records[NAMES[0]].photo_id
    take(captioned, jsonl(captioned, {"": "a dog"}, photo_id=photo_id), name="other")
    assert captioned.captions["copy.png"] == captioned.captions[NAMES[0]] == "a dog"


def test_a_photo_that_cannot_be_read_is_a_row_that_says_so(album):
    (album.root / "bad.png").write_bytes(b"")
    summary = take(album, jsonl(album, {"bad.png": "a dog", "2019/dog.png": "a dog"}))
    row = album.records["bad.png"]
    # Its bytes are known, so another captioner may have seen what we cannot.
    assert (row.caption, row.status, row.photo_id is not None) == ("a dog", Status.CAPTIONED, True)
    assert summary.captioned == 2


def test_what_was_no_scene_to_us_may_be_one_to_others(captioned):
    none = {"status": Status.NOT_A_SCENE, "caption": None, "error": "looks like a page"}
    edit(captioned, lambda row: replace(row, **none))
    take(captioned, jsonl(captioned, {NAMES[0]: "a letter"}))
    row = captioned.records[NAMES[0]]
    assert (row.caption, row.status, row.error) == ("a letter", Status.CAPTIONED, None)
    assert captioned.records[NAMES[1]].status is Status.NOT_A_SCENE


def test_a_missing_photo_stays_missing(captioned):
    edit(captioned, lambda row: replace(row, status=Status.MISSING, error="gone"))
    (captioned.root / NAMES[0]).unlink()
    take(captioned, jsonl(captioned, {NAMES[0]: "a dog"}))
    row = captioned.records[NAMES[0]]
    assert (row.caption, row.status, row.error) == ("a dog", Status.MISSING, "gone")


def test_a_photo_without_an_identity_gets_no_caption(album):
    os.mkfifo(album.root / "pipe.png")
    summary = take(album, jsonl(album, {"pipe.png": "a dog"}))
    row = album.records["pipe.png"]
    assert (row.caption, row.photo_id, row.failed) == (None, None, True)
    assert summary.failed == {"unsupported": 1}
    assert "cannot be read" in summary.told()[0]


def test_a_photo_that_has_changed_has_a_caption_of_its_new_bytes(captioned):
    (captioned.root / NAMES[0]).write_bytes(encoded(noise(8, 8, 99), "PNG"))
    take(captioned, jsonl(captioned, {NAMES[0]: "a wolf"}))
    row = captioned.records[NAMES[0]]
    assert row.photo_id == sha256((captioned.root / NAMES[0]).read_bytes()).hexdigest()
    assert (row.caption, row.alternatives, row.width) == ("a wolf", (), 8)


def test_a_photo_that_has_moved_is_one_row(captioned):
    (captioned.root / NAMES[0]).rename(captioned.root / "moved.png")
    summary = take(captioned, jsonl(captioned, {"moved.png": "a dog"}))
    assert summary.moved == 1
    assert sorted(captioned.captions) == sorted([*NAMES[1:], "moved.png"])
    assert captioned.records["moved.png"].alternatives == ("our words",)


def test_photos_out_of_reach_are_matched_by_their_rows(captioned, tmp_path):
    captioned.root.rename(tmp_path / "unplugged")
    path = jsonl(captioned, {NAMES[0]: "a dog"})
    import_captions(None, str(captioned.out), Source(str(path), "florence"), xmp)
    assert captioned.captions[NAMES[0]] == "a dog"
    assert captioned.records[NAMES[1]].status is Status.CAPTIONED


def test_a_run_afterwards_captions_the_others_and_keeps_these(album, stub_captioner):
    take(album, jsonl(album, {NAMES[0]: "a dog"}))
    summary = run(album.config())
    assert album.captions[NAMES[0]] == "a dog"
    assert stub_captioner.asked == 3
    assert summary.others == {"florence": 1}


def test_txt_files_beside_photos(album):
    (album.root / "2019" / "dog.txt").write_text("a dog")
    (album.root / "2019" / "바다.png.txt").write_text("바다", encoding="utf-8")
    (album.root / "notes.txt").write_text("no caption of any photo")
    summary = take(album, album.root)
    assert album.captions == {NAMES[0]: "a dog", NAMES[1]: "바다"}
    assert len(summary.unmatched) == 1


def test_xmp_in_a_tree_like_the_archive(album, tmp_path):
    (tmp_path / "in" / "2020").mkdir(parents=True)
    (tmp_path / "in" / "2020" / "cat.png.xmp").write_text("a cat")
    (tmp_path / "in" / "z.xmp").write_text("z")
    take(album, tmp_path / "in")
    assert album.captions == {NAMES[2]: "a cat", "z.png": "z"}


def coco_results(archive, *rows):
    path = archive.root.parent / "results.json"
    path.write_text(json.dumps([{"image_id": key, "caption": said} for key, said in rows]))
    return path


def test_coco_s_results_by_the_number_in_the_name(archive):
    archive.draw("val/COCO_val2014_000000391895.png", "val/COCO_val2014_000000000001.png")
    summary = take(archive, coco_results(archive, (391895, "a man")))
    assert archive.captions == {"val/COCO_val2014_000000391895.png": "a man"}
    assert summary.by["name"] == 1


def test_coco_s_results_are_no_photo_s_where_one_number_is_not_in_a_name(archive):
    archive.draw("1.png", "2.png", "10.png", "11.png")
    path = coco_results(archive, (1, "one"), (2, "ten"), (3, "eleven"), (4, "two"))
    summary = take(archive, path)
    assert not archive.captions
    assert (len(summary.unmatched), summary.exit_code) == (4, 3)
    assert "IMAGES=captions.json" in summary.told()[0]


@pytest.mark.parametrize(
    ("names", "alone"),
    [
        (["1.png", "2.png", "10.png", "11.png"], True),
        (["a/002.png", "b/COCO_val2014_000000000010.png", "b/1.png"], True),
        (["1.png", "2.png", "10.png", "dog.png"], False),
        (["a/1.png", "b/1.png", "b/2.png"], False),
    ],
)
def test_coco_s_results_go_out_and_come_back_to_their_own_photos(archive, tmp_path, names, alone):
    archive.draw(*names)
    take(archive, jsonl(archive, dict.fromkeys(names, "our words")), name="ours")
    edit(
        archive,
        lambda row: replace(row, reviews=(Review("en", ReviewStatus.APPROVED, f"is {row.path}"),)),
    )
    export_captions(open_captioned(str(archive.out)), Export("coco", str(tmp_path / "to")))
    results, images = tmp_path / "to" / "results.json", tmp_path / "to" / "captions.json"
    take(archive, results, name="bare")
    own = {name: f"is {name}" for name in sorted(names)}
    assert archive.captions == (own if alone else dict.fromkeys(sorted(names), "our words"))
    assert not take(archive, results, name="listed", images=str(images)).told()
    assert archive.captions == own


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("txt", ""),
        ("coco", "captions.json"),
        ("imagefolder", "metadata.jsonl"),
        ("jsonl", "captions.jsonl"),
    ],
)
def test_what_was_exported_comes_back_to_its_own_photos(captioned, tmp_path, to, name):
    said = {each: f"words of {number}" for number, each in enumerate(NAMES)}
    edit(
        captioned,
        lambda row: replace(row, reviews=(Review("en", ReviewStatus.EDITED, said[row.path]),)),
    )
    export_captions(open_captioned(str(captioned.out)), Export(to, str(tmp_path / "to")))
    summary = take(captioned, tmp_path / "to" / name, name="back")
    assert captioned.captions == {each: said[each] for each in sorted(NAMES)}
    assert not summary.told()


@pytest.mark.parametrize("name", ["", "a@b", "a/b", "flickr8k-en", "x" * 65, "a\nb", " "])
def test_names_that_are_none_are_refused(album, name):
    with pytest.raises(ArchiveError, match="NAME="):
        take(album, jsonl(album, {}), name=name)


def test_settings_that_mean_nothing_are_refused(album, tmp_path):
    with pytest.raises(ArchiveError, match="LANGUAGE="):
        take(album, jsonl(album, {}), language="Korean!")
    with pytest.raises(ArchiveError, match="FROM="):
        take(album, tmp_path / "none.csv")
    with pytest.raises(ManifestError, match="jsonl"):
        take(album, album.root / "z.png")
    with pytest.raises(ArchiveError, match="OUT"):
        import_captions(
            str(album.root), str(album.root / "out"), Source(str(jsonl(album, {})), "x"), xmp
        )


def test_another_run_at_the_same_time_is_refused(album):
    with locked(str(album.out)), pytest.raises(LockedError):
        take(album, jsonl(album, {NAMES[0]: "a dog"}))


def test_an_interrupted_import_goes_on(album, monkeypatch):
    path = jsonl(album, dict.fromkeys(NAMES, "a dog"))

    def stop(self, records):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Results, "commit", stop)
        with pytest.raises(KeyboardInterrupt):
            take(album, path)
    summary = take(album, path)
    assert (summary.unchanged, summary.new) == (4, 0)
    assert len(album.records) == 4


def test_a_table_of_broken_letters_is_refused(album):
    path = album.root.parent / "in.csv"
    table = "path,caption\n2019/바다.png,the sea\n2019/dog.png,a dog\n"
    for marked in ("\ufeff" + table, table):
        path.write_text(marked.encode().decode("latin-1"), encoding="utf-8")
        with pytest.raises(ManifestError, match=r"in\.csv: .*another encoding than UTF-8"):
            take(album, path)
    path.write_text(table, encoding="utf-8")
    assert take(album, path).captioned == 2


def test_a_name_that_was_broken_on_a_disk_of_theirs_refuses_nothing(album):
    path = album.root.parent / "in.csv"
    broken = "2019/바다.png".encode().decode("latin-1")
    path.write_text(f"path,caption\n2019/바다.png,the sea\n{broken},a sea\n", encoding="utf-8")
    assert take(album, path).captioned == 1
