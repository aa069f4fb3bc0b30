"""What there is to do: the photos found, against the rows of the last run."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from batch.scan import Photo
from manifests.record import FINAL, Record, Status


@dataclass(frozen=True)
class Plan:
    """Photos to load, and the rows of those that have not changed."""

    todo: tuple[Photo, ...]
    kept: tuple[Record, ...]
    absent: tuple[Record, ...]  # rows of the last run whose path was not among the photos found
    known: Mapping[str, Record]  # photo identity -> a row that has its caption


def make_plan(
    photos: Iterable[Photo], previous: Sequence[Record], *, overwrite: bool, retry_failed: bool
) -> Plan:
    """Tell new and changed photos from those done. Size and mtime are what tells: no file is read.

    With `overwrite` every photo is to do, and no old caption is used again; with `retry_failed`
    so are those that could not be read.
    """
    absent = {record.raw_path: record for record in previous}
    todo: list[Photo] = []
    kept: list[Record] = []
    for photo in photos:
        record = absent.pop(photo.raw_path, None)
        if record and not overwrite and _is_done(record, photo, retry_failed):
            kept.append(_found_again(record))
        else:
            todo.append(photo)
    known = {record.photo_id: record for record in previous if record.photo_id and record.caption}
    return Plan(tuple(todo), tuple(kept), tuple(absent.values()), {} if overwrite else known)


def _is_done(record: Record, photo: Photo, retry_failed: bool) -> bool:
    if (record.size, record.mtime_ns) != (photo.size, photo.mtime_ns):
        return False
    return record.caption is not None or (record.status in FINAL and not retry_failed)


def _found_again(record: Record) -> Record:
    """Take back a photo that was missing, as it was."""
    back = record.status is Status.MISSING
    return replace(record, status=Status.CAPTIONED, error=None) if back else record


def settle_absent(
    absent: Iterable[Record],
    there: Iterable[Record],
    committed: Mapping[bytes, str | None],
    archive: str,
) -> tuple[list[Record], int]:
    """Say what became of the rows whose photo was not found; none is dropped.

    A photo that is gone from its path, and whose bytes turned up at a new one, was moved: its row
    goes on under the new path. One that is gone altogether is `missing` and keeps its caption. One
    that is still there was left out of this run: its row stays.
    `there` are the rows of the photos found; `committed` tells which identity the last finished
    run had at a path: what differs has arrived since.
    Returns the rows that stay, and how many photos were moved.
    """
    arrived = Counter(
        record.photo_id for record in there if committed.get(record.raw_path) != record.photo_id
    )
    rows: list[Record] = []
    moved = 0
    for record in absent:
        if not _is_gone(os.path.join(os.fsencode(archive), record.raw_path)):
            rows.append(record)
        elif record.photo_id and arrived[record.photo_id]:
            arrived[record.photo_id] -= 1
            moved += 1
        else:
            rows.append(replace(record, status=Status.MISSING, error="is no longer in the archive"))
    return rows, moved


def _is_gone(path: bytes) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
