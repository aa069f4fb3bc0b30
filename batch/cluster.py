"""The shards of a run, done by the workers of a Dask cluster (`batch.on_worker`).

The cuts are those of one machine, and rows come back in their order: so does every byte. Dask gives
a shard whose worker has died to another one. Its futures are waited for here: joblib 1.6's backend
over them never comes back from a shard that has killed all workers it was given to.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from distributed import CancelledError, Client, Future, KilledWorker
from distributed.client import ClosedClientError
from distributed.utils import silence_logging_cmgr

from batch.config import Config
from batch.encode import batched
from batch.errors import ArchiveError
from batch.features import SHARD_PHOTOS
from batch.local_cluster import local_cluster
from batch.on_worker import caption_shard, check, encode_shard
from batch.order import Order, ordered
from batch.photos import LoadedPhoto
from batch.rows import Shard, in_place_of
from batch.scan import Photo
from manifests.record import Record

ANSWERS_WITHIN = 30  # seconds, the scheduler and its first worker
ALL_GONE = 300  # seconds that a run waits for a worker when none is left
AHEAD = 2  # shards a worker: the one in work, and the next
KEPT = "What was done is kept, and the same command goes on from there"
LOST = f"the Dask scheduler is lost: start it again. {KEPT}"

Done = TypeVar("Done")
Task = Callable[[Sequence[Photo], Order], Done]


def caption_shards(
    photos: Sequence[Photo], known: Mapping[str, Record], config: Config
) -> Iterator[Shard]:
    """Caption photos in their order, a shard at a time, as `Stage.caption_shards` does here.

    Raises ArchiveError where there are no workers or one would not do as this machine does, and
    where they are lost on the way.
    """
    for shard in _done(caption_shard, photos, known, config):
        yield replace(shard, records=[_settled(row, known) for row in shard.records])


def encode_shards(
    photos: Sequence[Photo], config: Config
) -> Iterator[tuple[list[LoadedPhoto], int]]:
    """Put the features of photos into the cache, a shard at a time, as `fill_cache` does here.

    Gives the loaded photos and how many were encoded. Raises as `caption_shards`.
    """
    return _done(encode_shard, photos, (), config)


def _done(
    task: Task[Done], photos: Sequence[Photo], known: Iterable[str], config: Config
) -> Iterator[Done]:
    """Have a task done with all shards, and give what comes of each in their order."""
    shards = batched(map(_absolute, photos), SHARD_PHOTOS)
    workers = min(config.workers or 0, -(-len(photos) // SHARD_PHOTOS))
    with (
        ordered(config, photos, known) as order,
        connected(config.scheduler, workers) as client,
    ):
        _check(client, order)
        yield from _in_order(client, task, shards, order)


def _absolute(photo: Photo) -> Photo:
    """Name the folder of a photo so that it is found from any other."""
    return replace(photo, root=os.path.abspath(photo.root)) if type(photo) is Photo else photo


def _settled(row: Record, known: Mapping[str, Record]) -> Record:
    """Put in the caption that the worker knew to be there."""
    there = None if row.failed else known.get(row.photo_id or "")
    return in_place_of(row, there) if there else row


@contextmanager
def connected(scheduler: str | None, workers: int) -> Iterator[Client]:
    """Reach a scheduler, or start one with so many workers. Raises ArchiveError."""
    with silence_logging_cmgr(logging.CRITICAL):  # what is lost, and found again, is the run's
        if scheduler is None:
            with local_cluster(workers) as cluster, Client(cluster, set_as_default=False) as client:
                _await(client, workers, ALL_GONE, "the workers that WORKERS= asks for do not start")
                yield client
        else:
            with _reached(scheduler) as client:
                yield client


def _reached(scheduler: str) -> Client:
    try:
        client = Client(scheduler, timeout=ANSWERS_WITHIN, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise ArchiveError(
            f"no Dask scheduler answers at {scheduler} ({error}): start one, as docs/cluster.md "
            "tells, or give SCHEDULER= its address"
        ) from error
    lacking = f"the scheduler at {scheduler} has no workers: start some, as docs/cluster.md tells"
    try:
        _await(client, 1, ANSWERS_WITHIN, lacking)
    except BaseException:
        client.close()
        raise
    return client


def _await(client: Client, workers: int, seconds: float, lacking: str) -> None:
    try:
        client.wait_for_workers(workers, timeout=seconds)
    except TimeoutError as error:
        raise ArchiveError(lacking) from error


def _check(client: Client, order: Order) -> None:
    """Have each worker look whether it fits. Raises ArchiveError, which names those that do not."""
    found = client.run(check, order, on_error="return")
    wrong = [
        f"the worker {address} {_said(error)}"
        for address, error in sorted(found.items())
        if isinstance(error, Exception)
    ]
    if wrong:
        raise ArchiveError("; ".join(wrong))


def _said(error: Exception) -> str:
    if isinstance(error, ArchiveError):
        return str(error)
    return f"cannot run this program ({error}): start it as docs/cluster.md tells"


def _in_order(
    client: Client, task: Task[Done], shards: Iterable[Sequence[Photo]], order: Order
) -> Iterator[Done]:
    """Have shards done, some ahead of others, and give them in their order."""
    waiting: deque[tuple[Sequence[Photo], Future[Done]]] = deque()
    for photos in shards:
        with _scheduler_there():
            waiting.append((photos, client.submit(task, photos, order, pure=False)))
            threads = sum(client.nthreads().values())
        while len(waiting) > AHEAD * max(1, threads):
            yield _result(client, *waiting.popleft())
    while waiting:
        yield _result(client, *waiting.popleft())


def _result(client: Client, photos: Sequence[Photo], future: Future[Done]) -> Done:
    """Wait for a shard. Raises ArchiveError where nobody is left who could do it."""
    _wait(client, future)
    try:
        return future.result()
    except KilledWorker as error:
        first, last = photos[0].path, photos[-1].path
        raise ArchiveError(
            f"{error.allowed_failures + 1} workers ended, one after the other, as they were given "
            f"{first} to {last}: one of these photos may take all memory. {KEPT}; EXCLUDE= leaves "
            "photos out"
        ) from error
    except CancelledError as error:
        raise ArchiveError(LOST) from error


def _wait(client: Client, future: Future[Done]) -> None:
    """Wait until a shard is done, or nobody has been there for long who could do it."""
    while not future.done():
        with suppress(TimeoutError, CancelledError):
            future.exception(timeout=ALL_GONE)
        with _scheduler_there():
            if not future.done() and not client.nthreads():
                raise ArchiveError(f"no worker is left: start some. {KEPT}")


@contextmanager
def _scheduler_there() -> Iterator[None]:
    """Say so where the scheduler is no longer there to be asked."""
    try:
        yield
    except (OSError, ClosedClientError) as error:
        raise ArchiveError(LOST) from error
