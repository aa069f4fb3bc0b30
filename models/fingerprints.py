"""Names for what is in files, so that features and captions are known by what made them.

Nothing here needs Keras: who only looks for cached features need not wait for it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from models.errors import CheckpointError
from models.small_files import read_json

CONFIG_FILE = "config.json"
VOCABULARY_FILE = "vocabulary.txt"
DECODER_FILE = "decoder.weights.h5"
ENCODER_FILE = "encoder.weights.h5"
CONFIDENCE_FILE = "confidence.json"
SCENE_FILE = "scene.weights.h5"
IMAGENET = "imagenet"  # an encoder by name: Keras downloads its weights
PREPROCESSING = (
    "rgb8-squashed-299-to-minus1-1"  # part of the fingerprint: a change makes new features
)
_LEFT_OUT = {"name": "", "encoder": ENCODER_FILE, "seen_through": "", "architecture": "attention"}
_ATTENDING = ("attention", "tutorial")


def encoder_weights(folder: str, encoder: str) -> str:
    """Say where the weights of a captioner's encoder are: a path, or `imagenet`."""
    own = Path(folder, encoder)
    return str(own) if encoder == ENCODER_FILE or own.is_file() else encoder


def encoder_fingerprint(folder: str) -> str:
    """Tell the encoders of captioners apart; no model is loaded.

    Raises CheckpointError where it is not the encoder that the captioner was taught with.
    """
    path = Path(folder, CONFIG_FILE)
    config = _read_config(path)
    encoder, seen_through = config["encoder"], config["seen_through"]
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


def captioner_fingerprint(folder: str) -> str:
    """Tell captioners apart, by the files that make one; no model is loaded."""
    names = (CONFIG_FILE, VOCABULARY_FILE, DECODER_FILE, CONFIDENCE_FILE, SCENE_FILE)
    encoder = encoder_weights(folder, _read_config(Path(folder, CONFIG_FILE))["encoder"])
    paths = [*(Path(folder, name) for name in names), Path(encoder)]
    return fingerprint([path for path in paths if path.exists()])


def captioner_signature(folder: str) -> str:
    """Name a captioner so that another one of the same name is told apart; no model is loaded."""
    name = _read_config(Path(folder, CONFIG_FILE))["name"]
    return f"{name}@{captioner_fingerprint(folder)}"


def attends(folder: str) -> bool:
    """Tell whether a captioner looks here and there in a photo; no model is loaded."""
    return _read_config(Path(folder, CONFIG_FILE))["architecture"] in _ATTENDING


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


def _read_config(path: Path) -> dict[str, str]:
    """Read some texts of a captioner's configuration, those that it leaves out as they are then."""
    try:
        found = read_json(path)
        texts = {name: found.get(name, otherwise) for name, otherwise in _LEFT_OUT.items()}
        for name, text in texts.items():
            if not isinstance(text, str):
                raise TypeError(f"its {name} is {text!r}")
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such file; is {path.parent} a captioner's folder?"
        ) from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: not a captioner's configuration ({error!r}); copy the file again"
        ) from error
    return texts
