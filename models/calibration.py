"""From how a search went to the probability that its caption is acceptable to a person.

A logistic regression on what the search found, fitted to captions of photos that people captioned:
the mean log-probability of the caption's tokens, its length, and each of its frequent words, some
of which a captioner gets right more often than others.

confidence.json in a captioner's folder holds it, for searches with several beams and for single
captions, which are less probable and less often right. These are fitted to greedy ones; captions
that are drawn at random take the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from models.confidence import acceptable, area_under_risk, calibration_error, spearman
from models.errors import CheckpointError
from models.fingerprints import CONFIDENCE_FILE as CONFIDENCE_FILE
from models.logistic import fit_logistic, logistic
from models.small_files import read_json

FORMAT: Final = 1
FOLDS: Final = 10
RIDGE: Final = 5.0  # captions; a word that is in fewer weighs little
FREQUENT: Final = 0.01  # a word has a weight where it is in so large a share of the captions
ABOUT: Final = (
    "probability that a person accepts a caption: logistic(intercept + the weights of the signals "
    "times their values + the weights of the caption's words)"
)


class Hypothesis(NamedTuple):
    """A caption as the search found it: its words, and the log-probability of all its tokens."""

    words: tuple[str, ...]
    log_prob: float

    @property
    def geometric_mean(self) -> float:
        """The geometric mean of the tokens' probabilities, in (0, 1]."""
        return float(np.exp(self.mean_log_prob))

    @property
    def mean_log_prob(self) -> float:
        """Log-probability a token; the end is one too."""
        return self.log_prob / (len(self.words) + 1)

    def signals(self) -> dict[str, float]:
        """Give what tells how sure the search was."""
        return {"mean_log_prob": self.mean_log_prob, "length": float(len(self.words))}


@dataclass(frozen=True)
class Head:
    """The weights of a logistic regression: of signals a unit, and of words that a caption has."""

    intercept: float
    signals: Mapping[str, float]
    words: Mapping[str, float]

    @classmethod
    def fit(cls, captions: Sequence[Hypothesis], chances: np.ndarray) -> "Head":
        """Fit the weights to how probably each caption is acceptable (captions,)."""
        found = [caption.signals() for caption in captions]
        values = np.array([list(signals.values()) for signals in found])
        means, spreads = values.mean(axis=0), values.std(axis=0) + 1e-9
        words = _frequent_words(captions)
        held = np.array([[word in caption.words for word in words] for caption in captions])
        inputs = np.hstack([(values - means) / spreads, held.reshape(len(captions), -1)])
        weights, intercept = fit_logistic(inputs, chances, RIDGE)
        slopes = weights[: len(means)] / spreads
        return cls(
            round(intercept - float(slopes @ means), 4),
            dict(zip(found[0], _rounded(slopes), strict=True)),
            dict(zip(words, _rounded(weights[len(means) :]), strict=True)),
        )

    def confidence(self, caption: Hypothesis) -> float:
        """Give the probability that a caption is acceptable, in [0, 1]."""
        signals = caption.signals()
        score = self.intercept
        score += sum(weight * signals[name] for name, weight in self.signals.items())
        score += sum(self.words.get(word, 0.0) for word in set(caption.words))
        return float(logistic(np.array(score)))


@dataclass(frozen=True)
class Figures:
    """How far a confidence can be trusted, see `models.confidence`; Spearman's is with CIDEr."""

    spearman: float
    area_under_risk: float
    calibration_error: float

    @classmethod
    def measure(cls, confidence: np.ndarray, cider: np.ndarray, chances: np.ndarray) -> "Figures":
        """Measure confidences against captions' CIDEr, times 100, and how acceptable they are.

        All three are (captions,).
        """
        figures = (
            spearman(confidence, cider),
            area_under_risk(confidence, chances),
            calibration_error(confidence, chances),
        )
        return cls(*(round(figure, 4) for figure in figures))


@dataclass(frozen=True)
class Fitted:
    """A head for one kind of search, and how it does on captions that it was not fitted to."""

    search: str
    acceptable: float  # how probable that is of its captions, on average
    geometric_mean: Figures
    calibrated: Figures
    head: Head

    @classmethod
    def fit(cls, search: str, captions: Sequence[Hypothesis], cider: np.ndarray) -> "Fitted":
        """Fit a head to all captions, by their CIDEr times 100; measure it by cross-validation."""
        chances = acceptable(cider)
        before = np.array([caption.geometric_mean for caption in captions])
        return cls(
            search,
            round(float(np.mean(chances)), 4),
            Figures.measure(before, cider, chances),
            Figures.measure(cross_validated(captions, chances), cider, chances),
            Head.fit(captions, chances),
        )


@dataclass(frozen=True)
class Calibration:
    """What confidence.json holds: heads for searches with several beams, and for single captions.

    `fitted_on` says for people on what.
    """

    fitted_on: Mapping[str, Any]
    several_beams: Fitted
    single_caption: Fitted

    def head(self, *, beams: bool) -> Head:
        """Give the head for searches that compare beams, or for those that do not."""
        return (self.several_beams if beams else self.single_caption).head

    @classmethod
    def read(cls, folder: str) -> "Calibration | None":
        """Read a captioner folder's confidence.json, if it has one. Raises CheckpointError."""
        path = Path(folder, CONFIDENCE_FILE)
        if not path.exists():
            return None
        try:
            found = read_json(path)
            if found["format"] != FORMAT:
                raise ValueError(f"format {found['format']!r}")
            several, single = map(_read_fitted, (found["several_beams"], found["single_caption"]))
            return cls(dict(found["fitted_on"]), several, single)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(
                f"{path}: not a captioner's confidence ({error!r}); remove the file, then make it "
                "again with make calibrate"
            ) from error

    def as_json(self) -> dict[str, Any]:
        """Give what confidence.json holds."""
        return {"format": FORMAT, "about": ABOUT, **asdict(self)}


def cross_validated(captions: Sequence[Hypothesis], chances: np.ndarray) -> np.ndarray:
    """Give each caption's confidence by a head that was fitted without it and its fold.

    chances: how probably each is acceptable, (captions,); so is what comes back.
    """
    order = np.random.default_rng(0).permutation(len(captions))
    confidence = np.zeros(len(captions))
    for held in np.array_split(order, FOLDS):
        rest = np.setdiff1d(order, held)
        head = Head.fit([captions[index] for index in rest], np.asarray(chances)[rest])
        confidence[held] = [head.confidence(captions[index]) for index in held]
    return confidence


def _frequent_words(captions: Sequence[Hypothesis]) -> list[str]:
    counts = Counter(word for caption in captions for word in set(caption.words))
    fewest = FREQUENT * len(captions)
    return sorted(word for word, count in counts.items() if count >= fewest)


def _rounded(weights: np.ndarray) -> list[float]:
    return [round(float(weight), 4) for weight in weights]


def _read_fitted(found: Mapping[str, Any]) -> Fitted:
    head = Head(**found["head"])
    unknown = head.signals.keys() - Hypothesis((), 0.0).signals()
    weights = [head.intercept, *head.signals.values(), *head.words.values()]
    if unknown or not np.isfinite(np.array(weights, float)).all():
        raise ValueError(f"weights of {sorted(unknown)}" if unknown else "weights are no numbers")
    figures = {name: Figures(**found[name]) for name in ("geometric_mean", "calibrated")}
    return Fitted(**{**found, **figures, "head": head})
