"""Look through the caches of features: each shard whole, of the photos that its name tells of."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from batch.features import pooled_folder
from batch.findings import Findings, Kind
from batch.shards import (
    DAMAGED,
    ENDING,
    is_shard,
    schema_of,
    shape_in,
    shard_bytes,
    shard_name,
)

_REMEDY = "REPAIR=1 takes it out of the way; its photos are encoded again when they are needed"


def cache_folders(root: str, encoders: Iterable[str]) -> list[str]:
    """Give the folders of some encoders' caches that are there: of grids, and of vectors."""
    grids = [os.path.join(root, encoder) for encoder in encoders]
    folders = [*grids, *map(pooled_folder, grids)]
    return [folder for folder in folders if os.path.isdir(folder)]


def shards_in(folder: str) -> list[Path]:
    """Give the shards of a cache."""
    return [Path(folder, name) for name in sorted(os.listdir(folder)) if is_shard(name)]


def check_cache(folder: str, findings: Findings) -> None:
    """Check every shard of a cache; they are only read."""
    shape = shape_in(folder)
    for path in shards_in(folder):
        with findings.looking(Kind.SHARD, path, _REMEDY):
            findings.unsealed += not check_shard(path.name, findings.read(path), shape)
    aside = sum(name.endswith(DAMAGED) for name in os.listdir(folder))
    findings.note(aside, f"damaged shards out of the way in {folder}: make prune removes them")


def check_shard(name: str, data: bytes, shape: tuple[int, ...]) -> bool:
    """Decode every page of a shard, and hold it against its name.

    Gives whether the whole of its bytes is known to be what was written. Raises ValueError or
    ArrowException where it is damaged.
    """
    file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
    if not file.schema_arrow.equals(schema_of(shape), check_metadata=True):
        raise ValueError("it has other columns than features")
    photo_ids: list[str] = []
    for group in range(file.num_row_groups):
        photo_ids += _check_group(file.read_row_group(group, use_threads=False))
    if len(photo_ids) != file.metadata.num_rows or len({*photo_ids}) != len(photo_ids):
        raise ValueError("it has not one row for each photo")
    expected = shard_name(photo_ids, data)
    if name == expected:
        return True
    if name != f"{expected.partition('-')[0]}{ENDING}":
        raise ValueError("its name tells of other photos, or other bytes")
    same = (
        shard_bytes(file.read(use_threads=False)) == data
    )  # of an older version: nothing tells of its footer
    if not same and file.metadata.created_by == f"parquet-cpp-arrow version {pa.__version__}":
        raise ValueError("its bytes are not those that its rows were written as")
    return same


def _check_group(rows: pa.Table) -> list[str]:
    rows.validate(full=True)
    for blob in rows["features"].to_pylist():
        if not np.isfinite(np.frombuffer(blob, "<f2")).all():
            raise ValueError("it holds numbers that no feature has")
    return list(rows["photo_id"].to_pylist())
