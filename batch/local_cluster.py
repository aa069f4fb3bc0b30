"""A Dask cluster of this machine alone: processes of one thread, and a card each where there are.

They speak over TLS, with a key that is made for the run and is in no file: a Dask scheduler runs
any code that reaches it, and others may have an account on this machine.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import dask
from distributed import Nanny, Scheduler, Security, SpecCluster

PRELOAD = ("batch.on_worker",)  # what a worker imports before it begins
# Dask tells everyone who asks by HTTP what is being done.
_NO_PAGES: dict[str, list[str]] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
_CARDS = "/proc/driver/nvidia/gpus"


class _Nanny(Nanny):
    """Looks after one worker; a run that ends waits a second for it, whatever it is doing."""

    async def close(  # type: ignore[override]  # as Nanny's own
        self, timeout: float = 1, reason: str = "nanny-close"
    ) -> Literal["OK"]:
        return await super().close(timeout, reason)


def local_cluster(workers: int) -> SpecCluster:
    """Start a scheduler in this process and so many workers beside it; one that dies is replaced.

    The workers end with this process, however it ends.
    """
    shared: dict[str, Any] = {
        "host": "127.0.0.1",
        "protocol": "tls://",
        "security": Security.temporary(),
        "dashboard": False,
        "dashboard_address": "127.0.0.1:0",  # any port: Dask's own may be taken
    }
    each = shared | {
        "nthreads": 1,
        "memory_limit": 0,  # Dask would end a worker that takes its share of the memory
        "preload": list(PRELOAD),
        "silence_logs": logging.CRITICAL,
    }
    found = cards()
    nannies = {
        number: {"cls": _Nanny, "options": each | {"env": environment(number, workers, found)}}
        for number in range(workers)
    }
    scheduler = {"cls": Scheduler, "options": shared | {"port": 0}}
    with dask.config.set(_NO_PAGES):
        return SpecCluster(nannies, scheduler, security=shared["security"], name="photo captions")


def environment(number: int, workers: int, cards: Sequence[str]) -> dict[str, str]:
    """Give the settings of a worker, by its number: one card of several, in turn.

    A card that workers share is not taken whole by the first of them.
    """
    settings = {}
    if len(cards) > 1:
        settings["CUDA_VISIBLE_DEVICES"] = cards[number % len(cards)]
    if workers > len(cards) > 0:
        settings["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    return settings


def cards(around: Mapping[str, str] = os.environ, driver: str = _CARDS) -> list[str]:
    """Name NVIDIA's cards as CUDA_VISIBLE_DEVICES does: those that it allows, or else all.

    The driver is asked, not TensorFlow, which would take the cards.
    """
    allowed = around.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [card.strip() for card in allowed.split(",") if card.strip()]
    there = os.listdir(driver) if os.path.isdir(driver) else []
    return [str(number) for number in range(len(there))]
