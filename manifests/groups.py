"""Photos that are almost the same: which ones, and which a person has taken apart again.

reviews/groups.parquet   one row a photo that has a group; made anew at any time
reviews/apart.json       the groups that a person has taken apart: never lost
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.durable import atomic_write, write_json
from manifests.errors import ManifestError, NewerError
from manifests.json_rows import parse
from manifests.parquet_files import opened

VERSION: Final = 1
GROUPS_FILE: Final = "groups.parquet"
APART_FILE: Final = "apart.json"

_VERSION_KEY: Final = b"photo_captions.groups"
_MADE_FROM_KEY: Final = b"photo_captions.made_from"
_COMPARED_KEY: Final = b"photo_captions.compared"
_SCHEMA: Final = pa.schema(
    [pa.field("photo_id", pa.string(), False), pa.field("leader", pa.string(), False)]
)
_DAMAGED: Final = (pa.ArrowException, OSError, ValueError, LookupError, TypeError)

Group = tuple[str, ...]
"""The identities of photos that are almost the same, in the order of their paths: leader first."""

NewIds = Mapping[str, Sequence[str]]
"""The identities that a photo and its copies have now, by the one that they had."""

Torn = Mapping[str, set[int]]
"""Which of the groups that were taken apart a photo was in, by their numbers."""


@dataclass(frozen=True)
class Groups:
    """Groups of photos that are almost the same. No photo is in two of them.

    A group's leader is the first in the order of paths: the one that a person looks at. `compared`
    counts the photos whose features were there; `made_from` names what the groups follow from.
    """

    members: Sequence[Group] = ()
    compared: int = 0
    made_from: str = ""

    def leader(self, photo_id: str) -> str | None:
        """Give the photo that stands for a photo's group, itself maybe; None without a group."""
        return self._of[photo_id][0] if photo_id in self._of else None

    def group(self, photo_id: str) -> Group:
        """Give the whole group of a photo, its leader first; empty where it has none."""
        return self._of.get(photo_id, ())

    def without(self, apart: Iterable[Group]) -> "Groups":
        """Leave out the groups that hold two photos of a group that was taken apart."""
        torn = torn_by(apart)
        kept = [group for group in self.members if fits(group, torn)]
        return Groups(kept, self.compared, self.made_from)

    @cached_property
    def _of(self) -> dict[str, Group]:
        return {photo_id: group for group in self.members for photo_id in group}


def torn_by(apart: Iterable[Group]) -> Torn:
    """Give each photo the numbers of the groups that it was in, of those taken apart."""
    torn: dict[str, set[int]] = {}
    for number, group in enumerate(apart):
        for photo_id in group:
            torn.setdefault(photo_id, set()).add(number)
    return torn


def fits(group: Iterable[str], torn: Torn) -> bool:
    """Tell whether no two photos of a group were taken apart, as `torn_by` numbers it."""
    numbers = [number for photo_id in group for number in torn.get(photo_id, ())]
    return len(numbers) == len({*numbers})


def read_groups(folder: Path) -> Groups:
    """Read the groups in the folder of the reviews, those taken apart left out; none: no file yet.

    Raises ManifestError where a file is damaged or a newer version's, OSError where it can't be
    reached.
    """
    groups = _read(folder / GROUPS_FILE)
    return groups.without(read_apart(folder)) if groups.members else groups


def _read(path: Path) -> Groups:
    if not path.exists():
        return Groups()
    with path.open("rb") as handle, _told(path, "Remove it and run again: it is made anew"):
        file = opened(handle)
        schema = file.schema_arrow
        _check_version(path, int(schema.metadata[_VERSION_KEY]))
        if not schema.equals(_SCHEMA):
            raise ValueError("other columns")
        return _grouped(file.read(use_threads=False), schema.metadata)


