"""The results' folder: the manifest, its CSV view, the note on the last run, and the shards so far.

captions.parquet   the truth, one row a photo
captions.csv       the same for a spreadsheet
last_run.json      how the last run went
.parts/            the rows of the shards that an unfinished run has done
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch.errors import ArchiveError
from batch.summary import Summary
from manifests.csv_view import write_csv
from manifests.durable import remove_leftovers, write_json
from manifests.manifest import read_archive, read_records, write_records
from manifests.record import Record, sort_key

ENOUGH = 500  # photos; a run over a few is mostly start-up, and says little of its rate


@dataclass(frozen=True)
class Previous:
    """What earlier runs left: their rows, in order, and what the finished ones had where."""

    rows: Sequence[Record]
    committed: Mapping[bytes, str | None]  # raw path -> photo identity, of the manifest alone


class Results:
    """The folder that a run writes to, while it holds its lock."""

    def __init__(self, out: str, archive: str) -> None:
        self.archive = os.fsencode(os.path.realpath(archive)).decode("utf-8", "backslashreplace")
        self.manifest = Path(out, "captions.parquet")
        self.csv = Path(out, "captions.csv")
        self.last_run = Path(out, "last_run.json")
        self.parts = Path(out, ".parts")
        self._csv_sha256 = self._note().get("csv_sha256")
        self._next_part = 0

    def read(self, *, moved: bool) -> Previous:
        """Read the rows of earlier runs, an unfinished one's too.

        Raises ArchiveError where they are another archive's (`moved` says that it is the same one
        in another place), ManifestError where they are damaged.
        """
        committed = self._read(self.manifest, moved)
        parts = sorted(self.parts.glob("*.parquet"))
        self._next_part = 1 + int(parts[-1].stem) if parts else 0
        rows = dict(committed)
        for part in parts:
            rows |= self._read(part, moved)
        return Previous(
            sorted(rows.values(), key=sort_key),
            {raw_path: record.photo_id for raw_path, record in committed.items()},
        )

    def _read(self, path: Path, moved: bool) -> dict[bytes, Record]:
        if not path.exists():
            return {}
        theirs = read_archive(path)
        if theirs != self.archive and not moved:
            raise ArchiveError(
                f"{path.parent} holds the captions of {theirs}; give OUT= another folder, "
                "or MOVED=1 where that archive has moved here"
            )
        return {record.raw_path: record for record in read_records(path)}

    def keep(self, records: Sequence[Record]) -> None:
        """Keep the rows of a shard, so that an interrupted run need not do them again."""
        self.parts.mkdir(exist_ok=True)
        write_records(self.parts / f"{self._next_part:06d}.parquet", records, self.archive)
        self._next_part += 1

    def commit(self, records: Sequence[Record]) -> str | None:
        """Write the manifest and its CSV view.

        A CSV that a person has edited is kept under another name, which is returned.
        """
        write_records(self.manifest, records, self.archive)
        written = write_csv(self.csv, records, self._csv_sha256)
        self._csv_sha256 = written.sha256
        shutil.rmtree(self.parts, ignore_errors=True)
        return written.set_aside

    @contextmanager
    def noted(self, summary: Summary) -> Iterator[None]:
        """Write last_run.json when the block ends, however it ends."""
        for folder in (self.manifest.parent, self.parts):
            if folder.is_dir():
                remove_leftovers(folder)
        try:
            yield
        except BaseException as error:
            summary.fail(error)
            raise
        finally:
            write_json(self.last_run, summary.as_dict() | {"csv_sha256": self._csv_sha256})

    def rate(self) -> float | None:
        """Photos a second of the last run, where it encoded enough of them to tell."""
        note = self._note()
        rate, encoded = note.get("photos_per_second"), note.get("encoded")
        return float(rate) if rate and encoded and encoded >= ENOUGH else None

    def _note(self) -> dict[str, Any]:
        try:
            note = json.loads(self.last_run.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}
