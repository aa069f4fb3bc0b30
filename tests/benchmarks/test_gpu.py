"""What is told of a GPU is counted and timed right; here on the processor."""

import keras
import numpy as np
import pytest

from benchmarks.flops import encoder_flops
from benchmarks.gpu import bottleneck
from benchmarks.on_device import compiled, device, matrix_flops, rate_of
from models.encoder import build_encoder


def flops_of(layer):
    """Count the products and sums of one of Keras' convolutions."""
    _, height, width, filters = layer.output.shape
    return 2 * height * width * filters * np.prod(layer.kernel.shape[:3])


def test_operations_are_counted_as_keras_layers_have_them():
    layers = build_encoder().get_layer("inception_v3").layers
    counted = sum(flops_of(each) for each in layers if isinstance(each, keras.layers.Conv2D))
    assert encoder_flops() == counted


def test_a_compiled_model_gives_what_the_model_does():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    (found,) = compiled(model)(keras.ops.convert_to_tensor(numbers))
    np.testing.assert_allclose(found, np.asarray(model(numbers)).ravel()[:1], rtol=1e-5)


def test_rates_leave_the_first_run_out(monkeypatch):
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr("benchmarks.on_device.time.perf_counter", lambda: next(clock))
    ran = []
    assert rate_of(ran.append, "photos", 10) == 5
    assert len(ran) == 6


@pytest.mark.parametrize("precision", ["bf16", "f32"])
def test_the_limit_is_found_in_either_precision(monkeypatch, precision):
    monkeypatch.setattr("benchmarks.on_device.MATRIX", {"cpu": 64, "gpu": 64})
    assert matrix_flops(precision) > 0
    assert device()


def test_the_slowest_part_is_the_bottleneck():
    batches = {
        "32": {"encoder photos/s": 90.0, "decoder photos/s": 200.0},
        "64": {"encoder photos/s": 100.0, "decoder photos/s": 50.0},
    }
    loaded = {"small": 900.0, "12 megapixels": 70.0}
    found = {"bf16": {"batches": batches}, "loaded photos/s": loaded}
    assert bottleneck(found, "bf16") == {"small": "encoder", "12 megapixels": "loading"}
