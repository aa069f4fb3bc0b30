"""What may be told before all photos were seen: of a run that stops early, or is not over yet.

What became of a photo that was changed or moved is told when all have been seen, from what was
known before the first of them. Until then its new row waits in a shard.
"""

from collections.abc import Callable, Iterable, Mapping

from manifests.journal import Reviews
from manifests.record import Record

IsKnown = Callable[[Record], bool]


def knower(committed: Mapping[bytes, Record], reviews: Reviews) -> IsKnown:
    """Give what tells whether the manifest or people know of a photo, by path or by bytes.

    committed: the rows of the manifest by raw path.
    """
    paths = {place.raw_path for place in reviews.heard}
    photo_ids = {record.photo_id for record in committed.values() if record.photo_id}
    photo_ids |= {place.photo_id for place in reviews.heard if place.photo_id}

    def is_known(record: Record) -> bool:
        raw_path = record.raw_path
        return raw_path in committed or raw_path in paths or record.photo_id in photo_ids

    return is_known


def told_apart(found: Iterable[Record], is_known: IsKnown) -> tuple[list[Record], list[Record]]:
    """Part the rows that an unfinished run has found: those to be told, and those that wait."""
    told: dict[bool, list[Record]] = {True: [], False: []}
    for record in found:
        told[is_known(record)].append(record)
    return told[False], told[True]


def reworded(
    records: Iterable[Record],
    committed: Mapping[bytes, Record],
    unfinished: Mapping[bytes, Record],
    is_known: IsKnown,
) -> tuple[list[Record], list[Record]]:
    """Give all rows, where `records` say something else of the same photos; and those that wait."""
    rows = {record.raw_path: record for record in records}

    def waits(row: Record) -> bool:
        before = committed.get(row.raw_path)
        same = before is not None and before.photo_id == row.photo_id
        return row.raw_path in unfinished and not same and is_known(row)

    waiting = [row for row in rows.values() if waits(row)]
    for row in waiting:
        del rows[row.raw_path]
    return [*({**committed, **rows}).values()], waiting
