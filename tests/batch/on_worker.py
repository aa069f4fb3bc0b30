"""What the workers of a test's cluster import: stand-ins for the networks, and how they die.

A photo of one colour makes its worker do something while it encodes: red ends it each time, green
once, blue takes a moment.
"""

import os
import signal
import time
from pathlib import Path

import numpy as np

import batch.on_worker
from tests.batch.archives import FakeEncoder, StubCaptioner

SHARD = 16  # photos
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
MARK = "GREEN_HAS_ENDED"  # in the environment: the path of a file


class Encoder(FakeEncoder):
    """Encodes as the stand-in does."""

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        seen = {tuple(photo[0, 0]) for photo in pixels if (photo == photo[0, 0]).all()}
        if RED in seen or (GREEN in seen and not _has_ended()):
            os.kill(os.getpid(), signal.SIGKILL)
        if BLUE in seen:
            time.sleep(0.5)
        return super().predict_on_batch(pixels)


def _has_ended() -> bool:
    mark = Path(os.environ[MARK])
    has_ended = mark.exists()
    mark.touch()
    return has_ended


def stand_in() -> None:
    """Let this process caption with stand-ins, in small shards."""
    import batch.caption
    import batch.encode

    encoder = Encoder()
    batch.caption.SHARD_PHOTOS = batch.encode.CHUNK = SHARD
    batch.caption.load_encoder = lambda folder, bfloat16: encoder
    batch.caption.has_bfloat16 = lambda: False
    batch.caption.Captioner.load = StubCaptioner().loaded


_start = batch.on_worker._start


def start() -> None:
    """Start TensorFlow, and let stand-ins take the networks' place."""
    _start()
    stand_in()


batch.on_worker._start = start