def write_groups(folder: Path, groups: Groups) -> None:
    """Write the groups, in the place of those before; equal groups give equal bytes."""
    rows = [(photo_id, group[0]) for group in groups.members for photo_id in group]
    columns = zip(*rows, strict=True) if rows else ((), ())
    metadata = {
        _VERSION_KEY: str(VERSION),
        _MADE_FROM_KEY: groups.made_from,
        _COMPARED_KEY: str(groups.compared),
    }
    table = pa.table([pa.array(column, pa.string()) for column in columns], schema=_SCHEMA)
    with atomic_write(folder / GROUPS_FILE) as handle:
        pq.write_table(
            table.replace_schema_metadata(metadata),
            handle,
            compression="zstd",
            write_page_checksum=True,
        )


def read_apart(folder: Path) -> tuple[Group, ...]:
    """Read the groups that a person has taken apart. Raises the errors of `read_groups`."""
    path = folder / APART_FILE
    if not path.exists():
        return ()
    with _told(path, "Put back a copy of it"):
        found = parse(path.read_text(encoding="utf-8"))
        _check_version(path, int(found["version"]))
        groups = tuple(tuple(group) for group in found["apart"])
        if not all(isinstance(photo_id, str) for group in groups for photo_id in group):
            raise ValueError("photos by something else than their identity")
    return groups


def add_apart(folder: Path, groups: Iterable[Group]) -> None:
    """Add groups to those taken apart; the file stays as it is where it has them already."""
    before = read_apart(folder)
    after = sorted({*before, *(tuple(sorted(group)) for group in groups)})
    if after != list(before):
        write_json(folder / APART_FILE, {"version": VERSION, "apart": after})


def rename_groups(folder: Path, new_ids: NewIds) -> None:
    """Let groups follow photos whose bytes this program has changed.

    Damaged groups are left as they are: they are made anew at the next look.
    """
    with suppress(ManifestError):
        groups = _read(folder / GROUPS_FILE)
        after = [_renamed(group, new_ids) for group in groups.members]
        if after != list(groups.members):
            write_groups(folder, replace(groups, members=after))


def rename_apart(folder: Path, new_ids: NewIds) -> None:
    """Let groups that were taken apart follow photos whose bytes this program has changed."""
    before = read_apart(folder)
    after = sorted({tuple(sorted(new)) for group in before for new in _torn(group, new_ids)})
    if after != list(before):
        write_json(folder / APART_FILE, {"version": VERSION, "apart": after})


def _renamed(group: Group, new_ids: NewIds) -> Group:
    return tuple(dict.fromkeys(new for each in group for new in new_ids.get(each, (each,))))


def _torn(group: Group, new_ids: NewIds) -> Iterator[Group]:
    """Give groups that keep apart what a group kept apart, and not the copies of one photo."""
    named = [new_ids.get(each, (each,)) for each in group]
    first = [name for name, *_ in named]
    more = [(at, name) for at, (_, *names) in enumerate(named) for name in names]
    yield tuple(first)
    for at, name in more:
        yield (*first[:at], name, *first[at + 1 :])
    yield from ((one, two) for (at, one), (by, two) in combinations(more, 2) if at != by)


def _grouped(table: pa.Table, metadata: Mapping[bytes, bytes]) -> Groups:
    members: dict[str, list[str]] = {}
    for photo_id, leader in zip(*(column.to_pylist() for column in table.columns), strict=True):
        members.setdefault(leader, []).append(photo_id)
    if any(group[0] != leader for leader, group in members.items()):
        raise ValueError("a group without its leader")
    made_from = metadata[_MADE_FROM_KEY].decode()
    return Groups([*map(tuple, members.values())], int(metadata[_COMPARED_KEY]), made_from)


def _check_version(path: Path, version: int) -> None:
    if version > VERSION:
        raise NewerError(
            path,
            f"it was made by a newer version of this program ({version})",
            "Update the program",
        )


@contextmanager
def _told(path: Path, remedy: str) -> Iterator[None]:
    """Tell what is wrong with a file as ManifestError; errors of the disk itself stay OSErrors."""
    try:
        yield
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ManifestError(path, f"it is damaged ({error!r})", remedy) from error
