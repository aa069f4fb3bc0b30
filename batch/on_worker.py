"""What the processes of a Dask cluster do for a run: one shard at a time."""

import os
import signal
from collections.abc import Sequence
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from distributed import get_worker, worker_client

from batch.config import captioner_folder, version
from batch.device import share_cores
from batch.errors import ArchiveError
from batch.order import Known, Order, size_of, unseen
from batch.quiet import start_tensorflow
from batch.rows import Shard
from batch.scan import Photo
from models.errors import CheckpointError
from models.fingerprints import captioner_signature

if TYPE_CHECKING:
    from batch.caption import Stage
    from batch.photos import LoadedPhoto

_alone = Lock()  # a worker of several threads does one shard at a time all the same


def dask_setup(worker: Any) -> None:  # noqa: ARG001 - Dask gives it
    """Leave signals to the run: for workers that it has started itself, by their `preload`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def caption_shard(photos: Sequence[Photo], order: Order) -> Shard:
    """Caption the photos of one shard; those that are known have no caption yet.

    Raises ArchiveError, which names this worker, where it would not do as the run's own machine
    does; and what `Stage` raises.
    """
    with _alone:
        stage, known = _prepared(order)
        (shard,) = stage.caption_shards(photos, known)
    return shard


def encode_shard(photos: Sequence[Photo], order: Order) -> tuple[list["LoadedPhoto"], int]:
    """Put the features of the photos of one shard into the cache, and tell how many were encoded.

    Raises as `caption_shard`.
    """
    with _alone:
        stage, _ = _prepared(order)
        from batch.encode import fill_cache  # which counts the cores as it is imported

        chunks = list(fill_cache(photos, stage.cache, stage.encode))
    return [photo for loaded, _ in chunks for photo in loaded], sum(new for _, new in chunks)


def check(order: Order) -> None:
    """Look whether this worker sees what the run sees, and has the same program and captioners.

    Raises ArchiveError, which says how they differ.
    """
    if version() != order.version:
        raise ArchiveError(
            f"has version {version()} of this program, and the run has {order.version}: start it "
            "from the same one"
        )
    Known(order)
    if order.seen and not _sees(*order.seen):
        raise ArchiveError(unseen(repr(order.seen[0]), order.seen[0]))
    for name, signature in zip(order.captioners, order.signatures, strict=True):
        if _signature(name) != signature:
            raise ArchiveError(
                f"has another captioner {name!r} than the run, or none: bring the same one there"
            )


def _sees(place: str, size: int) -> bool:
    try:
        return size_of(place) == size
    except OSError:
        return False


def _signature(captioner: str) -> str | None:
    try:
        return captioner_signature(captioner_folder(captioner))
    except (CheckpointError, OSError):
        return None


@lru_cache(maxsize=1)
def _prepared(order: Order) -> tuple["Stage", Known]:
    """Load what captioning needs, once a run: what lies in the cache is that of now."""
    try:
        check(order)
    except ArchiveError as error:
        raise ArchiveError(f"the worker {get_worker().address} {error}") from error
    os.environ.update(order.settings)
    _start()
    from batch.caption import Stage

    folders = [captioner_folder(name) for name in order.captioners]
    stage = Stage.load(folders, order.features, dict(order.search), order.cache_limit)
    if stage.cache.limit:
        stage.cache.limit.is_shared = True
    return stage, Known(order)


@cache
def _start() -> None:
    """Start TensorFlow on this process' share of the machine: it cannot be changed later."""
    share_cores(_workers_here())
    keep_to_one_card()
    start_tensorflow()


def keep_to_one_card() -> None:
    """Leave all cards alone but the first that is allowed: TensorFlow would take their memory.

    dask-cuda lets each worker see all of them, its own as the first.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if "," in allowed:
        os.environ["CUDA_VISIBLE_DEVICES"] = allowed.split(",")[0].strip()


def _workers_here() -> int:
    """Count the workers on this machine."""
    with worker_client(separate_thread=False) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
    hosts = {address: worker["host"] for address, worker in workers.items()}
    here = hosts.get(get_worker().address)
    return max(1, sum(host == here for host in hosts.values()))
