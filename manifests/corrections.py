"""What people bring back: a review sheet or view of ours, after whatever they did to it.

The kind is told by the content, not by the name: XLSX, ODS, or CSV in several encodings. Rows may
be sorted, filtered or deleted, columns moved, deleted or added. Nothing is evaluated, followed or
opened besides the file itself: cells are texts.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from manifests.csv_cells import IsHeader, csv_rows
from manifests.errors import ManifestError
from manifests.misread import check_mark
from manifests.ods_cells import ods_sheets
from manifests.package import SAVE_ANEW, check_rows, open_package
from manifests.review import Correction
from manifests.sheet import column_name, rejoined
from manifests.text import unescape_cell
from manifests.xlsx_cells import xlsx_sheets

Rows = Iterable[tuple[int, Sequence[str]]]

_MOST_BYTES: Final = 2**29
_MOST_TEXT: Final = 2**29  # letters, however often one text is referred to
_HEAD: Final = 20  # rows in which the header may stand: people put titles above it
_KEYS: Final = frozenset({"path", "photo_id"})
_GIVE: Final = "Give a review sheet: XLSX, ODS or CSV"
_ZIP: Final = b"PK\x03\x04"
_OLD_OFFICE: Final = bytes.fromhex("d0cf11e0a1b11ae1")


def read_corrections(
    path: Path, keys: Collection[str] = _KEYS, *, escaped: bool = True
) -> list[Correction]:
    """Read the rows of a file that a person brings back; blank ones are left out.

    keys: names of columns by which the header is known; sheets of a workbook without one are passed
    over. escaped: cells are as `manifests.text` writes them; else they are given as they stand.
    Formulas are read as their text; numbers, dates and so on as text near to what was typed.
    Raises ManifestError where the file can't be read, was misread by the program that saved it, or
    has no such column, or two of one name.
    """
    data = _read(path)
    is_header = partial(_is_header, keys=frozenset(keys))
    found: list[Correction] = []
    known = False
    limits = _Limits(path)
    for rows in _sheets(path, data, is_header):
        numbered = limits.within(rows)
        header = _header(path, numbered, is_header)
        if header:
            known = True
            found += _corrections(_checked(path, header), numbered, escaped)
    if known:
        return found
    raise ManifestError(
        path,
        f"no column is named {' or '.join(sorted(keys))}",
        "Keep the header of the sheet as it was made",
    )


class _Limits:
    """What a file may hold in all: a small one can repeat a long text, or a row, without end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = self.text = 0

    def within(self, rows: Rows) -> Iterator[tuple[int, Sequence[str]]]:
        """Give the rows as they are. Raises ManifestError past the limits."""
        for line, cells in rows:
            self.rows += 1
            self.text += sum(map(len, cells))
            check_rows(self.path, self.rows)
            if self.text > _MOST_TEXT:
                raise ManifestError(
                    self.path, f"holds more than {_MOST_TEXT:,} letters", "Split it"
                )
            yield line, cells


def _read(path: Path) -> bytes:
    """Read the file once, so that what is judged is what is parsed."""
    try:
        if not path.is_file():
            problem = "is a folder" if path.is_dir() else "is no file"
            raise ManifestError(path, problem, _GIVE)
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ManifestError(path, f"can't be read ({error.strerror})", "Check it") from error
    if len(data) > _MOST_BYTES:
        raise ManifestError(path, f"is larger than {_MOST_BYTES} bytes", "Split it")
    if not data.strip():
        raise ManifestError(path, "is empty", _GIVE)
    return data


def _sheets(path: Path, data: bytes, is_header: IsHeader) -> Iterator[Rows]:
    if data.startswith(_OLD_OFFICE):
        problem = "is an old Excel file (.xls), or one with a password"
        raise ManifestError(path, problem, SAVE_ANEW)
    if not data.startswith(_ZIP):
        return iter([csv_rows(path, data, is_header)])
    with open_package(path, data) as package:
        names = set(package.namelist())
    if "xl/workbook.xml" in names:
        return xlsx_sheets(path, data)
    if "content.xml" in names:
        return ods_sheets(path, data)
    raise ManifestError(path, "is a ZIP file that holds no spreadsheet", SAVE_ANEW)


def _header(
    path: Path, rows: Iterator[tuple[int, Sequence[str]]], is_header: IsHeader
) -> list[str]:
    """Go on to the header, and give its columns' names; an empty list where there is none."""
    for _, cells in islice(rows, _HEAD):
        check_mark(path, cells)
        if is_header(cells):
            return [_name(cell) for cell in cells]
    return []


def _is_header(cells: Sequence[str], keys: frozenset[str]) -> bool:
    return not keys.isdisjoint(map(_name, cells))


def _name(cell: str) -> str:
    return column_name(unescape_cell(cell))


def _checked(path: Path, names: list[str]) -> list[str]:
    """Raise ManifestError where two columns have one name: which one counts can't be known."""
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise ManifestError(
            path, f"two columns are named {twice[0]!r}", "Rename or delete the one not meant"
        )
    return names


def _corrections(names: list[str], rows: Rows, escaped: bool) -> Iterator[Correction]:
    meant = unescape_cell if escaped else str
    for line, cells in rows:
        found = {name: cell for name, cell in zip(names, cells, strict=False) if name}
        if any(cell.strip() for cell in found.values()):
            # A row may end early: programs leave out empty cells at its end.
            whole = rejoined(dict.fromkeys(filter(None, names), "") | found)
            yield Correction(line, {name: meant(cell) for name, cell in whole.items()})
