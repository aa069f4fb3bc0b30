"""Figures: drawn without a screen, saved whole."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from batch.config import OUTPUTS
from batch.errors import ArchiveError
from manifests.durable import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150


def new_figure(width: float, height: float) -> "Figure":
    """Make a figure of so many inches. Raises ImportError without matplotlib."""
    # Without pyplot, which would look for a screen and keep every figure in memory.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: "Figure", path: str) -> None:
    """Save a figure as PNG; equal figures give equal bytes."""
    with atomic_write(Path(path)) as file:
        figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})


def default_picture(kind: str, name: str) -> str:
    """Name the PNG for a photo or a captioner: outputs/<kind>/<its name without ending>.png."""
    stem, _ = os.path.splitext(os.path.basename(os.path.realpath(name)))
    return os.path.join(OUTPUTS, kind, f"{stem}.png")


def check_png(path: str) -> None:
    """Raise ArchiveError where a name does not say that its file is a PNG."""
    if os.path.splitext(path)[1].lower() != ".png":
        raise ArchiveError(f"{path!r}: pictures are written as PNG; give a name that ends in .png")
