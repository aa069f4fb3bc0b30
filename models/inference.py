"""The encoder as it runs: operations on weights that stay as they are, in one graph.

What runs it puts the bias and the rectifier into each convolution. The weights are arguments of the
graph, not constants in it: as constants they are laid out for the processor once instead of once a
batch, which took 2% less time a photo, 850 MiB more memory, and 1.5 s more to start.
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

    def __init__(self, arrays: Mapping[str, Any], path: str) -> None:
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


def encode(pixels: Any, tensors: Sequence[tuple[Any, Any]], dtype: str) -> Any:
    """Encode uint8 (photos, 299, 299, 3) into (photos, 8, 8, 2048), float16.

    tensors: as `place` gives them for `dtype`: `float32`, or `bfloat16`, in which sums are still of
    float32. On any of Keras' backends.
    """
    grid = ops.cast(ops.subtract(ops.cast(pixels, "float32"), CENTRE), dtype)
    return ops.cast(inception(grid, _KerasOps(tensors)), "float16")


def place(weights: Weights, dtype: str) -> list[tuple[Any, Any]]:
    """Make tensors of kernels and biases, for `encode`. Raises CheckpointError, as weights do."""
    walk = _Shapes(weights, _DTYPES[dtype])
    inception(3, walk)
    return walk.tensors


def largest_inputs(pixels: Any, tensors: Sequence[tuple[Any, Any]]) -> Any:
    """Tell how large the numbers of each photo get that each convolution takes in.

    Gives (photos, 94) float32. pixels, tensors: as for `encode` in float32.
    """
    watching = _Watching(tensors)
    inception(ops.subtract(ops.cast(pixels, "float32"), CENTRE), watching)
    return ops.stack(watching.largest, axis=1)


class _Shapes:
    """Goes through the network with the number of channels alone."""

    def __init__(self, weights: Weights, dtype: Any) -> None:
        self.weights = weights
        self.dtype = dtype
        self.tensors: list[tuple[Any, Any]] = []

    def convolve(
        self,
        grid: int,
        filters: int,
        size: tuple[int, int],
        strides: int,  # noqa: ARG002
        padding: str,  # noqa: ARG002
    ) -> int:
        kernel, bias = self.weights.next(*size, grid, filters)
        placed = [ops.convert_to_tensor(array.astype(self.dtype)) for array in (kernel, bias)]
        self.tensors.append((placed[0], placed[1]))
        return filters

    def max_pool(self, grid: int) -> int:
        return grid

    def mean_and_convolve(self, grid: int, filters: int) -> int:
        return self.convolve(grid, filters, (1, 1), 1, "same")

    def join(self, branches: Sequence[int], name: str) -> int:  # noqa: ARG002
        return sum(branches)


class _KerasOps:
    def __init__(self, tensors: Sequence[tuple[Any, Any]]) -> None:
        self.tensors = iter(tensors)

    def convolve(
        self,
        grid: Any,
        filters: int,  # noqa: ARG002
        size: tuple[int, int],  # noqa: ARG002
        strides: int,
        padding: str,
    ) -> Any:
        return ops.relu(self._linear(grid, strides, padding))

    def _linear(self, grid: Any, strides: int, padding: str) -> Any:
        kernel, bias = next(self.tensors)
        return ops.add(ops.conv(grid, kernel, strides, padding, "channels_last"), bias)

    def max_pool(self, grid: Any) -> Any:
        return ops.max_pool(grid, 3, 2, "valid", "channels_last")

    def mean_and_convolve(self, grid: Any, filters: int) -> Any:  # noqa: ARG002
        mixed = self._linear(grid, 1, "same")
        return ops.relu(ops.average_pool(mixed, 3, 1, "same", "channels_last"))

    def join(self, branches: Sequence[Any], name: str) -> Any:  # noqa: ARG002
        return ops.concatenate(branches, axis=-1)


class _Watching(_KerasOps):
    def __init__(self, tensors: Sequence[tuple[Any, Any]]) -> None:
        super().__init__(tensors)
        self.largest: list[Any] = []

    def _linear(self, grid: Any, strides: int, padding: str) -> Any:
        self.largest.append(ops.max(grid, axis=(1, 2, 3)))
        return super()._linear(grid, strides, padding)
