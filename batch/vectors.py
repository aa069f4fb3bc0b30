"""One vector a photo, to tell how alike photos are: the mean of its cached features over the grid.

The means are kept beside the grids, where imported vectors are too (`batch/features.py`), so that
a second look need not read the grids again: 4 KB a photo instead of 54.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from batch.encode import batched
from batch.features import POOLED, SHARD_PHOTOS, FeatureCache, pooled_folder
from batch.stores import is_there

_ROW = 2 * POOLED[0]  # bytes
_PAIRS = 2048  # compared at once: 32 MiB


@dataclass(frozen=True)
class Vectors:
    """Unit vectors of photos, in the order of their identities, so that equal photos are equal.

    `rows`: float16 (photos, 2048), on disk where they came from a cache; zeros where a photo's
    features could not be read.
    """

    photo_ids: Sequence[str]
    rows: np.ndarray

    @classmethod
    def of(cls, vectors: dict[str, np.ndarray]) -> "Vectors":
        """Make unit vectors of vectors (2048,) or grids (8, 8, 2048), any float type, in memory."""
        photo_ids = sorted(vectors)
        rows = np.zeros((len(photo_ids), *POOLED), np.float16)
        for row, photo_id in enumerate(photo_ids):
            rows[row] = unit(pooled(vectors[photo_id]))
        return cls(photo_ids, rows)

    def cosine(self, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Compare photos by their rows, (pairs,) each; give float32 (pairs,) in [0, 1]."""
        found = np.empty(len(ones), np.float32)
        for start in range(0, len(ones), _PAIRS):
            part = slice(start, start + _PAIRS)
            left, right = (self.rows[rows[part]].astype(np.float32) for rows in (ones, others))
            found[part] = np.einsum("pc,pc->p", left, right)
        return found


class VectorCache:
    """The vectors of photos whose features of an encoder are in the cache below `root`.

    Nothing is made where there are no features.
    """

    def __init__(self, root: str, encoder: str) -> None:
        grids = os.path.join(root, encoder)
        vectors = pooled_folder(grids)
        self._caches: list[FeatureCache] = []
        if is_there(grids) or is_there(vectors):
            self._caches.append(FeatureCache(vectors, POOLED))
        if is_there(grids):
            self._caches.append(FeatureCache(grids))

    def __contains__(self, photo_id: object) -> bool:
        return any(photo_id in cache for cache in self._caches)

    def read(self, photo_ids: Iterable[str], scratch: str) -> Vectors:
        """Read the vectors of those photos that are here.

        They go to a file without a name in the folder `scratch`, 4 KB a photo, which is gone with
        the process; memory holds those of a shard.
        """
        wanted = sorted({photo_id for photo_id in photo_ids if photo_id in self})
        if not wanted:
            return Vectors.of({})
        places = {photo_id: row for row, photo_id in enumerate(wanted)}
        with tempfile.TemporaryFile(dir=scratch) as file:
            # Written, not mapped: a full disk is then an error to tell, not a signal that kills.
            file.truncate(len(wanted) * _ROW)
            for photo_id, vector in self._means(wanted):
                row = unit(vector).astype(np.float16).tobytes()
                os.pwrite(file.fileno(), row, places[photo_id] * _ROW)
            return Vectors(wanted, np.memmap(file, np.float16, "r", shape=(len(wanted), *POOLED)))

    def _means(self, rest: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Give the mean of each photo's features, and keep those that are new."""
        kept = self._caches[0]
        for cache in self._caches:
            for batch in batched(cache.in_order(rest), SHARD_PHOTOS):
                # Rounded as they are kept, so that a first look and later ones see the same.
                seen = cache.read(batch).items()
                found = {photo_id: pooled(grid).astype(np.float16) for photo_id, grid in seen}
                kept.write(found)
                yield from found.items()
            rest = [photo_id for photo_id in rest if photo_id not in kept]


def pooled(features: np.ndarray) -> np.ndarray:
    """Average a grid (8, 8, 2048), or keep a vector (2048,): float32 (2048,)."""
    mean: np.ndarray = features.reshape(-1, *POOLED).mean(axis=0, dtype=np.float32)
    return mean


def unit(vector: np.ndarray) -> np.ndarray:
    """Give a float32 vector the length one; zeros where it has no length."""
    length = np.linalg.norm(vector.astype(np.float32))
    if not (np.isfinite(length) and length > 0):
        return np.zeros(vector.shape, np.float32)
    found: np.ndarray = vector.astype(np.float32) / length
    return found
