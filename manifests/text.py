r"""Texts in the cells of a CSV file: safe to open in a spreadsheet, and brought back as they were.

A spreadsheet runs a cell that begins with = + - or @ as a formula, so such a text gets an
apostrophe in front (OWASP, "CSV Injection"; ASVS 1.2.10). Control characters, which spreadsheets
drop or choke on, are written as `\x07`; so are what UTF-8 or XML has no place for, `\udce9` and
`\ufffe`. Tab and line feed stay: they are whole inside a quoted cell.

A cell that is typed as text (XLSX) runs nothing, and needs no apostrophe. Yet the same rule reads
every kind of file, since people save one kind as another: only texts that would read like an
escape get one.
"""

import re
from typing import Final

# Full-width forms too: spreadsheets set to an East Asian language may take them for the plain ones.
_RISKY: Final = "=+\\-@\t\n\uff1d\uff0b\uff0d\uff20"
_TO_QUOTE: Final = re.compile(f"'*[{_RISKY}]")
_QUOTED: Final = re.compile(f"'+[{_RISKY}]")

_CONTROL: Final = r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]"
_CODE: Final = r"\\(?:x(0[0-9b-f]|1[0-9a-f]|7f|5c)|u(d[89a-f][0-9a-f]{2}|fff[ef]))"
_TO_SHOW: Final = re.compile(rf"{_CONTROL}|\\(?={_CODE[2:]})")
_SHOWN: Final = re.compile(_CODE)


def escape_cell(text: str) -> str:
    r"""Make a text safe for a cell; `unescape_cell` brings it back.

    A text that already reads like an escape keeps apart from one: `\x07` typed as four characters
    becomes `\x5cx07`, and an apostrophe before a formula gets another one.
    """
    text = _spelt_out(text)
    return f"'{text}" if _TO_QUOTE.match(text) else text


def escape_typed(text: str) -> str:
    """Make a text fit for a cell that is typed as text; `unescape_cell` brings it back.

    Tabs are shown too: LibreOffice loses those of cells with several lines when it saves ODS.
    """
    text = _spelt_out(text).replace("\t", r"\x09")
    return f"'{text}" if _QUOTED.match(text) else text


def unescape_cell(cell: str) -> str:
    """Give the text that `escape_cell` or `escape_typed` made the cell from."""
    text = cell[1:] if _QUOTED.match(cell) else cell
    return _SHOWN.sub(_unshow, text)


def _spelt_out(text: str) -> str:
    """Write out what cannot be seen; that nothing of it is there is told much faster."""
    return text if text.isprintable() and "\\" not in text else _TO_SHOW.sub(_show, text)


def _show(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _unshow(found: re.Match[str]) -> str:
    return chr(int(found[1] or found[2], 16))
