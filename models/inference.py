"""The encoder as it runs: operations on constant weights, so that nothing is looked up or checked.

What runs them folds all it can: the bias and the rectifier into each convolution, to begin with.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from keras import ops

from models.errors import CheckpointError
from models.inception import inception

CENTRE = 127.5  # of a byte's values; a byte less this is exact in bfloat16
_DTYPES = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(ml_dtypes.bfloat16)}


class Weights:
    """Kernels and biases, a convolution's after the other's.

    arrays: as `read_encoder_weights` gives them, for pixels from -1 to 1; what is given is for
    centred bytes: -127.5 to 127.5. path: the file they are from, for errors.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], path: str) -> None:
        self.arrays = arrays
        self.path = path
        self.given = 0

    def next(self, *shape: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the next kernel, of height, width, channels and filters, and its bias, float32.

        Raises CheckpointError where they are missing, of another shape, or no numbers.
        """
        self.given += 1
        kernel = self._array(f"conv2d_{self.given}/kernel", shape)
        bias = self._array(f"conv2d_{self.given}/bias", shape[-1:])
        return (kernel / np.float32(CENTRE) if self.given == 1 else kernel), bias

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        array = self.arrays.get(name, np.empty(0))
        if array.shape != shape:
            raise CheckpointError(f"{self.path}: {name} is {array.shape}, not {shape}")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise CheckpointError(f"{self.path}: {name} holds no numbers; copy the file again")
        return array.astype(np.float32)


def encode(pixels: Any, weights: Weights, dtype: str) -> Any:
    """Encode uint8 (photos, 299, 299, 3) into (photos, 8, 8, 2048), float16.

    dtype: `float32`, or `bfloat16`, in which sums are still of float32. On any of Keras' backends;
    to be traced into a graph, once.
    """
    grid = ops.cast(ops.subtract(ops.cast(pixels, "float32"), CENTRE), dtype)
    return ops.cast(inception(grid, _KerasOps(weights, dtype)), "float16")


class _KerasOps:
    def __init__(self, weights: Weights, dtype: str) -> None:
        self.weights = weights
        self.dtype = _DTYPES[dtype]

    def convolve(
        self, grid: Any, filters: int, size: tuple[int, int], strides: int, padding: str
    ) -> Any:
        return ops.relu(self._linear(grid, filters, size, strides, padding))

    def _linear(
        self, grid: Any, filters: int, size: tuple[int, int], strides: int, padding: str
    ) -> Any:
        kernel, bias = self.weights.next(*size, grid.shape[-1], filters)
        kernel, bias = (ops.convert_to_tensor(array.astype(self.dtype)) for array in (kernel, bias))
        return ops.add(ops.conv(grid, kernel, strides, padding, "channels_last"), bias)

    def max_pool(self, grid: Any) -> Any:
        return ops.max_pool(grid, 3, 2, "valid", "channels_last")

    def mean_and_convolve(self, grid: Any, filters: int) -> Any:
        mixed = self._linear(grid, filters, (1, 1), 1, "same")
        return ops.relu(ops.average_pool(mixed, 3, 1, "same", "channels_last"))

    def join(self, branches: Sequence[Any], name: str) -> Any:  # noqa: ARG002
        return ops.concatenate(branches, axis=-1)
