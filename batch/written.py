"""The files that hold the rows of an archive: the manifest, its copy, its CSV view, and the note.

The note, last_run.json, tells how the last run went, and the SHA-256 of what it has written.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from batch.run_note import NOTE, read_note
from manifests.aside import keep_edits
from manifests.csv_view import csv_beside
from manifests.durable import copy_file, sha256_file, write_json
from manifests.journal import Journal
from manifests.manifest import read_archive, write_records
from manifests.record import Record
from manifests.seal import sealed

COPY = ".captions-copy.parquet"  # written first; `make verify REPAIR=1` goes back to it


class Written:
    """The files in the folder `out` of a run that holds its lock: nobody else changes them."""

    def __init__(self, out: Path, journal: Journal) -> None:
        self.manifest = out / "captions.parquet"
        self.copy = out / COPY
        self.csv = out / "captions.csv"
        self.last_run = out / NOTE
        self.before = note = read_note(self.last_run)  # on the last run
        self._journal = journal
        self._csv_hashes = list(note.get("csv_sha256") or [])  # of what we wrote ourselves
        self._manifest_hash = note.get("manifest_sha256")
        self._taken_in = list(note.get("taken_in_sha256") or [])  # kept edits that are merged

    @cached_property
    def digest(self) -> str | None:
        """The SHA-256 of the manifest; None where there is none."""
        return sha256_file(self.manifest) if self.manifest.exists() else None

    @cached_property
    def archive(self) -> str:
        """The archive that the manifest is of. Raises the errors of `read_archive`."""
        return read_archive(self.manifest)

    @property
    def are_there(self) -> bool:
        """Whether the manifest, its copy and the view are there, all of the same rows."""
        return self.manifest.exists() and self.copy.exists() and not self.view_is_due

    @property
    def view_is_due(self) -> bool:
        """Whether the CSV is not there, or a run was stopped just before it wrote it."""
        return not self.csv.exists() or len(self._csv_hashes) != 1

    @property
    def are_as_noted(self) -> bool:
        """Whether the manifest and what people have said are as the note on the last run tells."""
        same = self.before.get("manifest_sha256") == self.digest
        return same and self.before.get("journal") == self._journal.latest

    def write(self, ordered: Sequence[Record], archive: str) -> str | None:
        """Write rows that are in order; returns the name that an edited CSV is kept under."""
        with csv_beside(self.csv, ordered) as sha256:
            # Noted down beforehand: a run that is killed from here on must know its own CSV again.
            self._csv_hashes.append(sha256)
            self._manifest_hash = None  # not known while it is written
            self.note_hashes()
            self._manifest_hash = write_records(self.copy, ordered, archive)
            copy_file(self.copy, self.manifest)
            self.digest, self.archive = self._manifest_hash, archive
            # The look at the old view comes as late as can be, right before it is replaced.
            set_aside = keep_edits(self.csv, known=self._csv_hashes)
        self._csv_hashes = [sha256]
        return set_aside

    def restore(self) -> None:
        """Take the manifest from its copy, where a run was killed before it was there."""
        if self.copy.exists() and not self.manifest.exists():
            copy_file(self.copy, self.manifest)

    def note_hashes(self) -> None:
        """Write down what was written, beside what the note tells."""
        self.write_note(read_note(self.last_run))

    def note_taken_in(self, kept: Collection[str], sha256: str) -> None:
        """Write down that all of a kept spreadsheet is merged; kept: the SHA-256 of all there."""
        self._taken_in = [each for each in kept if each in {*self._taken_in, sha256}]
        self.note_hashes()

    def write_note(self, note: Mapping[str, Any]) -> None:
        """Write the note, with what was written."""
        found = {
            "csv_sha256": self._csv_hashes,
            "manifest_sha256": self._manifest_hash,
            "taken_in_sha256": self._taken_in,
            "journal": self._journal.latest,
        }
        write_json(self.last_run, sealed({**note, **found}))
