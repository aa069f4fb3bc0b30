"""The encoder as runs use it: traced into a graph once, from its weights, without a Keras model.

TensorFlow puts each convolution, its bias and its rectifier into one call of oneDNN. GPUs run the
Keras model. ENCODER_BACKEND=openvino in the environment lets OpenVINO compute instead, on the
processor; with PRECISION=int8 it does, most of it in 8 bits.
"""

from typing import Any, Protocol

import numpy as np

from batch.device import OPENVINO, asked_backend, asked_precision, has_gpu
from models import captioner
from models.captioner import CaptionerConfig
from models.encoder import IMAGE_SIZE, read_encoder_weights
from models.errors import MissingExtraError
from models.inference import Weights, encode, place
from models.ranges import Ranges


class Encoder(Protocol):
    """What encodes a batch of photos."""

    def predict_on_batch(self, pixels: np.ndarray) -> Any:
        """Give features (photos, 8, 8, 2048) of uint8 (photos, 299, 299, 3)."""


def load_encoder(folder: str, *, bfloat16: bool = False) -> Encoder:
    """Load the encoder that a captioner's folder names, for this machine.

    Raises CheckpointError where it is not whole; ArchiveError where ENCODER_BACKEND or PRECISION
    name nothing that there is, MissingExtraError where OpenVINO is to compute and not installed.
    """
    backend = asked_backend()
    if backend == "tensorflow" and has_gpu():
        return captioner.load_encoder(folder, bfloat16=bfloat16)
    path = CaptionerConfig.read(folder).encoder_weights(folder)
    largest = Ranges.read(path).largest if asked_precision() == "int8" else ()
    weights = Weights(read_encoder_weights(path), path)
    if backend == "tensorflow":
        return FrozenEncoder(weights, bfloat16=bfloat16)
    return _openvino_encoder()(weights, bfloat16=bfloat16, largest=largest)


def _openvino_encoder() -> Any:
    try:
        from batch.openvino_encoder import OpenVinoEncoder
    except ImportError as error:
        raise MissingExtraError(*OPENVINO) from error
    return OpenVinoEncoder


class FrozenEncoder:
    """A TensorFlow graph that gives float16; `bfloat16` or float32 is what it computes in.

    Raises CheckpointError where weights are missing or do not fit.
    """

    def __init__(self, weights: Weights, *, bfloat16: bool = False) -> None:
        import tensorflow as tf

        dtype = "bfloat16" if bfloat16 else "float32"
        photos = tf.TensorSpec((None, IMAGE_SIZE, IMAGE_SIZE, 3), tf.uint8)
        tensors = place(weights, dtype)
        graph = tf.function(lambda pixels: encode(pixels, tensors, dtype), autograph=False)
        self._graph = graph.get_concrete_function(photos)
        self._tensor = tf.constant

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """Encode uint8 (photos, 299, 299, 3) into float16 (photos, 8, 8, 2048)."""
        return np.asarray(self._graph(self._tensor(pixels)))
