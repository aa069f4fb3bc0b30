"""The cells of a CSV file, however a spreadsheet program has encoded and separated them."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from manifests.errors import ManifestError
from manifests.package import SAVE_ANEW

IsHeader = Callable[[Sequence[str]], bool]
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEPARATORS: Final = ",;\t"
_HEAD: Final = 20  # rows to look for the header in
_CELL_LIMIT: Final = 2**27  # of characters, in place of 2**17
_CELLS_LIMIT: Final = 2**16  # in a line; a spreadsheet has 2**14 columns
_LONG: Final = 2**16  # letters: a shorter line cannot have as many
_AS_UTF_8: Final = "Save it again as CSV UTF-8 or as XLSX"


def csv_rows(path: Path, data: bytes, is_header: IsHeader) -> Iterator[tuple[int, Sequence[str]]]:
    """Give the rows with their numbers, as a spreadsheet numbers them.

    The separator is the one that makes a header of one of the first rows. Raises ManifestError.
    """
    separator, text = _announced(_decoded(path, data))
    _check_width(path, text)
    separator = separator or _separator(text, is_header)
    csv.field_size_limit(_CELL_LIMIT)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    width = None
    try:
        for number, row in enumerate(rows, 1):
            if width is None and is_header(row):
                width = len(row)
            elif width is not None and any(row[width:]):
                raise ManifestError(path, f"row {number} has more cells than columns", SAVE_ANEW)
            yield number, row
    except csv.Error as error:
        where = f"a quote at or before line {rows.line_num} has no other end"
        raise ManifestError(path, f"{where} ({error})", SAVE_ANEW) from error


_BY_LATIN: Final = re.compile("[A-Za-z](?=([\uac00-\ud7a3]))|([\uac00-\ud7a3])(?=[A-Za-z])")


def _decoded(path: Path, data: bytes) -> str:
    encoding = _encoding(path, data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        problem = f"is neither UTF-8 nor Korean text (byte {error.start})"
        raise ManifestError(path, problem, _AS_UTF_8) from error
    if "\0" in text:
        raise ManifestError(path, "is no table of text", SAVE_ANEW)
    amid_latin = _BY_LATIN.finditer(text) if encoding == "cp949" else iter(())
    if found := next(filter(_is_western, amid_latin), None):
        problem = f"is in a Western encoding, as it seems: {found[1] or found[2]!r}"
        raise ManifestError(path, problem, _AS_UTF_8)
    return text.lstrip("\ufeff")  # one more, of a program that kept it as a letter


def _is_western(found: re.Match[str]) -> bool:
    """Tell whether a syllable beside a Latin letter is one that only cp949 has.

    A Western letter, quote or dash and the letter behind it read as such: `dog\u2019s` as `dog뭩`.
    """
    syllable = found[1] or found[2]
    return len(syllable.encode("euc-kr")) > 2  # spelt in pieces: it has no place of its own


def _encoding(path: Path, data: bytes) -> str:
    """Tell UTF-16 by its mark, UTF-8 by its rules; what is neither may be Korean Windows'."""
    if data.startswith(_UTF_16):
        return "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if _is_broken_utf_8(data):
            # As cp949 it may well decode, into Chinese characters that nobody wrote.
            problem = f"is UTF-8 with a damaged place (byte {error.start})"
            raise ManifestError(path, problem, _AS_UTF_8) from error
        return "cp949"
    return "utf-8-sig"


def _is_broken_utf_8(data: bytes) -> bool:
    """Tell whether what is beyond ASCII reads as UTF-8 but for a few places.

    Korean of cp949 hardly ever does: most syllables are two bytes that UTF-8 has no use for.
    """
    beyond = [each for each in data.decode("utf-8", "replace") if each > "\x7f"]
    bad = beyond.count("\ufffd")
    return data.startswith(codecs.BOM_UTF8) or len(beyond) >= 5 * bad


def _check_width(path: Path, text: str) -> None:
    """Refuse lines of more cells than any table has, before they are taken apart."""
    for line in io.StringIO(text, newline=""):
        if len(line) > _LONG and max(map(line.count, _SEPARATORS)) > _CELLS_LIMIT:
            problem = f"has a line of more than {_CELLS_LIMIT:,} cells"
            raise ManifestError(path, problem, SAVE_ANEW)


def _announced(text: str) -> tuple[str | None, str]:
    """Take off a first line `sep=;`, which Excel heeds and does not count."""
    first, _, rest = text.partition("\n")
    name, _, separator = first.strip("\r\"' ").partition("=")
    return (separator, rest) if name.lower() == "sep" and len(separator) == 1 else (None, text)


def _separator(text: str, is_header: IsHeader) -> str:
    return next((each for each in _SEPARATORS if any(map(is_header, _head(text, each)))), ",")


def _head(text: str, separator: str) -> Iterator[list[str]]:
    return islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), _HEAD)
