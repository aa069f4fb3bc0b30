"""Load photos in processes of their own: one that a hostile file kills costs that photo alone.

Each worker has a connection of its own, and one thread of the run talks to it at a time: nothing is
shared that a worker could take down with it. Workers are started when they are first needed, live
as long as the run, and see its end at their connection's.
"""

import atexit
import json
import math
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from threading import BoundedSemaphore, Lock, Semaphore
from typing import Any, NamedTuple

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
MOST_SAID = 1 << 24  # bytes of one answer; pixels have 268,203
SLOW = f"takes too long to decode, it may be damaged: restore it from a backup or {EXPORT}"
CRASHES = f"crashes what decodes it, it may be damaged: restore it from a backup or {EXPORT}"
HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# No threads for matrices. And memory is kept from photo to photo, up to 64 MiB: by default it is
# given back after each, and got again page by page, which takes a third of a small photo's time.
SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
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
                env=os.environ | SETTINGS,
            )
        self.answers = select.poll()
        self.answers.register(self.connection.fileno(), select.POLLIN)
        try:
            self.hear(STARTING_S)
        except (OSError, EOFError) as error:
            self.end()
            text = "photos cannot be loaded: a process for it did not start; run again"
            raise ArchiveError(text) from error

    def load(self, task: _Task) -> LoadedPhoto:
        """Load a photo. Raises _Lost where the worker is of no more use."""
        self.found = failed(task.photo, PhotoError("io", ""))
        answer = self.tell(task.sent, READING_S + task.photo.size / SLOWEST)
        if answer.kind == "read":
            self.found = self.row(answer)
            wanted = task.needs_pixels(self.found.photo_id or "")
            answer = self.tell(wanted, PATIENCE * DECODING_S)
        if answer.kind == "large":
            with _large_turn:
                answer = self.tell(None, PATIENCE * LARGE_TAKES * DECODING_S)
        if answer.kind == "fault":
            raise RuntimeError(f"{task.photo.location!r} was not loaded: {answer.said}")
        loaded = self.row(answer)
        if loaded.error == NEEDS_MEMORY:
            raise _Lost(replace(loaded, status="too_large"))
        return loaded

    def tell(self, message: object, seconds: float) -> "_Answer":
        """Say something to the worker, and wait for what it says then."""
        with self.watched():
            self.connection.send(message)
            return self.hear(seconds)

    def hear(self, seconds: float) -> "_Answer":
        if not self.answers.poll(1000 * seconds):
            raise TimeoutError
        data = self.connection.recv_bytes(MOST_SAID)
        end = data.index(b"\n")
        kind, said = json.loads(data[:end])
        return _Answer(kind, said, memoryview(data)[end + 1 :])

    def row(self, answer: "_Answer") -> LoadedPhoto:
        with self.watched():
            found = LoadedPhoto(self.found.photo, **answer.said)
            return replace(found, pixels=_square(answer.pixels)) if answer.pixels else found

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise _Lost where the worker does not answer, or answers what it should not."""
        try:
            yield
        except TimeoutError as error:
            raise _out_of_time(self.found) from error
        except (EOFError, OSError, ValueError, TypeError) as error:
            self.connection.close()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
            raise _post_mortem(self.found, self.process.returncode) from error

    def end(self) -> None:
        """Kill the worker. One that waits for a dead disk cannot die yet: it is left behind."""
        self.connection.close()
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)


class _Answer(NamedTuple):
    kind: str  # read, large, loaded or fault
    said: Any
    pixels: memoryview


def _square(pixels: memoryview) -> np.ndarray:
    size = math.isqrt(len(pixels) // 3)
    return np.frombuffer(pixels, np.uint8).reshape(size, size, 3)


def _out_of_time(found: LoadedPhoto) -> _Lost:
    """Say what is wrong with a photo that takes too long."""
    if found.photo_id is None:
        text = "could not be read in time: check the disk or the network share, run again"
        return _Lost(replace(found, error=text), for_sure=True)
    return _Lost(replace(found, status="unreadable", error=SLOW))


def _post_mortem(found: LoadedPhoto, code: int | None) -> _Lost:
    """Say what is wrong with a photo whose worker has died."""
    if found.photo_id is None:
        text = "could not be read, what read it was ended: check the disk, run again"
        return _Lost(replace(found, error=text))
    if code == -signal.SIGPROF:
        return _Lost(replace(found, status="unreadable", error=SLOW), for_sure=True)
    if code == -signal.SIGKILL:  # by the system, most likely, which needs the memory
        return _Lost(replace(found, status="too_large", error=NEEDS_MEMORY))
    return _Lost(replace(found, status="unreadable", error=CRASHES))
