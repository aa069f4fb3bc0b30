"""Photos that are almost the same, so that a person looks at one of them: bursts, and copies.

How alike two photos are is the cosine of their pooled features. A group is what is near its
leader, the first by path: not a chain of which each photo is near the next one only, or a long pan
would be one group (the leader algorithm: Hartigan, "Clustering Algorithms", 1975, chapter 3).
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from batch.captioned import Captioned
from batch.errors import ArchiveError
from batch.neighbours import Links, Nearness, find_links
from batch.vectors import VectorCache, Vectors
from manifests.errors import ManifestError
from manifests.groups import (
    GROUPS_FILE,
    Group,
    Groups,
    Torn,
    add_apart,
    read_apart,
    read_groups,
    torn_by,
    write_groups,
)
from manifests.journal import FOLDER
from manifests.record import Record, Status, sort_key

_NEARNESS = Nearness()
_METHOD = 1  # a change of how groups are found: they are made anew


def update_groups(
    found: Captioned, features: str, encoder: str, nearness: Nearness = _NEARNESS
) -> Groups:
    """Group the captioned photos whose features are in the cache, and keep the groups in OUT.

    `features` is the root of the cache, `encoder` a fingerprint. Where nothing has changed since
    the last time, nothing is compared. The caller holds the lock of OUT.
    Raises ManifestError where the list of groups taken apart is damaged.
    """
    folder = Path(found.out, FOLDER)
    folder.mkdir(exist_ok=True)
    apart, cache = read_apart(folder), VectorCache(features, encoder)
    records = [record for record in found.records if _is_compared(record, cache)]
    made_from = _made_from(records, apart, f"{encoder} {nearness}")
    before = _groups_before(folder)
    if before.made_from == made_from:
        return before
    vectors = cache.read((str(record.photo_id) for record in records), str(folder))
    members = find_groups(vectors, records, nearness, apart)
    groups = Groups(members, len(vectors.photo_ids), made_from)
    write_groups(folder, groups)
    return groups


def take_apart(out: str, photo_ids: Iterable[str]) -> tuple[Group, ...]:
    """Take the groups of these photos apart, for good; give those that were together until now.

    No two photos of such a group come together again. Photos whose groups were taken apart before
    are left as they are. The caller holds the lock of OUT. Raises ArchiveError where a photo is in
    no group, ManifestError where a file is damaged; then nothing is changed.
    """
    folder = Path(out, FOLDER)
    groups, torn = read_groups(folder), torn_by(read_apart(folder))
    wanted = list(dict.fromkeys(photo_ids))
    for photo_id in wanted:
        if not groups.group(photo_id) and photo_id not in torn:
            raise ArchiveError(
                f"photo {photo_id} is in no group of {folder / GROUPS_FILE}; name a photo of the "
                "group to take apart"
            )
    found = tuple(dict.fromkeys(filter(None, map(groups.group, wanted))))
    add_apart(folder, found)
    return found


def find_groups(
    vectors: Vectors,
    records: Iterable[Record],
    nearness: Nearness = _NEARNESS,
    apart: Sequence[Group] = (),
) -> tuple[Group, ...]:
    """Group photos: each is near its group's leader.

    `records` tell what lies beside what, and the order of photos; those without a vector, and
    vectors without a record, have no group. No two photos of a group in `apart` come together.
    """
    rows = {photo_id: row for row, photo_id in enumerate(vectors.photo_ids)}
    ordered = [each for each in sorted(records, key=sort_key) if each.photo_id in rows]
    order = list(dict.fromkeys(rows[str(record.photo_id)] for record in ordered))
    links = find_links(vectors, ordered, nearness)
    torn = torn_by(apart)
    rank = {row: place for place, row in enumerate(order)}
    groups: list[Group] = []
    taken = set(rows.values()).difference(order)
    for leader in (row for row in order if row in links):
        if leader not in taken:
            near = _near(leader, links, taken, vectors)
            group = _fitting([leader, *sorted(near, key=rank.__getitem__)], torn, vectors)
            if len(group) > 1:
                taken.update(group)
                groups.append(tuple(vectors.photo_ids[row] for row in group))
    return tuple(groups)


def _near(leader: int, links: Links, taken: set[int], vectors: Vectors) -> list[int]:
    """Walk from the leader through the photos near it, as far as they are free.

    What is reached through a burst, a copy of one of its photos too, need be no nearer than those.
    """
    near: list[int] = []
    seen, ends = {leader}, {leader: 1.0}  # the cosine to the leader that each had to have
    while ends:
        new: dict[int, float] = {}
        for end, needed in ends.items():
            for row, cosine in links[end].items():
                if row not in seen and row not in taken:
                    new[row] = min(needed, cosine, new.get(row, 1.0))
        seen.update(new)
        cosines = vectors.cosine(np.full(len(new), leader), np.array([*new], np.int64))
        found = zip(new.items(), cosines.tolist(), strict=True)
        ends = {row: needed for (row, needed), cosine in found if cosine >= needed}
        near += ends
    return near


def _fitting(rows: Iterable[int], torn: Torn, vectors: Vectors) -> list[int]:
    """Leave out each photo that was taken apart from one before it."""
    group: list[int] = []
    met: set[int] = set()
    for row in rows:
        was_in = torn.get(vectors.photo_ids[row], set())
        if not was_in & met:
            group.append(row)
            met |= was_in
    return group


def _is_compared(record: Record, cache: VectorCache) -> bool:
    """Tell whether a photo can be reviewed with others: there, captioned, and with a vector."""
    there = record.caption is not None and record.status != Status.MISSING
    return there and record.photo_id in cache


def _made_from(records: Iterable[Record], apart: Sequence[Group], how: str) -> str:
    """Name all that groups follow from."""
    digest = hashlib.sha256(json.dumps([_METHOD, how, apart]).encode())
    for record in records:
        digest.update(f"{record.photo_id} {record.raw_path.hex()} {record.taken_at}\n".encode())
    return digest.hexdigest()


def _groups_before(folder: Path) -> Groups:
    """Read the groups of the last time; none where they are damaged, since they are made anew."""
    try:
        return read_groups(folder)
    except ManifestError:
        return Groups()
