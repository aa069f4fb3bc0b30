"""The CSV view of the manifest: for a spreadsheet, and for people.

RFC 4180 in UTF-8, with the byte order mark by which Excel knows it. Every cell is quoted, so that
names with commas, semicolons, tabs and line feeds stay whole whatever the spreadsheet splits at.
"""

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, Final

from manifests.aside import keep_edits
from manifests.durable import atomic_write, sha256_of, sync
from manifests.record import Record, languages_of, sort_key
from manifests.text import escape_cell

COLUMNS: Final = tuple(
    field.name
    for field in fields(Record)
    if field.name not in ("raw_path", "mtime_ns", "languages")
)


@dataclass(frozen=True)
class WrittenCsv:
    """What `write_csv` did: the SHA-256 of the new file, and the name the old one went by."""

    sha256: str
    set_aside: str | None  # a file beside the new one; None where there was nothing to keep


def write_csv(path: Path, records: Iterable[Record], expected_sha256: str | None) -> WrittenCsv:
    """Write the view, sorted by path, and lose nothing that a person has typed into the old one.

    `expected_sha256` tells the file that we wrote last. One with other bytes was edited, and stays
    under a name of its own; the look at it comes as late as can be, right before it is replaced.
    """
    with atomic_write(path) as handle:
        _write(handle, records)
        sync(handle)
        sha256 = sha256_of(handle)
        return WrittenCsv(sha256, keep_edits(path, known=(expected_sha256, sha256)))


def csv_sha256(records: Iterable[Record]) -> str:
    """Tell the SHA-256 that `write_csv` will give, so that it can be noted down beforehand."""
    sink = _Digest()
    with io.BufferedWriter(sink) as handle:
        _write(handle, records)
    return sink.sha256.hexdigest()


class _Digest(io.RawIOBase):
    """A file that keeps nothing but the SHA-256 of what is written to it."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.sha256.update(data)
        return len(data)


def _write(handle: BinaryIO | io.BufferedWriter, records: Iterable[Record]) -> None:
    # Lone surrogates, which UTF-8 has no bytes for, are written out as in the manifest.
    text = io.TextIOWrapper(handle, "utf-8-sig", errors="backslashreplace", newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    ordered = sorted(records, key=sort_key)
    columns = columns_with(languages_of(ordered))
    writer.writerow(columns)
    writer.writerows(_row(record, columns) for record in ordered)
    text.detach()  # writes the rest; the file is not ours to close


def columns_with(languages: Iterable[str]) -> list[str]:
    """Name the columns of a view with several languages: theirs come right behind `caption`."""
    added = [f"{name}_{language}" for language in languages for name in ("caption", "confidence")]
    place = COLUMNS.index("caption") + 1
    return [*COLUMNS[:place], *added, *COLUMNS[place:]]


def _row(record: Record, columns: Iterable[str]) -> list[str]:
    said = {
        f"{name}_{each.language}": getattr(each, name)
        for each in record.languages
        for name in ("caption", "confidence")
    }
    return [
        _cell(said[column] if column in said else getattr(record, column, None))
        for column in columns
    ]


def _cell(value: str | float | tuple[str, ...] | None) -> str:
    match value:
        case None:
            return ""
        case str():
            return escape_cell(value)
        case tuple():
            return escape_cell(" | ".join(value))
        case float():
            return f"{value:.3f}"
    return str(value)
