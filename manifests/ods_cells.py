"""The cells of an OpenDocument spreadsheet, as LibreOffice saves it, each as the text it shows.

OpenDocument 1.3, part 3: 9.1 tables, 6.1 texts.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import iterparse

from manifests.package import COLUMNS_READ, ROWS_READ, check_rows, open_package, readable

_NAMES: Final = "{urn:oasis:names:tc:opendocument:xmlns:"
_TABLE: Final = f"{_NAMES}table:1.0}}"
_TEXT: Final = f"{_NAMES}text:1.0}}"
_CELLS: Final = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")


def ods_sheets(path: Path, data: bytes) -> Iterator[list[tuple[int, Sequence[str]]]]:
    """Give the rows of each sheet with their numbers, blank ones left out. Raises ManifestError."""
    with open_package(path, data) as package, readable(path), package.open("content.xml") as source:
        rows: list[tuple[int, Sequence[str]]] = []
        line, given = 1, 0
        for _, element in iterparse(source, forbid_dtd=True):
            if element.tag == f"{_TABLE}table-row":
                cells, count = _cells(element), _count(element, "rows")
                if any(cells):
                    rows += [(at, cells) for at in range(line, min(line + count, ROWS_READ + 1))]
                    check_rows(path, given + len(rows))
                line += count
                element.clear()
            elif element.tag == f"{_TABLE}table":
                yield rows
                given += len(rows)
                rows, line = [], 1


def _cells(row: Element) -> list[str]:
    every = (text for cell in row if cell.tag in _CELLS for text in _repeated(cell))
    return list(islice(every, COLUMNS_READ))


def _repeated(cell: Element) -> Iterator[str]:
    """Equal neighbours are written once, with a count."""
    text = _shown(cell)
    return (text for _ in range(_count(cell, "columns")))


def _count(element: Element, what: str) -> int:
    return int(element.get(f"{_TABLE}number-{what}-repeated", "1"))


def _shown(cell: Element) -> str:
    formula = cell.get(f"{_TABLE}formula")
    if formula is not None:
        return formula[formula.find("=") :]  # without the name of its grammar, `of:`
    return "\n".join(_paragraph(each) for each in cell if each.tag == f"{_TEXT}p")


def _paragraph(element: Element) -> str:
    """Give a paragraph's text; spaces beyond the first, tabs and line breaks are elements."""
    match element.tag.removeprefix(_TEXT):
        case "s":
            return " " * min(int(element.get(f"{_TEXT}c", "1")), 2**15)
        case "tab":
            return "\t"
        case "line-break":
            return "\n"
    inner = (_paragraph(each) + (each.tail or "") for each in element)
    return (element.text or "") + "".join(inner)
