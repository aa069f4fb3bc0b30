"""Load photos: read each file once, hash and decode the same bytes, never raise for a bad one."""

import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from batch import formats
from batch.scan import Photo

MAX_BYTES = 1 << 30  # the file is held in memory while it is decoded
TRIES, PAUSE = 3, 0.2  # seconds; for network shares that hiccup and files still being copied
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
CUT_SHORT = ("truncat", "end of file", "not enough image data", "expected to read", "incomplete")
# Links are followed, a link to a photo is a photo, hence no O_NOFOLLOW. O_NONBLOCK: a file that
# becomes a pipe between the checks does not block.
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class PhotoError(Exception):
    """One photo cannot be read; `status` is the word its row carries, the text says what to do."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class LoadedPhoto:
    """A photo as it was read: its identity, what it says of itself, and its pixels.

    `status` is `ok`, `unreadable`, `truncated`, `too_large`, `unsupported`, `unstable`, `vanished`,
    `denied` or `io`; all but `ok` come with an `error` in plain words. `size` and `mtime_ns` are
    the file's when it was read. `pixels` is (size, size, 3) uint8 RGB.
    """

    photo: Photo
    status: str
    error: str
    size: int
    mtime_ns: int
    photo_id: str | None = None
    pixels: npt.NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)
    width: int | None = None
    height: int | None = None
    format: str | None = None
    frames: int | None = None
    taken_at: str | None = None


def always(photo_id: str) -> bool:  # noqa: ARG001 - asked with every photo's identity
    """Want the pixels of every photo."""
    return True


def load(
    photo: Photo, size: int = 299, needs_pixels: Callable[[str], bool] = always
) -> LoadedPhoto:
    """Read and decode one photo; what is wrong with it comes back as its status, never raised.

    `needs_pixels` is asked with the photo's identity; where it says no, only the header is read.
    """
    found = LoadedPhoto(photo, "ok", "", photo.size, photo.mtime_ns)
    try:
        data, on_disk = _read(photo)
        found = replace(found, size=on_disk.st_size, mtime_ns=on_disk.st_mtime_ns)
        photo_id = hashlib.sha256(data).hexdigest()
        found = replace(found, photo_id=photo_id)
        with _explained(data, photo.relative):
            image = formats.open_picture(data)
            header, orientation = formats.read_header(image, data)
        found = replace(found, **vars(header))
        if formats.is_raw(image, photo.relative):
            raise PhotoError("unsupported", f"is {RAW_KIND}: {EXPORT}")
        if needs_pixels(photo_id):
            with _explained(data, photo.relative):
                upright = formats.decode(image, orientation, 2 * size)
                found = replace(found, pixels=_resize(upright, size))
    except PhotoError as error:
        return replace(found, status=error.status, error=str(error))
    return found


def open_upright(data: bytes, min_size: int) -> Image.Image:
    """Decode a photo's bytes into upright RGB, at least `min_size` a side where it has as much.

    Raises PhotoError, which says what is wrong and what to do.
    """
    with _explained(data):
        image = formats.open_picture(data)
        _, orientation = formats.read_header(image, data)
        return formats.decode(image, orientation, min_size)


def _resize(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Squash to (size, size, 3), antialiased.

    Bicubic after a box filter: as good to the eye as Lanczos, and a quarter of its time on a PNG of
    12 megapixels, which no draft mode scales.
    """
    square = image.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.array(square, dtype=np.uint8)


def _read(photo: Photo) -> tuple[bytes, os.stat_result]:
    """Read the whole file; again, after a pause, where a disk failed or it changed."""
    for _ in range(TRIES - 1):
        try:
            return _read_once(photo.location)
        except PhotoError as error:
            if error.status not in ("io", "unstable"):
                raise
            time.sleep(PAUSE)
    return _read_once(photo.location)


def _read_once(path: str) -> tuple[bytes, os.stat_result]:
    try:
        _check_regular(os.stat(path))  # before it is opened: opening a device can make it act
        with open(os.open(path, FLAGS), "rb") as file:
            before = os.fstat(file.fileno())
            _check_regular(before)
            if before.st_size > MAX_BYTES:
                text = f"has {before.st_size:,} bytes, more than {MAX_BYTES:,}: save a smaller copy"
                raise PhotoError("too_large", text)
            data = file.read(before.st_size + 1)  # one more byte shows that it grew
            after = os.fstat(file.fileno())
    except OSError as error:
        raise _failed_read(error) from error
    except ValueError as error:  # from a list of names, not from a folder
        raise PhotoError("vanished", "has a name that no file can have") from error
    except MemoryError as error:
        raise PhotoError("too_large", "needs more memory than there is: run it alone") from error
    changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    if changed or len(data) != before.st_size:
        raise PhotoError("unstable", "changed while it was read: run again when it is all copied")
    return data, after


def _check_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise PhotoError("unsupported", "is a pipe, a socket or a device, no file: remove it")


def _failed_read(error: OSError) -> PhotoError:
    reason = error.strerror or type(error).__name__
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return PhotoError("vanished", "is no longer there, or a link to nowhere: run again")
    if error.errno in (errno.EACCES, errno.EPERM):
        return PhotoError("denied", f"may not be read ({reason}): change its permissions")
    return PhotoError("io", f"could not be read ({reason}): check the disk, run again")


@contextmanager
def _explained(data: bytes, name: str = "") -> Iterator[None]:
    """Turn whatever damaged bytes raise into a PhotoError that says what they are."""
    try:
        yield
    except Image.DecompressionBombError as error:
        text = "has more pixels than can be decoded safely: save a smaller copy"
        raise PhotoError("too_large", text) from error
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
