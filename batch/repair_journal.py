"""Repair of the journal: what can be read of a damaged file stays, what cannot is told."""

import os
import secrets
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final

from batch.findings import Broken
from manifests.durable import atomic_write, sync_folder
from manifests.errors import ManifestError
from manifests.journal import RUN, Journal, head_of, read_deed
from manifests.salvage import salvage

ASIDE: Final = ".damaged"  # in the folder of the results
SALVAGED: Final = "salvaged"


def put_aside(path: Path, out: Path) -> Path:
    """Move a file of the results out of the way, under a name that nothing has yet."""
    folder = out / ASIDE
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    if os.path.lexists(target):
        target = folder / f"{path.stem}-{secrets.token_hex(4)}{path.suffix}"
    path.replace(target)
    for each in (folder, path.parent):
        sync_folder(each)
    return target


def mend_journal(broken: Broken, out: Path, tell: Callable[[str], None]) -> None:
    """Keep what can be read under the same number; then the damaged file goes aside."""
    path, journal = broken.path, Journal(out)
    if _is_whole(path):
        return _mend_numbers(journal, tell)
    number = _number(path)
    if number is None:
        aside = put_aside(path, out)
        return tell(f"{path}: its name is none of the journal's; out of the way, {aside}")
    others = [each for each in journal.paths() if each.name.startswith(f"{number:06d}-")]
    if not any(_is_whole(each) for each in others if each != path):  # else done before a kill
        found = salvage(path)
        if found.data is not None:
            with atomic_write(path) as file:
                file.write(found.data)
            tell(f"{path}: one bit had flipped; it is as it was written")
            return None
        journal.write(number, {**found.head, SALVAGED: path.name}, found.entries)
        tell(f"{path}: {len(found.entries):,} entries could be read, {len(found.lost):,} could not")
        if not found.head_read:
            tell("its first line could not be read: if it undid a merge, that stands again")
        if found.doubtful:
            tell(f"{found.doubtful:,} of them may have changed: what they say is only offered")
        for line in found.lost:
            tell(f"could not be read: {line}")
    put_aside(path, out)
    return None


def _number(path: Path) -> int | None:
    """Give the number of a file of the journal; None where its name has none."""
    number, dash, _ = path.name.partition("-")
    return int(number) if dash and number.isdecimal() and len(number) >= 6 else None


def _is_whole(path: Path) -> bool:
    try:
        read_deed(path)
    except ManifestError:
        return False
    return True


def _mend_numbers(journal: Journal, tell: Callable[[str], None]) -> None:
    """Let files of one number follow the others, and fill the gaps of those that are missing."""
    for before, path in pairwise(journal.paths()):
        if _number(before) == _number(path):
            last = max(filter(None, map(_number, journal.paths())))
            target = path.with_name(f"{last + 1:06d}-{path.name.partition('-')[2]}")
            path.rename(target)
            sync_folder(journal.folder)
            tell(f"{path}: there was another file of its number; it follows the others as {target}")
    numbers = set(filter(None, map(_number, journal.paths())))
    for number in sorted({*range(1, max(numbers, default=0) + 1)} - numbers):
        journal.write(number, {**head_of(RUN), SALVAGED: "missing"}, [])
        tell(
            f"{journal.folder}: file {number} is not there; what it said is lost, but for what "
            "the manifest shows, unless you put it back in the place of the empty one"
        )
