"""Tell scenes from pages, blanks and test charts, by what the encoder sees on average.

A logistic regression on a photo's features, averaged over the grid.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models.checkpoint import load_variables, save_variables
from models.encoder import FEATURES
from models.errors import CheckpointError
from models.fingerprints import SCENE_FILE as SCENE_FILE
from models.logistic import fit_logistic
from models.merge_decoder import pool_photo

_RIDGE = 1e-2  # on standardised features, over the square root of their number


@dataclass(frozen=True)
class SceneHead:
    """A line between scenes and the rest, for one encoder's features, which `encoder` tells."""

    kernel: np.ndarray  # float32 (2048,)
    bias: float
    encoder: str

    @classmethod
    def fit(cls, scenes: np.ndarray, others: np.ndarray, encoder: str) -> "SceneHead":
        """Fit to pooled features of scenes and of what is none, each (photos, 2048)."""
        rows = np.concatenate([scenes, others]).astype(np.float64)
        mean = rows.mean(axis=0)
        scale = (rows.std(axis=0) + 1e-3) * np.sqrt(FEATURES)
        chances = np.repeat([0.0, 1.0], [len(scenes), len(others)])
        kernel, bias = fit_logistic((rows - mean) / scale, chances, _RIDGE)
        kernel /= scale
        # As they are stored: what is measured is what runs.
        stored = kernel.astype(np.float16).astype(np.float32)
        return cls(stored, float(np.float16(bias - stored @ mean)), encoder)

    @classmethod
    def load(cls, folder: str, encoder: str) -> "SceneHead | None":
        """Read that of a captioner's folder, whose encoder has this fingerprint; None without one.

        Raises CheckpointError where it cannot be read or was fitted to another encoder.
        """
        path = Path(folder, SCENE_FILE)
        if not path.exists():
            return None
        variables = _variables(cls(np.zeros(FEATURES), 0.0, "0" * len(encoder)))
        load_variables(variables, path)
        kernel, bias, fitted_to = map(np.asarray, variables)
        if fitted_to.tobytes() != encoder.encode():
            raise CheckpointError(
                f"{path}: was made for another encoder than the captioner has; make it anew by "
                "`make scene`, or remove it, and every photo gets a caption"
            )
        return cls(kernel, float(bias), encoder)

    def save(self, folder: str) -> None:
        """Write scene.weights.h5 into a captioner's folder, 6 KiB in half precision."""
        save_variables(_variables(self), Path(folder, SCENE_FILE), half=True)

    def shown_in(self, features: np.ndarray) -> bool:
        """Tell whether a photo shows a scene, by its features (8, 8, 2048), or (2048,) pooled."""
        return self.doubt(features) <= 0

    def doubt(self, features: np.ndarray) -> float:
        """Give the log-odds that a photo is no scene."""
        return float(pool_photo(features) @ self.kernel) + self.bias

    def sparing(self, scenes: np.ndarray, share: float) -> "SceneHead":
        """Move the line, where it must be, so that at most this share of scenes is flagged.

        scenes: pooled features (photos, 2048) that the line was not fitted to.
        """
        doubts = np.sort([self.doubt(scene) for scene in scenes])[::-1]
        margin = float(doubts[int(share * len(doubts))]) if len(doubts) else 0.0
        if margin <= 0:
            return self
        moved = np.float16(self.bias - margin)
        # Rounded, it may have come out a little too high: take the next number below.
        return replace(self, bias=float(np.nextafter(moved, np.float16(-np.inf))))


def _variables(head: SceneHead) -> list[Any]:
    """Give what the file holds, by name."""
    encoder = np.frombuffer(head.encoder.encode(), np.uint8)
    return [
        keras.Variable(head.kernel, name="kernel", dtype="float32"),
        keras.Variable(head.bias, name="bias", dtype="float32"),
        keras.Variable(encoder, name="encoder", dtype="uint8", trainable=False),
    ]
