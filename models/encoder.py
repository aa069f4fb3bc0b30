"""The encoder: InceptionV3 without its top, pixels in, an 8x8 grid of 2048 features out.

Szegedy et al. 2016, "Rethinking the Inception Architecture", as `keras.applications` builds it.
Batch normalisation keeps its ImageNet statistics, so it is a constant scale and shift of what each
convolution gives: it is folded into the kernels and biases, which are then trained and shipped.
"""

import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models.checkpoint import assign, load_variables, read_arrays
from models.errors import CheckpointError
from models.hdf5 import opened
from models.inception import CONVOLUTIONS, inception

IMAGE_SIZE = 299  # pixels a side
GRID = 8  # cells a side
LOCATIONS = GRID * GRID
FEATURES = 2048  # numbers a cell

LARGEST_NPZ = 1 << 29  # bytes: four times those of float32
_EPSILON = 1e-3  # of Keras' BatchNormalization in InceptionV3
_DAMAGE = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


def build_encoder(*, bfloat16: bool = False) -> keras.Model:
    """Make an untrained encoder: uint8 (photos, 299, 299, 3) to (photos, 8, 8, 2048).

    With `bfloat16` the convolutions compute in bfloat16 over float32 weights, and the features
    are bfloat16; else everything is float32.
    """
    shape = (IMAGE_SIZE, IMAGE_SIZE, 3)
    photo = keras.Input(shape, name="photo")
    grid = inception(photo, _KerasLayers("mixed_bfloat16" if bfloat16 else "float32"))
    pixels = keras.Input(shape, dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32")(pixels)
    return keras.Model(
        pixels, keras.Model(photo, grid, name="inception_v3")(scaled), name="encoder"
    )


class _KerasLayers:
    """Layers named as `keras.applications` names them, the convolutions from `conv2d_1` on."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.made = 0

    def convolve(
        self, grid: Any, filters: int, size: tuple[int, int], strides: int, padding: str
    ) -> Any:
        self.made += 1
        name, dtype = f"conv2d_{self.made}", self.dtype
        layer = keras.layers.Conv2D(filters, size, strides, padding, name=name, dtype=dtype)
        return keras.layers.Activation("relu", dtype=dtype)(layer(grid))

    def max_pool(self, grid: Any) -> Any:
        return keras.layers.MaxPooling2D(3, 2, dtype=self.dtype)(grid)

    def mean_and_convolve(self, grid: Any, filters: int) -> Any:
        mean = keras.layers.AveragePooling2D(3, 1, "same", dtype=self.dtype)
        return self.convolve(mean(grid), filters, (1, 1), 1, "same")

    def join(self, branches: Sequence[Any], name: str) -> Any:
        return keras.layers.Concatenate(name=name, dtype=self.dtype)(branches)


def load_encoder_weights(encoder: keras.Model, weights: str) -> None:
    """Fill an encoder with what `read_encoder_weights` gives.

    Raises CheckpointError when the file cannot be read or does not fit.
    """
    if weights.endswith(".weights.h5") and Path(weights).is_file():
        load_variables(encoder.variables, weights)  # none of another shape is read
        return
    arrays = read_encoder_weights(weights)
    for variable in encoder.variables:
        assign(variable, arrays, variable.path, weights)


def read_encoder_weights(weights: str) -> dict[str, np.ndarray]:
    """Read an encoder's arrays: `imagenet` (Keras downloads it once), or the path of a file.

    A file is one of ours (`encoder.weights.h5`), Keras' `inception_v3_…_notop.h5`, or an `.npz` of
    `conv2d_I/kernel`, `batch_normalization_I/{beta,moving_mean,moving_variance}`, I = 1..94.
    Gives `conv2d_I/kernel` (height, width, channels, filters) and `conv2d_I/bias` (filters,), of
    any float type. Raises CheckpointError when the file is none of these.
    """
    if weights == "imagenet":
        return _named(_from_keras(weights))
    if not Path(weights).is_file():
        raise CheckpointError(
            f"{weights}: no such file; give 'imagenet' or the path of a weights file"
        )
    if weights.endswith(".npz"):
        return _named(_from_npz(weights))
    if weights.endswith(".weights.h5"):
        return read_arrays(weights)
    _check_own(weights)
    return _named(_from_keras(weights))


def _check_own(path: str) -> None:
    """Raise CheckpointError unless a file is HDF5 that Keras reads nothing but arrays from."""
    try:
        if not path.endswith((".h5", ".hdf5")):  # Keras opens other endings in other ways
            raise ValueError("its name ends in none of .h5, .hdf5 and .npz")
        with opened(path):
            pass
    except (*_DAMAGE, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: not InceptionV3 weights that Keras can load ({error})"
        ) from error


def tune(encoder: keras.Model, after: str = "") -> None:
    """Leave only the layers after the one named `after` to be trained; all of them by default.

    Names are those of `keras.applications.InceptionV3`: `mixed5` is the middle of its blocks.
    Raises ValueError where there is no such layer.
    """
    layers = encoder.layers[-1].layers  # from input to output
    names = [layer.name for layer in layers]
    start = names.index(after) + 1 if after else 0
    for place, layer in enumerate(layers):
        layer.trainable = place >= start


def _inception(weights: str | None) -> keras.Model:
    return keras.applications.InceptionV3(
        include_top=False, weights=weights, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3)
    )


def _in_creation_order(model: keras.Model, kind: type) -> list[Any]:
    """Keras numbers layers as it makes them; `model.layers` is in another order."""
    layers = [layer for layer in model.layers if isinstance(layer, kind)]
    return sorted(
        layers,
        key=lambda layer: int(
            re.findall(r"_(\d+)$", layer.name)[0] if layer.name[-1].isdigit() else 0
        ),
    )


def _from_keras(weights: str) -> list[tuple[np.ndarray, np.ndarray]]:
    try:
        model = _inception(weights)
    except Exception as error:  # Keras raises many kinds: download, format, shape
        if weights == "imagenet":
            raise CheckpointError(
                f"Keras' ImageNet weights could not be downloaded ({error}); check the network, or "
                "give ENCODER= a file, models/pretrained/flickr8k-en/encoder.weights.h5 for one"
            ) from error
        raise CheckpointError(
            f"{weights}: not InceptionV3 weights that Keras can load ({error})"
        ) from error
    convolutions = _in_creation_order(model, keras.layers.Conv2D)
    normalisations = _in_creation_order(model, keras.layers.BatchNormalization)
    return [
        _folded(*map(np.asarray, (conv.kernel, norm.beta, norm.moving_mean, norm.moving_variance)))
        for conv, norm in zip(convolutions, normalisations, strict=True)
    ]


def _from_npz(path: str) -> list[tuple[np.ndarray, np.ndarray]]:
    names = ("beta", "moving_mean", "moving_variance")
    try:
        with np.load(path, allow_pickle=False) as file:
            if sum(member.file_size for member in file.zip.infolist()) > LARGEST_NPZ:
                raise ValueError(f"unpacks to more than {LARGEST_NPZ:,} bytes")
            return [
                _folded(
                    file[f"conv2d_{number}/kernel"].astype(np.float32),
                    *(file[f"batch_normalization_{number}/{n}"].astype(np.float32) for n in names),
                )
                for number in range(1, CONVOLUTIONS + 1)
            ]
    except _DAMAGE as error:
        raise CheckpointError(f"{path}: not InceptionV3 weights ({error})") from error


def _folded(
    kernel: np.ndarray, beta: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if not kernel.shape[-1:] == beta.shape == mean.shape == variance.shape:
        raise ValueError(f"{beta.shape} does not go with a kernel of {kernel.shape}")
    scale = 1 / np.sqrt(variance + _EPSILON)
    return kernel * scale, beta - mean * scale


def _named(folded: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    kernels = {f"conv2d_{number}/kernel": kernel for number, (kernel, _) in enumerate(folded, 1)}
    biases = {f"conv2d_{number}/bias": bias for number, (_, bias) in enumerate(folded, 1)}
    return kernels | biases
