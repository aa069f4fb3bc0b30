"""The files that hold the rows, written so that a kill or a full disk leaves them of one mind."""

import errno

import pytest

import batch.written
import manifests.csv_view
from batch.written import Written
from manifests.journal import Journal
from manifests.manifest import read_records
from tests.batch.archives import state_of
from tests.manifests.examples import record

A, B = record(b"a.jpg"), record(b"b.jpg")


def opened(out):
    return Written(out, Journal(out))


def test_rows_are_in_all_three_files(tmp_path):
    written = opened(tmp_path)
    assert not written.are_there
    assert written.write([A, B], "/photos") is None
    assert written.are_there
    assert read_records(written.manifest) == read_records(written.copy) == [A, B]
    assert (written.archive, opened(tmp_path).archive) == ("/photos", "/photos")


def test_what_it_says_of_the_manifest_is_of_the_manifest_as_it_is_now(tmp_path):
    written = opened(tmp_path)
    assert written.digest is None
    for rows, archive in (([A], "/photos"), ([A, B], "/elsewhere")):
        written.write(rows, archive)
        again = opened(tmp_path)
        assert (written.digest, written.archive) == (again.digest, again.archive)


def test_where_the_view_finds_no_room_the_manifest_stays_as_it_was(tmp_path, monkeypatch):
    opened(tmp_path).write([A], "/photos")
    before = state_of(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(manifests.csv_view, "sync", full)
    with pytest.raises(OSError, match="No space"):
        opened(tmp_path).write([A, B], "/photos")
    after = state_of(tmp_path)
    assert {path: state[0] for path, state in after.items()} == {
        path: state[0] for path, state in before.items()
    }


def test_the_view_is_made_once_and_its_name_comes_last(tmp_path, monkeypatch):
    seen = []
    keep = batch.written.keep_edits

    def keep_and_look(path, known):
        seen.append((read_records(tmp_path / "captions.parquet"), path.exists()))
        return keep(path, known)

    monkeypatch.setattr(batch.written, "keep_edits", keep_and_look)
    opened(tmp_path).write([A], "/photos")
    assert seen == [([A], False)]
