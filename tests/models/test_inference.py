"""The encoder as it runs gives what the Keras model gives, and refuses weights that do not fit."""

import keras
import numpy as np
import pytest

from models.encoder import FEATURES, GRID, IMAGE_SIZE, build_encoder
from models.errors import CheckpointError
from models.inference import Weights, encode, place


@pytest.fixture(scope="module")
def pixels():
    """Two photos: a grainy slope, and its negative."""
    down, across = np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE]
    noise = np.random.default_rng(0).integers(0, 80, (IMAGE_SIZE, IMAGE_SIZE, 3))
    slope = (down // 3 + across // 4)[..., None] + noise
    return np.stack([slope, 255 - slope]).astype(np.uint8)


@pytest.fixture(scope="module")
def encoder():
    """Build an encoder of random weights that keep numbers at their size from layer to layer."""
    model = build_encoder()
    rng = np.random.default_rng(1)
    for weight in model.weights:
        width = np.prod(weight.shape[:-1]) if weight.name == "kernel" else 25
        weight.assign(rng.normal(0, np.sqrt(2 / width), weight.shape))
    return model


@pytest.fixture(scope="module")
def arrays(encoder):
    """Give its weights by name."""
    return {weight.path: np.asarray(weight) for weight in encoder.weights}


@pytest.fixture(scope="module")
def expected(encoder, pixels):
    """Give its features."""
    return encoder.predict_on_batch(pixels)


def far(found, expected):
    """Relative L2 distance."""
    found = np.asarray(found, np.float32)
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def run(pixels, arrays, dtype):
    """Encode without a graph."""
    tensors = place(Weights(arrays, "a.h5"), dtype)
    return keras.ops.convert_to_numpy(encode(pixels, tensors, dtype))


def test_float32_is_what_keras_computes_within_what_the_cache_keeps(arrays, pixels, expected):
    features = run(pixels, arrays, "float32")
    assert features.dtype == np.float16
    assert features.shape == (2, GRID, GRID, FEATURES)
    assert expected.std() > 0.1
    assert far(features, expected) < 5e-4


def test_bfloat16_is_close(arrays, pixels, expected):
    features = run(pixels, arrays, "bfloat16")
    assert 5e-4 < far(features, expected) < 0.05


BAD = {
    "missing": lambda array: None,
    "narrow": lambda array: array[..., :1],
    "no numbers": lambda array: np.full_like(array, np.nan),
    "words": lambda array: np.full(array.shape, b"a"),
    "whole numbers": lambda array: array.astype(int),
}


@pytest.mark.parametrize("name", ["conv2d_1/kernel", "conv2d_94/bias"])
@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_weights_that_do_not_fit_are_named(arrays, name, spoil):
    spoilt = {**arrays, name: spoil(arrays[name])}
    spoilt = {each: array for each, array in spoilt.items() if array is not None}
    with pytest.raises(CheckpointError, match=f"a.h5: {name}"):
        place(Weights(spoilt, "a.h5"), "float32")
