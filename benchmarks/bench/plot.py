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
    "CPU ms": "the processor's time a photo",
    "peak MiB": "most memory",
}
# Told apart by those who see fewer colours too: Okabe and Ito, "Color universal design", 2008.
_OURS, _OTHERS = "#0072b2", "#d55e00"
_LINE, _HEAD = 0.26, 0.75  # inches: a bar's, a group's beside its bars


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
        line[0].set_title(name, loc="left", fontweight="bold", fontsize=10)
        for axes, kind in zip(line, FIGURES, strict=True):
            _draw_bars(axes, group, kind, named=axes is line[0])
    for axes, kind in zip(grid[-1], FIGURES, strict=True):
        axes.set_xlabel(f"{_TITLES[kind]}: times ours")
    save(figure, path)


def _draw_bars(axes: "Axes", group: Sequence[Row], kind: str, *, named: bool) -> None:
    places = range(len(group))
    ratios = [row["to ours"][kind] for row in group]
    colors = [_OURS if row["name"].startswith(OURS) else _OTHERS for row in group]
    axes.barh(places, [ratio - 1 for ratio in ratios], left=1, color=colors, height=0.7)
    axes.set_xscale("log")
    axes.set_xlim(min(*ratios, 1) / 4, max(*ratios, 1) * 4)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(places, [row["name"] for row in group] if named else [""] * len(group))
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter("{x:g}")
    axes.tick_params(axis="x", which="minor", labelbottom=False)
    for place, row, ratio in zip(places, group, ratios, strict=True):
        side = "right" if ratio < 1 else "left"
        axes.annotate(f" {row[kind]:,g} ", (ratio, place), ha=side, va="center", fontsize=8)
