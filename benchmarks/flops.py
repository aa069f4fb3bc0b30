"""Operations that the encoder takes for a photo."""

from collections.abc import Sequence

from models.encoder import IMAGE_SIZE
from models.inception import inception

Grid = tuple[int, int, int]  # height, width, channels


def encoder_flops() -> int:
    """Count the operations of the encoder's convolutions for a photo: two a product and sum."""
    counter = _Counter()
    inception((IMAGE_SIZE, IMAGE_SIZE, 3), counter)
    return 2 * counter.products


class _Counter:
    """Goes through the network with the sizes of grids alone."""

    def __init__(self) -> None:
        self.products = 0

    def convolve(
        self, grid: Grid, filters: int, size: tuple[int, int], strides: int, padding: str
    ) -> Grid:
        sides = [self._side(*each, strides, padding) for each in zip(grid[:2], size, strict=True)]
        self.products += sides[0] * sides[1] * filters * size[0] * size[1] * grid[2]
        return sides[0], sides[1], filters

    def max_pool(self, grid: Grid) -> Grid:
        return self._side(grid[0], 3, 2, "valid"), self._side(grid[1], 3, 2, "valid"), grid[2]

    def mean_and_convolve(self, grid: Grid, filters: int) -> Grid:
        return self.convolve(grid, filters, (1, 1), 1, "same")

    def join(self, branches: Sequence[Grid], name: str) -> Grid:  # noqa: ARG002
        return *branches[0][:2], sum(branch[2] for branch in branches)

    def _side(self, cells: int, kernel: int, strides: int, padding: str) -> int:
        return -(-(cells if padding == "same" else cells - kernel + 1) // strides)
