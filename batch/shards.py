"""Shards, the files of the feature caches: their names, their bytes, and the folders they are in.

Equal photos with equal features make a shard of equal name and bytes.
"""

import hashlib
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from batch.stores import is_url, listing
from manifests.durable import atomic_write

SHAPE = (8, 8, 2048)
POOLED = (2048,)
ENDING = ".parquet"
POOLED_ENDING = "-pooled"
DAMAGED = ".damaged"  # behind the name of a shard that is out of the way
# Without threads: Arrow lets go of a thread that reads one column when another is damaged, and the
# process may abort when it ends (pyarrow 26).
ALONE: Any = {"page_checksum_verification": True, "use_threads": False}
ROWS_A_GROUP = 8  # read together when one is asked for
_CACHE = re.compile(f"[0-9a-f]{{16}}({POOLED_ENDING})?")


def caches_in(root: str) -> list[str]:
    """Give the folders of all caches under `root`, of grids and of vectors; no other folders."""
    if is_url(root):
        return _stored_caches(root)
    names = sorted(os.listdir(root)) if os.path.isdir(root) else []
    folders = (os.path.join(root, name) for name in names if _CACHE.fullmatch(name))
    return [folder for folder in folders if os.path.isdir(folder)]


def _stored_caches(root: str) -> list[str]:
    try:
        names = sorted(entry.name for entry in listing(root) if entry.is_folder)
    except FileNotFoundError:
        return []
    return [f"{root}/{name}" for name in names if _CACHE.fullmatch(name)]


def encoder_of(folder: str) -> str:
    """Give the fingerprint of the encoder whose features a cache holds."""
    return os.path.basename(folder).removesuffix(POOLED_ENDING)


def is_shard(name: str) -> bool:
    """Tell the name of a shard from those of other files."""
    return name.endswith(ENDING) and not name.startswith(".")


def shape_in(folder: str) -> tuple[int, ...]:
    """Give the shape of the features that a cache's folder holds."""
    return POOLED if folder.endswith(POOLED_ENDING) else SHAPE


def encoders_in(root: str) -> list[str]:
    """Give the fingerprints of the encoders that have a cache of grids under `root`, in order."""
    return [encoder_of(folder) for folder in caches_in(root) if shape_in(folder) == SHAPE]


def photo_ids_in(path: str | Path) -> list[str]:
    """Read which photos a shard's file has, as `photo_ids_of`; raises OSError, too."""
    with open(path, "rb") as handle:
        return photo_ids_of(handle, os.fstat(handle.fileno()).st_size)


def photo_ids_of(handle: BinaryIO, size: int) -> list[str]:
    """Read which photos a shard of `size` bytes has, in its order.

    Raises ValueError where it claims more of them than fit: an identity takes 32 bytes at least,
    however it is packed, and Arrow's errors.
    """
    file = pq.ParquetFile(handle, page_checksum_verification=True)
    if file.metadata.num_rows * 32 > size:
        raise ValueError(f"a shard claims {file.metadata.num_rows:,} photos")
    return list(file.read(columns=["photo_id"], use_threads=False)["photo_id"].to_pylist())


def shard_bytes(table: pa.Table) -> bytes:
    """Give the file of a shard; equal tables give equal bytes."""
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=False,
        row_group_size=ROWS_A_GROUP,
        write_page_checksum=True,
    )
    return sink.getvalue()


def shard_name(photo_ids: Iterable[str], data: bytes) -> str:
    """Name a shard by its photos, and by its own bytes: so that a flipped bit anywhere is told."""
    photos = hashlib.sha256("".join(photo_ids).encode()).hexdigest()[:16]
    return f"{photos}-{hashlib.sha256(data).hexdigest()[:16]}{ENDING}"


def write_shard(folder: str, photo_ids: Iterable[str], data: bytes) -> str:
    """Write a shard under its name, which is returned."""
    name = shard_name(photo_ids, data)
    with atomic_write(Path(folder, name)) as file:
        file.write(data)
    return name


def schema_of(shape: tuple[int, ...]) -> pa.Schema:
    """Give the columns of a shard of features of this shape."""
    layout = "x".join(map(str, (shape[-1], *shape[:-1])))
    return pa.schema(
        [("photo_id", pa.string()), ("features", pa.binary(2 * int(np.prod(shape))))],
        metadata={"photo_captions.features": "1", "layout": f"{layout} float16 little-endian"},
    )
