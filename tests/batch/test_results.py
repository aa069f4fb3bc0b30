"""The results' folder: what was finished, what an unfinished run has done, and the note."""

import pytest

from batch.errors import ArchiveError
from batch.results import Results
from batch.summary import Summary
from manifests.errors import ManifestError
from tests.manifests.examples import record

A, B, C = (record(name, photo_id=name.decode()) for name in (b"a.jpg", b"b.jpg", b"c.jpg"))
NEW_B = record(b"b.jpg", photo_id="new", caption="a cat")


@pytest.fixture
def results(tmp_path):
    """Open the folder, as another run."""
    (tmp_path / "out").mkdir()
    return lambda archive="photos": Results(str(tmp_path / "out"), str(tmp_path / archive))


def test_a_new_folder_holds_nothing(results):
    previous = results().read(moved=False)
    assert (list(previous.rows), dict(previous.committed)) == ([], {})
    assert results().rate() is None


def test_what_an_unfinished_run_has_done_comes_before_what_a_finished_one_did(results):
    results().commit([B, A])
    run = results()
    run.read(moved=False)
    run.keep([C])
    run.keep([NEW_B])
    previous = results().read(moved=False)
    assert list(previous.rows) == [A, NEW_B, C]
    assert dict(previous.committed) == {b"a.jpg": "a.jpg", b"b.jpg": "b.jpg"}


def test_a_rerun_adds_to_the_shards_of_the_run_before(results):
    for rows in ([A], [B], [NEW_B]):
        run = results()
        run.read(moved=False)
        run.keep(rows)
    assert list(results().read(moved=False).rows) == [A, NEW_B]


def test_more_than_ten_shards_keep_their_order(results):
    run = results()
    run.read(moved=False)
    for number in range(12):
        run.keep([record(b"a.jpg", size=number)])
    (row,) = results().read(moved=False).rows
    assert row.size == 11


def test_a_finished_run_leaves_no_shards(results, tmp_path):
    run = results()
    run.keep([A])
    run.commit([A, B])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "captions.csv",
        "captions.parquet",
    ]
    assert list(results().read(moved=False).rows) == [A, B]


@pytest.mark.parametrize("finished", [True, False])
def test_rows_of_another_archive_are_refused_unless_it_was_moved(results, finished):
    run = results()
    run.commit([A]) if finished else run.keep([A])
    with pytest.raises(ArchiveError, match="photos; give OUT="):
        results("others").read(moved=False)
    assert list(results("others").read(moved=True).rows) == [A]


def test_a_damaged_shard_is_told_not_passed_over(results, tmp_path):
    results().keep([A])
    (shard,) = (tmp_path / "out" / ".parts").iterdir()
    shard.write_bytes(shard.read_bytes()[:-9])
    with pytest.raises(ManifestError):
        results().read(moved=False)


@pytest.mark.parametrize("note", ["", "{", "[]", "7", '{"photos_per_second": null, "encoded": 1}'])
def test_a_note_that_cannot_be_read_counts_as_none_and_no_edit_is_lost(results, tmp_path, note):
    run = results()
    with run.noted(Summary("photos", "out")):
        run.commit([A])
    (tmp_path / "out" / "last_run.json").write_text(note)
    assert results().rate() is None
    assert results().commit([A, B]) == "captions.edited-1.csv"


def test_the_note_is_written_however_the_run_ends(results, tmp_path):
    for error in (KeyboardInterrupt(), ValueError("it broke")):
        summary = Summary("photos", "out")
        with pytest.raises(type(error)), results().noted(summary):
            raise error
        assert (tmp_path / "out" / "last_run.json").exists()
        (tmp_path / "out" / "last_run.json").unlink()
    assert (summary.exit_code, summary.error) == (1, "ValueError: it broke")
