"""Results in object storage: worked on in a copy on this machine, and brought back as they grow.

The commands know folders alone. `at_hand` gives them one for a URL: what the store has is fetched,
what changes is brought there after each shard and at the end, whole files only, in an order in
which a kill at any moment leaves what a kill on one machine does. The copy stays, below
`outputs/.stored/`, so that the next time only what is new is fetched; what could not be brought to
the store waits there for the next command. `state.json` beside it tells what both had last.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from batch.errors import ArchiveError, LockedError
from batch.lock import is_held, locked
from batch.run_log import tell as log
from batch.store_lock import StoreLock, holder_of
from batch.stores import check_driver, is_url
from batch.working_copy import COPIES, WorkingCopy

_open: dict[str, WorkingCopy] = {}


@contextmanager
def at_hand(
    url: str, tell: Callable[[str], None], *, writes: bool = True, quiet: bool = False
) -> Iterator[str]:
    """Give a folder that has the results of a URL, and bring back what has changed in it.

    Without `writes` others may be writing to the store, and nothing is brought there. `tell` is
    told what a person should know; where they want `quiet`, not that all went well. Raises
    ArchiveError where the store cannot be reached, or what was done could not be brought there,
    LockedError where another machine writes there, or has taken over.
    """
    check_driver(url)
    copy = WorkingCopy(url)
    if not writes and is_held(copy.base):  # a command of this machine is at it: its copy is newest
        yield copy.folder
        return
    with locked(copy.base), _held(copy, writes=writes):
        with _explained(url):
            copy.pull(tell, by_ourselves=writes)
        _open[copy.folder] = copy
        try:
            yield copy.folder
        except BaseException:
            _bring_what_can_be(copy, tell)
            raise
        finally:
            _open.pop(copy.folder)
        if writes and (brought := copy.bring_all(tell)) and not quiet:
            tell(f"{brought:,} files brought to {url}")


@contextmanager
def _held(copy: WorkingCopy, *, writes: bool) -> Iterator[None]:
    """Hold the lock of the store, where something is to be written to it."""
    if not writes:
        yield
        return
    lock = StoreLock(copy.url)
    with _explained(copy.url):
        copy.hold(lock)
    try:
        yield
    finally:
        with suppress(OSError):  # it will be taken for a dead machine's
            lock.leave()


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn an error of the store into one that names the results; a disk's names its file."""
    try:
        yield
    except OSError as error:
        if not is_url(str(error.filename)):
            raise
        raise ArchiveError(f"OUT={url}: {error.filename} {error.strerror}") from error


def copied_from(folder: str) -> str:
    """Give the URL whose copy a folder is, by what stands beside it; others are their own."""
    base, name = os.path.split(os.path.abspath(folder))
    if os.path.dirname(base) == os.path.abspath(COPIES) and name == "results":
        with suppress(OSError, ValueError, LookupError, TypeError):
            return str(json.loads(Path(base, "state.json").read_bytes())["url"])
    return folder


def keep_safe(folder: str) -> None:
    """Bring what a shard has added to the store, where a folder is the copy of results there.

    A store that cannot be reached for now is no reason to stop: the next shard brings both. Raises
    LockedError where another machine has taken over.
    """
    copy = _open.get(folder)
    if copy is not None and copy.lock is not None:
        try:
            copy.push(shard=True)
        except OSError as error:
            log("results not brought to the store yet", url=copy.url, why=str(error))


def url_of(folder: str) -> str:
    """Give the URL that a folder is the copy of; other folders are their own."""
    copy = _open.get(folder)
    return folder if copy is None else copy.url


def is_written_elsewhere(folder: str) -> bool:
    """Tell whether another machine writes to the results that a folder is the copy of."""
    copy = _open.get(folder)
    try:
        return copy is not None and copy.lock is None and holder_of(copy.url) is not None
    except OSError:
        return False


def _bring_what_can_be(copy: WorkingCopy, tell: Callable[[str], None]) -> None:
    """Bring what there is after an error, which is the one that the command ends with."""
    if copy.lock is None:
        return
    try:
        copy.push()
    except (OSError, LockedError) as error:
        tell(f"{copy.folder} has what could not be brought to {copy.url}: {error}")
