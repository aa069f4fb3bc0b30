"""What runs did, for those who were not there: OUT/log.jsonl, a line of JSON an event.

Each line has `time` (UTC, ISO 8601), `run` (as in last_run.json), `level` and `event`; the rest
depends on the event. Who holds the lock of OUT writes it.
"""

import json
import logging
import sys
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from batch.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG_FILE: Final = "log.jsonl"
_BYTES = 4 << 20  # then it becomes log.jsonl.1, and so on
_KEPT = 4  # older files
_A_DAY = 86_400.0  # seconds
_OURS = logging.getLogger("batch")
_WARNINGS = logging.getLogger("py.warnings")
# Python's own splitlines takes these for ends of lines, too.
_LINE_ENDS = {number: f"\\u{number:04x}" for number in (0x85, 0x2028, 0x2029)}


def tell(
    event: str, level: int = logging.INFO, cause: BaseException | None = None, **values: Any
) -> None:
    """Add an event of this run to its log, an error with its traceback; without a log, nothing."""
    _OURS.log(level, event, exc_info=cause, extra={"values": values})


@contextmanager
def run_log(out: Path, run_id: str) -> "Iterator[LogFile]":
    """Write what happens within the block to the log in `out`, Python's warnings included.

    A log that cannot be written ends no run: that is said once, on stderr.
    """
    handler = LogFile(out / LOG_FILE, run_id)
    level, propagates = _OURS.level, _OURS.propagate
    for logger in (_OURS, _WARNINGS):
        logger.addHandler(handler)
    _OURS.setLevel(logging.INFO)
    _OURS.propagate = False
    logging.captureWarnings(True)
    try:
        yield handler
    finally:
        logging.captureWarnings(False)
        _OURS.setLevel(level)
        _OURS.propagate = propagates
        for logger in (_OURS, _WARNINGS):
            logger.removeHandler(handler)
        handler.close()


def ended_runs(out: Path) -> "Iterator[dict[str, Any]]":
    """Give what the log tells of runs that have ended, the last one first."""
    for path in (out / LOG_FILE, *(out / f"{LOG_FILE}.{number}" for number in range(1, _KEPT + 1))):
        with suppress(OSError):
            for line in reversed(path.read_bytes().splitlines()):
                with suppress(ValueError):  # a line that a crash has cut off
                    event = json.loads(line) if b'"event": "run ended"' in line else None
                    if isinstance(event, dict):
                        yield event


def is_alive(out: str) -> bool:
    """Tell whether the run that holds `out` has said something within a day."""
    try:
        return time.time() - Path(out, LOG_FILE).stat().st_mtime < _A_DAY
    except OSError:
        return False


class LogFile(RotatingFileHandler):
    """The file, of a bounded size. Odd bytes of names become JSON escapes.

    `has_failed` tells that something could not be written.
    """

    def __init__(self, path: Path, run_id: str) -> None:
        super().__init__(
            path,
            maxBytes=_BYTES,
            backupCount=_KEPT,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )
        self.setFormatter(_Lines(run_id))
        self.has_failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's
        """Say once that the log cannot be written."""
        if not self.has_failed:
            self.has_failed = True
            why = printable(f"{self.baseFilename} cannot be written: {sys.exc_info()[1]}")
            print(f"warning: {why}", file=sys.stderr)

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # what could not be written before cannot be now
            super().close()


class _Lines(logging.Formatter):
    """A line of JSON for each event."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": at.isoformat(timespec="milliseconds"),
            "run": self.run_id,
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        } | getattr(record, "values", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str).translate(_LINE_ENDS)
