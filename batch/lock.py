"""One run at a time for a folder: a kernel lock, which dies with its process."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from batch.errors import LockedError

NAME = ".lock"
_TRIES = 3  # a glance at the lock holds it for a moment
_PAUSE = 0.05  # seconds


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """Hold the folder for this run. Raises LockedError at once where another run holds it."""
    path = os.path.join(folder, NAME)
    while True:
        os.makedirs(folder, exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            _take(file, folder)
            if _is_at(path, file):
                yield
                return


def _take(file: TextIO, folder: str) -> None:
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            if not left:
                raise LockedError(
                    f"another run is writing to {folder}; wait for it to end"
                ) from error
            time.sleep(_PAUSE)


def _is_at(path: str, file: TextIO) -> bool:
    """Tell whether a lock is still there: a run that found no photos takes its new folder away."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def is_held(folder: str) -> bool:
    """Tell whether a run holds the folder; nothing is written."""
    try:
        with open(os.path.join(folder, NAME), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # for an instant
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
