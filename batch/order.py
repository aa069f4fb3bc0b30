"""What the workers of a cluster must know of a run beside its photos.

An order is small and goes along with every shard. What can be large, the identities of the photos
whose captions are known already, is in a file in the feature cache, which every worker sees: one
that does not see this run's own file does not share the cache.
"""

import hashlib
import os
import secrets
import socket
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from batch import stores
from batch.config import SETTINGS, Config, named_captioner, version
from batch.errors import ArchiveError
from batch.scan import Photo
from batch.stores import absolute, is_url
from manifests.durable import atomic_write
from manifests.record import Record, Status
from models.fingerprints import captioner_signature

_DIGEST = 32  # bytes of a photo's identity


@dataclass(frozen=True)
class Order:
    """A run, as its workers are told of it; paths are absolute, and the same on every machine."""

    run: str  # of no other run
    version: str | None
    captioners: tuple[str, ...]  # names of those that ship, paths of others
    signatures: tuple[str, ...]  # of these captioners
    search: tuple[tuple[str, Any], ...]
    features: str
    cache_limit: int | None
    known: str  # the place of the file of identities
    settings: tuple[tuple[str, str], ...]  # names and values of the environment
    seen: tuple[str, int] | None  # a photo that is there, and its bytes


@contextmanager
def ordered(config: Config, photos: Iterable[Photo], known: Iterable[str]) -> Iterator[Order]:
    """Give the order of a run; what it has written for its workers is gone after the block.

    known: identities of the photos whose captions need not be made.
    """
    features = absolute(config.features)
    order = Order(
        run=secrets.token_hex(16),
        version=version(),
        captioners=tuple(map(named_captioner, config.captioners)),
        signatures=tuple(map(captioner_signature, config.captioners)),
        search=tuple(config.search.items()),
        features=features,
        cache_limit=config.cache_limit,
        known=os.path.join(features, _file_name(config.out)),
        settings=tuple((name, os.environ.get(name, "")) for name in SETTINGS),
        seen=_one_seen(photos),
    )
    _write(order, known)
    try:
        yield order
    finally:
        with suppress(OSError):
            (stores.remove if is_url(order.known) else os.unlink)(order.known)


def _file_name(out: str) -> str:
    """Name the file after the folder that the run holds: a killed run's is the next one's."""
    place = f"{socket.gethostname()}:{os.path.abspath(out)}"
    return f".known-{hashlib.sha256(os.fsencode(place)).hexdigest()[:16]}"


def _one_seen(photos: Iterable[Photo]) -> tuple[str, int] | None:
    for photo in islice(photos, 10):
        if type(photo) is Photo or is_url(photo.location):  # others are anyone's to fetch
            with suppress(OSError):
                place = absolute(photo.location)
                return place, size_of(place)
    return None


def size_of(place: str) -> int:
    """Tell the bytes of a photo on a disk or in a store. Raises OSError."""
    return stores.entry_of(place).size if is_url(place) else os.stat(place).st_size


def unseen(what: str, place: str) -> str:
    """Say that a worker does not see something, which is at a place, and what to do."""
    remedy = "it must be on a disk that all machines of the cluster share, under the same path"
    if is_url(place):
        remedy = "give this machine the run's credentials of the store, and `make storage`"
    return f"does not see {what} as the run does: {remedy}"


def _write(order: Order, known: Iterable[str]) -> None:
    data = b"".join([bytes.fromhex(order.run), *sorted(map(bytes.fromhex, known))])
    if is_url(order.known):
        stores.write(order.known, data)
        return
    os.makedirs(order.features, exist_ok=True)
    with atomic_write(Path(order.known)) as file:
        file.write(data)


def _read(place: str) -> bytes:
    return stores.read(place) if is_url(place) else Path(place).read_bytes()


class Known(Mapping[str, Record]):
    """The photos whose captions the run knows, on a worker, which knows no more than that.

    Their rows say so until the run puts the caption in: `CAPTIONED`, and by no captioner. A photo
    takes 32 bytes. Raises ArchiveError where the file cannot be read, or is another run's.
    """

    def __init__(self, order: Order) -> None:
        found = b""
        with suppress(OSError):
            found = _read(order.known)
        run, self._digests = found[:16], memoryview(found)[16:]
        if run.hex() != order.run:
            raise ArchiveError(unseen(f"the feature cache {order.features!r}", order.features))

    def __getitem__(self, photo_id: str) -> Record:
        digest = bytes.fromhex(photo_id)
        place = bisect_left(range(len(self)), digest, key=self._digest)
        if place == len(self) or self._digest(place) != digest:
            raise KeyError(photo_id)
        return replace(_KNOWN, photo_id=photo_id)

    def __iter__(self) -> Iterator[str]:
        return (self._digest(place).hex() for place in range(len(self)))

    def __len__(self) -> int:
        return len(self._digests) // _DIGEST

    def _digest(self, place: int) -> bytes:
        return bytes(self._digests[_DIGEST * place : _DIGEST * (place + 1)])


_KNOWN = Record(
    path="",
    caption=None,
    status=Status.CAPTIONED,
    confidence=None,
    alternatives=(),
    log_prob=None,
    photo_id=None,
    captioner=None,
    decode=None,
    width=None,
    height=None,
    format=None,
    frames=None,
    taken_at=None,
    error=None,
    raw_path=b"",
    size=0,
    mtime_ns=0,
)
