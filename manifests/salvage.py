"""What can be had from a damaged file of the journal: all of it, or every whole line.

One flipped bit, as old disks have them, is found by trying: the name of the file holds its digest,
so nothing but what was written fits it. Otherwise each line is held against its own digest in the
head; a file of an older version has none, and what can be read there is only offered.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from manifests.journal import (
    LINES,
    RUN,
    Entry,
    Offered,
    Said,
    digest_of_line,
    entry_of,
    head_of,
)
from manifests.review import Offer

_MOST: Final = 4 << 30  # bytes to hash while trying: some seconds
_UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError)
WHY: Final = "from a damaged file of the journal"


@dataclass(frozen=True)
class Salvage:
    """What a damaged file gave."""

    data: bytes | None  # the file as it was written, where that could be found out
    head: Mapping[str, Any]
    head_read: bool  # else it says of nothing that it was undone
    entries: tuple[Entry, ...]
    doubtful: int  # of these: words that are offered, since nothing tells whether they are whole
    lost: tuple[str, ...]  # the lines that cannot be read, as they look now


def salvage(path: Path) -> Salvage:
    """Get what can be had from a damaged file of the journal; it is only read. Raises OSError."""
    data = path.read_bytes()
    head = _head(data)
    whole = mended(data, path.stem.partition("-")[2], _places(data, head))
    data = whole or data
    head = _head(data)
    digests = head.get(LINES) if head else None
    entries: list[Entry] = []
    lost: list[str] = []
    lines = data.split(b"\n")[1:]
    for line in filter(None, lines):
        entry = _entry(line) if digests is None or digest_of_line(line) in digests else None
        if entry is None:
            lost.append(line.decode("utf-8", "backslashreplace"))
        else:
            entries.append(entry if digests is not None or whole else _offered(entry))
    missing = len(digests or ()) - len(entries) - len(lost)
    lost += ["a line that is not there"] * max(0, missing)
    doubtful = 0 if digests is not None or whole else len(entries)
    return Salvage(
        whole, head or head_of(RUN), head is not None, tuple(entries), doubtful, tuple(lost)
    )


def mended(data: bytes, digest: str, places: Sequence[range]) -> bytes | None:
    """Find the one bit, in one of the places, without whose flip the data has its digest.

    None where no single bit is it, or looking would take too long.
    """
    for place in places:
        if 8 * len(place) * len(data) <= _MOST:
            for candidate in _flips(data, place, digest):
                return candidate
    return None


def _flips(data: bytes, place: range, digest: str) -> Iterator[bytes]:
    before = hashlib.sha256(data[: place.start])
    for at in place:
        rest = data[at + 1 :]
        for bit in range(8):
            flipped = bytes([data[at] ^ 1 << bit])
            tried = before.copy()
            tried.update(flipped)
            tried.update(rest)
            if tried.hexdigest().startswith(digest):
                yield data[:at] + flipped + rest
        before.update(data[at : at + 1])


def _places(data: bytes, head: Mapping[str, Any] | None) -> list[range]:
    """Tell where the bit may be: in the lines that do not fit, or anywhere, the head first."""
    anywhere = [range(data.find(b"\n") + 1), range(len(data))]
    digests = head.get(LINES) if head else None
    if not isinstance(digests, list):
        return anywhere
    lines = data.splitlines(keepends=True)
    first, last = 1, len(lines)
    while first <= min(len(digests), last - 1) and _fits(lines[first], digests[first - 1]):
        first += 1
    back = 1
    while back <= len(digests) and last > first and _fits(lines[last - 1], digests[-back]):
        last, back = last - 1, back + 1
    start = sum(map(len, lines[:first]))
    odd = range(start, start + sum(map(len, lines[first:last])))
    return [odd, *anywhere] if odd else anywhere


def _fits(line: bytes, digest: object) -> bool:
    return line.endswith(b"\n") and digest_of_line(line) == digest


def _head(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data.partition(b"\n")[0])
        return found if {"kind", "at", "source", "undoes"} <= found.keys() else None
    except _UNREADABLE:
        return None


def _entry(line: bytes) -> Entry | None:
    try:
        return entry_of(json.loads(line))
    except _UNREADABLE:
        return None


def _offered(entry: Entry) -> Entry:
    """Turn what may not be what a person wrote into an offer, for a person to decide."""
    if not isinstance(entry, Said):
        return entry
    review = entry.review
    return Offered(entry.place, Offer(review.language, review.caption or "", WHY))
