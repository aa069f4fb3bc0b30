"""The cells of an XLSX file, each as the text that a person sees or has typed."""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any, Final

from defusedxml.ElementTree import iterparse
from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.worksheet.formula import ArrayFormula
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS

from manifests.package import COLUMNS_READ, ROWS_READ, open_package, readable

_ITEM: Final = f"{{{SHEET_MAIN_NS}}}si"
_ESCAPE: Final = re.compile("_x([0-9A-Fa-f]{4})_")  # ECMA-376, part 1, 22.9.2.19


def xlsx_sheets(path: Path, data: bytes) -> Iterator[Iterator[tuple[int, Sequence[str]]]]:
    """Give the rows of each sheet with their numbers. Raises ManifestError."""
    open_package(path, data).close()
    with readable(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl tells of what it leaves out: charts, extensions
        reader = _Reader(io.BytesIO(data), read_only=True, keep_links=False)
        reader.read()
    for sheet in reader.wb.worksheets:
        yield _rows(path, sheet)


class _Reader(ExcelReader):
    """openpyxl's reader, but for the escapes in shared strings.

    It takes every `x005F_` out of them, which a file's name may hold, and leaves `_x000D_` in.
    """

    def read_strings(self) -> None:
        part = self.package.find(SHARED_STRINGS)
        if part is None:
            return
        with self.archive.open(part.PartName[1:]) as source:
            for _, node in iterparse(source):
                if node.tag == _ITEM:
                    self.shared_strings.append(
                        _ESCAPE.sub(_unescaped, Text.from_tree(node).content)
                    )
                    node.clear()


def _rows(path: Path, sheet: Any) -> Iterator[tuple[int, Sequence[str]]]:
    # The size that a sheet claims is not believed: it may be a million rows of 16,384 columns.
    with readable(path):
        rows = sheet.iter_rows(max_col=COLUMNS_READ, max_row=ROWS_READ)
        for number, cells in enumerate(rows, 1):
            yield number, [_text(cell) for cell in cells]


def _text(cell: Any) -> str:
    match cell.value:
        case None:
            return ""
        case bool() as value:
            return str(value).upper()
        case int() | float() as value:
            return _number(value, cell.number_format)
        case datetime() as value:
            return str(value.date() if value.time() == time() else value)
        case ArrayFormula() as value:
            return str(value.text)
    return str(cell.value)  # a formula is its text, and is never run


def _number(value: float, form: str) -> str:
    """Write a number as a spreadsheet would show it while it is typed: 15 digits at most."""
    percent = form.endswith("%")
    return f"{value * 100:.15g}%" if percent else f"{value:.15g}"


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return found[0] if 0xD800 <= code <= 0xDFFF else chr(code)
