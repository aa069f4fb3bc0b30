"""Captions into the photos, and what their new bytes mean for their rows, reviews and features.

Writing into a photo changes its bytes, and with them its identity. Each change is noted on disk
before it is made (`OUT/.embedding.jsonl`): a run that is killed in between knows afterwards which
photo is which, and so nothing that was said of it is lost.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from batch.captioned import manifest_in, open_captioned
from batch.damage import PhotoError
from batch.embed import Embedded, embed_captions
from batch.features import FeatureCache
from batch.lock import locked
from batch.photos import read_bytes
from batch.results import reopened
from batch.sidecar_report import SidecarReport
from manifests.durable import sync
from manifests.journal import Moved, Place
from manifests.record import Record

EMBED = "embed"
_NOTES = ".embedding.jsonl"


def embed(
    out: str, features: str, *, include_machine: bool = False, replaces: bool = False
) -> SidecarReport:
    """Write what people have said of photos into the photos; their reviews and features stay.

    features: the root of the caches. Raises the errors of `batch.embed.embed_captions`,
    ManifestError and LockedError.
    """
    manifest = manifest_in(out)
    _settle(out, features)
    try:
        with locked(out), manifest.with_name(_NOTES).open("ab") as notes:

            def note(embedded: Embedded) -> None:
                notes.write(f"{json.dumps(_line(embedded))}\n".encode())
                sync(notes)

            found = open_captioned(out)
            return embed_captions(found, note, include_machine=include_machine, replaces=replaces)
    finally:
        _settle(out, features)


def _settle(out: str, features: str) -> None:
    """Let rows, reviews and features follow the photos that were written into."""
    path = Path(out, _NOTES)
    if not path.exists():
        return
    with reopened(out) as (results, records):
        done = _done(open_captioned(out).archive, _read(path))
        if done:
            results.journal.append(EMBED, [_moved(each) for each in done])
        _keep_features(features, done)
        by_place = {(each.raw_path, each.old_id): each for each in done}
        results.recommit([_followed(record, by_place) for record in records])
        path.unlink()


def _read(path: Path) -> list[Embedded]:
    """Read the notes; a last line that is cut off is of a photo that was not written."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [_embedded(json.loads(line)) for line in lines]


def _line(embedded: Embedded) -> dict[str, Any]:
    return asdict(embedded) | {"raw_path": embedded.raw_path.decode("utf-8", "surrogateescape")}


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


def _keep_features(root: str, done: Sequence[Embedded]) -> None:
    """Keep the features of photos under their new identities: the pixels are the same."""
    folders = sorted(Path(root).iterdir()) if done and Path(root).is_dir() else []
    for folder in folders:
        if folder.is_dir() and not folder.name.endswith("-pooled"):
            cache = FeatureCache(str(folder))
            for start in range(0, len(done), 256):
                some = done[start : start + 256]
                known = cache.read({each.old_id for each in some})
                cache.write({e.new_id: known[e.old_id] for e in some if e.old_id in known})


def _followed(record: Record, done: dict[tuple[bytes, str], Embedded]) -> Record:
    embedded = done.get((record.raw_path, record.photo_id or ""))
    if embedded is None:
        return record
    return replace(record, photo_id=embedded.new_id, size=embedded.size, mtime_ns=embedded.mtime_ns)
