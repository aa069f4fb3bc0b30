"""The curve of a training: loss and scores by passes, as a table and as a picture."""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from batch.errors import ArchiveError
from batch.figures import new_figure, save
from batch.fonts import font_for
from manifests.durable import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Sequence[Mapping[str, Any]]
"""A row a pass: `phase`, `step`, `loss` (its mean), and scores times 100 by their names."""

# Told apart by those who see fewer colours too: Okabe and Ito, "Color universal design", 2008.
_LOSS_COLOR = "#666666"
_SCORE_COLORS = {"CIDEr": "#0072b2", "BLEU-4": "#d55e00"}


def write_curves(history: History, folder: str, name: str = "") -> None:
    """Write curve.csv and, with matplotlib and a font for the captioner's `name`, curve.png.

    Nothing where there was no pass yet.
    """
    if not history:
        return
    os.makedirs(folder, exist_ok=True)
    _write_table(history, Path(folder, "curve.csv"))
    log = logging.getLogger(__name__)
    try:
        figure = _draw(history, name)
    except ImportError:
        log.warning("no curve.png: matplotlib is not installed (pip install matplotlib)")
        return
    except ArchiveError as error:
        log.warning("no curve.png: %s", error)
        return
    save(figure, os.path.join(folder, "curve.png"))


def _write_table(history: History, path: Path) -> None:
    table = pd.DataFrame(history)
    table.insert(0, "pass", range(1, len(table) + 1))
    with atomic_write(path) as file:
        table.to_csv(file, index=False, lineterminator="\r\n")


def _draw(history: History, name: str = "") -> "Figure":
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(8, 4.5)
    losses = figure.add_subplot()
    scores = losses.twinx()
    _plot(losses, history, "loss", _LOSS_COLOR)
    for score, color in _SCORE_COLORS.items():
        _plot(scores, history, score, color)
    losses.set(xlabel="passes", ylabel="loss")
    losses.set_title(name, fontproperties=font_for(name), parse_math=False)
    scores.set(ylabel="score, times 100", ylim=(0, None))
    losses.xaxis.set_major_locator(MaxNLocator(integer=True))
    losses.grid(axis="y", alpha=0.25)
    _mark_phases(losses, history)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def _plot(axes: "Axes", history: History, name: str, color: str) -> None:
    values = [float(row.get(name, math.nan)) for row in history]
    passes = range(1, len(values) + 1)
    axes.plot(passes, values, label=name, color=color, marker="o", markersize=4)


def _mark_phases(axes: "Axes", history: History) -> None:
    """Draw a line between the last pass of a phase and the first one of the next."""
    phases = [row.get("phase") for row in history]
    for number in range(1, len(phases)):
        if phases[number] != phases[number - 1]:
            axes.axvline(number + 0.5, color=_LOSS_COLOR, linestyle=":", linewidth=1)
            place = axes.get_xaxis_transform()  # passes across, shares of the height up
            axes.text(number + 0.55, 0.97, f"phase {phases[number]}", va="top", transform=place)
