"""What is wrong with bytes that do not decode, in words that a person can act on."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from PIL import Image, UnidentifiedImageError

from batch import formats

RAW_KIND, EXPORT = "a camera's raw file", "export it as JPEG or TIFF"
# What files named like photos begin with (the first table in lower case), and what they are then.
NO_PHOTOS = {
    b"version https://git-lfs": "is a pointer of Git LFS, not the photo: run `git lfs pull`",
    b"\0\5\x16\7": "is what macOS keeps beside a file, not the photo: copy the photo itself",
    b"<!doctype html": "is a web page, not a photo: download the photo itself",
    b"<html": "is a web page, not a photo: download the photo itself",
}
OTHER_KINDS = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript drawing",
    b"\xc5\xd0\xd3\xc6": "a PostScript drawing",
    b"PK\3\4": "a ZIP archive",
    b"8BPS\0\2": "a large Photoshop document",
    b"FUJIFILMCCD-RAW": RAW_KIND,
    b"IIRO": RAW_KIND,
    b"IIU\0": RAW_KIND,
    b"FOVb": RAW_KIND,
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
}
NEEDS_MEMORY = "needs more memory than there is, or than a photo may take: save a smaller copy"
CUT_SHORT = ("truncat", "end of file", "not enough image data", "expected to read", "incomplete")


class PhotoError(Exception):
    """One photo cannot be read; `status` is the word its row carries, the text says what to do."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def explained(data: bytes, name: str = "") -> Iterator[None]:
    """Turn whatever damaged bytes raise into a PhotoError that says what they are."""
    try:
        yield
    except Image.DecompressionBombError as error:
        text = "has more pixels than can be decoded safely: save a smaller copy"
        raise PhotoError("too_large", text) from error
    except MemoryError as error:
        raise PhotoError("io", NEEDS_MEMORY) from error
    except Exception as error:
        raise _explain(error, data, os.path.splitext(name)[1].lower()) from error


def _explain(error: Exception, data: bytes, ending: str) -> PhotoError:
    no_photo = _no_photo(data)
    if no_photo is not None:
        return PhotoError("unreadable", no_photo)
    kind = _other_kind(data, ending)
    if kind is not None:
        return PhotoError("unsupported", f"is {kind}: {EXPORT}")
    if re.fullmatch(rb"[\t\n\r -~]+", data[:1024]):
        return PhotoError("unreadable", "is text, not a photo: get the photo itself again")
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if _is_cut_short(data, reason):
        text = "ends too early, part of it is missing: copy it again from its source"
        return PhotoError("truncated", text)
    if isinstance(error, UnidentifiedImageError):
        reason = "it begins like no picture known here"
    text = f"is damaged or no photo ({reason}): restore it from a backup or {EXPORT}"
    return PhotoError("unreadable", text)


def _no_photo(data: bytes) -> str | None:
    """Say what is wrong with bytes that never were a picture, where they show it."""
    if not data.strip(b"\0"):
        what = "holds only zero bytes" if data else "is empty"
        return f"{what}: copy it again from its source"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, text in NO_PHOTOS.items():
        if head.startswith(start):
            return text
    return None


def _other_kind(data: bytes, ending: str) -> str | None:
    """Name the kind of a file that did not open, where its first bytes or its name tell it."""
    for start, kind in OTHER_KINDS.items():
        if data.startswith(start):
            return kind
    if data[4:8] == b"ftyp" and data[8:11] not in (b"hei", b"hev", b"mif", b"msf", b"avi"):
        return RAW_KIND if data[8:12] == b"crx " else "a video"
    if data.lstrip().startswith((b"<?xml", b"<svg")) and b"<svg" in data[:4096]:
        return "an SVG drawing"
    if ending in formats.RAW:
        return RAW_KIND
    return f"a {ending} picture, not read here" if ending in formats.OTHER_PICTURES else None


def _is_cut_short(data: bytes, reason: str) -> bool:
    """Tell whether a picture that failed to decode lacks its end, by what its format says of it."""
    order: Literal["little", "big"] = "big" if data.startswith(b"MM") else "little"
    signs = (
        any(word in reason.lower() for word in CUT_SHORT),
        data.startswith(b"\xff\xd8\xff") and b"\xff\xda" not in data,  # the pixels never begin
        data.startswith(b"\x89PNG") and b"IEND" not in data,
        data.startswith(b"GIF8") and not data.rstrip(b"\0").endswith(b";"),
        data.startswith(b"RIFF") and int.from_bytes(data[4:8], "little") + 8 > len(data),
        # the directory of a TIFF may stand at its end
        data[:4] in (b"II*\0", b"MM\0*") and int.from_bytes(data[4:8], order) + 2 > len(data),
        data[4:8] in (b"ftyp", b"jP  ") and _boxes_end(data) > len(data),
    )
    return any(signs)


def _boxes_end(data: bytes) -> int:
    """Say where the last box of a HEIC, AVIF or JPEG 2000 file should end."""
    at, size = 0, 8
    while size >= 8 and at + 8 <= len(data):  # a size of 0 is a box up to the end, whatever it is
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        at += size
    return at
