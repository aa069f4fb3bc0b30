"""The note on the last run, last_run.json: written when a run begins and when it ends.

What is written at the beginning has no `ended_at`: a run that was killed left it so.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from batch.config import version
from batch.errors import ArchiveError, FaultError, is_fault
from batch.lock import NAME as LOCK
from batch.run_log import LOG_FILE, run_log, tell
from batch.summary import Ending, Summary

NOTE = "last_run.json"
START = 10.0  # seconds until the networks are loaded and take the first photo, about
_ENOUGH = 500  # photos; a run over a few is mostly start-up, and says little of its rate


def read_note(path: Path) -> dict[str, Any]:
    """Read a note; empty where there is none that can be read."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def rate_of(note: Mapping[str, Any]) -> float | None:
    """Photos a second of a run once it had started, where it encoded enough of them to tell."""
    seconds, encoded = note.get("seconds"), note.get("encoded")
    if not isinstance(seconds, int | float) or not isinstance(encoded, int) or encoded < _ENOUGH:
        return None
    return encoded / max(seconds - START, seconds / 2, 1.0)


@contextmanager
def leaving_none(out: str, summary: Summary) -> Iterator[None]:
    """Remove a new folder where a run has not found its photos; for who holds the lock."""
    try:
        yield
    except FaultError:
        raise  # its log is to be read
    except (OSError, ArchiveError):
        names = (LOG_FILE, NOTE, LOCK)
        with suppress(OSError):
            if summary.to_do is None and {*os.listdir(out)} <= {*names}:
                for name in {*names} & {*os.listdir(out)}:
                    os.remove(os.path.join(out, name))
                os.rmdir(out)
        raise


@contextmanager
def noting(
    path: Path, summary: Summary, archive: str, write: Callable[[Summary], None]
) -> Iterator[None]:
    """Note down that a run has begun, and how it ended, however it does; its log is beside it.

    `write` writes a summary to `path`. Raises FaultError for what no run should come
    to: the log has the traceback.
    """
    before = read_note(path)
    has_spoken = before.get("ended") in (Ending.COMPLETE, Ending.MAX_HOURS)
    told_before = list(before.get("unlisted") or []) if has_spoken else []
    with run_log(path.parent, summary.run) as log:
        started = {"archive": archive, "version": version()} | summary.asked
        tell("run started", what=summary.verb, **started)
        # What captioning was asked stays known when another command writes the note.
        summary.asked = summary.asked or dict(before.get("asked") or {})
        write(summary)
        try:
            yield
            summary.newly_unlisted = [x for x in summary.unlisted if x not in told_before]
        except BaseException as error:
            summary.fail(error)
            if isinstance(error, KeyboardInterrupt):
                tell("run interrupted")
            else:
                tell("run failed", logging.ERROR, error)
            if log.has_failed or not is_fault(error):
                raise
            raise FaultError.of(error, log.baseFilename) from error
        finally:
            summary.end()
            write(summary)
            found = summary.as_dict()
            tell("run ended", **{name: found[name] for name in found if name != "asked"})
