"""What the processes of a Dask cluster do for a run: caption one shard at a time."""

import os
import signal
from collections.abc import Sequence
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from batch.config import captioner_folder, version
from batch.device import share_cores
from batch.errors import ArchiveError
from batch.order import Known, Order
from batch.quiet import start_tensorflow
from batch.rows import Shard
from batch.scan import Photo
from models.errors import CheckpointError
from models.fingerprints import captioner_signature

if TYPE_CHECKING:
    from batch.caption import Stage

_alone = Lock()  # a worker of several threads captions one shard at a time all the same


def dask_setup(worker: Any) -> None:  # noqa: ARG001 - Dask gives it
    """Leave Ctrl-C to the run: for workers that it has started itself, by their `preload`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def caption_shard(photos: Sequence[Photo], order: Order) -> Shard:
    """Caption the photos of one shard; those that are known have no caption yet.

    Raises ArchiveError, which names this worker, where it would not do as the run's own machine
    does; and what `Stage` raises.
    """
    with _alone:
        stage, known = _prepared(order)
        (shard,) = stage.caption_shards(photos, known)
    return shard


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
        raise ArchiveError(
            f"does not see {order.seen[0]!r} as the run does: the folder of photos must be there, "
            "under the same path, on every machine of the cluster"
        )
    for name, signature in zip(order.captioners, order.signatures, strict=True):
        if _signature(name) != signature:
            raise ArchiveError(
                f"has another captioner {name!r} than the run, or none: bring the same one there"
            )


def _sees(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
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
    from distributed import get_worker

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
    start_tensorflow()


def _workers_here() -> int:
    """Count the workers on this machine."""
    from distributed import get_worker, worker_client

    with worker_client(separate_thread=False) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
    hosts = {address: worker["host"] for address, worker in workers.items()}
    here = hosts.get(get_worker().address)
    return max(1, sum(host == here for host in hosts.values()))
