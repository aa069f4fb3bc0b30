"""The results' folder: what was finished, what an unfinished run has done, and the note."""

import pytest

import batch.unfinished
import batch.written
from batch.errors import ArchiveError
from batch.results import Results
from batch.run_note import read_note
from batch.summary import Summary
from manifests.errors import ManifestError
from tests.batch.archives import state_of
from tests.manifests.examples import record

A, B, C = (record(name, photo_id=name.decode()) for name in (b"a.jpg", b"b.jpg", b"c.jpg"))
NEW_B = record(b"b.jpg", photo_id="new", caption="a cat")


@pytest.fixture
def results(tmp_path):
    """Open the folder, as another run."""
    (tmp_path / "out").mkdir()
    return lambda archive="photos": Results(str(tmp_path / "out"), str(tmp_path / archive))


def test_a_new_folder_holds_nothing(results):
    run = results()
    run.claim(moved=False)
    previous = run.read()
    assert (list(previous.rows), dict(previous.committed)) == ([], {})
    assert results().rate() is None


def test_what_an_unfinished_run_has_done_comes_before_what_a_finished_one_did(results):
    finish(results(), [B, A])
    run = results()
    run.read()
    run.keep([C])
    run.keep([NEW_B])
    previous = results().read()
    assert list(previous.rows) == [A, NEW_B, C]
    assert dict(previous.committed) == {b"a.jpg": A, b"b.jpg": B}


def test_a_rerun_adds_to_the_shards_of_the_run_before(results):
    for rows in ([A], [B], [NEW_B]):
        run = results()
        run.read()
        run.keep(rows)
    assert list(results().read().rows) == [A, NEW_B]


def test_more_than_ten_shards_keep_their_order(results):
    run = results()
    for number in range(12):
        run.keep([record(b"a.jpg", size=number)])
    (row,) = results().read().rows
    assert row.size == 11


def test_a_finished_run_leaves_no_shards(results, tmp_path):
    run = results()
    run.keep([A])
    run.commit([A, B])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".captions-copy.parquet",
        "captions.csv",
        "captions.parquet",
        "last_run.json",
    ]
    assert list(results().read().rows) == [A, B]


def test_shards_of_a_run_that_came_to_its_end_count_no_more(results, monkeypatch):
    run = results()
    run.keep([NEW_B])
    with monkeypatch.context() as broken:
        broken.setattr(batch.unfinished.shutil, "rmtree", lambda *_, **__: None)
        finish(run, [A, B])
    assert list(results().read().rows) == [A, B]


@pytest.mark.parametrize("finished", [True, False])
def test_rows_of_another_archive_are_refused_unless_it_was_moved(results, finished):
    run = results()
    run.commit([A]) if finished else run.keep([A])
    with pytest.raises(ArchiveError, match="photos; give OUT="):
        results("others").claim(moved=False)
    moved = results("others")
    moved.claim(moved=True)
    assert list(moved.read().rows) == [A]


def test_a_damaged_shard_is_told_not_passed_over(results, tmp_path):
    results().keep([A])
    (shard,) = (tmp_path / "out" / ".parts").rglob("*.parquet")
    shard.write_bytes(shard.read_bytes()[:-9])
    run = results()
    run.claim(moved=False)
    with pytest.raises(ManifestError):
        run.read()


def test_where_nothing_is_new_nothing_is_written(results, tmp_path):
    finish(results(), [A, B])
    with (tmp_path / "out" / "captions.csv").open("a") as file:
        file.write("mine\n")
    before = state_of(tmp_path / "out")
    run = results()
    assert run.commit([run.read().rows[1], run.read().rows[0]]) is None
    assert state_of(tmp_path / "out") == before


@pytest.mark.parametrize("name", ["captions.csv", "captions.parquet"])
def test_a_view_that_was_deleted_is_written_again(results, tmp_path, name):
    finish(results(), [A, B])
    before = (tmp_path / "out" / name).read_bytes()
    (tmp_path / "out" / name).unlink()
    run = results()
    run.read()
    run.commit([A, B])
    assert (tmp_path / "out" / name).read_bytes() == before


def test_a_run_killed_before_the_spreadsheet_was_written_leaves_it_to_the_next_one(
    results, monkeypatch, tmp_path
):
    finish(results(), [A])
    killed(results(), [A, B], monkeypatch, at_the_csv=True)
    run = results()
    finish(run, run.read().rows)
    assert len((tmp_path / "out" / "captions.csv").read_text().splitlines()) == 3


def finish(run: Results, rows) -> str | None:
    """Commit, and come to write the note."""
    with run.noted(Summary("photos", "out")):
        return run.commit(rows)


def killed(run: Results, rows, monkeypatch, *, at_the_csv: bool) -> None:
    """Commit, and come no further."""
    with monkeypatch.context() as broken:
        if at_the_csv:
            broken.setattr(batch.written, "keep_edits", raising(KeyboardInterrupt()))
        broken.setattr(batch.unfinished.shutil, "rmtree", raising(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            run.commit(rows)


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("at_the_csv", [True, False])
def test_the_spreadsheet_of_a_killed_run_is_not_taken_for_an_edited_one(
    results, monkeypatch, tmp_path, first, at_the_csv
):
    if not first:
        finish(results(), [A])
    killed(results(), [A, B], monkeypatch, at_the_csv=at_the_csv)
    assert finish(results(), [A, B, C]) is None
    assert finish(results(), [A]) is None
    assert [path.name for path in (tmp_path / "out").glob("*.csv")] == ["captions.csv"]


@pytest.mark.parametrize("at_the_csv", [True, False])
def test_a_spreadsheet_edited_after_a_run_was_killed_is_set_aside(
    results, monkeypatch, tmp_path, at_the_csv
):
    finish(results(), [A])
    killed(results(), [A, B], monkeypatch, at_the_csv=at_the_csv)
    with (tmp_path / "out" / "captions.csv").open("a") as file:
        file.write("mine\n")
    assert finish(results(), [A, B, C]) == "captions.edited-1.csv"
    assert (tmp_path / "out" / "captions.edited-1.csv").read_text().endswith("mine\n")


@pytest.mark.parametrize("note", ["", "{", "[]", "7", '{"photos_per_second": null, "encoded": 1}'])
def test_a_note_that_cannot_be_read_counts_as_none_and_no_edit_is_lost(results, tmp_path, note):
    finish(results(), [A])
    (tmp_path / "out" / "last_run.json").write_text(note)
    assert results().rate() is None
    assert results().commit([A, B]) == "captions.edited-1.csv"


def test_the_note_is_written_however_the_run_ends(results, tmp_path):
    for error in (KeyboardInterrupt(), OSError("it broke")):
        summary = Summary("photos", "out")
        with pytest.raises(type(error)), results().noted(summary):
            raise error
        assert (tmp_path / "out" / "last_run.json").exists()
        (tmp_path / "out" / "last_run.json").unlink()
    assert (summary.exit_code, summary.error) == (1, "OSError: it broke")


def test_the_note_begins_without_an_end_and_keeps_what_captioning_was_asked(results):
    with results().noted(Summary("photos", "out", asked={"exclude": ["private"]})):
        note = read_note(results().last_run)
        assert (note["ended_at"], note["ended"], note["exit_code"]) == (None, None, None)
    with results().noted(Summary("photos", "out", verb="recaptioned")):
        pass
    note = read_note(results().last_run)
    assert (note["ended"], note["exit_code"], note["verb"]) == ("complete", 0, "recaptioned")
    assert note["asked"] == {"exclude": ["private"]}
    assert note["ended_at"] >= note["started_at"]
