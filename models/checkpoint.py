"""Arrays of a model to an HDF5 file and back, by name: no code is stored, none is ever run."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from models.errors import CheckpointError
from models.hdf5 import datasets_of, opened

# What h5py raises, depending on where a file is damaged.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)


def save_variables(variables: Sequence[Any], path: str | os.PathLike[str], *, half: bool) -> None:
    """Write each Keras variable under its path; `half` stores floats as float16, for shipping."""
    with _whole(path) as file:
        for variable in variables:
            value = np.asarray(variable)
            small = half and np.issubdtype(value.dtype, np.floating)
            file.create_dataset(variable.path, data=value.astype(np.float16) if small else value)


@contextmanager
def _whole(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Give an HDF5 file that takes the place of `path` only when it is whole and on the disk."""
    temporary = Path(f"{os.fspath(path)}.new")
    with h5py.File(temporary, "w") as file:
        yield file
    with temporary.open("rb+") as written:
        os.fsync(written.fileno())
    temporary.replace(path)


def load_variables(variables: Sequence[Any], path: str | os.PathLike[str]) -> None:
    """Assign to each Keras variable what the file holds under its path.

    Raises CheckpointError when the file cannot be read, lacks a variable, or holds another shape.
    """
    arrays = read_arrays(path, {each.path: tuple(each.shape) for each in variables})
    for variable in variables:
        assign(variable, arrays, variable.path, path)


def assign(
    variable: Any, arrays: Mapping[str, np.ndarray], key: str, path: str | os.PathLike[str]
) -> None:
    """Assign one named array to a variable of the same shape, or raise CheckpointError."""
    if key not in arrays:
        raise CheckpointError(
            f"{os.fspath(path)}: no weights for {key}; was it made by another version?"
        )
    if arrays[key].shape != tuple(variable.shape):
        raise CheckpointError(
            f"{os.fspath(path)}: {key} is {arrays[key].shape}, the configuration asks for "
            f"{tuple(variable.shape)}; take all files from one captioner"
        )
    if arrays[key].dtype.kind not in "fiub" or not np.isfinite(arrays[key]).all():
        raise CheckpointError(f"{os.fspath(path)}: {key} holds no numbers; copy the file again")
    variable.assign(arrays[key])


def read_arrays(
    path: str | os.PathLike[str], shapes: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, np.ndarray]:
    """Read every array of an HDF5 file, keyed by its full name. Raises CheckpointError.

    shapes: of those that are wanted, the others are left out; none of another shape is read.
    """
    try:
        with opened(path) as file:
            found = datasets_of(file)
            if shapes is not None:
                found = {name: each for name, each in found.items() if name in shapes}
                _check_shapes(path, found, shapes)
            return {name: dataset[()] for name, dataset in found.items()}
    except _DAMAGE as error:
        raise CheckpointError(
            f"{os.fspath(path)}: not a readable weights file ({error}); copy the file again"
        ) from error


def _check_shapes(
    path: str | os.PathLike[str], found: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    for name, each in found.items():
        if each.shape != shapes[name]:
            raise CheckpointError(
                f"{os.fspath(path)}: {name} is {each.shape}, the configuration asks for "
                f"{shapes[name]}; take all files from one captioner"
            )


def save_state(variables: Sequence[Any], path: str | os.PathLike[str], progress: str) -> None:
    """Write the whole state of a training, in full precision, with a note on how far it is.

    By place, not by path: Keras numbers unnamed variables as a process makes them, and a training
    that goes on in another process makes fewer of them.
    """
    with _whole(path) as file:
        for place, variable in enumerate(variables):
            file.create_dataset(f"{place:05d}", data=np.asarray(variable))
        file.attrs["progress"] = progress


def load_state(variables: Sequence[Any], path: str | os.PathLike[str]) -> None:
    """Take up a state that `save_state` wrote. Raises CheckpointError where it does not fit."""
    arrays = read_arrays(path)
    if len(arrays) != len(variables):
        raise CheckpointError(f"{os.fspath(path)}: the state of another training; start a new one")
    for place, variable in enumerate(variables):
        assign(variable, arrays, f"{place:05d}", path)


def read_progress(path: str | os.PathLike[str]) -> str:
    """Read the note of a state. Raises CheckpointError where there is none."""
    try:
        with opened(path) as file:
            return str(file.attrs["progress"])
    except _DAMAGE as error:
        raise CheckpointError(f"{os.fspath(path)}: not a training state ({error})") from error
