"""Load photos in processes of their own: one that a hostile file kills costs that photo alone.

Each worker has a connection of its own, and one thread of the run talks to it at a time: nothing is
shared that a worker could take down with it. Workers are started when they are first needed, live
as long as the run, and see its end at their connection's.
"""

import atexit
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import BoundedSemaphore, Lock

from batch.damage import PhotoError
from batch.device import cores
from batch.errors import ArchiveError
from batch.photos import LoadedPhoto, always, failed
from batch.scan import Photo, RemotePhoto
from batch.worker_process import Lost, Task, WorkerProcess

MOST_WORKERS = 32  # a chunk has no more photos
WORKERS = min(max(2, cores()), MOST_WORKERS)
STARTS = 3  # tries to start one

_idle: list[WorkerProcess] = []
_turns = BoundedSemaphore(WORKERS)
_to_be_alone = Lock()


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
        fetched = photo.fetch() if isinstance(photo, RemotePhoto) else None
    except PhotoError as error:
        return failed(photo, error)
    task = Task(photo, size, fetched, needs_pixels)
    try:
        with _turns:
            return _load(task)
    except Lost as lost:
        if lost.for_sure:
            return lost.row
    try:
        with _alone():
            return _load(task)
    except Lost as lost:
        return lost.row


@contextmanager
def _alone() -> Iterator[None]:
    with _to_be_alone, ExitStack() as turns:
        for _ in range(WORKERS):
            turns.enter_context(_turns)
        yield


def _load(task: Task) -> LoadedPhoto:
    worker = _take()
    try:
        loaded = worker.load(task)
    except BaseException:
        worker.end()
        raise
    _idle.append(worker)
    return loaded


def _take() -> WorkerProcess:
    with suppress(IndexError):
        while True:
            worker = _idle.pop()
            if worker.process.poll() is None:
                return worker
    for _ in range(STARTS - 1):
        with suppress(ArchiveError):  # where memory is short, one may be killed as it starts
            return WorkerProcess()
    return WorkerProcess()


@atexit.register
def end_workers() -> None:
    """End the workers that have nothing to do."""
    while _idle:
        _idle.pop().end()
