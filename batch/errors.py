"""What can go wrong, in words a person can act on."""

from typing import Self

from manifests.errors import ManifestError
from models.errors import CheckpointError, MissingExtraError


class ArchiveError(Exception):
    """The photo archive, or what a run needs beside it, cannot be used as it is."""


class NoRoomError(ArchiveError):
    """The feature cache may not grow, and all that is in it is still needed."""


class LockedError(Exception):
    """Another run is writing to the same folder."""


class FaultError(ArchiveError):
    """A fault of this program ended a run; the run's log has the traceback."""

    @classmethod
    def of(cls, error: BaseException, log: str) -> Self:
        """Say what it was, and where more is told."""
        return cls(f"{type(error).__name__}: {error} (a fault of this program; more is in {log})")


PLAIN = (ArchiveError, CheckpointError, ManifestError, MissingExtraError, OSError)
"""Errors that say what to do; any other is a fault of this program."""


def is_fault(error: BaseException) -> bool:
    """Tell whether an error needs its traceback: nobody has foreseen it."""
    return isinstance(error, Exception) and not isinstance(error, (*PLAIN, LockedError))
