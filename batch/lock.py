"""One run at a time for a folder: a kernel lock, which dies with its process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from batch.errors import LockedError


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """Hold the folder for this run. Raises LockedError at once where another run holds it."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, ".lock"), "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(f"another run is writing to {folder}; wait for it to end") from error
        yield


def is_locked(folder: str) -> bool:
    """Tell whether a run holds the folder now; nothing is written."""
    try:
        with open(os.path.join(folder, ".lock"), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # for an instant
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
