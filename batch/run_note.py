"""The note on the last run, last_run.json: written when a run begins and when it ends.

What is written at the beginning has no `ended_at`: a run that was killed left it so.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from batch.config import version
from batch.errors import FaultError, is_fault
from batch.run_log import run_log, tell
from batch.summary import Summary

_ENOUGH = 500  # photos; a run over a few is mostly start-up, and says little of its rate


def read_note(path: Path) -> dict[str, Any]:
    """Read a note; empty where there is none that can be read."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def rate_of(note: Mapping[str, Any]) -> float | None:
    """Photos a second of the last run, where it encoded enough of them to tell."""
    rate, encoded = note.get("photos_per_second"), note.get("encoded")
    return float(rate) if rate and encoded and encoded >= _ENOUGH else None


@contextmanager
def noting(
    path: Path, summary: Summary, archive: str, write: Callable[..., None]
) -> Iterator[None]:
    """Note down that a run has begun, and how it ended, however it does; its log is beside it.

    `write` writes a summary, with changes, to `path`. Raises FaultError for what no run should come
    to: the log has the traceback.
    """
    told_before = list(read_note(path).get("unlisted") or [])
    with run_log(path.parent, summary.run) as log:
        started = {"archive": archive, "version": version()} | summary.asked
        tell("run started", what=summary.verb, **started)
        write(summary, unlisted=told_before)
        try:
            yield
            summary.newly_unlisted = [x for x in summary.unlisted if x not in told_before]
        except BaseException as error:
            summary.fail(error)
            tell("run failed", logging.ERROR, error)
            if log.has_failed or not is_fault(error):
                raise
            raise FaultError.of(error, log.baseFilename) from error
        finally:
            summary.end()
            write(summary)
            found = summary.as_dict()
            tell("run ended", **{name: found[name] for name in found if name != "asked"})
