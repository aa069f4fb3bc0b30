"""Durable files: a file has its final name only when it is whole.

As in restic's local backend (internal/backend/local/local.go): a temporary file in the same
folder, fsync, rename, fsync of the folder. After a failed fsync the temporary file is thrown away
and nothing is tried again, since the system may have dropped its pages (Rebello et al., "Can
applications recover from fsync failures?", ATC 2020).
"""

import errno
import hashlib
import io
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

_PREFIX: Final = ".photo-captions-"
_SUFFIX: Final = ".tmp"
_NO_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP})


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Give an empty file that takes the place of `path` when the block has ended well.

    The file can be read too, so that a writer can look at what it has written. After any error,
    Ctrl-C included, the temporary file is gone and the old one is as it was. Only an error of the
    folder's fsync comes when the new file is already in place.
    """
    # "x" gives the mode that the umask asks for; mkstemp's would always be 0600.
    temporary = path.with_name(f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}")
    handle = temporary.open("x+b")
    try:
        with handle:
            yield handle
            sync(handle)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def copy_file(source: Path, path: Path) -> None:
    """Copy a file to `path`, which it replaces when it is whole."""
    with source.open("rb") as read, atomic_write(path) as written:
        shutil.copyfileobj(read, written, 1 << 20)


def write_json(path: Path, obj: Any) -> None:
    """Write `obj` as JSON in UTF-8, its keys in their own order.

    Lone surrogates, which stand for the undecodable bytes of a name, become JSON escapes and are
    read back by `json.loads`.
    """
    text = json.dumps(obj, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    with atomic_write(path) as handle:
        handle.write(text.encode("utf-8", "backslashreplace"))


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as handle:
        return sha256_of(handle)


def sha256_of(handle: BinaryIO) -> str:
    """Return the SHA-256 of an open file's bytes, from the first one, in hexadecimal."""
    handle.seek(0)
    # A file object fits, though its stub asks for a narrower type.
    return hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type,unused-ignore]


class Digest(io.RawIOBase):
    """A file that keeps nothing but the SHA-256 of what is written to it."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        """Say so."""
        return True

    def write(self, data: Any, /) -> int:
        """Add to the digest."""
        self.sha256.update(data)
        return len(data)


def sync(handle: BinaryIO) -> None:
    """Bring what was written to the disk."""
    handle.flush()
    os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk; some network file systems can't, and are let off."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, older_than: float | None = None) -> int:
    """Remove the temporary files that killed runs left in `folder`, and return how many.

    Another run's file in the making looks the same: hold the folder's lock, or take only those
    `older_than` some seconds.
    """
    removed = 0
    for entry in leftovers(folder):
        with suppress(FileNotFoundError):  # its own run has just finished it
            if older_than is None or time.time() - entry.stat().st_mtime > older_than:
                entry.unlink()
                removed += 1
    return removed


def leftovers(folder: Path) -> list[Path]:
    """Give the temporary files in a folder: of killed runs, or of some at work."""
    return sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"))
