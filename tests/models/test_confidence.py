"""The figures of a confidence are those that one would find by hand."""

import numpy as np
import pytest

from models.confidence import (
    ACCEPTABLE,
    acceptable,
    area_under_risk,
    calibration_bins,
    calibration_error,
    risk_coverage,
    spearman,
)


def test_a_caption_is_the_more_acceptable_the_higher_its_cider():
    chances = acceptable(np.array([0.0, 50.0, ACCEPTABLE["midpoint"], 400.0, 1000.0]))
    assert np.all(np.diff(chances) > 0)
    assert chances[2] == pytest.approx(0.5)
    assert 0 < chances[0] < 0.1
    assert 0.9 < chances[3] < chances[4] <= 1


@pytest.mark.parametrize(
    ("confidence", "quality", "correlation"),
    [
        ([0.1, 0.2, 0.9], [5, 60, 61], 1),
        ([0.9, 0.2, 0.1], [5, 60, 61], -1),
        ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8),
        ([1, 1, 2, 2], [1, 2, 3, 4], 4 / np.sqrt(20)),  # equal ones share a rank
        ([0.5, 0.5, 0.5], [1, 2, 3], 0),
    ],
)
def test_spearman_compares_ranks(confidence, quality, correlation):
    assert spearman(np.array(confidence), np.array(quality)) == pytest.approx(correlation)


def test_risk_is_the_share_of_wrong_captions_among_the_surest():
    coverage, risk = risk_coverage(np.array([0.2, 0.9, 0.5, 0.7]), np.array([0, 1, 1, 0]))
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(risk, [0, 1 / 2, 1 / 3, 1 / 2])
    area = area_under_risk(np.array([0.2, 0.9, 0.5, 0.7]), np.array([0, 1, 1, 0]))
    assert area == pytest.approx(1 / 3)


def test_captions_of_one_confidence_share_their_risk_in_any_order():
    confidence = np.array([0.5, 0.5, 0.9, 0.5])
    for right in ([1, 0, 1, 0], [0, 0, 1, 1]):
        _, risk = risk_coverage(confidence, np.array(right))
        np.testing.assert_allclose(risk, [0, 1 / 3, 4 / 9, 1 / 2])


def test_a_better_order_has_less_area_under_risk():
    chances = np.linspace(0, 1, 50)
    flat = area_under_risk(np.full(50, 0.3), chances)
    assert area_under_risk(chances, chances) < flat < area_under_risk(-chances, chances)
    assert flat == pytest.approx(0.5)


def test_bins_tell_confidence_beside_what_came_true():
    confidence = np.array([0.05, 0.15, 0.11, 0.95, 1.0])
    bins = calibration_bins(confidence, np.array([0, 1, 0, 1, 1]))
    assert [count for *_, count in bins] == [1, 2, 2]
    np.testing.assert_allclose([mean for mean, *_ in bins], [0.05, 0.13, 0.975])
    np.testing.assert_allclose([share for _, share, _ in bins], [0, 0.5, 1])


def test_the_calibration_error_is_the_mean_distance_from_what_came_true():
    confidence, right = np.array([0.8, 0.8, 0.8, 0.8, 0.3]), np.array([1, 1, 1, 0, 0])
    assert calibration_error(confidence, right) == pytest.approx((4 * 0.05 + 0.3) / 5)
    assert calibration_error(np.array([0.75] * 4), np.array([1, 1, 1, 0])) == pytest.approx(0)
    assert calibration_error(np.array([0.2, 0.9]), np.array([0.2, 0.9]), bins=2) < 1e-12
