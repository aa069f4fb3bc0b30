"""Logistic regression: a small head that turns a few numbers into a probability."""

import numpy as np

_STEPS = 50  # Newton's method takes about ten
_CLOSE = 1e-9


def fit_logistic(inputs: np.ndarray, chances: np.ndarray, ridge: float) -> tuple[np.ndarray, float]:
    """Fit weights and an intercept, so that logistic(inputs @ weights + intercept) is near chances.

    inputs: (examples, numbers); chances: (examples,), 0 or 1 or between; ridge: the penalty on
    squared weights, as strong as that many examples, none on the intercept. Newton's method, as in
    Hastie, Tibshirani and Friedman, "The elements of statistical learning", 2009, 4.4.1.
    """
    ones = np.ones((len(inputs), 1))
    columns = np.hstack([inputs, ones]).astype(float)
    penalty = np.diag([ridge] * inputs.shape[1] + [_CLOSE])
    weights = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        found = logistic(columns @ weights)
        slope = columns.T @ (found - chances) + penalty @ weights
        curvature = (columns.T * (found * (1 - found))) @ columns + penalty
        step = np.linalg.solve(curvature, slope)
        weights -= step
        if np.abs(step).max() < _CLOSE:
            break
    return weights[:-1], float(weights[-1])


def logistic(values: np.ndarray) -> np.ndarray:
    """Turn numbers, however large, into probabilities: 1 / (1 + exp(-values))."""
    return (1 + np.tanh(values / 2)) / 2
