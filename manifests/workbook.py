"""What a review sheet looks like as XLSX.

What a person does in it has to work in Excel and in LibreOffice, so:

- Pictures lie over their cell, and move and size with it. "Place in Cell" pictures (Excel 365 from
  2023) would need no care in sorting, but LibreOffice and older Excel show them as #VALUE!.
- Excel sorts no range with locked cells on a protected sheet, whatever the sheet allows, unless
  the range may be edited ("Allow Edit Ranges"). So the whole table is such a range, and locked
  cells can't be selected instead: sorting works, typing over a path does not, and Tab goes from
  one cell to edit to the next. The protection has no password: who needs more takes it off.
- Every text is typed as text, in cells whose format is text ("@"): `=1+1` or `1/2` typed by a
  person stays what was typed.
- Nothing is hidden: `photo_id` and `base` are narrow and grey, and move with their rows.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.image import Image
from xlsxwriter.utility import xl_range
from xlsxwriter.worksheet import Worksheet

from manifests.review import ReviewStatus, SheetRow
from manifests.sheet import EDITABLE, in_cells, texts_of
from manifests.text import escape_typed

Picture = Callable[[SheetRow], bytes | None]
"""Gives a small JPEG of a row's photo; None where there is none."""

_WIDTHS: Final = {
    "caption": 44, "review_status": 15, "reviewer": 12, "notes": 24, "confidence": 12,
    "machine": 34, "suggestion": 28, "alternatives": 34, "path": 30, "status": 12, "group": 22,
    "language": 11, "photo_id": 9, "base": 6,
}  # fmt: skip
_GREYED: Final = ("photo_id", "base")
_PICTURE_WIDTH: Final = 19
_BOX: Final = (128, 96)  # pixels that a picture has in its cell, at 96 to the inch
_MARGIN: Final = 4  # pixels: Excel sorts a picture with its row only where it lies within the cell
_ROW_HEIGHT: Final = 78  # points: 104 pixels
_HEADER_HEIGHT: Final = 24
_CREATED: Final = datetime(1980, 1, 1, tzinfo=UTC)  # the zip's date: equal rows give equal bytes
_ALLOWED: Final = {
    "select_locked_cells": False, "sort": True, "autofilter": True, "format_cells": True,
    "format_columns": True, "format_rows": True,
}  # fmt: skip
_STATUSES: Final[Mapping[str, Any]] = {
    "validate": "list",
    "source": list(ReviewStatus),
    "error_title": "Not a review status",
    "error_message": f"Choose one of: {', '.join(ReviewStatus)}.",
}
_DOUBT: Final[Mapping[str, Any]] = {
    "type": "3_color_scale", "min_type": "num", "mid_type": "num", "max_type": "num",
    "min_value": 0, "mid_value": 0.5, "max_value": 1,
    "min_color": "#F8A08C", "mid_color": "#FFE9A0", "max_color": "#A8D8A0",
}  # fmt: skip


def workbook(rows: Sequence[SheetRow], picture: Picture, title: str) -> bytes:
    """Make an XLSX file of one sheet, a row each; equal rows and pictures give equal bytes."""
    file = io.BytesIO()
    # In memory, where no disk can be full: XlsxWriter would hide the OSError. Its constant memory
    # mode would save nothing worth having: a file's rows are few, and it holds all pictures.
    with Workbook(file, {"in_memory": True}) as book:
        book.set_properties({"title": title, "created": _CREATED})
        sheet = book.add_worksheet("review")
        columns, texts = in_cells(map(_texts, rows))
        _write_header(book, sheet, columns)
        formats = _formats(book, columns)
        for number, (row, cells) in enumerate(zip(rows, texts, strict=True), 1):
            sheet.set_row(number, _ROW_HEIGHT)
            _write_row(sheet, number, cells, formats)
            _write_confidence(sheet, number, row.confidence, formats)
            _insert(sheet, number, picture(row))
        _set_rules(sheet, columns, max(len(rows), 1))
        _set_view(sheet, title)
        sheet.print_area(0, 0, max(len(rows), 1), 1 + columns.index("path"))
    return file.getvalue()


