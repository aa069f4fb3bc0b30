"""The gallery: a page of an archive's photos and captions to look through and correct in a browser.

Static files that open from disk. The page, its style and its scripts are those in `manifests/web/`,
the same for every archive. What an archive adds are scripts that hold JSON and nothing else, so no
name and no caption is ever read as HTML. Those are named after what is in them: making a gallery
anew changes no file that the one before needs, until its `head.js` takes the old one's place.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from manifests.review import SheetRow

HEAD: Final = "head.js"
ROWS_A_FILE: Final = 2_000  # about 1 MB; the first file is all that the first page waits for
_WEB: Final = Path(__file__).parent / "web"


@dataclass(frozen=True, slots=True)
class Card:
    """A row of the gallery: what is to be reviewed, and its photo."""

    row: SheetRow
    place: int  # in the order of paths
    taken: str  # ISO 8601
    pictured: bool  # whether its picture is where `picture_name` says
    problem: str  # why there is no picture, or no caption
    original: str  # address of the photo itself, below the archive's; empty where it has none


@dataclass(frozen=True, slots=True)
class Looked:
    """Where a captioner looked: a word, and 64 bytes for the 8x8 cells, row by row, each."""

    words: tuple[str, ...]
    grids: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """What the page needs to know before any row."""

    name: str  # of the archive
    archive: str  # its path
    address: str  # the same as a browser takes it; empty: its photos cannot be opened
    key: str  # tells galleries apart in the browser's storage; the same from build to build
    merge: str  # the command that brings corrections in
    total: int
    rows: Sequence[str]  # files, in order
    looks: Mapping[str, str]  # files by `bucket`


def picture_name(photo_id: str) -> str:
    """Say where a photo's picture is, from the page."""
    return f"thumbs/{bucket(photo_id)}/{photo_id}.jpg"


def bucket(photo_id: str) -> str:
    """Name the share of the archive that a photo is in: one of 256."""
    return photo_id[:2]


def in_order(rows: Iterable[SheetRow]) -> list[SheetRow]:
    """Put the rows that the captioner doubts most first, those without a caption last.

    No confidence in a caption is the greatest doubt.
    """

    def doubt(row: SheetRow) -> tuple[bool, float, list[str], str]:
        sure = -1.0 if row.confidence is None else row.confidence
        return not row.machine, sure, row.path.split("/"), row.language

    return sorted(rows, key=doubt)


def places(rows: Iterable[SheetRow]) -> list[int]:
    """Give each row's place in the order of paths, folder by folder."""
    paths = [row.path.split("/") for row in rows]
    ordered = sorted(range(len(paths)), key=paths.__getitem__)
    place = dict(zip(ordered, range(len(paths)), strict=True))
    return [place[number] for number in range(len(paths))]


def page_files() -> dict[str, bytes]:
    """Give the files that are the same for every archive, by name."""
    return {path.name: path.read_bytes() for path in sorted(_WEB.iterdir()) if path.is_file()}


def row_files(cards: Sequence[Card]) -> dict[str, bytes]:
    """Write the rows, in the order given, into files of some thousand."""
    starts = range(0, len(cards), ROWS_A_FILE)
    scripts = [
        _script("rows", number, [_cells(card) for card in cards[start : start + ROWS_A_FILE]])
        for number, start in enumerate(starts)
    ]
    return {f"rows/{_named(f'{number:04}', text)}": text for number, text in enumerate(scripts)}


def looks_file(looks: Mapping[tuple[str, str], Looked]) -> bytes:
    """Write where a captioner looked in some photos, by photo_id and caption."""
    return _script(
        "looks",
        {
            f"{photo_id}/{caption}": [looked.words, base64.b64encode(looked.grids).decode()]
            for (photo_id, caption), looked in sorted(looks.items())
        },
    )


def head_file(head: Head) -> bytes:
    """Write what the page reads first; with it in place, a gallery is whole."""
    told = {field.name: getattr(head, field.name) for field in fields(Head)}
    return _script("open", told | {"fields": FIELDS})


def _cells(card: Card) -> list[Any]:
    return [_cell(card, name) for name in FIELDS]


_OF_ROW: Final = (*(field.name for field in fields(SheetRow)), "base")
_OF_CARD: Final = tuple(field.name for field in fields(Card) if field.name != "row")
FIELDS: Final = (*_OF_ROW, *_OF_CARD)
"""What a row in a script holds, in this order."""


def _cell(card: Card, name: str) -> Any:
    value = getattr(card if name in _OF_CARD else card.row, name)
    return round(value, 4) if isinstance(value, float) else value


def _script(call: str, *arguments: Any) -> bytes:
    r"""Write a call of the page's own script with JSON.

    In ASCII: no letter can end a line or an encoding early, lone surrogates stay themselves, and
    `\u003c` for `<` leaves nothing that looks like a tag.
    """
    texts = (json.dumps(each, separators=(",", ":"), allow_nan=False) for each in arguments)
    return f"gallery.{call}({','.join(texts)});\n".replace("<", "\\u003c").encode("ascii")


def _named(stem: str, content: bytes) -> str:
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.js"


def digest_of(parts: Iterable[Sequence[str]]) -> str:
    """Give a short digest of lists of texts, for the name of a file that is made from them."""
    return hashlib.sha256("\n".join(_lines(parts)).encode()).hexdigest()[:12]


def _lines(parts: Iterable[Sequence[str]]) -> Iterator[str]:
    return (json.dumps(part) for part in parts)
