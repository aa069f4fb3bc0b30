"""A picture of what was measured: bars of how each way compares with ours."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from batch.figures import new_figure, save
from benchmarks.bench.measure import Row
from benchmarks.bench.results import FIGURES
from benchmarks.bench.ways import OURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {
    "photos/s": "photos a second",
    "CPU ms a photo": "milliseconds of CPU a photo",
    "peak MiB": "MiB of memory at most",
}
_TICKS = [digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 5)]
# Told apart by those who see fewer colours too: Okabe and Ito, "Color universal design", 2008.
_OURS, _OTHERS = "#0072b2", "#d55e00"
_LINE, _HEAD = 0.26, 0.95  # inches: a bar's, a group's beside its bars


def draw(rows: Sequence[Row], path: str) -> None:
    """Draw the groups that can be compared below each other, their figures side by side."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row["to ours"]:
            groups.setdefault(row["group"], []).append(row)
    if not groups:
        return
    heights = [_HEAD + _LINE * len(group) for group in groups.values()]
    figure = new_figure(13, sum(heights))
    grid = figure.subplots(len(groups), len(FIGURES), squeeze=False, height_ratios=heights)
    for line, (name, group) in zip(grid, groups.items(), strict=True):
        line[0].set_title(f"{name}\n", loc="left", fontweight="bold", fontsize=10)
        for axes, kind in zip(line, FIGURES, strict=True):
            _draw_bars(axes, group, kind, named=axes is line[0])
            axes.set_title(_TITLES[kind], loc="right", fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("times ours")
    save(figure, path)


def _draw_bars(axes: "Axes", group: Sequence[Row], kind: str, *, named: bool) -> None:
    places = range(len(group))
    ratios = [row["to ours"][kind] for row in group]
    colors = [_OURS if row["name"].startswith(OURS) else _OTHERS for row in group]
    axes.barh(places, [ratio - 1 for ratio in ratios], left=1, color=colors, height=0.7)
    axes.set_xscale("log")
    least, most = min(*ratios, 1) / 3, max(*ratios, 1) * 3
    axes.set_xticks([tick for tick in _TICKS if least < tick < most])
    axes.set_xticks([], minor=True)
    axes.set_xlim(least, most)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(places, [row["name"] for row in group] if named else [""] * len(group))
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter("{x:g}")
    axes.tick_params(axis="x", labelsize=7)
    for place, row, ratio in zip(places, group, ratios, strict=True):
        side = "right" if ratio < 1 else "left"
        axes.annotate(f" {row[kind]:,g} ", (ratio, place), ha=side, va="center", fontsize=8)
