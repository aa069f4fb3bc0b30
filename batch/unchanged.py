"""The run that finds nothing new: told by a glance at each file and at some of the manifest.

Most nights nothing has changed. Then no row is made into a record and none is held for long: the
time is that of asking the disk for each photo, the memory that of some thousand rows.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from batch.config import Config
from batch.scan import Photo
from batch.summary import Ending, Summary
from manifests.manifest import read_columns
from manifests.record import FINAL, Status

# What changes nothing of a run that has nothing to do.
_NO_MATTER = {"quiet", "max_hours", "cache_limit", "moved", "scheduler", "workers"}
_COLUMNS = ("raw_path", "size", "mtime_ns", "status", "captioner")
Row = tuple[bytes, int, int, str, str | None]


@dataclass
class Rows:
    """The rows of a manifest, counted: by status, and by captioner where they are not missing."""

    statuses: Counter[str] = field(default_factory=Counter)
    captioners: Counter[str] = field(default_factory=Counter)


def asks_the_same(config: Config, note: Mapping[str, Any]) -> bool:
    """Tell whether a run asks no more than the last one, which its note says was complete.

    A note that another command wrote tells nothing of that: the run before it may have failed.
    """
    asked = json.loads(json.dumps(config.asked))
    before = note.get("asked") or {}
    same = all(before.get(name) == asked[name] for name in asked.keys() - _NO_MATTER)
    does_more = config.overwrite or config.retry_failed or config.urls is not None
    was_done = note.get("verb") == Summary.verb and note.get("ended") == Ending.COMPLETE
    return same and was_done and not does_more


def unchanged_rows(photos: Iterable[Photo], manifest: Path) -> Rows | None:
    """Count the rows of a manifest where each photo found has one that is settled, and no other.

    None where a photo is new, changed, gone, or back, or failed in a way that every run tries
    again. Raises the errors of `read_columns`.
    """
    rows = Rows()
    both = zip_longest(photos, _there(manifest, rows))
    is_same = all(photo and row and _is_settled(photo, row) for photo, row in both)
    return rows if is_same else None


def _there(manifest: Path, rows: Rows) -> Iterator[Row]:
    """Give the rows of photos that are not missing, and count all."""
    for row in read_columns(manifest, _COLUMNS):
        _, _, _, status, captioner = row
        rows.statuses[status] += 1
        if status == Status.MISSING:
            continue
        if captioner is not None:
            rows.captioners[captioner] += 1
        yield row


def _is_settled(photo: Photo, row: Row) -> bool:
    raw_path, size, mtime_ns, status, captioner = row
    answered = captioner is not None and status in (Status.CAPTIONED, Status.NOT_A_SCENE)
    is_same = photo.raw_path == raw_path and photo.is_as_it_was(size, mtime_ns)
    return is_same and (answered or status in FINAL)
