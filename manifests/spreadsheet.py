"""Review sheets for people: XLSX with a picture in each row, and the same columns as CSV.

`manifests.corrections` reads both back. No file that may hold a person's work is replaced.
"""

import csv
import io
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from manifests.aside import keep_edits
from manifests.durable import atomic_write, sha256_of, sync
from manifests.review import SheetRow
from manifests.sheet import COLUMNS, texts_of
from manifests.text import escape_cell
from manifests.workbook import Picture, workbook

ROWS_A_FILE: Final = 5_000
"""Rows with pictures that a spreadsheet program still opens quickly."""


@dataclass(frozen=True)
class WrittenSheet:
    """A sheet that was written, and the name that an older file in its place has now."""

    path: Path
    sha256: str
    set_aside: str | None  # a file beside the new one; None where there was nothing to keep


def write_workbooks(
    folder: Path,
    stem: str,
    rows: Sequence[SheetRow],
    picture: Picture,
    known: Collection[str] = (),
) -> list[WrittenSheet]:
    """Write rows as workbooks of at most ROWS_A_FILE: `review-1.xlsx`, `review-2.xlsx` and so on.

    Where all goes into one file it has no number. For `known` and older files see `write_xlsx`.
    """
    parts = sheet_parts(len(rows))
    names = [stem] if len(parts) == 1 else [f"{stem}-{at}" for at in range(1, len(parts) + 1)]
    return [
        write_xlsx(folder / f"{name}.xlsx", rows[part], picture, name, known)
        for name, part in zip(names, parts, strict=True)
    ]


def sheet_parts(count: int) -> list[slice]:
    """Tell which of `count` rows go into which file; no rows still make one."""
    return [slice(at, at + ROWS_A_FILE) for at in range(0, max(count, 1), ROWS_A_FILE)]


def write_xlsx(
    path: Path,
    rows: Sequence[SheetRow],
    picture: Picture,
    title: str,
    known: Collection[str] = (),
) -> WrittenSheet:
    """Write one workbook.

    An older file at `path` may hold a person's work: it stays beside the new one under a name of
    its own, unless it has the same bytes or its SHA-256 is `known` as that of a file nobody has
    touched. Raises ValueError for more than ROWS_A_FILE rows.
    """
    if len(rows) > ROWS_A_FILE:
        raise ValueError(f"{len(rows)} rows for one file, which takes {ROWS_A_FILE}")
    book = workbook(rows, picture, title)
    return _write(path, lambda handle: handle.write(book), known)


def write_review_csv(
    path: Path, rows: Iterable[SheetRow], known: Collection[str] = ()
) -> WrittenSheet:
    """Write the same columns, without pictures, by the rules of `manifests.csv_view`.

    For `known` and older files see `write_xlsx`.
    """
    return _write(path, lambda handle: _write_csv(handle, rows), known)


def _write(path: Path, fill: Callable[[BinaryIO], Any], known: Collection[str]) -> WrittenSheet:
    with atomic_write(path) as handle:
        fill(handle)
        sync(handle)
        sha256 = sha256_of(handle)
        return WrittenSheet(path, sha256, keep_edits(path, known=(*known, sha256)))


def _write_csv(handle: BinaryIO, rows: Iterable[SheetRow]) -> None:
    text = io.TextIOWrapper(handle, "utf-8-sig", newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([escape_cell(each) for each in texts_of(row).values()] for row in rows)
    text.detach()  # writes the rest; the file is not ours to close
