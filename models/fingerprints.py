"""Names for what is in files, so that features and captions are known by what made them.

Nothing here needs Keras: who only looks for cached features need not wait for it.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from models.errors import CheckpointError

CONFIG_FILE = "config.json"
ENCODER_FILE = "encoder.weights.h5"
IMAGENET = "imagenet"  # an encoder by name: Keras downloads its weights
PREPROCESSING = (
    "rgb8-squashed-299-to-minus1-1"  # part of the fingerprint: a change makes new features
)


def encoder_weights(folder: str, encoder: str) -> str:
    """Say where the weights of a captioner's encoder are: a path, or `imagenet`."""
    own = Path(folder, encoder)
    return str(own) if encoder == ENCODER_FILE or own.is_file() else encoder


def encoder_fingerprint(folder: str) -> str:
    """Tell the encoders of captioners apart; no model is loaded.

    Raises CheckpointError where it is not the encoder that the captioner was taught with.
    """
    path = Path(folder, CONFIG_FILE)
    encoder, seen_through = _encoder_of(path)
    weights = encoder_weights(folder, encoder)
    if weights != IMAGENET and not Path(weights).is_file():
        raise CheckpointError(f"{path}: its encoder {weights} is not there; put it back")
    found = weights_fingerprint(weights)
    if seen_through not in ("", found):
        raise CheckpointError(
            f"{path}: its encoder {encoder} is another one than it was trained with; put that one "
            "back, or train it again"
        )
    return found


def weights_fingerprint(weights: str) -> str:
    """Tell encoders apart: over the weights file, or the name `imagenet`, and the preprocessing."""
    if Path(weights).is_file():
        return fingerprint([Path(weights)], PREPROCESSING)
    return fingerprint([], PREPROCESSING, weights)


def fingerprint(paths: Sequence[Path], *words: str) -> str:
    """Hash files and words: the first 16 hexadecimals of a SHA-256."""
    digest = hashlib.sha256("\n".join(words).encode())
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _encoder_of(path: Path) -> tuple[str, str]:
    """Read which encoder a configuration names, and the fingerprint that it was taught with."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        encoder, seen_through = found.get("encoder", ENCODER_FILE), found.get("seen_through", "")
        if not isinstance(encoder, str) or not isinstance(seen_through, str):
            raise TypeError(f"its encoder is {encoder!r}, seen_through {seen_through!r}")
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such file; is {path.parent} a captioner's folder?"
        ) from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: not a captioner's configuration ({error!r}); copy the file again"
        ) from error
    return encoder, seen_through
