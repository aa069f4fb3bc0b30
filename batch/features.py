"""The feature cache: what the encoder saw in each photo, kept so that it need not look again.

Parquet shards under `<cache>/<encoder fingerprint>/`, one row a photo: its identity (the SHA-256 of
its bytes) and its 8x8x2048 features as float16, stored channel by channel, since neighbouring cells
resemble each other and compress best side by side. A shard is named after the photos in it and
its own bytes, `<digest of the identities>-<digest of the file>.parquet` (before version 0.5 without
the latter), and written once; look-ups read the identity column alone.

Vectors, the mean over a grid, are in `<cache>/<encoder fingerprint>-pooled/`, in the same form but
2048 float16: as training rounds the means of grids too. They were imported, or kept by the look for
near-duplicates (`batch/vectors.py`). They never mix with grids: only captioners that see photos as
one vector look there, and only for photos whose grid is not kept.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from batch.shards import POOLED as POOLED  # who has a cache at hand asks for them here
from batch.shards import POOLED_ENDING, ROWS_A_GROUP, schema_of, shard_bytes
from batch.shards import SHAPE as SHAPE
from batch.shelves import BROKEN, shelf_at
from batch.stores import is_there

if TYPE_CHECKING:
    from batch.cache_limit import CacheLimit

SHARD_PHOTOS = 256  # 18 MiB a shard, 82 MiB while it is written


class FeatureCache:
    """Features by photo identity, in a folder or store of shards; but for a `limit` it only grows.

    Raises OSError where a store cannot be reached.
    """

    def __init__(self, folder: str, shape: tuple[int, ...] = SHAPE) -> None:
        self.folder = folder
        self.shape = shape
        self.limit: CacheLimit | None = None
        self._places: dict[str, tuple[str, int]] = {}  # photo_id -> shard, row
        self._asked: dict[str, set[str]] = defaultdict(set)  # shard -> photos still to be read
        self._open: tuple[str, pq.ParquetFile] | None = None
        self._shelf = shelf_at(folder)
        for name, photo_ids in self._shelf.indexed():
            self._index(name, photo_ids)

    def _index(self, name: str, photo_ids: list[str] | Exception) -> None:
        if isinstance(photo_ids, Exception):
            self._give_up(name, photo_ids)
            return
        for row, photo_id in enumerate(photo_ids):
            self._places.setdefault(photo_id, (name, row))

    def __contains__(self, photo_id: object) -> bool:
        place = self._places.get(photo_id) if isinstance(photo_id, str) else None
        if place and self.limit and isinstance(photo_id, str):
            self._asked[place[0]].add(photo_id)
        return place is not None

    def __len__(self) -> int:
        return len(self._places)

    def in_order(self, photo_ids: Iterable[str]) -> list[str]:
        """Sort those photos that are here as they are kept, so that each row is read but once."""
        here = (photo_id for photo_id in photo_ids if photo_id in self._places)
        return sorted(here, key=lambda photo_id: self._places.get(photo_id, ("", 0)))

    def write(self, features: Mapping[str, np.ndarray]) -> None:
        """Keep the features of photos that are not here yet, as one whole shard."""
        new = sorted(photo_id for photo_id in features if photo_id not in self)
        if not new:
            return
        schema = schema_of(self.shape)
        blobs = [_pack(features[photo_id]) for photo_id in new]
        table = pa.Table.from_arrays(
            [pa.array(new), pa.array(blobs, schema.field(1).type)], schema=schema
        )
        data = shard_bytes(table)
        if self.limit:
            self._forget(self.limit.make_room(len(data), self._is_needed))
        name = self._shelf.write(new, data)
        self._places |= {photo_id: (name, row) for row, photo_id in enumerate(new)}

    def read(self, photo_ids: Iterable[str]) -> dict[str, np.ndarray]:
        """Give the float16 features of each photo that is here and whole."""
        found: dict[str, np.ndarray] = {}
        wanted: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for photo_id in photo_ids:
            if photo_id in self._places:
                name, row = self._places[photo_id]
                self._asked[name].discard(photo_id)
                wanted[name][row // ROWS_A_GROUP].append(photo_id)
        for name, groups in wanted.items():
            try:
                for group, ids in groups.items():
                    found |= self._read_group(name, group, ids)
            except BROKEN as error:
                self._give_up(name, error)
        return found

    def _read_group(self, name: str, group: int, photo_ids: list[str]) -> dict[str, np.ndarray]:
        rows = self._shard(name).read_row_group(group, use_threads=False)
        found: dict[str, np.ndarray] = {}
        for photo_id in photo_ids:
            row = self._places[photo_id][1] % ROWS_A_GROUP
            if rows["photo_id"][row].as_py() != photo_id:
                raise ValueError(f"{name}: row {row} of group {group} is another photo's")
            found[photo_id] = _unpack(rows["features"][row].as_py(), self.shape)
        return found

    def _give_up(self, name: str, error: Exception) -> None:
        """Forget a shard that cannot be read, so that its photos are encoded again.

        A damaged one goes out of the way under another name; one that the disk did not give, which
        an errno tells, may be whole and stays.
        """
        self._forget({os.path.join(self.folder, name)})
        if getattr(error, "errno", None) is None:
            with suppress(OSError):
                self._shelf.put_aside(name)

    def _forget(self, paths: Collection[str]) -> None:
        """Forget shards that are no longer there."""
        if not paths:
            return
        names = {name for name, _ in self._places.values()}
        gone = {name for name in names if os.path.join(self.folder, name) in paths}
        if gone:
            self._open = None
            self._places = {
                photo_id: place for photo_id, place in self._places.items() if place[0] not in gone
            }

    def _is_needed(self, path: str) -> bool:
        """Tell whether this run has found photos in a shard that it has not read yet."""
        folder, name = os.path.split(path)
        return folder == self.folder and bool(self._asked.get(name))

    def _shard(self, name: str) -> pq.ParquetFile:
        if self._open is None or self._open[0] != name:
            self._open = name, self._shelf.open(name)
        return self._open[1]


class PooledBehind(FeatureCache):
    """A cache of grids, and behind it one of imported vectors, which is only read.

    For captioners that see a photo as one vector: `read` gives either.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self._pooled = FeatureCache(pooled_folder(folder), POOLED)

    def __contains__(self, photo_id: object) -> bool:
        return super().__contains__(photo_id) or photo_id in self._pooled

    def read(self, photo_ids: Iterable[str]) -> dict[str, np.ndarray]:
        """Give the features (8, 8, 2048) or (2048,) of each photo that is here and whole."""
        wanted = set(photo_ids)
        found = super().read(wanted)
        return self._pooled.read(wanted - found.keys()) | found


def pooled_folder(folder: str) -> str:
    """Say where the imported vectors are that go with a cache of grids."""
    return f"{folder}{POOLED_ENDING}"


def open_cache(root: str, fingerprint: str, architecture: str) -> FeatureCache:
    """Open the cache of an encoder's features, as far as a captioner of this kind can see them."""
    folder = os.path.join(root, fingerprint)
    if architecture == "merge" and is_there(pooled_folder(folder)):
        return PooledBehind(folder)
    return FeatureCache(folder)


def _pack(features: np.ndarray) -> bytes:
    return np.ascontiguousarray(np.moveaxis(features.astype("<f2"), -1, 0)).tobytes()


def _unpack(blob: bytes, shape: tuple[int, ...]) -> np.ndarray:
    channels = np.frombuffer(blob, "<f2").reshape(shape[-1], *shape[:-1])
    return np.ascontiguousarray(np.moveaxis(channels, 0, -1))
