"""Compute on what Keras' backend has, JAX or TensorFlow, and time it."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import keras
import numpy as np
from keras import ops

REPEATS = 5
MATRIX = {"gpu": 8192, "cpu": 1024}  # rows of the matrices that tell the limit

Run = Callable[[Any], Any]


def compiled(model: keras.Model) -> Run:
    """Compile a model; what it gives stays on the device, and is waited for."""
    if keras.backend.backend() == "jax":
        return _compiled_by_jax(model)
    import tensorflow as tf

    graph = tf.function(model)
    return lambda inputs: [np.asarray(ops.ravel(each)[:1]) for each in _leaves(graph(inputs))]


def _compiled_by_jax(model: keras.Model) -> Run:
    import jax

    weights = [[each.value for each in kind] for kind in _variables(model)]
    run = jax.jit(lambda weights, inputs: model.stateless_call(*weights, inputs)[0])
    return lambda inputs: jax.block_until_ready(run(weights, inputs))


def _variables(model: keras.Model) -> tuple[list[Any], list[Any]]:
    return model.trainable_variables, model.non_trainable_variables


def _leaves(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, tuple | list) else [outputs]


def rate_of(run: Run, inputs: Any, photos: int) -> float:
    """Give photos a second: the median of some runs, after one that compiles."""
    run(inputs)
    took = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run(inputs)
        took.append(time.perf_counter() - start)
    return photos / median(took)


def matrix_flops(precision: str) -> float:
    """Give the operations a second of a product of matrices, sums and products counted."""
    size = MATRIX["gpu" if "gpu" in device().lower() else "cpu"]
    dtype = "bfloat16" if precision == "bf16" else "float32"
    matrix = ops.cast(
        ops.convert_to_tensor(np.random.default_rng(1).standard_normal((size, size), np.float32)),
        dtype,
    )
    product = compiled(_product(size, dtype))
    return rate_of(product, matrix, 1) * 2 * size**3


def _product(size: int, dtype: str) -> keras.Model:
    matrix = keras.Input((size,), dtype=dtype)
    return keras.Model(matrix, ops.matmul(matrix, ops.transpose(matrix)))


def device() -> str:
    """Name what is computed on."""
    if keras.backend.backend() == "jax":
        import jax

        first = jax.devices()[0]
        return f"{first.platform}: {first.device_kind}"
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "cpu"
    return f"gpu: {tf.config.experimental.get_device_details(gpus[0]).get('device_name')}"
