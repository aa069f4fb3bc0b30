"""What a run has done before its end: the rows of its shards, so that the next one goes on there.

.parts/<of which manifest>/000001.parquet

They extend one manifest: another one makes them void.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from manifests.durable import remove_leftovers
from manifests.manifest import read_records, write_records
from manifests.record import Record

FOLDER = ".parts"


class Unfinished:
    """The shards of a run in a folder of results; `manifest` tells the SHA-256 of what they extend.

    `rows` are those that were read or kept, by raw path.
    """

    def __init__(self, out: Path, manifest: Callable[[], str | None]) -> None:
        self.root, self._manifest = out / FOLDER, manifest
        self.rows: dict[bytes, Record] = {}
        self._next = 0

    @property
    def folder(self) -> Path:
        """Where the shards are that extend the manifest as it is."""
        return self.root / (self._manifest() or "first")[:16]

    def files(self) -> list[Path]:
        """Give the shards in their order."""
        return sorted(self.folder.glob("[0-9]*.parquet"))

    def read(self) -> None:
        """Read the rows. Raises ManifestError where a shard is damaged."""
        for path in self.files():
            self._next = int(path.stem) + 1
            self.rows |= {record.raw_path: record for record in read_records(path)}

    def keep(self, records: Sequence[Record], archive: str) -> None:
        """Write a shard."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_records(self.folder / f"{self._next:06d}.parquet", records, archive)
        self.rows |= {record.raw_path: record for record in records}
        self._next += 1

    def follow(self, before: Path) -> None:
        """Let shards that are in the folder `before` extend the manifest as it is now."""
        if before.is_dir() and before != self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            before.replace(self.folder)

    def remove(self) -> None:
        """Remove all shards: what they told is in the manifest."""
        shutil.rmtree(self.root, ignore_errors=True)

    def remove_leftovers(self) -> None:
        """Remove what killed runs were writing."""
        if self.folder.is_dir():
            remove_leftovers(self.folder)
