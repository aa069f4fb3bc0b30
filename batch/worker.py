"""A process that reads and decodes photos for a run, so that a hostile file breaks nothing else.

`batch.worker_process` starts it and tells it which photo; what goes back is JSON and plain bytes,
never pickles: bytes from a process that has decoded hostile files are not trusted. It imports no
network and no table, so that a new one is there at once.
"""

import json
import os
import resource
import signal
import traceback
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import fields
from multiprocessing.connection import Connection
from typing import Any

from batch import formats
from batch.damage import PhotoError
from batch.memory import FOR_PHOTOS, keep_memory
from batch.photos import MAX_BYTES, LoadedPhoto, decoded, failed, identified
from batch.scan import Photo

# Bytes of address space: this program, the file, and the largest picture, in the format that takes
# most for one. That is JPEG 2000 with 22 bytes a pixel; of others 15 were seen, of most 8.
MOST_MEMORY = (512 << 20) + MAX_BYTES + 24 * formats.MAX_PIXELS
# A picture of many pixels has a second more for each million: of JPEG 2000 a fast processor decodes
# four million in a second, a slow one hardly more than one.
MANY_PIXELS, SLOWEST = 5_000_000, 1_000_000
PATIENCE = 3  # seconds by the clock for one of the processor: others want the processor too


def serve(descriptor: int) -> None:
    """Load the photos that are asked for, until whoever asks is gone."""
    _confine()
    keep_memory(FOR_PHOTOS)
    parent = Connection(descriptor)
    with suppress(EOFError, ConnectionError):
        _say(parent, "ready", None)
        while True:
            _answer(parent, *parent.recv())


def _confine() -> None:
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # libtiff prints what is wrong with a photo: its row says it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's business
    for timer in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(timer, signal.SIG_DFL)  # which ends this process, whatever it is stuck in
    for limit, most in ((resource.RLIMIT_AS, MOST_MEMORY), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # macOS knows no limit of the first kind
            resource.setrlimit(limit, (most, resource.getrlimit(limit)[1]))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")  # where memory is short, Linux shall end this process, not the run


def _answer(
    parent: Connection, photo: Photo, size: int, fetched: bytes | None, seconds: float
) -> None:
    try:
        _give(parent, _load(_Asker(parent, seconds), photo, size, fetched))
    except (EOFError, ConnectionError):
        raise
    except MemoryError:
        os._exit(1)
    except Exception:  # noqa: BLE001 - a fault of this program, which is told where the run is
        _say(parent, "fault", traceback.format_exc())


def _load(asker: "_Asker", photo: Photo, size: int, fetched: bytes | None) -> LoadedPhoto:
    try:
        found, data = identified(photo, fetched)
    except PhotoError as error:
        return failed(photo, error)
    del fetched
    formats.turn_of = asker.turn_of
    try:
        return decoded(found, data, size if asker.needs_pixels(found) else None)
    finally:
        _allow(0)


class _Asker:
    """Asks the run, and counts the seconds between its answers."""

    def __init__(self, parent: Connection, seconds: float) -> None:
        self.parent, self.seconds = parent, seconds

    def needs_pixels(self, found: LoadedPhoto) -> bool:
        return self.ask(self.seconds, "read", _told(found))

    def turn_of(self, pixels: int) -> AbstractContextManager[object]:
        """Have the time that many pixels take; wait for a large picture's turn, which it ends."""
        is_large = pixels > formats.LARGE_PIXELS
        if is_large or pixels > MANY_PIXELS:
            kind = "large" if is_large else "many"
            self.ask(seconds_for(self.seconds, pixels), kind, pixels)
        return nullcontext()

    def ask(self, seconds: float, kind: str, said: Any = None) -> bool:
        _allow(0)
        _say(self.parent, kind, said)
        answer = self.parent.recv()
        _allow(seconds)
        return bool(answer)


def seconds_for(seconds: float, pixels: int) -> float:
    """Give the seconds that a picture may take to decode, of which a small one has so many."""
    return seconds + min(pixels, formats.MAX_JPEG_PIXELS) / SLOWEST


def _allow(seconds: float) -> None:
    """Let the system end this process after so many seconds of work from now on; 0: never."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, (PATIENCE + 1) * seconds)  # where the run is gone


def _told(found: LoadedPhoto) -> dict[str, Any]:
    names = (field.name for field in fields(found))
    return {name: getattr(found, name) for name in names if name not in ("photo", "pixels")}


def _give(parent: Connection, loaded: LoadedPhoto) -> None:
    _say(parent, "loaded", _told(loaded), b"" if loaded.pixels is None else loaded.pixels.tobytes())


def _say(parent: Connection, kind: str, said: Any, pixels: bytes = b"") -> None:
    parent.send_bytes(json.dumps([kind, said]).encode("ascii") + b"\n" + pixels)
