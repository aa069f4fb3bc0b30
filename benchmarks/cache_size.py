"""KiB a photo of the feature cache, by how the features are laid out and compressed.

    python -m benchmarks.cache_size CACHE_FOLDER

Reads the first shard of a cache that `make features` or `make caption` made, writes its features
in each layout to memory, and prints size and times.
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from batch.features import FeatureCache


def by_cell(grid: np.ndarray) -> bytes:
    """All features of a cell, then those of the next."""
    return grid.tobytes()


def by_channel(grid: np.ndarray) -> bytes:
    """All cells of a feature, then those of the next."""
    return np.ascontiguousarray(np.moveaxis(grid, 2, 0)).tobytes()


def by_byte(grid: np.ndarray) -> bytes:
    """By channel, the low bytes of all numbers first, then the high ones."""
    return np.ascontiguousarray(np.frombuffer(by_channel(grid), "u1").reshape(-1, 2).T).tobytes()


def measure(grids: list[np.ndarray], layout: Callable[[np.ndarray], bytes], level: int) -> str:
    """Write and read the grids in one layout; give a line of figures."""
    start = time.perf_counter()
    column = pa.array([layout(grid) for grid in grids], pa.binary(grids[0].nbytes))
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"features": column}), sink,
        compression="zstd", compression_level=level, use_dictionary=False, row_group_size=8,
    )  # fmt: skip
    written = time.perf_counter()
    pq.read_table(io.BytesIO(sink.getvalue()))
    read = time.perf_counter()
    size = len(sink.getvalue()) / len(grids) / 1024
    times = [1000 * seconds / len(grids) for seconds in (written - start, read - written)]
    return f"| {layout.__name__} | {level} | {size:.1f} | {times[0]:.2f} | {times[1]:.2f} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", help="outputs/features/<fingerprint>")
    cache = FeatureCache(parser.parse_args().cache)
    shard = sorted(Path(cache.folder).glob("*.parquet"))[0]
    ids = pq.read_table(shard, columns=["photo_id"])["photo_id"].to_pylist()
    grids = list(cache.read(ids).values())
    print(f"{len(grids)} photos, {grids[0].nbytes / 1024:.0f} KiB each as they are\n")
    print(
        "| layout | zstd level | KiB a photo | write, ms | read, ms |\n| --- " + "| --- " * 4 + "|"
    )
    for layout in (by_cell, by_channel, by_byte):
        for level in (1, 3, 9):
            print(measure(grids, layout, level))


if __name__ == "__main__":
    main()
