"""Load photos in processes of their own: one that a hostile file kills costs that photo alone.

Each worker has a connection of its own, and one thread of the run talks to it at a time: nothing is
shared that a worker could take down with it. Workers are started when they are first needed, live
as long as the run, and see its end at their connection's.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from threading import BoundedSemaphore, Lock, Semaphore
from typing import Any

import numpy as np

from batch.damage import EXPORT, NEEDS_MEMORY, PhotoError
from batch.errors import ArchiveError
from batch.photos import LoadedPhoto, always, failed, fetch_bytes
from batch.scan import Photo
from batch.urls import UrlPhoto
from batch.worker import LARGE_TAKES, PATIENCE

WORKERS = max(2, os.cpu_count() or 1)
STARTING_S = 60.0
READING_S = 60.0  # and a second more for each megabyte
SLOWEST = 1_000_000  # bytes a second
DECODING_S = 10.0  # of the processor; large pictures have more, see `batch.worker`
MOST_SAID = 1 << 20  # bytes of one answer without its pixels
HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
START = """
import sys
sys.path.insert(0, sys.argv[1])
from batch.worker import serve
serve(int(sys.argv[2]))
"""

_idle: list["_Worker"] = []
_turns = BoundedSemaphore(WORKERS)
_to_be_alone = Lock()
_large_turn = Semaphore(1)


def load(
    photo: Photo, size: int = 299, needs_pixels: Callable[[str], bool] = always
) -> LoadedPhoto:
    """Load one photo as `batch.photos.load` does, in another process. For many threads.

    A photo whose worker dies, or takes more memory than a photo may, is tried once more, alone: it
    may have been the system's doing. After that it is `unreadable` or `too_large`, as is at once
    one that takes too long to decode. One that takes too long to read is `io`.
    Raises ArchiveError where no worker can be started.
    """
    try:
        fetched = fetch_bytes(photo) if isinstance(photo, UrlPhoto) else None
    except PhotoError as error:
        return failed(photo, error)
    task = _Task(photo, size, fetched, needs_pixels)
    try:
        with _turns:
            return _load(task)
    except _Lost as lost:
        if lost.for_sure:
            return lost.row
    try:
        with _alone():
            return _load(task)
    except _Lost as lost:
        return lost.row


@dataclass(frozen=True)
class _Task:
    photo: Photo
    size: int
    fetched: bytes | None
    needs_pixels: Callable[[str], bool]

    @property
    def sent(self) -> tuple[Any, ...]:
        """What a worker is told; its own folder is that of when it was started."""
        photo = replace(self.photo, root=os.path.abspath(self.photo.root))
        return photo, self.size, self.fetched, DECODING_S


class _Lost(Exception):  # noqa: N818 - what was lost is a worker
    """A worker is gone; `row` is what its photo gets if that is the photo's doing."""

    def __init__(self, row: LoadedPhoto, for_sure: bool = False) -> None:
        super().__init__(row.error)
        self.row, self.for_sure = row, for_sure


@contextmanager
def _alone() -> Iterator[None]:
    with _to_be_alone, ExitStack() as turns:
        for _ in range(WORKERS):
            turns.enter_context(_turns)
        yield


def _load(task: _Task) -> LoadedPhoto:
    worker = _take()
    try:
        loaded = worker.load(task)
    except BaseException:
        worker.end()
        raise
    _idle.append(worker)
    return loaded


def _take() -> "_Worker":
    with suppress(IndexError):
        while True:
            worker = _idle.pop()
            if worker.process.poll() is None:
                return worker
    return _Worker()


@atexit.register
def end_workers() -> None:
    """End the workers that have nothing to do."""
    while _idle:
        _idle.pop().end()


class _Worker:
    """A process that loads photos, one at a time."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - this program
                [sys.executable, "-P", "-c", START, HOME, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C is for the run, which ends its workers by leaving
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            )
        if not self.connection.poll(STARTING_S) or self.process.poll() is not None:
            self.end()
            raise ArchiveError("photos cannot be loaded: a process for it did not start; run again")
        self.connection.recv_bytes(MOST_SAID)

    def load(self, task: _Task) -> LoadedPhoto:
        """Load a photo. Raises _Lost where this worker is of no more use."""
        self.found = failed(task.photo, PhotoError("io", ""))
        kind, said = self.tell(task.sent, READING_S + task.photo.size / SLOWEST)
        if kind == "read":
            self.found = self.row(said)
            wanted = task.needs_pixels(self.found.photo_id or "")
            kind, said = self.tell(wanted, PATIENCE * DECODING_S)
        if kind == "large":
            with _large_turn:
                kind, said = self.tell(None, PATIENCE * LARGE_TAKES * DECODING_S)
        if kind == "fault":
            raise RuntimeError(f"{task.photo.location!r} was not loaded: {said}")
        loaded = self.row(said)
        if loaded.error == NEEDS_MEMORY:
            raise _Lost(replace(loaded, status="too_large"))
        return replace(loaded, pixels=self.pixels(task.size)) if kind == "pixels" else loaded

    def tell(self, message: object, seconds: float) -> tuple[str, Any]:
        """Say something to the worker; give what it says then, and of what kind that is."""
        with self.watched():
            self.connection.send(message)
            if not self.connection.poll(seconds):
                raise _Lost(*_out_of_time(self.found))
            kind, said = json.loads(self.connection.recv_bytes(MOST_SAID))
        return kind, said

    def row(self, said: dict[str, Any]) -> LoadedPhoto:
        with self.watched():
            return LoadedPhoto(self.found.photo, **said)

    def pixels(self, size: int) -> np.ndarray:
        with self.watched():
            said = self.connection.recv_bytes(3 * size * size)
            return np.frombuffer(said, np.uint8).reshape(size, size, 3)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise _Lost where the worker has died, or says what it should not."""
        try:
            yield
        except (EOFError, OSError, ValueError, TypeError) as error:
            self.end()
            raise _Lost(*_post_mortem(self.found, self.process.returncode)) from error

    def end(self) -> None:
        """Kill the worker. One that waits for a dead disk cannot die yet: it is left behind."""
        self.connection.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.1)  # one that has died by itself can tell of what
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)


def _out_of_time(found: LoadedPhoto) -> tuple[LoadedPhoto, bool]:
    """Give the row of a photo that took too long, and whether that is for sure its doing."""
    if found.photo_id is None:
        text = "could not be read in time: check the disk or the network share, run again"
        return replace(found, error=text), True
    text = f"takes too long to decode, it may be damaged: restore it from a backup or {EXPORT}"
    return replace(found, status="unreadable", error=text), False


def _post_mortem(found: LoadedPhoto, code: int | None) -> tuple[LoadedPhoto, bool]:
    """Give the row of a photo whose worker died, and whether that is for sure its doing."""
    if found.photo_id is None:
        text = "could not be read, what reads it was ended: check the disk, run again"
        return replace(found, error=text), False
    if code == -signal.SIGPROF:
        return _out_of_time(found)[0], True
    if code == -signal.SIGKILL:  # by the system, which needs the memory
        return replace(found, status="too_large", error=NEEDS_MEMORY), False
    text = f"crashes what decodes it, it may be damaged: restore it from a backup or {EXPORT}"
    return replace(found, status="unreadable", error=text), False
