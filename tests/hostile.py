"""What people, cameras and bad people come up with: names of photos; and bounds to test within."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

_LETTERS: Final = "바다 사진 여름휴가"
_FAMILY: Final = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # three people joined (ZWJ)

_TEXTS: Final = [
    # what a spreadsheet runs, or takes for a number, a date, an error, a header
    *("=1+1", "+1", "-1+2", "@SUM(A1)", "=cmd|' /C calc'!A0", '=HYPERLINK("http://a.test","b")'),
    *("\t=1", "'=1", "''=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20a", "=", "-", "'"),
    *("1e9", "00012", "2026-11-28", "3/4", "TRUE", "#N/A", "#REF!", "NULL", "path", "photo_id"),
    # what a shell, or a program that parses its arguments, takes for more than a name
    *("-x", "--help", "--out=here", "-@", "-config", "$(touch harm)", "`touch harm`", "$HOME"),
    *("a;touch harm", "a|b", "a&b", "a>b", "a<b", "*", "?", "[a-z]", "{a,b}", "~", "!1", "%1"),
    # what a URL, a path, a pattern or a number of COCO's means more by than a name
    *(
        "a%20b",
        "%2e%2e%2fb",
        "%00",
        "a#b",
        "a?b=c",
        "x..",
        "a...",
        "a..b",
        "C:",
        "c:\\d",
        "\\\\s\\d",
    ),
    *("a\\b", "\\x41", r"\x07", r"\xff", r"\x5cx07", r"\ud800", "http:", "file:", "0000000000001"),
    # what a page, a sheet's XML, a CSV or a JSON file takes for its own
    *(
        "<script>alert(1)<",
        "<img src=x onerror=alert(1)>",
        "a&amp;b",
        "&#x41;",
        "]]>",
        "<!--",
        "-->",
    ),
    *(
        '"',
        '""',
        "a'b",
        "a,b",
        "a;b",
        'a",b',
        "_x000D_",
        "_x0041_",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
    ),
    *("{}", "[]", "null", '{"a": 1}', "a\\u0041", "<?xml version='1.0'?>", "<!DOCTYPE a>", "<a>"),
    # spaces and line ends
    *(" ", "  a  ", " a", "a ", "\u00a0a\u00a0", "\u3000a", "\ufeffa", "a\nb", "a\rb", "a\r\nb"),
    *("\n", "a\n", "\na", "a\tb", "a\x0bb", "a\x0cb", "line one\nline two\n\nline four"),
    # what a terminal obeys, what XML has no place for
    *("\x07", "\x1b[31mred", "\x1b]0;title\x07", "\x9b31m", "\x7f", "\x01", "\x08\x08\x08", "\x1f"),
    *("a\ufffeb", "a\uffffb", "\ufdd0", "\ue000", "\U0010ffff", "\ufffd"),
    # letters that look alike, are put together, or run backwards
    unicodedata.normalize("NFC", _LETTERS),
    unicodedata.normalize("NFD", _LETTERS),
    unicodedata.normalize("NFC", "café"),
    unicodedata.normalize("NFD", "café"),
    *("Case", "CASE", "case", "straße", "STRASSE", "İ", "i", "ı", "\u212b", "\u00c5"),
    *("a\u202egnp", "\u200fa", "a\u200eb", "\u2066a", "a\u200bb", "a\u00adb", "שלום", "مرحبا"),
    *(_FAMILY, "\U0001f44d\U0001f3fd", "\U0001f1f0\U0001f1f7", "\u2764\ufe0f", "e" + "\u0301" * 20),
    *("\u0430", "\u03bf", "\U0001d5ba", "漢字", "𠮷", "ｆｕｌｌ", "ﬁ"),
    # names that a system or this program has a use for
    *("con", "nul", "captions.csv", "captions.parquet", "a.xmp", "a.txt"),
    *("a.jpg", "thumbs", "index.html", "a.zip", "constructor", "__proto__", "toString", "0", "-0"),
]
_BYTES: Final = [
    *(
        b"caf\xe9",
        b"\xff",
        b"\xfe\xff",
        b"\xc3",
        b"a\x80b",
        b"\xed\xa0\x80",
        b"\xf0\x9f",
        b"\xc0\xaf",
    ),
    "바다".encode("cp949"),
    "사진".encode("utf-16-le"),
    b"\xff\n\xfe",
    b"=\xff",
]


def _fits(name: bytes) -> bool:
    return b"/" not in name and b"\0" not in name and name not in (b"", b".", b"..")


_STEMS: Final = [*(text.encode() for text in _TEXTS), *_BYTES]
_LONG: Final = [b"n" * 251, "가".encode() * 83 + b"nn", b"\xff" * 251, b"=" * 251]
_FOLDERS: Final = [
    *(
        b"=1+1",
        b"-x",
        b"a\nb",
        b" ",
        b"\xff",
        b"<b>",
        b"%2e%2e",
        b"x..",
        b"a\\b",
        b"--out",
        b"'",
        b'"',
    ),
    *(
        b"C:",
        b"http:",
        b"\x1b[2J",
        b"#",
        b"a.png",
        b"Case",
        b"CASE",
        b"\xea",
        "ᄀ".encode(),
        "가".encode(),
    ),
    unicodedata.normalize("NFD", "가").encode(),
    b"d" * 255,
]

HOSTILE_STEMS: Final[tuple[bytes, ...]] = tuple(dict.fromkeys(filter(_fits, [*_STEMS, *_LONG])))
"""Names of files without an ending, of 251 bytes at most, none of which is another."""

HOSTILE_NAMES: Final[tuple[bytes, ...]] = (
    *(stem + b".png" for stem in HOSTILE_STEMS),
    *(folder + b"/a.png" for folder in _FOLDERS),
    b"d/" + b"e/" * 100 + b"deep.png",
    b"same/a.png",
    b"same/A.png",
    b"same/a.PNG",
)
"""Paths of photos below an archive, as bytes; each is another photo."""


@contextmanager
def bounded(megabytes: int) -> Iterator[None]:
    """Fail where this process grows by more than so much, even if only for a moment."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak counts from here
    except OSError:
        pytest.skip("the peak of memory cannot be read here")
    before = _memory("VmRSS")
    yield
    assert _memory("VmHWM") - before < megabytes << 10


def _memory(what: str) -> int:
    """Give a figure of this process, in KiB."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))
