"""The results' folder: the manifest, its CSV view, the note on the last run, and the shards so far.

captions.parquet   the truth, one row a photo; .captions-copy.parquet is the same once more
captions.csv       the same for a spreadsheet
reviews/           what people have said (manifests/journal.py), and what the machine said before
last_run.json      how the last run went, or that it is at it, and the SHA-256 of the files above
log.jsonl          what the last runs did (batch/run_log.py)
.parts/            the rows of the shards that an unfinished run has done
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from batch.captioned import manifest_in, photos_folder, with_languages
from batch.embedded import follow_embedded
from batch.errors import ArchiveError
from batch.lock import locked
from batch.run_note import noting, rate_of, read_note
from batch.stores import real
from batch.summary import Summary
from manifests.attach import adopted, attach, moves, place_of
from manifests.csv_view import csv_sha256, write_csv
from manifests.durable import copy_file, remove_leftovers, sha256_file, write_json
from manifests.errors import ManifestError
from manifests.formers import keep_formers
from manifests.journal import RUN, Entry, Journal
from manifests.manifest import read_archive, read_records, write_records
from manifests.record import Record, sort_key
from manifests.seal import sealed

COPY = ".captions-copy.parquet"  # written first; `make verify REPAIR=1` goes back to it


@dataclass(frozen=True)
class Previous:
    """What earlier runs left: their rows, in order, and what the finished ones had where."""

    rows: Sequence[Record]
    committed: Mapping[bytes, str | None]  # raw path -> photo identity, of the manifest alone
    failed: frozenset[bytes]  # raw paths of the manifest's photos that could not be read
    unfinished: int  # rows that an unfinished run has done since


@contextmanager
def reopened(out: str) -> Iterator[tuple["Results", list[Record]]]:
    """Hold the folder that a run has left, for what needs none of its photos; give its rows too.

    What people have said, and a killed run had no time to show in the manifest, is shown first.
    Raises ArchiveError where there is no manifest, ManifestError where that or the journal is
    damaged, LockedError.
    """
    manifest = manifest_in(out)
    with locked(out):
        results = Results(out, "")
        results.archive = read_archive(manifest)
        follow_embedded(results)
        records = results.read_committed()
        results.catch_up(records)
        yield results, records


class Results:
    """The folder that a run writes to, while it holds its lock."""

    def __init__(self, out: str, archive: str) -> None:
        self.archive = os.fsencode(real(archive)).decode("utf-8", "backslashreplace")
        self.manifest = Path(out, "captions.parquet")
        self.copy = Path(out, COPY)
        self.csv = Path(out, "captions.csv")
        self.last_run = Path(out, "last_run.json")
        self._parts_root = Path(out, ".parts")
        self.before = note = read_note(self.last_run)  # on the last run
        self._csv_hashes = list(note.get("csv_sha256") or [])  # of what we wrote ourselves
        self._manifest_hash = note.get("manifest_sha256")
        self.journal = Journal(out)
        self.caught_up = False  # a killed run had left something to be shown
        self._committed: list[Record] = []
        self._unfinished: dict[bytes, Record] = {}
        self._next_part = 0

    @cached_property
    def parts(self) -> Path:
        """Where this run's shards go. They extend one manifest: another one makes them void."""
        extends = sha256_file(self.manifest)[:16] if self.manifest.exists() else "first"
        return self._parts_root / extends

    def claim(self, *, moved: bool) -> None:
        """Raise ArchiveError where the folder holds another archive's captions.

        `moved` says that it is the same archive in another place.
        """
        if self.copy.exists() and not self.manifest.exists():
            copy_file(self.copy, self.manifest)  # lost, or not yet there when a run was killed
        for path in (self.manifest, *self._shards()):
            try:
                theirs = read_archive(path)
            except (FileNotFoundError, ManifestError):
                continue  # there is none yet, or `read` will tell what is wrong with it
            if theirs != self.archive and not moved:
                raise ArchiveError(
                    f"{self.manifest.parent} holds the captions of {theirs}; give OUT= another "
                    "folder, or MOVED=1 where that archive has moved here"
                )

    def read(self) -> Previous:
        """Read the rows of earlier runs, an unfinished one's too. Raises ManifestError.

        Also where the journal of reviews is damaged: at once, not after a night's work.
        """
        self.journal.read()
        self._committed = read_records(self.manifest) if self.manifest.exists() else []
        committed = {record.raw_path: record for record in self._committed}
        for part in self._shards():
            self._next_part = int(part.stem) + 1
            self._unfinished |= {record.raw_path: record for record in read_records(part)}
        return Previous(
            sorted((committed | self._unfinished).values(), key=sort_key),
            {raw_path: record.photo_id for raw_path, record in committed.items()},
            frozenset(record.raw_path for record in self._committed if record.failed),
            len(self._unfinished),
        )

    def read_committed(self) -> list[Record]:
        """Read the rows of the manifest alone, each with its language. Raises ManifestError."""
        self._committed = read_records(self.manifest)
        return with_languages(self._committed)

    def _shards(self) -> list[Path]:
        return sorted(self.parts.glob("[0-9]*.parquet"))

    def keep(self, records: Sequence[Record]) -> None:
        """Keep the rows of a shard, so that an interrupted run need not do them again."""
        self.parts.mkdir(parents=True, exist_ok=True)
        write_records(self.parts / f"{self._next_part:06d}.parquet", records, self.archive)
        self._unfinished |= {record.raw_path: record for record in records}
        self._next_part += 1

    def commit(self, records: Iterable[Record]) -> str | None:
        """Write the manifest and its CSV view, where they are to say something new.

        What people have said comes from the journal, whatever the rows say of it. A CSV that a
        person has edited is kept under another name, which is returned.
        """
        return self._commit(records)

    def commit_unfinished(self) -> str | None:
        """Add to the manifest what a run that stops early has found; do as `commit` otherwise.

        Only photos of which nothing is known, by path or by identity, to the manifest or to people.
        The others wait in a shard: what became of a photo that was changed or moved is told when
        all have been seen, from what was known before the first of them.
        """
        is_known = self._knower()
        told: dict[bool, list[Record]] = {True: [], False: []}
        for record in self._unfinished.values():
            told[is_known(record)].append(record)
        return self._commit([*self._committed, *told[False]], told[True]) if told[False] else None

    def commit_reworded(self, records: Iterable[Record]) -> str | None:
        """Do as `commit` with rows that say something else of the same photos.

        What an unfinished run has found of photos that were changed or moved waits in a shard, as
        in `commit_unfinished`: the manifest keeps the rows that it has.
        """
        is_known = self._knower()
        before = {record.raw_path: record for record in self._committed}
        rows = {record.raw_path: record for record in records}
        waiting = [
            row
            for raw_path, row in rows.items()
            if raw_path in self._unfinished
            and not (raw_path in before and before[raw_path].photo_id == row.photo_id)
            and is_known(row)
        ]
        for row in waiting:
            del rows[row.raw_path]
        return self._commit((before | rows).values(), waiting)

    def _knower(self) -> Callable[[Record], bool]:
        """Give what tells whether the manifest or people know of a photo, by path or by bytes."""
        heard = [*map(place_of, self._committed), *self.journal.read().heard]
        paths = {place.raw_path for place in heard}
        photo_ids = {place.photo_id for place in heard if place.photo_id}
        return lambda record: record.raw_path in paths or record.photo_id in photo_ids

    def _commit(self, records: Iterable[Record], waiting: Sequence[Record] = ()) -> str | None:
        set_aside = self._write(self._with_reviews(sorted(records, key=sort_key)))
        shutil.rmtree(self._parts_root, ignore_errors=True)
        if waiting:
            del self.parts  # they extend the new manifest
            self.keep(waiting)
        return set_aside

    def catch_up(self, records: Sequence[Record]) -> None:
        """Show what people have said, where the manifest or its view does not yet."""
        if self._view_is_due() or attach(records, self.journal.read()) != list(records):
            self.recommit(records)
            self.caught_up = True

    def recommit(self, records: Iterable[Record]) -> str | None:
        """Do as `commit`, but for what an unfinished run has done: it goes on from there."""
        parts = self.parts
        set_aside = self._write(self._with_reviews(sorted(records, key=sort_key)))
        del self.parts  # they extend the new manifest
        if parts.is_dir() and parts != self.parts:
            shutil.rmtree(self.parts, ignore_errors=True)
            parts.replace(self.parts)
        self._note_hashes()
        return set_aside

    def _write(self, ordered: list[Record]) -> str | None:
        set_aside = None
        if not self._says(ordered):
            # Noted down beforehand: a run that is killed from here on must know its own CSV again.
            self._csv_hashes.append(csv_sha256(ordered))
            self._manifest_hash = None  # not known while it is written
            self._note_hashes()
            self._manifest_hash = write_records(self.copy, ordered, self.archive)
            copy_file(self.copy, self.manifest)
            set_aside = self._write_csv(ordered)
        return set_aside

    def _with_reviews(self, ordered: list[Record]) -> list[Record]:
        """Give the rows with what people have said of their photos; what moved is noted down."""
        before = {record.raw_path: record for record in self._committed}
        reviews = self.journal.read()
        entries: list[Entry] = [*adopted(self._committed, reviews)]
        for entry in entries:
            reviews.take(entry, "")
        known = {raw_path: record.photo_id for raw_path, record in before.items()}
        moved = [*moves(ordered, reviews, known)]
        for entry in moved:
            reviews.take(entry, "")
        if entries or moved:
            self.journal.append(RUN, [*entries, *moved])
        keep_formers(self.manifest.parent, before, ordered)
        # Which language a caption of an older version is in must be known to show its review.
        return attach(with_languages(ordered) if reviews.decided else ordered, reviews)

    def _says(self, ordered: list[Record]) -> bool:
        """Tell whether both views are there and hold these rows already."""
        there = self.manifest.exists() and self.copy.exists() and not self._view_is_due()
        return there and ordered == self._committed and read_archive(self.manifest) == self.archive

    def is_as_before(self) -> bool:
        """Tell whether everything is as the note on the last run says, reviews too.

        No file but the manifest is read: `make verify` does that.
        """
        there = all(path.exists() for path in (self.manifest, self.copy))
        if not there or self._view_is_due() or self._parts_root.exists():
            return False
        same = self.before.get("manifest_sha256") == sha256_file(self.manifest)
        same = same and self.before.get("journal") == self.journal.latest
        return same and read_archive(self.manifest) == self.archive

    def _view_is_due(self) -> bool:
        """Tell whether the CSV is not there, or a run was stopped just before it wrote it."""
        return not self.csv.exists() or len(self._csv_hashes) != 1

    def _write_csv(self, ordered: list[Record]) -> str | None:
        found = sha256_file(self.csv) if self.csv.exists() else None
        written = write_csv(self.csv, ordered, found if found in self._csv_hashes else None)
        self._csv_hashes = [written.sha256]
        return written.set_aside

    @contextmanager
    def noted(self, summary: Summary) -> Iterator[None]:
        """Write last_run.json when the block begins and ends, and the log, as `noting` does.

        What killed runs have left is cleared up first.
        """
        follow_embedded(self)
        for folder in (self.manifest.parent, self.parts):
            if folder.is_dir():
                remove_leftovers(folder)
        with noting(self.last_run, summary, self.archive, self.note):
            yield

    def note(self, summary: Summary) -> None:
        """Write last_run.json."""
        self._write_note(summary.as_dict())

    def rate(self) -> float | None:
        """Photos a second of the last run, where that tells something."""
        return rate_of(read_note(self.last_run))

    def photos_folder(self) -> str | None:
        """Give the path of the archive that these rows are of, finished or not."""
        for path in (self.manifest, *self._shards()):
            with suppress(FileNotFoundError):
                return photos_folder(path)
        return None

    def _note_hashes(self) -> None:
        self._write_note(read_note(self.last_run))

    def _write_note(self, note: Mapping[str, Any]) -> None:
        hashes = {"csv_sha256": self._csv_hashes, "manifest_sha256": self._manifest_hash}
        write_json(self.last_run, sealed({**note, **hashes, "journal": self.journal.latest}))
