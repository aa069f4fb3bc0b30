"""Where the shards of a feature cache are: in a folder on this machine, or in object storage.

Beside a shard in a store there is a small object with the identities of its photos, in their order:
else whoever opens the cache had to fetch a piece of the shard for each of its groups. Where it
is not there, or lies, no wrong features come of it: each row that is read tells whose it is.
"""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from batch.shards import DAMAGED, is_shard, photo_ids_in, photo_ids_of, shard_name, write_shard
from batch.stores import is_url, listing, read, rename, write
from manifests.durable import remove_leftovers

BROKEN = (pa.ArrowException, OSError, ValueError, LookupError)
"""What a shard that is damaged, or cannot be had, raises."""

_A_DAY = 86_400.0  # seconds
_AT_ONCE = 16  # small objects asked for together: each is mostly waited for
_IDS = ".ids"  # behind the name of a shard


class Shelf(Protocol):
    """The shards of a cache."""

    def indexed(self) -> Iterator[tuple[str, list[str] | Exception]]:
        """Give each shard's name and photos, by name; or why they cannot be told, as `BROKEN`."""
        ...

    def open(self, name: str) -> pq.ParquetFile:
        """Open a shard, and note that it was used. Raises `BROKEN`."""
        ...

    def write(self, photo_ids: Iterable[str], data: bytes) -> str:
        """Keep a shard, whole or not at all; give its name. Raises OSError."""
        ...

    def put_aside(self, name: str) -> None:
        """Put a damaged shard out of the way. Raises OSError."""
        ...


def shelf_at(folder: str) -> Shelf:
    """Give the shards of a cache, by the path of its folder or its URL."""
    return StoredShelf(folder) if is_url(folder) else Folder(folder)


class Folder:
    """A folder of shards, which is made where it is not there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        remove_leftovers(Path(folder), older_than=_A_DAY)  # other runs may be writing here too

    def indexed(self) -> Iterator[tuple[str, list[str] | Exception]]:
        """Give each shard's name and photos."""
        for name in filter(is_shard, sorted(os.listdir(self.folder))):
            try:
                yield name, photo_ids_in(os.path.join(self.folder, name))
            except BROKEN as error:
                yield name, error

    def open(self, name: str) -> pq.ParquetFile:
        """Open a shard; its file's time is that of its last use (`batch/cache_limit.py`)."""
        path = os.path.join(self.folder, name)
        file = pq.ParquetFile(path, page_checksum_verification=True)
        with suppress(OSError):  # a cache that may only be read
            os.utime(path)
        return file

    def write(self, photo_ids: Iterable[str], data: bytes) -> str:
        """Keep a shard."""
        return write_shard(self.folder, photo_ids, data)

    def put_aside(self, name: str) -> None:
        """Put a damaged shard out of the way."""
        path = os.path.join(self.folder, name)
        os.replace(path, path + DAMAGED)


class StoredShelf:
    """Shards in a store: each is fetched whole, since what reads one reads most of it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def indexed(self) -> Iterator[tuple[str, list[str] | Exception]]:
        """Give each shard's name and photos. Raises OSError where the store cannot be reached."""
        try:
            there = {entry.name for entry in listing(self.folder) if not entry.is_folder}
        except FileNotFoundError:
            return
        names = sorted(filter(is_shard, there))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            told = pool.map(lambda name: self._photo_ids(name, name + _IDS in there), names)
            yield from zip(names, told, strict=True)

    def open(self, name: str) -> pq.ParquetFile:
        """Fetch a shard."""
        data = pa.BufferReader(read(self._url(name)))
        return pq.ParquetFile(data, page_checksum_verification=True)

    def write(self, photo_ids: Iterable[str], data: bytes) -> str:
        """Keep a shard, and then its photos' identities."""
        photo_ids = list(photo_ids)
        name = shard_name(photo_ids, data)
        write(self._url(name), data)
        write(self._url(name + _IDS), _lines(photo_ids))
        return name

    def put_aside(self, name: str) -> None:
        """Put a damaged shard out of the way."""
        rename(self._url(name), self._url(name + DAMAGED))

    def _url(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def _photo_ids(self, name: str, has_ids: bool) -> list[str] | Exception:
        """Read which photos a shard has; of an unreachable store the error is raised."""
        try:
            if has_ids:
                return read(self._url(name + _IDS)).decode("ascii").splitlines()
            data = read(self._url(name))
            photo_ids = photo_ids_of(BytesIO(data), len(data))
        except FileNotFoundError as error:
            return error  # it was there a moment ago
        except BROKEN as error:
            if getattr(error, "errno", None) is not None:  # Arrow's have none
                raise
            return error
        with suppress(OSError):  # a cache that may only be read
            write(self._url(name + _IDS), _lines(photo_ids))
        return photo_ids


def _lines(photo_ids: Iterable[str]) -> bytes:
    return "\n".join(photo_ids).encode("ascii", "replace")
