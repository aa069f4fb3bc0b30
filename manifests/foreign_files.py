"""Captions of others that come as COCO's JSON, or as a small file beside each photo."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from manifests.errors import ManifestError
from manifests.foreign import (
    Columns,
    Found,
    Named,
    Said,
    Unread,
    read_json_lines,
    read_object,
    read_table,
)
from manifests.json_rows import json_file, read_whole

ReadXmp = Callable[[bytes], Mapping[str, str]]
"""Gives a sidecar's captions by language, `x-default` among them; raises ValueError."""

_TABLES: Final = (".csv", ".tsv", ".xlsx")
_LINES: Final = (".jsonl", ".ndjson")
_MAX_TXT: Final = 1 << 16  # bytes
_MAX_XMP: Final = 1 << 24


def read_captions(
    source: Path, columns: Columns, read_xmp: ReadXmp, images: Path | None = None
) -> Found:
    """Read what another captioner wrote, a file or a folder; by its name's ending.

    images: COCO's file that lists them, where results have but their numbers. Raises ManifestError,
    some of it only when that row is reached.
    """
    ending = source.suffix.lower()
    if source.is_dir():
        return _read_tree(source, read_xmp)
    if ending in _TABLES:
        return read_table(source, columns)
    if ending in _LINES:
        return read_json_lines(source, columns)
    if ending == ".json":
        return _read_json(source, columns, images)
    raise ManifestError(
        source,
        "it is of no kind that captions are read from",
        "Give a .csv, .tsv, .xlsx, .jsonl or .json file, or a folder of .txt or .xmp files",
    )


def _read_json(path: Path, columns: Columns, images: Path | None) -> Found:
    """Read COCO's results or annotations, or a list of objects that tell of one photo each."""
    data = json_file(path)
    names = _images(images, json_file(images)) if images else None
    if isinstance(data, dict) and isinstance(data.get("annotations"), list):
        names = names if names is not None else _images(path, data)
        return _coco(data["annotations"], names)
    if not isinstance(data, list):
        raise ManifestError(
            path, "it is neither COCO's nor a list of captions", "Give COCO results, or JSON lines"
        )
    if any(isinstance(row, dict) and "image_id" in row for row in data):
        return _coco(data, names)
    return _objects(path, data, columns)


def _objects(path: Path, data: Sequence[Any], columns: Columns) -> Found:
    for number, row in enumerate(data, 1):
        yield from read_object(path, row, columns, f"entry {number}")


def _images(path: Path, data: Any) -> dict[int | str, str]:
    """Give the images' names by their ids. Raises ManifestError."""
    listed = data.get("images") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        raise ManifestError(path, "it lists no images", "Give IMAGES= COCO's file that lists them")
    found: dict[int | str, str] = {}
    for image in listed:
        image_id, name = (
            _key(image, "id"),
            image.get("file_name") if isinstance(image, dict) else None,
        )
        if image_id is not None and isinstance(name, str):
            # Two images of one id: what is said of it may be said of either.
            found[image_id] = name if found.get(image_id, name) == name else ""
    return found


def _coco(rows: Sequence[Any], names: Mapping[int | str, str] | None) -> Found:
    """Read what is said of images; without a list of them an id is a name, or a number."""
    for number, row in enumerate(rows, 1):
        image_id = _key(row, "image_id")
        where = f"entry {number}" if image_id is None else f"image {str(image_id)[:80]}"
        caption = row.get("caption") if isinstance(row, dict) else None
        if image_id is None:
            yield Unread(where, "has no image_id")
        elif not isinstance(caption, str) or not caption.strip():
            yield Unread(where, "has no caption")
        elif names is None:
            named = Named.NUMBER if isinstance(image_id, int) else Named.BESIDE
            yield Said(where, str(image_id), (caption,), named=named, language=_language(row))
        elif names.get(image_id):
            yield Said(where, names[image_id], (caption,), language=_language(row))
        else:
            yield Unread(where, "is not listed among the images, or twice")


def _key(row: Any, name: str) -> int | str | None:
    """Give an id; None where there is none, or one that no image can have."""
    value = row.get(name) if isinstance(row, dict) else None
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63:
        return value
    return None


def _language(row: Mapping[str, Any]) -> str:
    language = row.get("language")
    return language if isinstance(language, str) else ""


def _read_tree(folder: Path, read_xmp: ReadXmp) -> Found:
    """Read the `.txt` and `.xmp` files of a folder and those below; links are not followed."""
    for relative in _files(folder):
        try:
            said = _in_file(folder / relative, read_xmp)
        except ManifestError as error:
            yield Unread(relative, error.problem)
        except ValueError as error:
            yield Unread(relative, str(error))
        else:
            yield from _beside(relative, relative[:-4], said)


def _in_file(path: Path, read_xmp: ReadXmp) -> Mapping[str, str]:
    if path.is_symlink():
        raise ValueError("is a link, which is not followed")
    if path.suffix.lower() == ".xmp":
        return read_xmp(read_whole(path, _MAX_XMP))
    return {"": _words(read_whole(path, _MAX_TXT))}


def _beside(relative: str, beside: str, said: Mapping[str, str]) -> Found:
    """Give what a file says by language; the default only where no language says the same."""
    told = {language: words for language, words in said.items() if language != "x-default"}
    default = said.get("x-default", "")
    if default and default not in told.values():
        told = {"": default} | told
    told = {language: words for language, words in told.items() if words.strip()}
    if not told:
        yield Unread(relative, "has no caption")
    for language, words in told.items():
        yield Said(relative, beside, (words,), language=language, named=Named.BESIDE)


def _words(data: bytes) -> str:
    """Read a caption's bytes: UTF-8, or what Korean Windows writes. Raises ValueError."""
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return data.decode(encoding).strip()
        except UnicodeDecodeError:
            continue
    raise ValueError("is no text in UTF-8")


def _files(folder: Path) -> Iterator[str]:
    """Give the paths below a folder of what may be captions, in order."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        within = os.path.relpath(root, folder)
        for name in sorted(names):
            if name.lower().endswith((".txt", ".xmp")) and not name.startswith("."):
                yield name if within == "." else f"{within}/{name}"
