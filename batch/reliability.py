"""How far the confidence beside each caption can be trusted, measured and drawn.

Needs what people wrote of the photos: a caption's CIDEr tells how probably it is acceptable.
"""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from batch.figures import DPI, new_figure
from models.confidence import (
    acceptable,
    area_under_risk,
    calibration_bins,
    calibration_error,
    risk_coverage,
    spearman,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 4.8, 3.6  # inches of one plot
_LINE, _BARS = "#0072b2", "#d55e00"  # Okabe and Ito, as in batch/curves.py
_DARK = "#16181b", "#e7e9ec"  # paper and ink, as in batch/pages.py
_LIGHT = "#ffffff", "#1c1e21"


@dataclass(frozen=True)
class Reliability:
    """How confidence goes with quality, over the captions of a set of photos.

    `spearman`: rank correlation with sentence CIDEr. `area_under_risk`: under the risk-coverage
    curve, the share of bad captions being the risk; in any order it would be 1 - `acceptable`.
    `calibration_error`: expected, between confidence and the share of acceptable captions.
    """

    spearman: float
    area_under_risk: float
    calibration_error: float
    acceptable: float  # the share of all captions
    confidences: np.ndarray = field(repr=False)  # (captions,)
    chances: np.ndarray = field(repr=False)  # (captions,): how probably each is acceptable

    @classmethod
    def measure(cls, confidences: np.ndarray, cider: np.ndarray) -> "Reliability":
        """Measure at least one caption's confidence against its CIDEr, times 100."""
        chances = acceptable(cider)
        return cls(
            spearman(confidences, cider),
            area_under_risk(confidences, chances),
            calibration_error(confidences, chances),
            float(chances.mean()),
            confidences,
            chances,
        )

    def shown(self) -> dict[str, str]:
        """Give the figures as text by name."""
        return {
            "Likely acceptable": f"{self.acceptable:.0%} of the captions",
            "Spearman with CIDEr": f"{self.spearman:.2f}",
            "Calibration error": f"{self.calibration_error:.3f}",
            "Area under risk": f"{self.area_under_risk:.3f} ({1 - self.acceptable:.3f} by chance)",
        }

    def as_json(self) -> dict[str, float]:
        """Give the figures as scores.json holds them."""
        return {
            "acceptable": self.acceptable,
            "spearman": self.spearman,
            "calibration_error": self.calibration_error,
            "area_under_risk": self.area_under_risk,
        }


Draw = Callable[["Axes", Reliability], None]


def draw_calibration(axes: "Axes", found: Reliability) -> None:
    """Draw the share of acceptable captions by confidence, and how many captions have each.

    Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    means, shares, counts = zip(*calibration_bins(found.confidences, found.chances), strict=True)
    numbers = axes.twinx()
    numbers.bar(means, counts, width=0.05, color=_BARS, alpha=0.6)
    numbers.set(ylabel="captions (bars)", ylim=(0, 3 * max(counts)))
    axes.set_zorder(1)  # the line before the bars
    axes.plot([0, 1], [0, 1], color="#888888", linestyle=":", linewidth=1)
    axes.plot(means, shares, color=_LINE, marker="o", markersize=4)
    axes.set(xlabel="confidence", ylabel="share acceptable", xlim=(0, 1), ylim=(0, 1))
    axes.set_title("Calibration")


def draw_risk(axes: "Axes", found: Reliability) -> None:
    """Draw the share of bad captions among the surest, by how many of them are taken."""
    coverage, risk = risk_coverage(found.confidences, found.chances)
    axes.axhline(1 - found.acceptable, color="#888888", linestyle=":", linewidth=1)
    axes.plot(coverage, risk, color=_LINE)
    axes.set(xlabel="coverage: share taken, the surest first", ylabel="risk: share not acceptable")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_title("Risk by coverage")


DRAWINGS: dict[str, Draw] = {
    "Calibration: the share of acceptable captions by confidence": draw_calibration,
    "Risk by coverage: the share of bad captions among the surest": draw_risk,
}
"""What is drawn of reliability, by what it is told to who cannot see it."""


def draw(found: Reliability, *drawings: Draw, dark: bool = False) -> "Figure":
    """Draw plots side by side. Raises ImportError without matplotlib."""
    paper, ink = _DARK if dark else _LIGHT
    figure = new_figure(_WIDTH * len(drawings), _HEIGHT)
    figure.set_facecolor(paper)
    for axes, drawing in zip(
        figure.subplots(1, len(drawings), squeeze=False)[0], drawings, strict=True
    ):
        drawing(axes, found)
    for axes in figure.axes:
        axes.set_facecolor("none")
        axes.tick_params(colors=ink)
        axes.spines[:].set_color(ink)
        for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
            text.set_color(ink)
    return figure


def as_address(figure: "Figure") -> str:
    """Give a figure as the `data:` address of a PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
