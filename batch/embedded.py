"""Photos whose bytes this program has changed: which they were, and what has to follow them.

Writing into a photo changes its identity. Each change is noted on disk before it is made
(`OUT/.embedding.jsonl`); whoever opens the results next, be it after a kill, lets rows, reviews,
features, samples and groups follow the photos, and forgets the notes.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch.captioned import photos_folder
from batch.damage import PhotoError
from batch.features import FeatureCache
from batch.photos import read_bytes
from batch.shards import encoders_in
from batch.stores import absolute
from manifests.durable import sync, sync_folder
from manifests.groups import rename_apart, rename_groups
from manifests.journal import FOLDER, Moved, Place
from manifests.record import Record
from manifests.samples import rename_samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.results import Results

EMBED = "embed"
NOTES = ".embedding.jsonl"
_TOGETHER = 256  # photos whose features are copied at once


@dataclass(frozen=True)
class Embedded:
    """A photo whose bytes have changed: what its row, its features and its review go by now."""

    raw_path: bytes
    old_id: str
    new_id: str
    size: int
    mtime_ns: int


@contextmanager
def noting(out: Path, features: str) -> "Iterator[Callable[[Embedded], None]]":
    """Give what notes a change before it is made. `features` is the root of the caches."""
    with (out / NOTES).open("ab") as file:
        file.write(_line({"features": absolute(features)}))
        sync(file)
        sync_folder(out)

        def note(embedded: Embedded) -> None:
            path = embedded.raw_path.decode("utf-8", "surrogateescape")
            file.write(_line(asdict(embedded) | {"raw_path": path}))
            sync(file)

        yield note


def _line(values: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(values)}\n".encode()


def follow_embedded(results: "Results") -> None:
    """Let everything that is known of photos follow those that were written into.

    The caller holds the lock of the results.
    """
    path = results.manifest.with_name(NOTES)
    if not path.exists() or not results.manifest.exists():
        return
    records = results.read_committed()
    for features, noted in _read(path):
        done = _done(photos_folder(results.manifest), noted)
        if done:
            results.journal.append(EMBED, [_moved(each) for each in done])
        by_place = {(each.raw_path, each.old_id): each for each in done}
        followed = [_followed(record, by_place) for record in records]
        _rename(path.with_name(FOLDER), zip(records, followed, strict=True))
        _keep_features(features, done)
        records = followed
    results.recommit(records)
    path.unlink()


def _read(path: Path) -> Iterator[tuple[str, list[Embedded]]]:
    """Read the notes, by the root of the features that go with them.

    A last line that is cut off is of a photo that was not written.
    """
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    starts = [at for at, line in enumerate(lines) if "features" in line]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield lines[start]["features"], [_embedded(line) for line in lines[start + 1 : end]]


def _embedded(line: dict[str, Any]) -> Embedded:
    return Embedded(**line | {"raw_path": line["raw_path"].encode("utf-8", "surrogateescape")})


def _done(archive: str, noted: Sequence[Embedded]) -> list[Embedded]:
    """Give the changes that were made: the photo has the bytes that were to be written."""
    return [each for each in noted if _identity(archive, each.raw_path) == each.new_id]


def _identity(archive: str, raw_path: bytes) -> str:
    try:
        return sha256(read_bytes(os.path.join(archive, os.fsdecode(raw_path)))).hexdigest()
    except PhotoError:
        return ""


def _moved(embedded: Embedded) -> Moved:
    path = embedded.raw_path
    return Moved(Place(path, embedded.old_id), Place(path, embedded.new_id))


def _rename(reviews: Path, rows: Iterable[tuple[Record, Record]]) -> None:
    """Let groups and samples follow rows, each as it was and is: of copies some may stay."""
    places: dict[tuple[bytes, str], str] = {}
    new_ids: dict[str, list[str]] = defaultdict(list)
    for old, new in rows:
        if old.photo_id and new.photo_id:
            places[old.raw_path, old.photo_id] = new.photo_id
            new_ids[old.photo_id].append(new.photo_id)
    new_ids = {old: [*dict.fromkeys(new)] for old, new in new_ids.items() if {*new} != {old}}
    rename_groups(reviews, new_ids)
    rename_apart(reviews, new_ids)

    def renamed(raw_path: bytes, old: str) -> str:
        return places.get((raw_path, old)) or new_ids.get(old, [old])[0]

    rename_samples(reviews, renamed)


def _keep_features(root: str, done: Sequence[Embedded]) -> None:
    """Keep the features of photos under their new identities: the pixels are the same."""
    for encoder in encoders_in(root) if done else ():
        cache = FeatureCache(os.path.join(root, encoder))
        for start in range(0, len(done), _TOGETHER):
            some = done[start : start + _TOGETHER]
            known = cache.read({each.old_id for each in some})
            cache.write({e.new_id: known[e.old_id] for e in some if e.old_id in known})


def _followed(record: Record, done: Mapping[tuple[bytes, str], Embedded]) -> Record:
    embedded = done.get((record.raw_path, record.photo_id or ""))
    if embedded is None:
        return record
    return replace(record, photo_id=embedded.new_id, size=embedded.size, mtime_ns=embedded.mtime_ns)
