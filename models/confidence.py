"""How far a confidence can be trusted: whether it ranks captions, and is the share that is right.

A caption is acceptable where a person would keep it as it stands. Nobody has looked at every one
of an evaluation: how probably it is acceptable follows from its CIDEr.
"""

from typing import Final

import numpy as np

from models.logistic import logistic

ACCEPTABLE: Final = {"midpoint": 152.5, "slope": 0.0187}
"""P(a caption is acceptable) is logistic in its CIDEr, in hundredths as papers print it.

Fitted to 240 English captions of Flickr8k's dev photos, each judged twice by eye: nothing in it may
be wrong. CIDEr of Korean by morphemes runs higher, and so did the share that passed: of 72 captions
29% did, 27% were to be expected.
"""
BINS: Final = 10

CalibrationBin = tuple[float, float, int]
"""The mean confidence of some captions, the share of them that is acceptable, their number."""


def acceptable(cider: np.ndarray) -> np.ndarray:
    """Estimate how probable it is that captions are acceptable, from their CIDEr times 100."""
    return logistic(ACCEPTABLE["slope"] * (np.asarray(cider, float) - ACCEPTABLE["midpoint"]))


def spearman(confidence: np.ndarray, quality: np.ndarray) -> float:
    """Return Spearman's rank correlation, equal values sharing their rank; 0 where one is flat."""
    one, other = _ranks(confidence), _ranks(quality)
    spread = one.std() * other.std()
    return float(np.mean((one - one.mean()) * (other - other.mean())) / spread) if spread else 0.0


def risk_coverage(confidence: np.ndarray, acceptable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell what share of captions is wrong among the surest, from the surest one alone to all.

    acceptable: whether, or how probably, each caption is. Captions of the same confidence share
    their risk. Returns coverage and risk, (captions,) each; El-Yaniv and Wiener, "On the
    foundations of noise-free selective classification", JMLR 2010.
    """
    order = np.argsort(-np.asarray(confidence), kind="stable")
    _, group, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    wrong = (np.bincount(group, 1.0 - np.asarray(acceptable, float)) / counts)[group]
    numbers = np.arange(1, len(order) + 1)
    return numbers / len(order), np.cumsum(wrong[order]) / numbers


def area_under_risk(confidence: np.ndarray, acceptable: np.ndarray) -> float:
    """Return the area under the risk-coverage curve (AURC): lower is better."""
    _, risk = risk_coverage(confidence, acceptable)
    return float(risk.mean())


def calibration_bins(
    confidence: np.ndarray, acceptable: np.ndarray, bins: int = BINS
) -> list[CalibrationBin]:
    """Put captions into bins of equal width by their confidence; empty bins are left out."""
    confidence, share = np.asarray(confidence, float), np.asarray(acceptable, float)
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    members = (places == place for place in np.unique(places))
    return [(float(confidence[m].mean()), float(share[m].mean()), int(m.sum())) for m in members]


def calibration_error(confidence: np.ndarray, acceptable: np.ndarray, bins: int = BINS) -> float:
    """Return the expected calibration error (ECE): how far off confidence is, mean over captions.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
    AAAI 2015.
    """
    found = calibration_bins(confidence, acceptable, bins)
    return sum(n * abs(mean - share) for mean, share, n in found) / len(confidence)


def _ranks(values: np.ndarray) -> np.ndarray:
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[group]
