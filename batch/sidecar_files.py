"""Sidecar files: read with care, replaced only when whole, and never under another's hands."""

import errno
import os
import stat
from hashlib import sha256
from pathlib import Path

from batch.damage import PhotoError
from batch.photos import read_bytes, shows_no_change
from batch.sidecar_places import NoPlaceError
from manifests.durable import atomic_write, sync_folder
from manifests.rdf import MAX_BYTES
from manifests.record import Record

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_WORDS = {
    errno.ENAMETOOLONG: "its sidecar's name would be too long for the disk",
    errno.EROFS: "its folder cannot be written to",
    errno.EACCES: "its folder cannot be written to",
    errno.EPERM: "its folder cannot be written to",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk's quota is used up",
    errno.ELOOP: "its sidecar is a link, which is not followed",
}


def explain(error: OSError) -> str:
    """Say in a few words why a file could not be read or written."""
    return _WORDS.get(error.errno or 0, f"{error.strerror or error}")


def check_same_photo(location: str, record: Record) -> None:
    """Raise NoPlaceError unless the file is still the photo that the row is about.

    Size and time tell it; where they differ, its bytes.
    """
    try:
        if shows_no_change(location, record.size, record.mtime_ns):
            return
        photo_id = sha256(read_bytes(location)).hexdigest()
    except NotADirectoryError as error:
        raise NoPlaceError("in a zip file, which is never written to") from error
    except FileNotFoundError as error:
        raise NoPlaceError("no longer there") from error
    except PhotoError as error:
        raise NoPlaceError(str(error)) from error
    if photo_id != record.photo_id:
        raise NoPlaceError("changed since it was captioned: caption it again first")


def read_sidecar(path: str) -> tuple[bytes | None, os.stat_result | None]:
    """Read a sidecar that may be there; give its state too. Raises OSError, NoPlaceError."""
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None, None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NoPlaceError("its sidecar's name is that of a folder or a device")
        if found.st_size > MAX_BYTES:
            raise NoPlaceError(f"its sidecar is too large to be one: {found.st_size:,} bytes")
        return file.read(MAX_BYTES + 1), found


def replace_sidecar(path: str, data: bytes, before: os.stat_result | None) -> None:
    """Write a sidecar, in the place of one that has not changed since it was read.

    An old one keeps its permissions. Raises OSError, and the old one is as it was.
    """
    with atomic_write(Path(path)) as file:
        file.write(data)
        if before is not None:
            os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
        check_untouched(path, before)


def remove_sidecar(path: str, before: os.stat_result | None) -> None:
    """Remove a sidecar that held nothing but our words."""
    check_untouched(path, before)
    os.unlink(path)
    sync_folder(Path(path).parent)


def check_untouched(path: str, before: os.stat_result | None) -> None:
    """Raise NoPlaceError where another program has written a file since it was looked at."""
    try:
        now = os.lstat(path)
    except FileNotFoundError:
        now = None
    if _state(now) != _state(before):
        raise NoPlaceError("another program is writing to it: run again")


def _state(found: os.stat_result | None) -> tuple[int, ...] | None:
    return found and (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