def _texts(row: SheetRow) -> dict[str, str]:
    return {name: escape_typed(text) for name, text in texts_of(row).items()}


def _write_header(book: Workbook, sheet: Worksheet, columns: Sequence[str]) -> None:
    looks = {"bold": True, "bottom": 1, "valign": "vcenter", "bg_color": "#E4E4E4"}
    locked = book.add_format(looks)
    to_edit = book.add_format(looks | {"bg_color": "#CFE2F3"})
    sheet.set_row(0, _HEADER_HEIGHT)
    sheet.write_string(0, 0, "photo", locked)
    sheet.set_column(0, 0, _PICTURE_WIDTH)
    for at, name in enumerate(columns, 1):
        sheet.write_string(0, at, name, to_edit if name in EDITABLE else locked)
        sheet.set_column(at, at, _WIDTHS.get(name, 6))


def _formats(book: Workbook, columns: Sequence[str]) -> dict[str, Format]:
    """Give each column's format; the columns stand in the order of the sheet."""
    line = {"valign": "top", "bottom": 1, "bottom_color": "#D9D9D9"}
    text = line | {"num_format": "@", "text_wrap": True}
    locked = book.add_format(text | {"font_color": "#404040"})
    to_edit = book.add_format(text | {"locked": False})
    # Aligned so, a long text is cut at the cell's edge.
    grey = book.add_format(line | {"num_format": "@", "font_color": "#A0A0A0", "align": "fill"})
    kinds = dict.fromkeys(columns, locked) | dict.fromkeys(EDITABLE, to_edit)
    kinds |= {name: grey for name in columns if name in _GREYED or name not in _WIDTHS}
    number = book.add_format(line | {"num_format": "0.000", "align": "center"})
    return kinds | {"confidence": number}


def _write_row(
    sheet: Worksheet, number: int, cells: Mapping[str, str], formats: Mapping[str, Format]
) -> None:
    sheet.write_blank(number, 0, None, formats["machine"])  # under the picture
    for at, (name, looks) in enumerate(formats.items(), 1):
        if name != "confidence":
            # An empty text becomes a blank cell of the same format: ready to be typed into.
            sheet.write_string(number, at, cells.get(name, ""), looks)


def _write_confidence(
    sheet: Worksheet, number: int, confidence: float | None, formats: Mapping[str, Format]
) -> None:
    at = 1 + list(formats).index("confidence")
    if confidence is None or not math.isfinite(confidence):
        sheet.write_blank(number, at, None, formats["confidence"])
    else:
        sheet.write_number(number, at, round(confidence, 3), formats["confidence"])


def _insert(sheet: Worksheet, number: int, jpeg: bytes | None) -> None:
    if jpeg is None:
        return
    image = Image(io.BytesIO(jpeg))
    width = image.width * 96 / image.x_dpi
    height = image.height * 96 / image.y_dpi
    scale = min(_BOX[0] / width, _BOX[1] / height, 1)
    place = {"x_scale": scale, "y_scale": scale, "x_offset": _MARGIN, "y_offset": _MARGIN}
    sheet.insert_image(number, 0, image, place | {"object_position": 1, "decorative": True})


def _set_rules(sheet: Worksheet, columns: Sequence[str], last: int) -> None:
    """Lock what is not to be edited, offer the statuses, shade the confidence."""
    status, confidence = (1 + columns.index(name) for name in ("review_status", "confidence"))
    sheet.data_validation(1, status, last, status, dict(_STATUSES))
    sheet.conditional_format(1, confidence, last, confidence, dict(_DOUBT))
    sheet.autofilter(0, 0, last, len(columns))
    sheet.protect("", dict(_ALLOWED) | {"objects": True})
    sheet.unprotect_range(xl_range(0, 0, last, len(columns)), "table")


def _set_view(sheet: Worksheet, title: str) -> None:
    """Keep header, picture and caption in sight; print as wide as the paper."""
    sheet.freeze_panes(1, 2)
    sheet.set_selection(1, 1, 1, 1)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.set_footer(f"&L{title.replace('&', '&&')}&R&P / &N")
