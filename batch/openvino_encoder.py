"""The encoder in OpenVINO, which is optional: `make openvino` installs it.

https://docs.openvino.ai; operations of its opset 1, on grids (photos, channels, height, width).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset1 as op

from models.encoder import IMAGE_SIZE
from models.inception import STEM, inception
from models.inference import CENTRE, Weights

_CHANNELS_FIRST, _CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


class OpenVinoEncoder:
    """A compiled model that gives float16; `bfloat16` or float32 is what it computes in.

    Where `largest` tells how large the numbers get that each convolution takes in, all but those
    before the first block compute in 8 bits. It is compiled again where a batch is of another size.
    Raises CheckpointError where weights are missing or do not fit.
    """

    def __init__(
        self, weights: Weights, *, bfloat16: bool = False, largest: Sequence[float] = ()
    ) -> None:
        self._model = _build(_InBytes(weights, largest) if largest else _Operations(weights))
        self._settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "PERFORMANCE_HINT": "LATENCY",  # all threads on one batch
        }
        self._compiled: Any = None
        self._size = 0

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """Encode uint8 (photos, 299, 299, 3) into float16 (photos, 8, 8, 2048)."""
        if len(pixels) != self._size:
            self._model.reshape([len(pixels), IMAGE_SIZE, IMAGE_SIZE, 3])
            self._compiled = ov.Core().compile_model(self._model, "CPU", self._settings)
            self._size = len(pixels)
        return np.asarray(self._compiled(pixels)[0])


def _build(operations: "_Operations") -> ov.Model:
    pixels = op.parameter([-1, IMAGE_SIZE, IMAGE_SIZE, 3], np.uint8, name="pixels")
    centred = op.subtract(op.convert(pixels, "f32"), np.float32(CENTRE))
    grid = inception(op.transpose(centred, _CHANNELS_FIRST), operations)
    features = op.convert(op.transpose(grid, _CHANNELS_LAST), "f16")
    return ov.Model([features], [pixels], "encoder")


class _Operations:
    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def convolve(
        self, grid: Any, filters: int, size: tuple[int, int], strides: int, padding: str
    ) -> Any:
        return op.relu(self._linear(grid, filters, size, strides, padding))

    def _linear(
        self, grid: Any, filters: int, size: tuple[int, int], strides: int, padding: str
    ) -> Any:
        channels = grid.get_output_partial_shape(0)[1].get_length()
        kernel, bias = self.weights.next(*size, channels, filters)
        steps, auto_pad = [strides, strides], {"same": "SAME_UPPER", "valid": "VALID"}[padding]
        taken = self._taken(grid, np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        mixed = op.convolution(*taken, steps, [0, 0], [0, 0], [1, 1], auto_pad)
        return op.add(mixed, bias.reshape(1, filters, 1, 1))

    def _taken(self, grid: Any, kernel: np.ndarray) -> tuple[Any, Any]:
        """Give what the convolution whose weights were taken last is to be of."""
        return grid, kernel

    def max_pool(self, grid: Any) -> Any:
        return op.max_pool(grid, [2, 2], [0, 0], [0, 0], [3, 3], auto_pad="VALID")

    def mean_and_convolve(self, grid: Any, filters: int) -> Any:
        mixed = self._linear(grid, filters, (1, 1), 1, "same")
        return op.relu(op.avg_pool(mixed, [1, 1], [1, 1], [1, 1], [3, 3], exclude_pad=True))

    def join(self, branches: Sequence[Any], name: str) -> Any:  # noqa: ARG002
        return op.concat(list(branches), 1)


class _InBytes(_Operations):
    """All but the stem in 8 bits: what is taken in from zero on, kernels a filter at a time.

    Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-
    arithmetic-only inference". OpenVINO makes whole numbers of what is between such steps.
    """

    def __init__(self, weights: Weights, largest: Sequence[float]) -> None:
        super().__init__(weights)
        self.largest = largest

    def _taken(self, grid: Any, kernel: np.ndarray) -> tuple[Any, Any]:
        number = self.weights.given
        if number <= STEM:
            return grid, kernel
        zero, most = np.float32(0), np.float32(self.largest[number - 1])
        ends = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True)
        return (
            op.fake_quantize(grid, zero, most, zero, most, 256),
            op.fake_quantize(kernel, -ends, ends, -ends, ends, 255),
        )
