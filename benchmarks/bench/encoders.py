"""Ways to encode: pixels in memory, or photos decoded whole by Pillow, in batches.

All compute the same network with the same weights, those of a captioner.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from batch.device import cores
from batch.encode import batched
from benchmarks.bench.way import Task, Work

BATCH = 32
ROUND_BATCHES = 2
Predict = Callable[[Iterator[np.ndarray]], Iterator[Any]]
"""Gives features for batches of pixels (photos, 299, 299, 3) uint8."""


def in_memory(task: Task, backend: str, precision: str) -> Work:
    """Make ready to encode batches of the same pixels."""
    predict = _predict(task.captioner, backend, precision)
    with ThreadPoolExecutor(cores()) as threads:
        loaded = list(threads.map(decode, task.paths[:BATCH]))
    pixels = np.stack([loaded[each % len(loaded)] for each in range(BATCH)])
    list(predict(iter([pixels])))

    def encode() -> int:
        return sum(len(features) for features in predict(iter([pixels] * ROUND_BATCHES)))

    return encode


def with_loading(task: Task, backend: str, precision: str) -> Work:
    """Make ready to load and encode photos: threads decode ahead of the encoder."""
    predict = _predict(task.captioner, backend, precision)

    def encode(paths: list[str]) -> int:
        with ThreadPoolExecutor(cores()) as threads:
            batches = map(np.stack, batched(threads.map(decode, paths), BATCH))
            return sum(len(features) for features in predict(batches))

    encode(task.paths[:BATCH])  # a batch of the size that is compiled for
    return partial(encode, task.paths)


def decode(path: str) -> np.ndarray:
    """Decode a whole photo by Pillow and make it 299x299."""
    with Image.open(path) as image:
        small = image.convert("RGB").resize((299, 299), Image.Resampling.BILINEAR)
    return np.asarray(small)


def _predict(captioner: str, backend: str, precision: str) -> Predict:
    if backend == "keras":
        model = keras_model(captioner, bfloat16=precision == "bf16")
        return lambda batches: iter([model.predict(((each,) for each in batches), verbose=0)])
    encoder = onnx(captioner) if backend == "onnx" else ours(captioner, backend, precision)
    return partial(map, encoder.predict_on_batch)


def keras_model(captioner: str, *, bfloat16: bool) -> Any:
    """Build what Keras offers: uint8 (photos, 299, 299, 3) to (photos, 8, 8, 2048)."""
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16" if bfloat16 else "float32")
    pixels = keras.Input((299, 299, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32")(pixels)
    return keras.Model(pixels, inception_v3(captioner)(scaled))


def inception_v3(captioner: str) -> Any:
    """Build Keras' InceptionV3, its normalisations too, that gives a captioner's features."""
    import keras

    from models.encoder import read_encoder_weights

    arrays = read_encoder_weights(weights_of(captioner))
    model = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(299, 299, 3)
    )
    pairs = zip(
        _layers(model, keras.layers.Conv2D),
        _layers(model, keras.layers.BatchNormalization),
        strict=True,
    )
    for number, (convolution, normalisation) in enumerate(pairs, 1):
        bias = arrays[f"conv2d_{number}/bias"]
        ones = np.full_like(bias, 1 - normalisation.epsilon)
        convolution.set_weights([arrays[f"conv2d_{number}/kernel"]])
        normalisation.set_weights([bias, np.zeros_like(bias), ones])
    return model


def _layers(model: Any, kind: type) -> list[Any]:
    """Give the layers of a kind in the order they were made in, which their names tell."""
    layers = [layer for layer in model.layers if isinstance(layer, kind)]
    return sorted(layers, key=lambda layer: (len(layer.name), layer.name))


def ours(captioner: str, backend: str, precision: str) -> Any:
    """Load the program's own encoder.

    backend: `tensorflow` or `openvino`; precision: `f32`, `bf16`, `int8`, or `default`: what the
    machine is good at.
    """
    from batch.device import has_bfloat16
    from batch.frozen import load_encoder
    from batch.quiet import start_tensorflow

    start_tensorflow()
    os.environ["ENCODER_BACKEND"] = backend
    if precision == "int8":
        os.environ["PRECISION"] = precision
    bfloat16 = has_bfloat16() if precision in ("default", "int8") else precision == "bf16"
    return load_encoder(captioner, bfloat16=bfloat16)


def onnx(captioner: str) -> Any:
    """Load the encoder as an ONNX model, in float32."""
    from benchmarks.bench.onnx_encoder import OnnxEncoder
    from models.encoder import read_encoder_weights
    from models.inference import Weights

    path = weights_of(captioner)
    return OnnxEncoder(Weights(read_encoder_weights(path), path))


def weights_of(captioner: str) -> str:
    """Say where a captioner's encoder has its weights."""
    from models.captioner import CaptionerConfig

    return str(Path(CaptionerConfig.read(captioner).encoder_weights(captioner)))
