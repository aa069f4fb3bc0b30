"""Prune the feature cache: what no manifest needs goes, and what damage and kills have left.

A shard of which some photos are still needed is written anew without the others, under its new
name, before the old one goes: a kill in between leaves both, which harms nothing.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from batch.amounts import counted, size_text
from batch.check_cache import shards_in
from batch.check_captioners import captioners_here
from batch.config import OUTPUTS
from batch.errors import ArchiveError
from batch.lock import locked
from batch.shards import (
    ALONE,
    DAMAGED,
    caches_in,
    encoder_of,
    photo_ids_in,
    shard_bytes,
    write_shard,
)
from batch.stores import is_url
from batch.working_copy import COPIES
from batch.written import COPY
from manifests.durable import leftovers
from manifests.errors import ManifestError
from manifests.manifest import read_identities
from models.errors import CheckpointError
from models.fingerprints import encoder_fingerprint

_A_DAY = 86_400.0  # seconds
_DAMAGE = (pa.ArrowException, OSError, ValueError, LookupError)


@dataclass(frozen=True)
class Waste:
    """A file of a cache that may go, whole or in part."""

    path: Path
    why: str
    size: int  # bytes that it frees
    photos: int = 0
    partly: bool = False  # some of its photos are needed


def results_folders(named: Iterable[str]) -> list[str]:
    """Give the folders of results whose photos count: those in outputs/, and those named."""
    found = [*Path(OUTPUTS).glob("*/"), *Path(COPIES).glob("*/results/")]
    folders = dict.fromkeys([*map(str, sorted(found)), *named])
    return [folder for folder in folders if _manifests_in(folder)]


def needed_by(folders: Sequence[str]) -> set[str]:
    """Give the identities of all photos that manifests have, unfinished runs' rows too.

    Raises ArchiveError where one cannot be read: it may need anything.
    """
    needed: set[str] = set()
    for path in (path for folder in folders for path in _manifests_in(folder)):
        try:
            needed |= read_identities(path)
        except ManifestError as error:
            raise ArchiveError(
                f"{error} Until then nothing is pruned: make verify REPAIR=1 OUT={path.parent}"
            ) from error
    return needed


def _manifests_in(folder: str) -> list[Path]:
    kinds = ("captions.parquet", COPY, ".parts/*/[0-9]*.parquet")
    return [path for kind in kinds for path in sorted(Path(folder).glob(kind))]


def find_waste(root: str, needed: Collection[str], *, other_encoders: bool) -> Iterator[Waste]:
    """Tell what may go of the caches under `root`; nothing is written.

    With `other_encoders` whole caches too, of encoders that no captioner here has.
    """
    others = other_caches(root)
    for folder in caches_in(root):
        yield from _leavings(folder)
        whole = other_encoders and encoder_of(folder) in others
        for shard in shards_in(folder):
            waste = _other(shard) if whole else _unneeded(shard, needed)
            if waste is not None:
                yield waste


def other_caches(root: str) -> dict[str, int]:
    """Give the encoders that no captioner here has, with the bytes that their caches take."""
    here = set()
    for captioner in captioners_here():
        try:
            here.add(encoder_fingerprint(captioner))
        except CheckpointError:
            continue
    sizes: Counter[str] = Counter()
    for folder in caches_in(root):
        if encoder_of(folder) not in here:
            sizes[encoder_of(folder)] += sum(shard.stat().st_size for shard in shards_in(folder))
    return sizes


def _leavings(folder: str) -> Iterator[Waste]:
    for path in sorted(Path(folder).glob(f"*{DAMAGED}")):
        yield Waste(path, "damaged", path.stat().st_size)
    for path in leftovers(Path(folder)):
        if time.time() - path.stat().st_mtime > _A_DAY:
            yield Waste(path, "left by a run that was killed", path.stat().st_size)


def _other(shard: Path) -> Waste:
    return Waste(shard, "of an encoder that no captioner here has", shard.stat().st_size)


def _unneeded(shard: Path, needed: Collection[str]) -> Waste | None:
    try:
        photo_ids = photo_ids_in(shard)
    except _DAMAGE:
        return None  # the next run puts it out of the way, and the next prune removes it
    unneeded = sum(photo_id not in needed for photo_id in photo_ids)
    if not unneeded:
        return None
    size = shard.stat().st_size * unneeded // len(photo_ids)
    return Waste(shard, "of photos that no results have", size, unneeded, unneeded < len(photo_ids))


def remove(waste: Sequence[Waste], needed: Collection[str]) -> None:
    """Remove what may go, a file at a time; after a kill a rerun goes on."""
    for each in tqdm(waste, desc="pruning", unit="file", disable=None):
        try:
            if each.partly:
                _write_needed(each.path, needed)
            each.path.unlink(missing_ok=True)
        except (pa.ArrowException, OSError) as error:
            if getattr(error, "errno", None) is not None:  # the disk's: Arrow's have none
                raise
            # Damaged: its photos are encoded again when they are needed.
            each.path.replace(f"{each.path}{DAMAGED}")


def _write_needed(shard: Path, needed: Collection[str]) -> None:
    table = pq.read_table(shard, **ALONE)
    is_needed = [photo_id in needed for photo_id in table["photo_id"].to_pylist()]
    kept = table.filter(pa.array(is_needed, pa.bool_()))
    photo_ids = kept["photo_id"].to_pylist()
    write_shard(str(shard.parent), photo_ids, shard_bytes(kept.combine_chunks()))


@dataclass(frozen=True)
class Asked:
    """What to prune: below which root, beside outputs/ for which results, and how far."""

    root: str
    named: Sequence[str] = ()
    other_encoders: bool = False
    yes: bool = False  # else it is only told


def prune(asked: Asked, tell: Callable[[str], None]) -> str:
    """Tell what may go, and with `yes` remove it; returns a line that says so.

    Raises ArchiveError where no manifest tells what is needed, or one cannot be read; LockedError
    where a run is at work on one of them.
    """
    if is_url(asked.root):
        raise ArchiveError(
            f"only caches on this machine are pruned; a rule of its bucket can remove what is old "
            f"from {asked.root}, and what is missed is made again"
        )
    folders = results_folders(asked.named)
    if not folders:
        raise ArchiveError(
            f"no results in {OUTPUTS}/*, so nothing tells which photos are needed; give OUT="
        )
    with ExitStack() as stack:
        if asked.yes:
            for folder in folders:
                stack.enter_context(locked(folder))
        needed = needed_by(folders)
        waste = [*find_waste(asked.root, needed, other_encoders=asked.other_encoders)]
        for line in _told(asked, waste, folders, needed):
            tell(line)
        if asked.yes:
            remove(waste, needed)
    done = "freed" if asked.yes else "would be freed; YES=1 does it"
    return f"{counted(len(waste), 'file')}, {size_text(sum(each.size for each in waste))} {done}"


def _told(
    asked: Asked, waste: Sequence[Waste], folders: Sequence[str], needed: Collection[str]
) -> Iterator[str]:
    yield f"{counted(len(needed), 'photo')} needed by {', '.join(folders)}"
    for why in sorted({each.why for each in waste}):
        some = [each for each in waste if each.why == why]
        photos = sum(each.photos for each in some)
        told = f", {counted(photos, 'photo')}" if photos else ""
        freed = size_text(sum(each.size for each in some))
        yield f"{why}: {counted(len(some), 'file')}{told}, {freed}"
    if not asked.other_encoders:
        for encoder, size in other_caches(asked.root).items():
            yield (
                f"the cache {encoder} ({size_text(size)}) is of an encoder that no captioner "
                "here has: OTHER_ENCODERS=1 removes it whole"
            )
