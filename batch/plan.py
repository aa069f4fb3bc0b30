"""What there is to do: the photos found, against the rows of the last run."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter

from batch.scan import Photo
from batch.stores import is_url
from manifests.record import FINAL, LanguageCaption, Record, Status


@dataclass(frozen=True)
class Plan:
    """Photos to load, and the rows of those that have not changed."""

    todo: tuple[Photo, ...]
    kept: tuple[Record, ...]
    absent: tuple[Record, ...]  # rows of the last run whose path was not among the photos found
    old: Mapping[bytes, Record]  # raw path -> the row of the last run, of those to do
    known: Mapping[str, Record]  # photo identity -> a row that has its caption, or is no scene


def make_plan(
    photos: Iterable[Photo],
    previous: Sequence[Record],
    *,
    overwrite: bool,
    retry_failed: bool,
    languages: Sequence[str] = (),
) -> Plan:
    """Tell new and changed photos from those done. Size and mtime are what tells: no file is read.

    With `overwrite` every photo is to do, and no old caption is used again; with `retry_failed`
    so are those that could not be read. Where several `languages` are asked for, so are photos
    that lack a caption in one of them; the first one's is the `caption` of every row.
    """
    absent = {record.raw_path: record for record in previous}
    todo: list[Photo] = []
    kept: list[Record] = []
    old: dict[bytes, Record] = {}
    for photo in photos:
        record = absent.pop(photo.raw_path, None)
        if record and not overwrite and _is_done(record, photo, retry_failed, languages):
            kept.append(_led_by(_found_again(record), languages))
        else:
            todo.append(photo)
            if record:
                old[photo.raw_path] = record
    known = {} if overwrite or not todo else _known(previous, languages)
    return Plan(tuple(todo), tuple(kept), tuple(absent.values()), old, known)


def _known(rows: Iterable[Record], languages: Sequence[str]) -> dict[str, Record]:
    """Give the rows, by photo identity, whose captions may be taken over."""
    return {
        record.photo_id: _led_by(record, languages)
        for record in rows
        if record.photo_id and record.answered and _says_all(record, languages)
    }


def _is_done(record: Record, photo: Photo, retry_failed: bool, languages: Collection[str]) -> bool:
    if not photo.is_as_it_was(record.size, record.mtime_ns):
        return False
    if record.status in FINAL:
        return not retry_failed
    return not record.failed and record.answered and _says_all(record, languages)


def _says_all(record: Record, languages: Collection[str]) -> bool:
    """Tell whether a row has its caption in each language; what is no scene has none in any."""
    return record.caption is None or all(
        any(each.language == language for each in record.languages) for language in languages
    )


def _led_by(record: Record, languages: Sequence[str]) -> Record:
    """Put the caption in the first language that is asked for at the head of its row."""
    if not languages:
        return record
    first = next((each for each in record.languages if each.language == languages[0]), None)
    if first is None or first.captioner == record.captioner:
        return record
    return replace(
        record,
        caption=first.caption,
        confidence=first.confidence,
        captioner=first.captioner,
        language=first.language,
        alternatives=(),  # these were the other language's, and how it was searched for
        log_prob=None,
        decode=None,
    )


def beside_others(record: Record, old: Record | None, language: str) -> Record:
    """Keep what a photo is called in other languages, beside a new caption in one of them.

    record: a row of this run, `old` that of the last one at its path.
    """
    if record.caption is None or record.languages:
        return record
    same = old is not None and old.photo_id == record.photo_id
    others = [each for each in old.languages if each.language != language] if old and same else []
    own = LanguageCaption(language, record.caption, record.confidence, record.captioner or "")
    return replace(record, languages=tuple(sorted([own, *others], key=attrgetter("language"))))


def _found_again(record: Record) -> Record:
    """Take back a photo that was missing, as it was."""
    return record.as_answered() if record.status is Status.MISSING else record


def carried(record: Record, old: Record | None) -> Record:
    """Keep what was said of a photo that could not be read this time, beside what went wrong.

    Not of one that was changing: its bytes may be another photo's by now.
    """
    passing = (Status.IO, Status.DENIED, Status.VANISHED)
    if old is None or not old.answered or record.status not in passing:
        return record
    return replace(
        old,
        status=record.status,
        error=record.error,
        size=record.size,
        mtime_ns=record.mtime_ns,
    )


def settle_absent(
    absent: Iterable[Record],
    there: Iterable[Record],
    committed: Mapping[bytes, Record],
    is_gone: Callable[[bytes], bool],
) -> tuple[list[Record], int]:
    """Say what became of the rows whose photo was not found; none is dropped.

    A photo that is gone from its path, and whose bytes turned up at a new one, was moved: its row
    goes on under the new path. One that is gone altogether is `missing` and keeps its caption. One
    that is still there was left out of this run: its row stays.
    `there` are the rows of the photos found; `committed` are those of the last finished run, by
    raw path: a photo that differs has arrived since. `is_gone` tells which raw paths are no more.
    Returns the rows that stay, and how many photos were moved.
    """
    arrived = Counter(record.photo_id for record in there if _is_new(record, committed))
    rows: list[Record] = []
    moved = 0
    for record in absent:
        if not is_gone(record.raw_path):
            rows.append(record)
        elif record.photo_id and arrived[record.photo_id]:
            arrived[record.photo_id] -= 1
            moved += 1
        else:
            rows.append(replace(record, status=Status.MISSING, error="is no longer in the archive"))
    return rows, moved


def _is_new(record: Record, committed: Mapping[bytes, Record]) -> bool:
    before = committed.get(record.raw_path)
    return before is None or before.photo_id != record.photo_id


def all_gone(there: Sequence[Record], absent: Sequence[Record]) -> bool:
    """Tell whether no photo is left of some: more likely a disk that is not there than a deed."""
    return not there and bool(absent) and all(row.status is Status.MISSING for row in absent)


def gone_from(archive: str) -> Callable[[bytes], bool]:
    """Tell which raw paths are gone, by the exact bytes of the names in their folder.

    Asking for the path itself would find `img.jpg` for `IMG.JPG` on disks that ignore case.
    """
    if is_url(archive):
        from batch.stored_photos import gone_from_store

        return gone_from_store(archive)

    @lru_cache(maxsize=64)  # rows come folder by folder
    def names(folder: bytes) -> frozenset[bytes]:
        return frozenset(os.listdir(os.path.join(os.fsencode(archive), folder)))

    def is_gone(raw_path: bytes) -> bool:
        folder, name = os.path.split(raw_path)
        try:
            there = name in names(folder)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False  # cannot be told
        return not there or os.path.isdir(os.path.join(os.fsencode(archive), raw_path))

    return is_gone
