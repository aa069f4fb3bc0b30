"""Which photo stands for which in a review: the first of its near-duplicates, and of its copies."""

from collections import Counter
from collections.abc import Sequence

from manifests.groups import Groups
from manifests.record import Record, Status


def is_told_apart(record: Record, language: str) -> bool:
    """Tell whether a person's words wait at a row itself, so that another one's do not fill it."""
    return not all(each.is_of_copy for each in record.offers_in(language))


def find_leaders(records: Sequence[Record], groups: Groups) -> dict[bytes, Record]:
    """Give the row that stands for each photo's row, by raw path; none for a photo like no other.

    `records` in the order of their paths. The first file of the group's first photo stands for the
    group; where that is not there, and of copies of the same bytes without a group, the first copy.
    """
    first: dict[str, Record] = {}
    for record in records:
        if record.photo_id and record.status is not Status.MISSING:
            first.setdefault(record.photo_id, record)
    found = {}
    for record in records:
        leader = first.get(groups.leader(record.photo_id or "") or "")
        leader = leader or first.get(record.photo_id or "")
        if leader is not None:
            found[record.raw_path] = leader
    led = Counter(leader.raw_path for leader in found.values())
    return {raw: leader for raw, leader in found.items() if led[leader.raw_path] > 1}
