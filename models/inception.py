"""InceptionV3 without its top, described once, for whatever computes it.

Szegedy et al. 2016, "Rethinking the Inception Architecture", as `keras.applications` builds it,
its batch normalisation folded into the convolutions: Keras layers are made of it to be trained,
and plain operations on constant weights, which is faster to start and to run.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

CONVOLUTIONS = 94
STEM = 5  # of them come before the first block

Value = TypeVar("Value")
Branch = Sequence[tuple[int, int, int]]
"""Convolutions one after the other: filters, height and width of their kernels."""


class Backend(Protocol[Value]):
    """What computes the network: values are grids, (photos, height, width, channels).

    Each convolution ends in a rectifier. They are numbered from 1 in the order of the calls.
    """

    def convolve(
        self, grid: Value, filters: int, size: tuple[int, int], strides: int, padding: str
    ) -> Value:
        """Convolve, add a bias, rectify; padding is `same` or `valid`."""

    def max_pool(self, grid: Value) -> Value:
        """Take the maximum of 3x3 cells at every other cell, without padding."""

    def mean_and_convolve(self, grid: Value, filters: int) -> Value:
        """Take the mean of the 3x3 cells around each, as far as there are any, then convolve 1x1.

        The mean may as well come after the convolution and before the rectifier, of fewer channels.
        """

    def join(self, branches: Sequence[Value], name: str) -> Value:
        """Put channels behind each other."""


def inception(grid: Value, backend: Backend[Value]) -> Value:
    """Compute (photos, 8, 8, 2048) of (photos, 299, 299, 3)."""
    grid = backend.convolve(grid, 32, (3, 3), 2, "valid")
    grid = backend.convolve(grid, 32, (3, 3), 1, "valid")
    grid = backend.max_pool(backend.convolve(grid, 64, (3, 3), 1, "same"))
    grid = backend.convolve(grid, 80, (1, 1), 1, "valid")
    grid = backend.max_pool(backend.convolve(grid, 192, (3, 3), 1, "valid"))
    for number, pooled in enumerate((32, 64, 64)):
        branches = (
            [(64, 1, 1)],
            [(48, 1, 1), (64, 5, 5)],
            [(64, 1, 1), (96, 3, 3), (96, 3, 3)],
        )
        grid = _block(grid, backend, branches, pooled, f"mixed{number}")
    grid = _reduce(grid, backend, ([(384, 3, 3)], [(64, 1, 1), (96, 3, 3), (96, 3, 3)]), "mixed3")
    for number, narrow in enumerate((128, 160, 160, 192), 4):
        branches = (
            [(192, 1, 1)],
            [(narrow, 1, 1), (narrow, 1, 7), (192, 7, 1)],
            [(narrow, 1, 1), (narrow, 7, 1), (narrow, 1, 7), (narrow, 7, 1), (192, 1, 7)],
        )
        grid = _block(grid, backend, branches, 192, f"mixed{number}")
    last = [(192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3)]
    grid = _reduce(grid, backend, ([(192, 1, 1), (320, 3, 3)], last), "mixed8")
    return _wide_block(_wide_block(grid, backend, "mixed9"), backend, "mixed10")


def _chain(grid: Value, backend: Backend[Value], branch: Branch) -> Value:
    for filters, height, width in branch:
        grid = backend.convolve(grid, filters, (height, width), 1, "same")
    return grid


def _block(
    grid: Value, backend: Backend[Value], branches: Sequence[Branch], pooled: int, name: str
) -> Value:
    """Look at the same cells in several ways."""
    found = [_chain(grid, backend, branch) for branch in branches]
    return backend.join([*found, backend.mean_and_convolve(grid, pooled)], name)


def _reduce(grid: Value, backend: Backend[Value], branches: Sequence[Branch], name: str) -> Value:
    """Halve the grid: each branch by its last convolution."""
    found = []
    for *first, (filters, height, width) in branches:
        before = _chain(grid, backend, first)
        found.append(backend.convolve(before, filters, (height, width), 2, "valid"))
    return backend.join([*found, backend.max_pool(grid)], name)


def _wide_block(grid: Value, backend: Backend[Value], name: str) -> Value:
    """Look along and across at the end of two branches."""
    found = [_chain(grid, backend, [(320, 1, 1)])]
    for number, branch in enumerate(([(384, 1, 1)], [(448, 1, 1), (384, 3, 3)])):
        before = _chain(grid, backend, branch)
        ends = [_chain(before, backend, [(384, 1, 3)]), _chain(before, backend, [(384, 3, 1)])]
        found.append(backend.join(ends, f"{name}_{number}"))
    return backend.join([*found, backend.mean_and_convolve(grid, 192)], name)
