"""A run that finds nothing new looks at no row closer than it must, and misses nothing."""

import os
import shutil
from unittest.mock import patch

import pytest

import batch.results
import batch.written
from batch.__main__ import main
from batch.merge_review import merge_review
from batch.pipeline import run
from manifests.durable import sha256_file
from manifests.journal import Journal
from manifests.manifest import read_archive
from tests.batch.reviewers import Sheet


@pytest.fixture
def is_quick(album, monkeypatch):
    """Give what runs, and tells whether no row was made into a record."""
    read = batch.results.read_records
    asked = []

    def reading(path):
        asked.append(path)
        return read(path)

    monkeypatch.setattr(batch.results, "read_records", reading)

    def is_quick(**changes):
        asked.clear()
        is_quick.summary = run(album.config(**changes))
        return not asked

    return is_quick


def test_nothing_new_is_told_at_a_glance_and_changes_no_byte(album, is_quick):
    (album.root / "d.jpg").write_bytes(b"no photo")
    first = run(album.config())
    before = album.results
    assert is_quick()
    assert album.results == before
    again = is_quick.summary
    names = ("photos", "unchanged", "not_a_scene", "missing", "failed", "exit_code", "others")
    assert [getattr(again, name) for name in names] == [4 + 1, 4, 0, 0, first.failed, 3, {}]
    assert "nothing new" in str(again)
    assert not again.newly_failed


def test_the_manifest_is_read_through_once_to_tell(album, monkeypatch):
    run(album.config())
    asked = []
    monkeypatch.setattr(
        batch.written, "sha256_file", lambda path: asked.append(path) or digest(path)
    )
    monkeypatch.setattr(batch.written, "read_archive", lambda path: asked.append(path) or of(path))
    digest, of = sha256_file, read_archive
    run(album.config())
    assert asked == [album.out / "captions.parquet"] * 2


CHANGES = {
    "new": lambda root: shutil.copy(root / "a.png", root / "z.png"),
    "new before all": lambda root: shutil.copy(root / "a.png", root / "0.png"),
    "gone": lambda root: (root / "c.png").unlink(),
    "gone from the middle": lambda root: (root / "b/a.png").unlink(),
    "moved": lambda root: (root / "c.png").rename(root / "d.png"),
    "touched": lambda root: os.utime(root / "c.png", ns=(1, 1)),
    "longer": lambda root: (root / "c.png").write_bytes((root / "c.png").read_bytes() + b"\0"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_is_looked_at(album, is_quick, change):
    assert is_quick()
    change(album.root)
    assert not is_quick()
    assert is_quick() or is_quick.summary.failed


def test_a_photo_that_is_missing_stays_so_at_a_glance_and_comes_back(album, is_quick):
    kept = (album.root / "c.png").rename(album.root.parent / "kept.png")
    assert not is_quick()
    assert is_quick()
    assert is_quick.summary.missing == 1
    kept.rename(album.root / "c.png")
    assert not is_quick()
    assert album.records["c.png"].status == "captioned"


def test_what_every_run_tries_again_is_tried(album, is_quick):
    (album.root / "c.png").unlink()
    (album.root / "c.png").symlink_to("nowhere")
    assert not is_quick()
    assert not is_quick()


@pytest.mark.parametrize(
    "asked",
    [{"overwrite": True}, {"retry_failed": True}, {"include": ("a*",)}, {"limit": 2}],
    ids=str,
)
def test_whoever_asks_for_more_or_for_less_gets_it(album, is_quick, asked):
    assert is_quick()
    assert not is_quick(**asked)


def test_another_captioner_is_told_of_at_a_glance_too(album, is_quick, tmp_path):
    other = str(shutil.copytree(album.captioner, tmp_path / "other"))
    config = tmp_path / "other" / "config.json"
    config.write_text(config.read_text().replace('"tiny"', '"other"'))
    for quick in (False, True):
        assert is_quick(captioner=other) == quick
        assert is_quick.summary.others == {"tiny": 4}


def test_words_that_were_merged_are_no_reason_to_look_closer(album, is_quick):
    Sheet(album).write("a.png", caption="my words").bring_back()
    assert is_quick()
    assert album.records["a.png"].review.caption == "my words"


def test_words_of_a_merge_that_was_killed_are_shown(album, is_quick):
    sheet = Sheet(album).write("a.png", caption="my words").save()
    killed = patch("batch.results.Results.recommit", side_effect=KeyboardInterrupt)
    with killed, pytest.raises(KeyboardInterrupt):
        merge_review(str(album.out), str(sheet), dry_run=False)
    assert Journal(album.out).latest
    assert not is_quick()
    assert album.records["a.png"].review.caption == "my words"


@pytest.mark.parametrize("name", ["captions.parquet", "captions.csv", "last_run.json"])
def test_files_that_are_gone_or_are_others_are_made_again(album, is_quick, name):
    before = album.results
    (album.out / name).unlink()
    is_quick()
    assert album.results == before


def test_a_manifest_that_was_put_back_is_looked_at(album, is_quick):
    old = (album.out / "captions.parquet").read_bytes()
    album.draw("e.png", seed=30)
    assert not is_quick()
    (album.out / "captions.parquet").write_bytes(old)
    assert not is_quick()
    assert "e.png" in album.records


def test_folders_that_cannot_be_listed_are_told_each_time(album, is_quick, monkeypatch):
    import batch.scan

    real = os.scandir

    def scandir(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(batch.scan.os, "scandir", scandir)
    for _ in range(2):
        assert not is_quick()
        assert is_quick.summary.unlisted == ["b: Permission denied"]


def in_korean(folder, target):
    """Copy a captioner, as one of another language."""
    shutil.copytree(folder, target)
    config = target / "config.json"
    config.write_text(config.read_text().replace('"en"', '"ko"').replace('"tiny"', '"tiny-ko"'))
    return str(target)


def test_a_language_that_was_asked_for_in_vain_is_still_to_do(archive, fake_encoder, tmp_path):
    """What another command notes down of itself says nothing of the run before it."""
    archive.draw("a.png", "b.png")
    run(archive.config())
    others = (in_korean(archive.captioner, tmp_path / "ko"),)
    killed = patch("batch.pipeline.caption_photos", side_effect=KeyboardInterrupt)
    with killed, pytest.raises(KeyboardInterrupt):
        run(archive.config(others=others))
    theirs = tmp_path / "theirs.csv"
    theirs.write_text("path,caption\na.png,a fox\n")
    assert main(["import-captions", "--out", str(archive.out), "--name", "x", str(theirs)]) == 0
    run(archive.config(others=others))
    assert [len(row.languages) for row in archive.records.values()] == [2, 2]


def test_a_captioner_that_speaks_another_language_now_is_looked_at(archive, fake_encoder, tmp_path):
    archive.draw("a.png", "b.png")
    korean = in_korean(archive.captioner, tmp_path / "ko")
    run(archive.config(others=(korean,)))
    config = tmp_path / "ko" / "config.json"
    config.write_text(config.read_text().replace('"ko"', '"fr"'))
    run(archive.config(others=(korean,)))
    assert "fr" in {each.language for each in archive.records["a.png"].languages}
