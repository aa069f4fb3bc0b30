"""JSON from elsewhere: read strictly, within limits, and told in plain words where it is wrong.

RFC 8259 leaves open what a name that is given twice means, and has no NaN: neither is taken here.
"""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from manifests.errors import ManifestError

MAX_LINE: Final = 1 << 20  # bytes of one line
MAX_FILE: Final = 1 << 29  # bytes of a file that is one JSON value, and is held in memory whole
_LARGE: Final = 1 << 24  # bytes: what is smaller does no harm, whatever is in it
_BYTES_A_VALUE: Final = 8  # on average at least; captions and names have thirty
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def parse(text: str) -> Any:
    """Read one JSON value. Raises ValueError, in words for people."""
    try:
        return json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"is no JSON ({error.msg}, {place})") from error
    except RecursionError as error:
        raise ValueError("is nested too deep") from error


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Give each line that is not blank by its number: its value, or a ValueError that says why.

    Raises ManifestError where the file cannot be read.
    """
    with opened(path) as file:
        for number, line in enumerate(_lines(file), 1):
            if len(line) > MAX_LINE:
                yield number, ValueError(f"is longer than {MAX_LINE:,} bytes")
            elif line.strip(b"\xef\xbb\xbf \t\r\n"):
                yield number, _value(line.removeprefix(b"\xef\xbb\xbf"))


def json_file(path: Path) -> Any:
    """Read a file that is one JSON value. Raises ManifestError."""
    data = read_whole(path, MAX_FILE)
    if is_bomb(data):
        raise ManifestError(
            path, "it is made of almost nothing but brackets and commas", "Look it over"
        )
    found = _value(data.removeprefix(b"\xef\xbb\xbf"))
    if isinstance(found, ValueError):
        raise ManifestError(path, str(found), "Export it again as JSON in UTF-8") from found
    return found


def is_bomb(data: bytes) -> bool:
    """Tell JSON that would take a hundred times its size in memory: values of no bytes."""
    values = sum(map(data.count, (b",", b"[", b"{")))
    return len(data) > _LARGE and values * _BYTES_A_VALUE > len(data)


def read_whole(path: Path, limit: int) -> bytes:
    """Read a file's bytes. Raises ManifestError where it is no file or has more than `limit`."""
    with opened(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ManifestError(path, f"it has more than {limit:,} bytes", "Split it, or look it over")
    return data


def opened(path: Path) -> BinaryIO:
    """Open a file, no pipe and no device. Raises ManifestError."""
    try:
        # Not to wait for a pipe's other end; looked at when open, so that it stays what it is.
        file = open(os.open(path, _FLAGS), "rb")  # noqa: PTH123, SIM115 - given to the caller open
    except OSError as error:
        raise ManifestError(
            path, f"it cannot be read ({error.strerror})", "Check its name and permissions"
        ) from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ManifestError(path, "it is no file", "Give a file that holds captions")
    return file


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Give the lines; of one that is too long its first `MAX_LINE` + 1 bytes."""
    while line := file.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE + 1)


def _value(data: bytes) -> Any:
    try:
        return parse(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        return ValueError(f"is no UTF-8 text (byte {error.start})")
    except ValueError as error:
        return error


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"says {twice[:40]!r} twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"holds {name}, which is no number")
