"""What other captioners wrote, read into one form: tables, JSON lines, COCO, `.txt`, XMP.

Nothing here looks at the photos: whose caption it is, is found later, among our own rows. A source
that cannot be used at all raises ManifestError; a row that cannot is told as `Unread`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from manifests.corrections import read_corrections
from manifests.errors import ManifestError
from manifests.json_rows import json_lines
from manifests.sheet import column_name
from manifests.text import unescape_cell

PATHS: Final = (
    *("path", "file", "filename", "file_name", "filepath", "file_path"),
    *("image", "image_path", "sourcefile"),  # the last is exiftool's
)
CAPTIONS: Final = ("caption", "text", "description", "title")
_IDENTITIES: Final = ("photo_id", "sha256")
_LANGUAGES: Final = ("language", "lang")


class Named(StrEnum):
    """How a source names a photo."""

    PATH = "path"
    BESIDE = "beside"  # by a file beside it: its path, with or without its own ending
    NUMBER = "number"  # by a number, maybe that in its name


@dataclass(frozen=True, slots=True)
class Said:
    """What a source says of one photo."""

    where: str  # how a person finds it in the source: "line 12", "image 391895"
    photo: str  # as the source names it; empty where it gives `photo_id` alone
    captions: tuple[str, ...]
    photo_id: str = ""
    language: str = ""  # empty where the source does not tell
    confidence: float | None = None
    named: Named = Named.PATH


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a source that says nothing, and why."""

    where: str
    why: str


Found = Iterator[Said | Unread]


@dataclass(frozen=True)
class Columns:
    """Which columns to read, where their names do not tell; None: by their names."""

    path: str | None = None
    caption: str | None = None


@dataclass(frozen=True, slots=True)
class _Layout:
    """The columns of a source, by their own names."""

    path: str | None
    caption: str
    photo_id: str | None
    language: str | None
    confidence: str | None


def read_table(path: Path, columns: Columns) -> Found:
    r"""Read a CSV or XLSX file: a photo and its caption a row, columns known by their names.

    A caption may be escaped as in our own files. A path never is: `\x41.jpg` is that file's name.
    """
    asked = {column_name(name) for name in (columns.path, columns.caption) if name}
    for row in read_corrections(path, asked or {*PATHS, *CAPTIONS, *_IDENTITIES}, escaped=False):
        layout = _layout(path, tuple(row.cells), columns)
        cells = {**row.cells, layout.caption: unescape_cell(row.cells[layout.caption])}
        yield from _said(cells, layout, f"row {row.line}")


def read_json_lines(path: Path, columns: Columns) -> Found:
    """Read JSON lines: those of img2dataset, of an imagefolder, our own, or others like them."""
    for number, row in json_lines(path):
        yield from read_object(path, row, columns, f"line {number}")


def read_object(path: Path, row: Any, columns: Columns, where: str) -> Found:
    """Read one JSON object that tells of one photo."""
    if isinstance(row, ValueError):
        yield Unread(where, str(row))
    elif not isinstance(row, dict):
        yield Unread(where, "is no JSON object")
    elif isinstance(row.get("captions"), dict):
        yield from _ours(row, where)
    else:
        yield from _said(row, _layout(path, tuple(row), columns), where)


@lru_cache(maxsize=64)  # most rows of a file have the same names
def _layout(path: Path, names: tuple[str, ...], asked: Columns) -> _Layout:
    if {"base", "review_status"} <= {*names}:
        remedy = "make merge-review takes in what people have corrected in it"
        raise ManifestError(path, "it is a table of this program itself", remedy)
    caption = _column(path, names, CAPTIONS, asked.caption, "CAPTION_COLUMN")
    if caption is None:
        raise _unknown(path, names, "has no column that is known as the caption", "CAPTION_COLUMN")
    place = _column(path, names, PATHS, asked.path, "PATH_COLUMN")
    place = place or _first(names, ("url",))
    identity = _first(names, _IDENTITIES)
    if place is None and identity is None:
        raise _unknown(path, names, "has no column that is known as the photo", "PATH_COLUMN")
    language, confidence = _first(names, _LANGUAGES), _first(names, ("confidence",))
    return _Layout(place, caption, identity, language, confidence)


def _column(
    path: Path, names: Sequence[str], known: Sequence[str], asked: str | None, setting: str
) -> str | None:
    if asked is not None:
        for name in names:
            if column_name(name) == column_name(asked):
                return name
        raise _unknown(path, names, f"has no column {asked!r}", setting)
    found = [name for name in names if column_name(name) in known]
    if len(found) > 1:
        text = f"has several columns that may be meant: {', '.join(found)}"
        raise _unknown(path, names, text, setting)
    return found[0] if found else None


def _unknown(path: Path, names: Sequence[str], problem: str, setting: str) -> ManifestError:
    shown = ", ".join(name[:40] for name in names[:40]) or "none"
    return ManifestError(path, f"it {problem} (its columns: {shown})", f"Give {setting}= one")


def _first(names: Sequence[str], known: Sequence[str]) -> str | None:
    return next((name for name in names if column_name(name) in known), None)


def _said(row: Mapping[str, Any], layout: _Layout, where: str) -> Found:
    photo, identity = _text(row, layout.path), _text(row, layout.photo_id).lower()
    given = row.get(layout.caption)
    captions: list[Any] = given if isinstance(given, list) else [given]
    if not photo and not identity:
        yield Unread(where, "names no photo")
    elif not all(isinstance(each, str) for each in captions):
        yield Unread(where, "has no caption" if given is None else "has a caption that is no text")
    elif not any(each.strip() for each in captions):
        yield Unread(where, "has no caption")
    else:
        confidence = _share(row.get(layout.confidence or ""))
        language = _text(row, layout.language)
        yield Said(where, photo, tuple(captions), identity, language, confidence)


def _ours(row: Mapping[str, Any], where: str) -> Found:
    """Read a line of `interchange.write_jsonl`: a person's words where they stand."""
    raw = _text(row, "raw_path")
    photo = unquote_to_bytes(raw).decode("utf-8", "surrogateescape") if raw else _text(row, "path")
    said = 0
    for language, each in row["captions"].items():
        if isinstance(each, dict):
            words = _text(each, "human") or _text(each, "machine")
            confidence = _share(each.get("confidence"))
            if words and each.get("review_status") != "rejected":
                said += 1
                identity = _text(row, "photo_id")
                yield Said(where, photo, (words,), identity, language, confidence)
    if not said:
        yield Unread(where, "has no caption")


def _text(row: Mapping[str, Any], name: str | None) -> str:
    value = row.get(name) if name is not None else None
    return value if isinstance(value, str) else ""


def _share(value: Any) -> float | None:
    """Give a confidence as a number from 0 to 1; None where it is anything else."""
    try:
        number = float(value) if isinstance(value, str | int | float) else -1.0
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= 1 and not isinstance(value, bool) else None
