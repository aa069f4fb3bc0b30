"""What older versions left on disks is read by this one, and goes on: `tests/kept` holds some."""

import csv
import os
import shutil
from pathlib import Path

import pytest

from batch.merge_review import merge_review
from batch.pipeline import run
from manifests.manifest import read_records
from tests.batch.archives import Archive
from tests.kept.keep import PHOTOS

KEPT = sorted(path.parent for path in Path(__file__).parent.glob("kept/*/out"))
REVIEWED = [folder for folder in KEPT if (folder / "later.csv").exists()]


def titles(folders):
    return [folder.name for folder in folders]


@pytest.fixture
def archive(request, tmp_path, fake_encoder):
    """Put what a version has left, and its photos, where they can be worked with."""
    kept = shutil.copytree(request.param, tmp_path / "kept")
    archive = Archive(tmp_path / "photos", kept / "out", kept / "features", str(kept / "en"))
    shutil.copytree(PHOTOS, archive.root, dirs_exist_ok=True)
    for record in read_records(archive.out / "captions.parquet"):
        path = archive.root / os.fsdecode(record.raw_path)
        os.utime(path, ns=(record.mtime_ns, record.mtime_ns))
    return archive


def said(folder):
    """Give the captions of a CSV by path."""
    with (folder / "captions.csv").open(newline="", encoding="utf-8-sig") as file:
        return {row["path"]: row["caption"] for row in csv.DictReader(file)}


def words_of(archive):
    return {path: row.review.caption for path, row in archive.records.items() if row.reviews}


@pytest.mark.parametrize("archive", KEPT, ids=titles(KEPT), indirect=True)
def test_its_results_are_read_and_nothing_is_done_again(archive, fake_encoder):
    before, words = said(archive.out), words_of(archive)
    summary = run(archive.config(moved=True))
    assert (summary.captioned, summary.encoded, summary.photos) == (0, 0, 4)
    assert said(archive.out) == before
    assert words_of(archive) == words


@pytest.mark.parametrize("archive", KEPT, ids=titles(KEPT), indirect=True)
def test_a_new_photo_comes_beside_what_was_there(archive):
    before = said(archive.out)
    archive.draw("new.png", seed=9)
    assert run(archive.config(moved=True)).captioned == 1
    after = said(archive.out)
    assert after.pop("new.png")
    assert after == before


@pytest.mark.parametrize("archive", KEPT, ids=titles(KEPT), indirect=True)
def test_its_captioner_says_what_it_said_from_the_features_it_kept(archive, fake_encoder):
    before = said(archive.out)
    run(archive.config(moved=True, overwrite=True))
    captions = {path: caption for path, caption in before.items() if caption}
    assert said(archive.out).items() >= captions.items()
    assert fake_encoder.photos == 0


@pytest.mark.parametrize("archive", REVIEWED, ids=titles(REVIEWED), indirect=True)
def test_people_s_words_stay_and_its_sheets_still_come_in(archive, tmp_path):
    assert words_of(archive)["a.png"] == "a person's words"
    merge_review(str(archive.out), str(tmp_path / "kept" / "later.csv"), dry_run=False)
    for _ in range(2):
        assert words_of(archive) == {"a.png": "a person's words", "b/바다.png": "the sea"}
        run(archive.config(moved=True, overwrite=True))
