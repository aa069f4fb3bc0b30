"""The CSV view of the manifest: for a spreadsheet, and for people.

RFC 4180 in UTF-8, with the byte order mark by which Excel knows it. Every cell is quoted, so that
names with commas, semicolons, tabs and line feeds stay whole whatever the spreadsheet splits at.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, Final

from manifests.aside import keep_edits
from manifests.durable import Digest, atomic_write, sha256_of, sync
from manifests.record import Record, languages_of, sort_key
from manifests.review import base_of, suggested
from manifests.text import escape_cell

_REVIEW: Final = ("caption_human", "review_status", "reviewer", "notes", "suggestion")
_HIDDEN: Final = ("raw_path", "mtime_ns", "languages", "language", "reviews", "offers")
_MACHINE: Final = tuple(field.name for field in fields(Record) if field.name not in _HIDDEN)
_MACHINES: Final = attrgetter(*_MACHINE)
COLUMNS: Final = (*_MACHINE[:2], *_REVIEW, *_MACHINE[2:], "base")
"""What a spreadsheet shows: people's words beside the machine's, and what both were (`base`)."""


@dataclass(frozen=True)
class WrittenCsv:
    """What `write_csv` did: the SHA-256 of the new file, and the name the old one went by."""

    sha256: str
    set_aside: str | None  # a file beside the new one; None where there was nothing to keep


@contextmanager
def csv_beside(path: Path, records: Iterable[Record]) -> Iterator[str]:
    """Write the view, which takes the place of `path` when the block has ended well.

    Gives the SHA-256 that it will have, so that it can be noted down beforehand.
    """
    with atomic_write(path) as handle:
        _write(handle, records)
        sync(handle)
        yield sha256_of(handle)


def write_csv(path: Path, records: Iterable[Record], expected_sha256: str | None) -> WrittenCsv:
    """Write the view, sorted by path, and lose nothing that a person has typed into the old one.

    `expected_sha256` tells the file that we wrote last. One with other bytes was edited, and stays
    under a name of its own; the look at it comes as late as can be, right before it is replaced.
    """
    with csv_beside(path, records) as sha256:
        return WrittenCsv(sha256, keep_edits(path, known=(expected_sha256, sha256)))


def csv_sha256(records: Iterable[Record]) -> str:
    """Tell the SHA-256 that the view has."""
    sink = Digest()
    with io.BufferedWriter(sink) as handle:
        _write(handle, records)
    return sink.sha256.hexdigest()


def _write(handle: BinaryIO | io.BufferedWriter, records: Iterable[Record]) -> None:
    # Lone surrogates, which UTF-8 has no bytes for, are written out as in the manifest.
    text = io.TextIOWrapper(handle, "utf-8-sig", errors="backslashreplace", newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    ordered = sorted(records, key=sort_key)
    columns = columns_with(languages_of(ordered), spoken_besides(ordered))
    writer.writerow(columns)
    writer.writerows(_row(record, columns) for record in ordered)
    text.detach()  # writes the rest; the file is not ours to close


def columns_with(languages: Iterable[str], spoken: Iterable[str] = ()) -> list[str]:
    """Name the columns of a view with several languages: theirs come right behind the row's own.

    `languages` are the machine's, `spoken` those that people speak besides.
    """
    machines = list(languages)
    said = [f"{name}_{language}" for language in machines for name in ("caption", "confidence")]
    people = sorted({*machines, *spoken})
    reviewed = [f"{name}_{language}" for language in people for name in _REVIEW[:2]]
    place = len(_REVIEW) + 2
    return [*COLUMNS[:2], *said, *COLUMNS[2:place], *reviewed, *COLUMNS[place:]]


def spoken_besides(records: Iterable[Record]) -> set[str]:
    """Tell in which languages people have spoken where the machine speaks another one by now."""
    return {
        review.language
        for record in records
        for review in record.reviews
        if review.language and review is not record.review
    }


def _row(record: Record, columns: Iterable[str]) -> list[str]:
    said = dict(zip(_MACHINE, _MACHINES(record), strict=True))
    for each in record.languages:
        said[f"caption_{each.language}"] = each.caption
        said[f"confidence_{each.language}"] = each.confidence
    said |= _reviewed(record)
    return [_cell(said.get(column)) for column in columns]


def _reviewed(record: Record) -> dict[str, str | None]:
    """Give the cells that people's reviews fill: of the row's own caption, and by language."""
    review = record.review
    shown = review.caption or record.caption or ""
    found: dict[str, str | None] = {
        "caption_human": review.caption,
        "review_status": review.status,
        "reviewer": review.reviewer,
        "notes": review.notes,
        "suggestion": suggested(review, record.offers_in(record.language)),
        "base": base_of(review.language, review.status, shown, review.notes, review.reviewer),
    }
    for each in record.reviews:
        found[f"caption_human_{each.language}"] = each.caption
        found[f"review_status_{each.language}"] = each.status
    return found


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
