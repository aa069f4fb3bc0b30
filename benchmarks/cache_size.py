"""The feature cache by how features are laid out and compressed: size, speed, and what it costs.

    python -m benchmarks.cache_size CACHE_FOLDER [--captioner NAME] [--limit N]

Takes the features of a cache that `make features` or `make caption` made, writes and reads them in
each layout, and captions those photos from what it reads: the captions that are another one than
from the features as they are were lost to the layout. Times are of the processor, milliseconds a
photo. Prints a table.
"""

import argparse
import io
import os
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from batch.config import CAPTIONER, captioner_folder
from batch.features import FeatureCache
from batch.shards import ROWS_A_GROUP, SHAPE, photo_ids_in
from models.captioner import Captioner

Pack = Callable[[np.ndarray], bytes]
Unpack = Callable[[bytes], np.ndarray]


def by_cell(grid: np.ndarray) -> bytes:
    """All features of a cell, then those of the next."""
    return grid.tobytes()


def from_cells(blob: bytes) -> np.ndarray:
    """Undo `by_cell`."""
    return np.frombuffer(blob, np.float16).reshape(SHAPE)


def by_channel(grid: np.ndarray) -> bytes:
    """All cells of a feature, then those of the next."""
    return np.ascontiguousarray(np.moveaxis(grid, 2, 0)).tobytes()


def from_channels(blob: bytes, dtype: type = np.float16) -> np.ndarray:
    """Undo `by_channel`."""
    channels = np.frombuffer(blob, dtype).reshape(SHAPE[-1], *SHAPE[:-1])
    return np.ascontiguousarray(np.moveaxis(channels, 0, -1))


def by_byte(grid: np.ndarray) -> bytes:
    """By channel, the low bytes of all numbers first, then the high ones."""
    return np.ascontiguousarray(np.frombuffer(by_channel(grid), "u1").reshape(-1, 2).T).tobytes()


def from_bytes(blob: bytes) -> np.ndarray:
    """Undo `by_byte`."""
    return from_channels(np.ascontiguousarray(np.frombuffer(blob, "u1").reshape(2, -1).T).tobytes())


def by_root(grid: np.ndarray) -> bytes:
    """By channel, 8 bits each: the square root, as a share of that of the photo's largest."""
    largest = np.float32(grid.max())
    roots = np.sqrt(np.maximum(grid, 0).astype(np.float32) / largest)
    return largest.tobytes() + by_channel(np.round(255 * roots).astype(np.uint8))


def from_roots(blob: bytes) -> np.ndarray:
    """Undo `by_root`, but for what 8 bits lose."""
    largest = np.frombuffer(blob[:4], np.float32)
    roots = from_channels(blob[4:], np.uint8).astype(np.float32) / 255
    return np.asarray(roots * roots * largest, np.float16)


# layout, how it is undone, compression, its level
LAYOUTS: tuple[tuple[Pack, Unpack, str, int | None], ...] = (
    (by_cell, from_cells, "none", None),
    (by_cell, from_cells, "zstd", 1),
    (by_channel, from_channels, "zstd", 1),  # the cache's
    (by_channel, from_channels, "zstd", 9),
    (by_byte, from_bytes, "zstd", 1),
    (by_root, from_roots, "none", None),
    (by_root, from_roots, "zstd", 1),
    (by_root, from_roots, "zstd", 9),
)


def written(blobs: Sequence[bytes], compression: str, level: int | None) -> bytes:
    """Write packed features as a shard of the cache is written."""
    sink = io.BytesIO()
    column = pa.array(blobs, pa.binary(len(blobs[0])))
    options = {"compression": compression, "compression_level": level}
    pq.write_table(
        pa.table({"features": column}), sink,
        use_dictionary=False, row_group_size=ROWS_A_GROUP, write_page_checksum=True, **options,
    )  # fmt: skip
    return sink.getvalue()


def read(data: bytes) -> list[bytes]:
    """Read a shard's packed features, a row group at a time, as the cache does."""
    file = pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True)
    groups = (file.read_row_group(at, use_threads=False) for at in range(file.num_row_groups))
    return [blob for group in groups for blob in group["features"].to_pylist()]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", help="outputs/features/<fingerprint>")
    parser.add_argument("--captioner", default=CAPTIONER)
    parser.add_argument("--limit", type=int, default=1024, help="photos")
    options = parser.parse_args()
    grids = features_in(options.cache, options.limit)
    captioner = Captioner.load(captioner_folder(options.captioner))
    said = [caption.text for caption in captioner.caption(grids)]
    print(f"{len(grids)} photos\n")
    print("| layout | compression | KiB a photo | write, ms | read, ms | other captions |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for pack, unpack, compression, level in LAYOUTS:
        start = time.process_time()
        data = written([pack(grid) for grid in grids], compression, level)
        middle = time.process_time()
        back = [unpack(blob) for blob in read(data)]
        times = middle - start, time.process_time() - middle
        others = sum(a != b.text for a, b in zip(said, captioner.caption(back), strict=True))
        figures = [len(data) / 1024, *(1000 * seconds for seconds in times)]
        cells = " | ".join(f"{figure / len(grids):.2f}" for figure in figures)
        print(f"| {pack.__name__} | {compression} {level or ''} | {cells} | {others} |", flush=True)


def features_in(folder: str, limit: int) -> list[np.ndarray]:
    """Give the first features of a cache, float16 (8, 8, 2048) each."""
    cache = FeatureCache(folder)
    shards = sorted(Path(folder).glob("*.parquet"))
    ids = (each for shard in shards for each in photo_ids_in(shard))
    return list(cache.read(islice(ids, limit)).values())


if __name__ == "__main__":
    main()
