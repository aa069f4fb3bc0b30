"""What confidence is worth is told in figures and drawn for light pages and dark ones."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from batch.reliability import DRAWINGS, Reliability, as_address, draw

RANDOM = np.random.default_rng(3)
CIDER = RANDOM.uniform(0, 150, 200)


def test_confidence_that_follows_quality_ranks_and_leaves_less_risk_than_chance():
    sure = Reliability.measure(CIDER / 150, CIDER)
    blind = Reliability.measure(RANDOM.permutation(CIDER) / 150, CIDER)
    assert sure.spearman == pytest.approx(1)
    assert abs(blind.spearman) < 0.3
    assert sure.area_under_risk < blind.area_under_risk
    assert blind.area_under_risk == pytest.approx(1 - blind.acceptable, abs=0.15)
    assert sure.calibration_error < blind.calibration_error


def test_one_caption_is_enough():
    found = Reliability.measure(np.array([1.0]), np.array([0.0]))
    assert found.spearman == 0
    assert draw(found, *DRAWINGS.values()).axes


def pixels(figure):
    kind, _, data = as_address(figure).partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"))


@pytest.mark.parametrize("drawing", DRAWINGS.values())
def test_plots_are_readable_on_light_and_on_dark_pages(drawing):
    found = Reliability.measure(CIDER / 150, CIDER)
    light, dark = (pixels(draw(found, drawing, dark=dark)) for dark in (False, True))
    assert np.median(light) - light.min() > 200
    assert dark.max() - np.median(dark) > 200


def test_plots_stand_side_by_side():
    found = Reliability.measure(CIDER / 150, CIDER)
    one, both = (pixels(draw(found, *list(DRAWINGS.values())[:n])).shape for n in (1, 2))
    assert both == (one[0], 2 * one[1])
