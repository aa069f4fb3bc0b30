"""The results' folder: the manifest, its CSV view, the note on the last run, and the shards so far.

captions.parquet   the truth, one row a photo; .captions-copy.parquet is the same once more
captions.csv       the same for a spreadsheet
reviews/           what people have said (manifests/journal.py), and what the machine said before
last_run.json      how the last run went, or that it is at it, and the SHA-256 of the files above
log.jsonl          what the last runs did (batch/run_log.py)
.parts/            the rows of the shards that an unfinished run has done
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from batch.captioned import manifest_in, photos_folder, with_languages
from batch.early import knower, reworded, told_apart
from batch.embedded import follow_embedded
from batch.errors import ArchiveError
from batch.lock import locked
from batch.run_log import ended_runs
from batch.run_note import noting, rate_of, read_note
from batch.stores import real
from batch.summary import Summary
from batch.unfinished import Unfinished
from batch.written import Written
from manifests.attach import adopted, attach, moves
from manifests.durable import remove_leftovers
from manifests.errors import ManifestError
from manifests.formers import keep_formers
from manifests.journal import RUN, Entry, Journal
from manifests.manifest import read_archive, read_records
from manifests.record import Record, sort_key


@dataclass(frozen=True)
class Previous:
    """What earlier runs left: their rows, in order, and what the finished ones had where."""

    rows: Sequence[Record]
    committed: Mapping[bytes, Record]  # by raw path, of the manifest alone
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
        self.journal = Journal(out)
        self.written = Written(Path(out), self.journal)
        self.manifest, self.csv = self.written.manifest, self.written.csv
        self.last_run, self.before = self.written.last_run, self.written.before
        self.caught_up = False  # a killed run had left something to be shown
        self._unfinished = Unfinished(Path(out), lambda: self.written.digest)
        self._rows: list[Record] = []  # of the manifest
        self._committed: dict[bytes, Record] = {}  # the same by raw path

    def claim(self, *, moved: bool) -> None:
        """Raise ArchiveError where the folder holds another archive's captions.

        `moved` says that it is the same archive in another place.
        """
        self.written.restore()
        for archive in self._archives():
            if archive != self.archive and not moved:
                raise ArchiveError(
                    f"{self.manifest.parent} holds the captions of {archive}; give OUT= another "
                    "folder, or MOVED=1 where that archive has moved here"
                )

    def _archives(self) -> Iterator[str]:
        """Give the archives that the manifest and the shards are of."""
        # Where there is none yet, or it is damaged: `read` will tell what is wrong with it.
        with suppress(FileNotFoundError, ManifestError):
            yield self.written.archive
        for path in self._unfinished.files():
            with suppress(FileNotFoundError, ManifestError):
                yield read_archive(path)

    def read(self) -> Previous:
        """Read the rows of earlier runs, an unfinished one's too. Raises ManifestError.

        Also where the journal of reviews is damaged: at once, not after a night's work.
        """
        self.journal.read()
        self._read_committed()
        self._unfinished.read()
        new = self._unfinished.rows
        rows = {**self._committed, **new}.values() if new else self._rows
        return Previous(
            sorted(rows, key=sort_key),
            self._committed,
            frozenset(record.raw_path for record in self._rows if record.failed),
            len(new),
        )

    def read_committed(self) -> list[Record]:
        """Read the rows of the manifest alone, each with its language. Raises ManifestError."""
        self._read_committed()
        return with_languages(self._rows)

    def _read_committed(self) -> None:
        self._rows = read_records(self.manifest) if self.manifest.exists() else []
        self._committed = {record.raw_path: record for record in self._rows}

    def keep(self, records: Sequence[Record]) -> None:
        """Keep the rows of a shard, so that an interrupted run need not do them again."""
        self._unfinished.keep(records, self.archive)

    def commit(self, records: Iterable[Record]) -> str | None:
        """Write the manifest and its CSV view, where they are to say something new.

        What people have said comes from the journal, whatever the rows say of it. A CSV that a
        person has edited is kept under another name, which is returned.
        """
        return self._commit(records)

    def commit_unfinished(self) -> str | None:
        """Add to the manifest what a run that stops early has found; do as `commit` otherwise.

        Only photos of which nothing is known, by path or by identity, to the manifest or to people.
        """
        is_known = knower(self._committed, self.journal.read())
        told, waiting = told_apart(self._unfinished.rows.values(), is_known)
        return self._commit([*self._rows, *told], waiting) if told else None

    def commit_reworded(self, records: Iterable[Record]) -> str | None:
        """Do as `commit` with rows that say something else of the same photos.

        What an unfinished run has found of photos that were changed or moved waits in a shard: the
        manifest keeps the rows that it has.
        """
        is_known = knower(self._committed, self.journal.read())
        return self._commit(*reworded(records, self._committed, self._unfinished.rows, is_known))

    def _commit(self, records: Iterable[Record], waiting: Sequence[Record] = ()) -> str | None:
        set_aside = self._write(records)
        self._unfinished.remove()
        if waiting:
            self.keep(waiting)
        return set_aside

    def catch_up(self, records: Sequence[Record]) -> None:
        """Show what people have said, where the manifest or its view does not yet."""
        if self.written.view_is_due or attach(records, self.journal.read()) != list(records):
            self.recommit(records)
            self.caught_up = True

    def recommit(self, records: Iterable[Record]) -> str | None:
        """Do as `commit`, but for what an unfinished run has done: it goes on from there."""
        shards = self._unfinished.folder
        set_aside = self._write(records)
        self._unfinished.follow(shards)
        self.written.note_hashes()
        return set_aside

    def _write(self, records: Iterable[Record]) -> str | None:
        """Write the rows, with what people have said of them, unless all files hold them."""
        ordered = self._with_reviews(sorted(records, key=sort_key))
        if (
            self.written.are_there
            and ordered == self._rows
            and self.written.archive == self.archive
        ):
            return None
        return self.written.write(ordered, self.archive)

    def _with_reviews(self, ordered: list[Record]) -> list[Record]:
        """Give the rows with what people have said of their photos; what moved is noted down."""
        reviews = self.journal.read()
        entries: list[Entry] = [*adopted(self._rows, reviews)]
        for entry in entries:
            reviews.take(entry, "")
        moved = [*moves(ordered, reviews, self._committed)]
        for entry in moved:
            reviews.take(entry, "")
        if entries or moved:
            self.journal.append(RUN, [*entries, *moved])
        keep_formers(self.manifest.parent, self._committed, ordered)
        # Which language a caption of an older version is in must be known to show its review.
        return attach(with_languages(ordered) if reviews.decided else ordered, reviews)

    def is_as_before(self) -> bool:
        """Tell whether everything is as the note on the last run says, reviews too.

        No file but the manifest is read: `make verify` does that.
        """
        if not self.written.are_there or self._unfinished.root.exists():
            return False
        return self.written.are_as_noted and self.written.archive == self.archive

    @contextmanager
    def noted(self, summary: Summary) -> Iterator[None]:
        """Write last_run.json when the block begins and ends, and the log, as `noting` does.

        What killed runs have left is cleared up first.
        """
        follow_embedded(self)
        remove_leftovers(self.manifest.parent)
        self._unfinished.remove_leftovers()
        with noting(self.last_run, summary, self.archive, self.note):
            yield

    def note(self, summary: Summary) -> None:
        """Write last_run.json."""
        self.written.write_note(summary.as_dict())

    def rate(self) -> float | None:
        """Photos a second of the last run that tells something of it."""
        notes = chain([read_note(self.last_run)], ended_runs(self.last_run.parent))
        return next(filter(None, map(rate_of, notes)), None)

    def kept_edits(self) -> list[Path]:
        """Give the spreadsheets that were kept since a person had edited them."""
        return sorted(self.manifest.parent.glob("captions.edited-*.csv"))

    def photos_folder(self) -> str | None:
        """Give the path of the archive that these rows are of, finished or not."""
        for path in (self.manifest, *self._unfinished.files()):
            with suppress(FileNotFoundError):
                return photos_folder(path)
        return None
