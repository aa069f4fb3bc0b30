"""The run's end of a process that loads photos: start it, ask it, know of what it died."""

import json
import math
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from threading import Semaphore
from typing import Any, NamedTuple

import numpy as np

from batch.damage import EXPORT, NEEDS_MEMORY, PhotoError
from batch.errors import ArchiveError
from batch.photos import LoadedPhoto, failed
from batch.scan import Photo
from batch.stores import absolute
from batch.worker import PATIENCE, seconds_for

STARTING_S = 60.0
READING_S = 60.0  # and a second more for each megabyte
SLOWEST = 1_000_000  # bytes a second
DECODING_S = 10.0  # of the processor; many pixels have more, see `batch.worker`
MOST_SAID = 1 << 24  # bytes of one answer; pixels have 268,203
SLOW = f"takes too long to decode, it may be damaged: restore it from a backup or {EXPORT}"
KILLED = "was not decoded: the system ended what did it, for want of memory perhaps; run again"
CRASHES = f"crashes what decodes it, it may be damaged: restore it from a backup or {EXPORT}"
NOT_STARTED = "photos cannot be loaded: a process for it did not start"
LATER = "is there memory, and room for more processes? Then run again"
HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SETTINGS = {"OPENBLAS_NUM_THREADS": "1"}  # no threads for matrices
START = """
import sys
sys.path.insert(0, sys.argv[1])
from batch.worker import serve
serve(int(sys.argv[2]))
"""
LARGE_TURN = Semaphore(1)
MOST_LEFT = 32  # workers that wait for a dead disk, and cannot be ended: each has 20 MB
NO_ANSWER = "the disk or network share of the photos does not answer: check it, run again"
_left_behind: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Task:
    """A photo to load, as a square of `size`; `fetched` are its bytes if it is one by URL."""

    photo: Photo
    size: int
    fetched: bytes | None
    needs_pixels: Callable[[str], bool]

    @property
    def sent(self) -> tuple[Any, ...]:
        """What a worker is told; its own folder is that of when it was started."""
        photo = replace(self.photo, root=absolute(self.photo.root))
        return photo, self.size, self.fetched, DECODING_S


class Lost(Exception):  # noqa: N818 - what was lost is a worker
    """A worker is gone; `row` is what its photo gets if that is the photo's doing.

    `for_sure`: trying the photo again would tell nothing more.
    """

    def __init__(self, row: LoadedPhoto, for_sure: bool = False) -> None:
        super().__init__(row.error)
        self.row, self.for_sure = row, for_sure


class WorkerProcess:
    """A process that loads photos, one at a time.

    Raises ArchiveError where it does not start, or too many could not be ended.
    """

    def __init__(self) -> None:
        _left_behind[:] = [each for each in _left_behind if each.poll() is None]
        if len(_left_behind) >= MOST_LEFT:
            raise ArchiveError(NO_ANSWER)
        self.connection, theirs = Pipe()
        self.answers = select.poll()
        self.answers.register(self.connection.fileno(), select.POLLIN)
        try:
            with theirs:
                self.process = _started(theirs.fileno())
        except OSError as error:
            self.connection.close()
            raise ArchiveError(f"{NOT_STARTED} ({error.strerror}); {LATER}") from error
        try:
            self.hear(STARTING_S)
        except (OSError, EOFError) as error:
            self.end()
            raise ArchiveError(f"{NOT_STARTED}; {LATER}") from error

    def load(self, task: Task) -> LoadedPhoto:
        """Load a photo. Raises Lost where the worker is of no more use."""
        self.found = failed(task.photo, PhotoError("io", ""))
        answer = self.tell(task.sent, READING_S + task.photo.size / SLOWEST)
        if answer.kind == "read":
            self.found = self.row(answer)
            wanted = task.needs_pixels(self.found.photo_id or "")
            answer = self.tell(wanted, PATIENCE * DECODING_S)
        if answer.kind in ("large", "many"):
            with self.watched(), LARGE_TURN if answer.kind == "large" else nullcontext():
                seconds = seconds_for(DECODING_S, int(answer.said))
                answer = self.tell(None, PATIENCE * seconds)
        if answer.kind == "fault":
            raise RuntimeError(f"{task.photo.location!r} was not loaded: {answer.said}")
        loaded = self.row(answer)
        if loaded.error == NEEDS_MEMORY:
            raise Lost(replace(loaded, status="too_large"))
        return loaded

    def tell(self, message: object, seconds: float) -> "Answer":
        """Say something to the worker, and wait for what it says then."""
        with self.watched():
            self.connection.send(message)
            return self.hear(seconds)

    def hear(self, seconds: float) -> "Answer":
        """Wait for the worker. Raises TimeoutError; OSError, EOFError or ValueError: it is lost."""
        if not self.answers.poll(1000 * seconds):
            raise TimeoutError
        data = self.connection.recv_bytes(MOST_SAID)
        end = data.index(b"\n")
        kind, said = json.loads(data[:end])
        return Answer(kind, said, memoryview(data)[end + 1 :])

    def row(self, answer: "Answer") -> LoadedPhoto:
        """Give the photo as the worker describes it. Raises Lost."""
        with self.watched():
            found = LoadedPhoto(self.found.photo, **answer.said)
            return replace(found, pixels=_square(answer.pixels)) if answer.pixels else found

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise Lost where the worker does not answer, or answers what it should not."""
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
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            _left_behind.append(self.process)


def _started(descriptor: int) -> subprocess.Popen[bytes]:
    """Start a worker that has its end of a connection at `descriptor`. Raises OSError."""
    return subprocess.Popen(  # noqa: S603 - this program
        [sys.executable, "-P", "-c", START, HOME, str(descriptor)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[descriptor],
        process_group=0,  # Ctrl-C is for the run, which ends its workers by leaving
        env=os.environ | SETTINGS,
    )


class Answer(NamedTuple):
    """What a worker says: `read`, `large`, `many`, `loaded` or `fault`, and what goes with it."""

    kind: str
    said: Any
    pixels: memoryview


def _square(pixels: memoryview) -> np.ndarray:
    size = math.isqrt(len(pixels) // 3)
    return np.frombuffer(pixels, np.uint8).reshape(size, size, 3)


def _out_of_time(found: LoadedPhoto) -> Lost:
    """Say what is wrong with a photo that takes too long."""
    if found.photo_id is None:
        text = "could not be read in time: check the disk or the network share, run again"
        return Lost(replace(found, error=text), for_sure=True)
    return Lost(replace(found, status="unreadable", error=SLOW))


def _post_mortem(found: LoadedPhoto, code: int | None) -> Lost:
    """Say what is wrong with a photo whose worker has died."""
    if found.photo_id is None:
        text = "could not be read, what read it was ended: check the disk, run again"
        return Lost(replace(found, error=text))
    if code == -signal.SIGPROF:
        return Lost(replace(found, status="unreadable", error=SLOW), for_sure=True)
    if code == -signal.SIGKILL:  # by the system, most likely, which needs the memory
        return Lost(replace(found, status="io", error=KILLED))
    return Lost(replace(found, status="unreadable", error=CRASHES))
