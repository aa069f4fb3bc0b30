"""Photos that stay in zip files: `train2014.zip/train2014/a.jpg` is a member of train2014.zip."""

import errno
import os
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from threading import Lock

from batch.damage import PhotoError

ENDING = ".zip"
MOST_OPEN = 64  # zip files held open, with their lists of members
ENCRYPTED = 1  # the bit of a member's flags
# Photos are loaded by threads. Python's ZipFile guards its reads, but not the count of members that
# are open, and the list of a large zip's members should be read by one thread, not by all.
LOCK = Lock()


def is_zip(name: str) -> bool:
    """Tell by its name whether a file is a zip file."""
    return name.lower().endswith(ENDING)


def members(path: str) -> Iterator[str]:
    """Give the names of a zip's files. Raises PhotoError where it is damaged, or OSError."""
    for info in _open(path).infolist():
        if not info.is_dir() and not {"", ".", ".."} & set(info.filename.split("/")):
            yield info.filename


def read_member(location: str, max_bytes: int) -> tuple[bytes, int]:
    """Read a photo whose path goes through a zip file; give its bytes and the zip's mtime_ns.

    Raises PhotoError where it cannot be read, NotADirectoryError where the path goes through a file
    that is no zip, FileNotFoundError where the zip has no such member, or another OSError.
    """
    path, name = _split(location)
    archive = _open(path)
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), location) from error
    _check(info, path, max_bytes)
    return _read(archive, info, path), os.stat(path).st_mtime_ns


def _split(location: str) -> tuple[str, str]:
    """Part a path into that of a zip file and the name of its member."""
    path, name = os.path.split(location)
    while path and not os.path.exists(path):
        path, part = os.path.split(path)
        name = f"{part}/{name}"
    if not (is_zip(path) and os.path.isfile(path)):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), location)
    return path, name


def _open(path: str) -> zipfile.ZipFile:
    """Open a zip file, once as long as it does not change."""
    found = os.stat(path)
    with LOCK:
        try:
            return _opened(path, found.st_ino, found.st_size, found.st_mtime_ns)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            raise _damaged(path, error) from error


@lru_cache(MOST_OPEN)
def _opened(path: str, *_: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _check(info: zipfile.ZipInfo, path: str, max_bytes: int) -> None:
    if info.flag_bits & ENCRYPTED:
        raise PhotoError("denied", f"needs a password: unpack {path} and remove the zip")
    if info.file_size > max_bytes:
        text = f"has {info.file_size:,} bytes, more than {max_bytes:,}: save a smaller copy"
        raise PhotoError("too_large", text)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> bytes:
    """Read a member, never more than the size it claims."""
    try:
        with LOCK:
            member = archive.open(info)
        try:
            data = member.read(info.file_size + 1)
        finally:
            with LOCK:
                member.close()
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise _damaged(path, error) from error
    if len(data) != info.file_size:
        raise PhotoError("truncated", f"ends too early in its zip: copy {path} again")
    return data


def _damaged(path: str, error: Exception) -> PhotoError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return PhotoError("unreadable", f"is in a damaged zip ({reason}): copy {path} again")
