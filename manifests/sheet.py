"""A review sheet: its columns, and its rows as texts, whatever kind of file they stand in."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from manifests.review import SheetRow

EDITABLE: Final = ("caption", "review_status", "reviewer", "notes")
"""What people write into; all else only tells them of the photo, and us which row it is."""

COLUMNS: Final = (
    *EDITABLE, "confidence", "machine", "suggestion", "alternatives", "path", "status", "group",
    "language", "photo_id", "base",
)  # fmt: skip

CELL_SIZE: Final = 16_000
"""Code points of a cell at most: Excel takes 32,767 UTF-16 units, and silently drops the rest."""

_CONTINUED: Final = re.compile(r"(.+)_\(continued_(\d+)\)")


def texts_of(row: SheetRow) -> dict[str, str]:
    """Give the texts of a row by their columns' names, in their order."""
    return {name: _text(getattr(row, name)) for name in COLUMNS}


def in_cells(rows: Iterable[Mapping[str, str]]) -> tuple[list[str], list[dict[str, str]]]:
    """Give columns and rows whose texts all fit into a cell; `rejoined` puts them together.

    What is too long goes on in columns of its own, `caption (continued 2)`, at the right end.
    Hardly any sheet has them.
    """
    cells = [dict(part for item in row.items() for part in _parts(*item)) for row in rows]
    added = dict.fromkeys(name for row in cells for name in row if name not in COLUMNS)
    return [*COLUMNS, *added], cells


def rejoined(cells: Mapping[str, str]) -> dict[str, str]:
    """Put the parts of long texts together; names are as `column_name` gives them."""
    whole = {name: text for name, text in cells.items() if not _CONTINUED.fullmatch(name)}
    parts = [part for part in map(_CONTINUED.fullmatch, cells) if part]
    for part in sorted(parts, key=lambda part: int(part[2])):
        if part[1] in whole:
            whole[part[1]] += cells[part[0]]
    return whole


def column_name(header: str) -> str:
    """Read a header as people may have retyped it: ` Review Status` is `review_status`."""
    return "_".join(header.lower().split())


def _parts(name: str, text: str) -> Iterator[tuple[str, str]]:
    yield name, text[:CELL_SIZE]
    for number, start in enumerate(range(CELL_SIZE, len(text), CELL_SIZE), 2):
        yield f"{name} (continued {number})", text[start : start + CELL_SIZE]


def _text(value: str | float | tuple[str, ...] | None) -> str:
    match value:
        case None:
            return ""
        case str():
            return str(value)  # a status as its text
        case tuple():
            return " | ".join(value)
    return f"{value:.3f}"
