"""A logistic regression finds the odds that its examples were drawn by."""

import numpy as np
import pytest

from models.logistic import fit_logistic, logistic


def test_the_weights_that_made_the_chances_are_found_again():
    inputs = np.random.default_rng(1).normal(size=(500, 3))
    weights, intercept = fit_logistic(inputs, logistic(inputs @ [2.0, -1.0, 0.0] + 0.5), 1e-6)
    np.testing.assert_allclose(weights, [2, -1, 0], atol=1e-3)
    assert intercept == pytest.approx(0.5, abs=1e-3)


def test_examples_that_a_line_parts_do_not_run_away():
    weights, intercept = fit_logistic(np.array([[-1.0], [1.0]]), np.array([0.0, 1.0]), 0.1)
    assert 0 < weights[0] < 10
    assert intercept == pytest.approx(0)


def test_a_strong_ridge_leaves_the_mean():
    inputs = np.random.default_rng(1).normal(size=(100, 2))
    weights, intercept = fit_logistic(inputs, (inputs[:, 0] > 1).astype(float), 1e9)
    np.testing.assert_allclose(weights, 0, atol=1e-5)
    assert logistic(np.array(intercept)) == pytest.approx(np.mean(inputs[:, 0] > 1))


@pytest.mark.parametrize(("value", "chance"), [(0, 0.5), (-1e6, 0), (1e6, 1), (np.log(3), 0.75)])
def test_any_number_has_a_chance(value, chance):
    assert logistic(np.array(value)) == pytest.approx(chance)
