"""Texts that a program has broken: UTF-8 that it opened in another encoding, and saved again.

An `é` is two letters then, a syllable of Hangul three. Such a file is whole, and says nothing of it
but by its letters. The byte order mark that our files begin with is broken with the rest, and tells
it of the file; without one, a text that is known is recognised in what became of it.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from manifests.errors import ManifestError

_ENCODINGS: Final = (
    *("cp1252", "mac_roman", "cp437", "cp850", "cp1250", "cp1251"),
    *("cp949", "gbk", "big5", "utf-16-le", "utf-16-be"),
)
_MARKS: Final = (
    *(codecs.BOM_UTF8.decode(encoding, "ignore") for encoding in _ENCODINGS),
    *(mark.decode("latin-1") for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)),
)
_REMEDY: Final = (
    "Open the file as it was before that, as UTF-8 (Unicode), or a sheet in XLSX, and write there"
)
_CP1252: Final = {
    ord(letter): byte
    for byte in range(0x80, 0xA0)
    for letter in bytes([byte]).decode("cp1252", "ignore")
}
# LibreOffice has a letter for each byte that means nothing in Windows-1252.
_AS_LATIN_1: Final = _CP1252 | {0xF100 + byte: byte for byte in range(0x80, 0xA0)}
# UTF-8 has three bytes or four for these. `café` and a dash behind a hard space are a lone one
# behind a Latin letter, `là` and a dash one of Samaritan.
_WIDE: Final = re.compile(r"(?<![A-Za-z])[^\x00-\u083f]|[^\x00-\u083f\w]")


def check_mark(path: Path, cells: Sequence[str]) -> None:
    """Raise ManifestError where a cell of the first rows begins with a broken byte order mark."""
    broken = next((cell for cell in cells if cell.startswith(_MARKS)), None)
    if broken is not None:
        raise misread(path, f"its header says {broken[:20]!r}")


def misread(path: Path, why: str) -> ManifestError:
    """Give the error that refuses a file of broken letters."""
    problem = f"was opened in another encoding than UTF-8 and saved with broken letters: {why}"
    return ManifestError(path, problem, _REMEDY)


def meant_by(text: str) -> Iterator[str]:
    """Give the texts whose UTF-8 shows as this one in Windows-1252, Latin-1 or Mac Roman."""
    if text.isascii():
        return
    for plain, encoding in ((text.translate(_AS_LATIN_1), "latin-1"), (text, "mac_roman")):
        try:
            yield plain.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue


def is_wide(text: str) -> bool:
    """Tell whether a text has letters that hardly anything but UTF-8 gives when it is misread.

    Two letters of a Western text may be one of UTF-8's by chance; three or more hardly are.
    """
    return bool(_WIDE.search(text))


def is_korean_reading(text: str, known: str) -> bool:
    """Tell whether a text is what a known one becomes in Korean Windows' encoding.

    Programs differ in what they make of bytes that mean nothing there, so not each letter counts:
    most of them must be those that the bytes make, and not those of the text itself.
    """
    if known.isascii() or text == known:
        return False
    letters = _letters(text)
    made = _letters(known.encode("utf-8", "replace").decode("cp949", "ignore"))
    return 2 * len(letters & (made - _letters(known))) > len(letters)


def _letters(text: str) -> set[str]:
    return {letter for letter in text if letter > "\x7f" and letter.isalpha()}
