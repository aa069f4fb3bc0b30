"""Keep the feature cache under a size: what was used longest ago makes room for what is new.

Features can be had again from their photos, so dropping them costs time and no more. When a shard
was last used is its file's time, which whoever reads it sets: disks are often mounted so that they
note no reading themselves.
"""

import os
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from batch.errors import ArchiveError, NoRoomError

SMALLEST = 100 << 20  # bytes; a shard is 18 MiB at most, and a run needs some of them
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_ROOM = 0.1  # of the limit, made at once: so that not every shard makes the folders be listed


def cache_size(text: str) -> int:
    """Read a size, `50GB`, `800MB` or `50G`, in bytes; raises argparse.ArgumentTypeError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]?)B?", text.strip().upper())
    if found is None:
        raise ArgumentTypeError(f"{text!r} is no size; give one like 50GB or 800MB")
    size = int(float(found[1]) * _UNITS[found[2]])
    if size < SMALLEST:
        raise ArgumentTypeError(
            f"{text!r} is less than a few shards of the cache take; give {SMALLEST / 1e6:.0f}MB "
            "or more"
        )
    return size


@dataclass(order=True, frozen=True)
class _Shard:
    used_at: int  # ns
    path: str
    size: int = field(compare=False)


class CacheLimit:
    """The size below which a run keeps all caches under `root`, in bytes.

    Other runs may write and drop there as well: the folders are listed anew whenever room is
    needed, which is once for every tenth of the limit. Where other workers of the same run do, they
    are listed for each file, so that all together keep within the limit, but for the files that
    they write at the same moment.
    """

    is_shared = False

    def __init__(self, root: str, limit: int) -> None:
        self.root, self.limit = root, limit
        self._taken = sum(shard.size for shard in self._shards())

    def make_room(self, size: int, is_needed: Callable[[str], bool]) -> set[str]:
        """Make room for a file of `size` bytes; give the paths of the shards that were dropped.

        None that `is_needed`. Raises NoRoomError where there is not enough else to drop, and
        ArchiveError where the file alone is larger than the limit.
        """
        if size > self.limit:
            raise ArchiveError(
                f"CACHE_LIMIT={self.limit / 1e6:,.0f}MB is less than the {size / 1e6:,.0f}MB that "
                "one shard of the cache takes; give more"
            )
        dropped: set[str] = set()
        if self.is_shared:
            self._taken = sum(shard.size for shard in self._shards())
        if self._taken + size > self.limit:
            shards = sorted(self._shards())
            self._taken = sum(shard.size for shard in shards)
            goal = self.limit * (1 - _ROOM) - size
            for shard in shards:
                if self._taken <= max(goal, 0):
                    break
                if not is_needed(shard.path):
                    with suppress(FileNotFoundError):  # another run has dropped it
                        os.unlink(shard.path)
                    dropped.add(shard.path)
                    self._taken -= shard.size
            if self._taken + size > self.limit:
                raise NoRoomError(
                    f"CACHE_LIMIT={self.limit / 1e6:,.0f}MB is too small: what this run still "
                    f"needs in {self.root} takes {(self._taken + size) / 1e6:,.0f}MB; give more"
                )
        self._taken += size
        return dropped

    def _shards(self) -> Iterator[_Shard]:
        """List all shards, the damaged ones as if they had never been used."""
        from batch.shards import caches_in  # which takes Arrow; `--help` reads sizes only

        for folder in caches_in(self.root):
            for name in os.listdir(folder):
                if not name.startswith(".") and ".parquet" in name:
                    path = os.path.join(folder, name)
                    with suppress(FileNotFoundError):
                        found = os.stat(path)
                        used_at = found.st_mtime_ns if name.endswith(".parquet") else 0
                        yield _Shard(used_at, path, found.st_size)
