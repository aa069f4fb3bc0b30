"""Load photos: read each file once, hash and decode the same bytes, never raise for a bad one."""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from batch import formats, zipped
from batch.damage import EXPORT, NEEDS_MEMORY, RAW_KIND, PhotoError, explained
from batch.scan import Photo, RemotePhoto
from batch.stores import entry_of, is_url

MAX_BYTES = 1 << 30  # the file is held in memory while it is decoded
TRIES, PAUSE = 3, 0.2  # seconds; for network shares that hiccup and files still being copied
# Links are followed, a link to a photo is a photo, hence no O_NOFOLLOW. O_NONBLOCK: a file that
# becomes a pipe between the checks does not block.
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class LoadedPhoto:
    """A photo as it was read: its identity, what it says of itself, and its pixels.

    `status` is `ok`, `unreadable`, `truncated`, `too_large`, `unsupported`, `unstable`, `vanished`,
    `denied` or `io`; all but `ok` come with an `error` in plain words. `size` and `mtime_ns` are
    the file's when it was read; of a photo in a zip, its own size and the zip's time. `pixels` is
    (size, size, 3) uint8 RGB.
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
    What crashes or hangs a decoder does so here too: runs load by `batch.sandbox.load`.
    """
    try:
        found, data = identified(photo)
    except PhotoError as error:
        return failed(photo, error)
    return decoded(found, data, size if needs_pixels(found.photo_id or "") else None)


def identified(photo: Photo, fetched: bytes | None = None) -> tuple[LoadedPhoto, bytes]:
    """Read a photo whole; give what its bytes alone tell, and the bytes. Raises PhotoError.

    `fetched` are the bytes of a photo that is fetched, where they are there already.
    """
    if isinstance(photo, RemotePhoto):
        # Of one that has changed since it was listed, the next run sees another time, and looks.
        data, mtime_ns = photo.fetch() if fetched is None else fetched, photo.mtime_ns
    else:
        data, mtime_ns = _read(photo.location)
    photo_id = hashlib.sha256(data).hexdigest()
    return LoadedPhoto(photo, "ok", "", len(data), mtime_ns, photo_id), data


def failed(photo: Photo, error: PhotoError) -> LoadedPhoto:
    """Give what is known of a photo whose bytes could not be had."""
    return LoadedPhoto(photo, error.status, str(error), photo.size, photo.mtime_ns)


def decoded(found: LoadedPhoto, data: bytes, size: int | None) -> LoadedPhoto:
    """Decode the bytes of a photo that was identified; None as `size`: only its header."""
    name = found.photo.relative
    try:
        with explained(data, name):
            image = formats.open_picture(data)
            header, orientation = formats.read_header(image, data)
        found = replace(found, **vars(header))
        if formats.is_raw(image, name):
            raise PhotoError("unsupported", f"is {RAW_KIND}: {EXPORT}")
        if size is not None:
            with explained(data, name):
                upright = formats.decode(image, orientation, 2 * size)
                found = replace(found, pixels=squashed(upright, size))
    except PhotoError as error:
        return replace(found, status=error.status, error=str(error))
    return found


def read_bytes(location: str) -> bytes:
    """Read a photo's file, a zip's member or a store's object.

    Raises PhotoError, which says what is wrong.
    """
    if is_url(location):
        from batch.stored_photos import read_object

        return read_object(location)
    return _read(location)[0]


def shows_no_change(location: str, size: int, mtime_ns: int) -> bool:
    """Tell whether a photo has this size and time. Raises OSError where it cannot be asked."""
    if is_url(location):
        found = entry_of(location)  # which tells of whole seconds; a listing may be more exact
        return (found.size, found.mtime_ns // 10**9) == (size, mtime_ns // 10**9)
    on_disk = os.stat(location)
    return (on_disk.st_size, on_disk.st_mtime_ns) == (size, mtime_ns)


def open_upright(data: bytes, min_size: int) -> Image.Image:
    """Decode a photo's bytes into upright RGB, at least `min_size` a side where it has as much.

    Raises PhotoError, which says what is wrong and what to do.
    """
    with explained(data):
        image = formats.open_picture(data)
        _, orientation = formats.read_header(image, data)
        return formats.decode(image, orientation, min_size)


def squashed(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Squash to (size, size, 3), antialiased.

    Bicubic after a box filter: as good to the eye as Lanczos, and a quarter of its time on a PNG of
    12 megapixels, which no draft mode scales.
    """
    square = image.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.array(square, dtype=np.uint8)


def _read(location: str) -> tuple[bytes, int]:
    """Give a file's bytes and mtime_ns; again, after a pause, where a disk failed or it changed."""
    for _ in range(TRIES - 1):
        try:
            return _read_once(location)
        except PhotoError as error:
            if error.status not in ("io", "unstable"):
                raise
            time.sleep(PAUSE)
    return _read_once(location)


def _read_once(path: str) -> tuple[bytes, int]:
    try:
        try:
            return _read_file(path)
        except NotADirectoryError:  # a part of the path is a file: a zip, perhaps
            return zipped.read_member(path, MAX_BYTES)
    except OSError as error:
        raise _failed_read(error) from error
    except ValueError as error:  # from a list of names, not from a folder
        raise PhotoError("vanished", "has a name that no file can have") from error
    except MemoryError as error:
        raise PhotoError("io", NEEDS_MEMORY) from error


def _read_file(path: str) -> tuple[bytes, int]:
    _check_regular(os.stat(path))  # before it is opened: opening a device can make it act
    with open(os.open(path, FLAGS), "rb") as file:
        before = os.fstat(file.fileno())
        _check_regular(before)
        if before.st_size > MAX_BYTES:
            text = f"has {before.st_size:,} bytes, more than {MAX_BYTES:,}: save a smaller copy"
            raise PhotoError("too_large", text)
        data = file.read(before.st_size + 1)  # one more byte shows that it grew
        after = os.fstat(file.fileno())
    changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    if changed or len(data) != before.st_size:
        raise PhotoError("unstable", "changed while it was read: run again when it is all copied")
    return data, after.st_mtime_ns


def _check_regular(found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise PhotoError("unsupported", "is a folder, no photo")
    if not stat.S_ISREG(found.st_mode):
        raise PhotoError("unsupported", "is a pipe, a socket or a device, no file: remove it")


def _failed_read(error: OSError) -> PhotoError:
    reason = error.strerror or type(error).__name__
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return PhotoError("vanished", "is no longer there, or a link to nowhere: run again")
    if error.errno in (errno.EACCES, errno.EPERM):
        return PhotoError("denied", f"may not be read ({reason}): change its permissions")
    return PhotoError("io", f"could not be read ({reason}): check the disk, run again")
