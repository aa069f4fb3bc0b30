"""A run's log tells, a line of JSON an event, what happened; and it never stands in the way."""

import json
import logging
import warnings
from pathlib import Path

import pytest

import batch.run_log
from batch.errors import LockedError
from batch.lock import locked
from batch.pipeline import run
from batch.run_log import run_log, tell
from batch.scan import log_error

BAD = "bad \udcff\u2028\x85 바다\n.jpg"


@pytest.fixture
def album(archive, stub_captioner):
    """Make an archive of a good photo and a bad one."""
    archive.draw("a.png")
    (archive.root / BAD).write_bytes(b"no photo")
    return archive


def read(out: Path, name: str = "log.jsonl") -> list[dict]:
    """Read a log as any program would, line by line."""
    text = (out / name).read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert text.splitlines() == text.removesuffix("\n").split("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_tells_how_it_began_what_it_did_and_how_it_ended(album):
    run(album.config(limit=9))
    began, failed, kept, ended = read(album.out)
    assert {line["run"] for line in read(album.out)} == {album.last_run["run"]}
    assert began["event"] == "run started"
    assert (began["archive"], began["limit"]) == (str(album.root), 9)
    assert (began["captioner"], began["version"]) == (album.captioner, batch.config.version())
    assert began["time"].endswith("+00:00")
    assert (failed["level"], failed["event"]) == ("warning", "photo failed")
    assert failed["path"] == "bad \\xff\u2028\x85 바다\n.jpg"
    assert (failed["status"], bool(failed["error"])) == ("unreadable", True)
    assert (kept["event"], kept["photos"], kept["captioned"], kept["encoded"]) == (
        "shard kept",
        2,
        1,
        1,
    )
    assert (ended["event"], ended["exit_code"], ended["ended"]) == ("run ended", 3, "complete")


def test_photos_that_failed_before_are_not_told_again(album):
    run(album.config())
    run(album.config(retry_failed=True))
    events = [line["event"] for line in read(album.out)]
    assert events.count("photo failed") == 1
    assert events.count("run ended") == 2


def test_an_error_leaves_its_traceback(album, monkeypatch):
    monkeypatch.setattr(batch.results.Results, "keep", lambda *_: (_ for _ in ()).throw(OSError(5)))
    with pytest.raises(OSError, match="5"):
        run(album.config())
    (failed,) = [line for line in read(album.out) if line["event"] == "run failed"]
    assert failed["level"] == "error"
    assert "Traceback" in failed["traceback"]
    assert read(album.out)[-1]["exit_code"] == 1


def test_warnings_go_to_the_log_and_not_to_the_terminal(tmp_path, capfd):
    with run_log(tmp_path, "1"):
        log_error("caf\udce9", OSError(13, "denied"))
        warnings.warn("odd", UserWarning, stacklevel=1)
    first, second = read(tmp_path)
    assert first["event"] == "cannot list the folder 'caf\\udce9': denied"
    assert "UserWarning: odd" in second["event"]
    assert capfd.readouterr() == ("", "")


def test_a_name_of_odd_bytes_stays_one_line_and_comes_back(tmp_path):
    with run_log(tmp_path, "1"):
        tell(BAD, path=BAD)
    (line,) = read(tmp_path)
    assert line["event"] == line["path"] == BAD


def test_it_is_kept_below_a_size(tmp_path, monkeypatch):
    monkeypatch.setattr(batch.run_log, "_BYTES", 1000)
    for number in range(100):
        with run_log(tmp_path, str(number)):
            tell("x" * 100)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["log.jsonl", *(f"log.jsonl.{number}" for number in range(1, 5))]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert read(tmp_path)[-1]["run"] == "99"


@pytest.mark.parametrize("place", ["/dev/full", "nowhere/at/all"])
def test_a_log_that_cannot_be_written_ends_no_run_and_is_told_once(album, capsys, place):
    album.out.mkdir()
    (album.out / "log.jsonl").symlink_to(place)
    assert run(album.config()).exit_code == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"warning: {album.out}/log.jsonl cannot be written: [Errno ")
    assert len(album.records) == 2


def test_a_run_that_is_refused_leaves_no_line(album):
    run(album.config())
    before = read(album.out)
    with locked(str(album.out)), pytest.raises(LockedError):
        run(album.config())
    assert read(album.out) == before


def test_python_logs_as_before_when_a_run_is_over(tmp_path):
    ours = logging.getLogger("batch")
    before = (ours.level, ours.propagate, list(ours.handlers), warnings.showwarning)
    with run_log(tmp_path, "1"):
        pass
    tell("to nobody")
    assert (ours.level, ours.propagate, list(ours.handlers), warnings.showwarning) == before
    assert not list(tmp_path.iterdir())
