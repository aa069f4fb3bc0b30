"""A captioner: features in, captions out; a folder that holds all it needs.

config.json          format, name, language, encoder, decoder sizes, search
vocabulary.txt       one word a line
decoder.weights.h5   arrays by name
encoder.weights.h5   where it brings its own; else config.json names the encoder's weights
card.md              what it was made from and what it can do, for people
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models.attention_decoder import AttentionDecoder, DecoderConfig
from models.checkpoint import load_variables, save_variables
from models.encoder import PREPROCESSING, build_encoder, load_encoder_weights
from models.errors import CheckpointError
from models.search import IMPOSSIBLE, CaptionSearch, SearchConfig
from models.vocabulary import PAD, Vocabulary

FORMAT = 1
BATCH = 64  # photos searched at once; the last batch is filled up, so that one graph serves all
CONFIG_FILE, VOCABULARY_FILE = "config.json", "vocabulary.txt"
DECODER_FILE, ENCODER_FILE = "decoder.weights.h5", "encoder.weights.h5"


@dataclass(frozen=True)
class CaptionerConfig:
    """What config.json says: all that rebuilding the captioner takes beside its files."""

    name: str
    language: str
    decoder: DecoderConfig
    search: SearchConfig
    encoder: str = ENCODER_FILE  # a file of the folder, `imagenet`, or a path
    preprocessing: str = PREPROCESSING
    format: int = FORMAT

    @classmethod
    def read(cls, folder: str) -> "CaptionerConfig":
        """Read a captioner folder's config.json. Raises CheckpointError naming file and remedy."""
        path = Path(folder, CONFIG_FILE)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            decoder = _filled(DecoderConfig, found["decoder"])
            search = _filled(SearchConfig, found["search"])
            config = _filled(cls, {**found, "decoder": decoder, "search": search})
        except FileNotFoundError as error:
            raise CheckpointError(
                f"{path}: no such file; is {folder} a captioner's folder?"
            ) from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(
                f"{path}: not a captioner's configuration ({error!r}); copy the file again"
            ) from error
        if config.format != FORMAT or config.preprocessing != PREPROCESSING:
            raise CheckpointError(
                f"{path}: made for another version of this program; train it again"
            )
        return config

    def encoder_weights(self, folder: str) -> str:
        """Say where the encoder's weights are: a path, or `imagenet`."""
        own = Path(folder, self.encoder)
        return str(own) if self.encoder == ENCODER_FILE or own.is_file() else self.encoder


@dataclass(frozen=True)
class Caption:
    """A caption and how likely the captioner holds it.

    `log_prob` is the sum over its tokens, `<end>` too; `confidence` is the geometric mean of their
    probabilities, in (0, 1]; `alternatives` are the other beams, the likeliest first.
    """

    text: str
    log_prob: float
    confidence: float
    alternatives: tuple[str, ...]


class Captioner:
    """A decoder, its vocabulary and its search."""

    def __init__(
        self, config: CaptionerConfig, vocabulary: Vocabulary, decoder: AttentionDecoder
    ) -> None:
        self.config = config
        self.vocabulary = vocabulary
        self.decoder = decoder

    @classmethod
    def load(cls, folder: str, **search: Any) -> "Captioner":
        """Load a captioner's folder; `search` changes settings of its SearchConfig.

        Raises CheckpointError where a file is missing or does not fit.
        """
        config = CaptionerConfig.read(folder)
        config = replace(config, search=replace(config.search, **search))
        vocabulary = _read_vocabulary(folder, config)
        decoder = AttentionDecoder(config.decoder)
        load_variables(decoder.weights, Path(folder, DECODER_FILE))
        return cls(config, vocabulary, decoder)

    def save(self, folder: str, encoder: keras.Model | None = None) -> None:
        """Write the folder in half precision, the encoder too where one is given."""
        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        (home / VOCABULARY_FILE).write_text(self.vocabulary.to_text(), encoding="utf-8")
        save_variables(self.decoder.weights, home / DECODER_FILE, half=True)
        if encoder is not None:
            save_variables(encoder.weights, home / ENCODER_FILE, half=True)
        config = json.dumps(asdict(self.config), indent=2, ensure_ascii=False)
        (home / CONFIG_FILE).write_text(f"{config}\n", encoding="utf-8")

    def caption(self, features: np.ndarray) -> list[Caption]:
        """Caption photos by their features (photos, 8, 8, 2048), any number, any float type.

        The same features give the same captions, whatever they are batched with.
        """
        return [
            caption
            for start in range(0, len(features), BATCH)
            for caption in self._caption_batch(features[start : start + BATCH])
        ]

    def _caption_batch(self, features: np.ndarray) -> list[Caption]:
        padded = np.zeros((BATCH, *features.shape[1:]), np.float32)
        padded[: len(features)] = features
        tokens, log_probs = map(np.asarray, self._search.predict_on_batch(padded))
        pairs = zip(tokens[: len(features)], log_probs, strict=False)
        return [self._write(*pair) for pair in pairs]

    @cached_property
    def _search(self) -> CaptionSearch:
        return CaptionSearch(self.decoder, self.config.search)

    def _write(self, beams: np.ndarray, log_probs: np.ndarray) -> Caption:
        others = beams[1:][log_probs[1:] > IMPOSSIBLE]
        text, *alternatives = dict.fromkeys(map(self.vocabulary.decode, [beams[0], *others]))
        log_prob = float(log_probs[0])
        tokens = max(1, int(np.count_nonzero(beams[0] != PAD)))
        confidence = math.exp(log_prob / tokens)
        return Caption(text, log_prob, confidence, tuple(alternatives))


def load_encoder(folder: str, *, bfloat16: bool = False) -> keras.Model:
    """Build the encoder that a captioner's folder names and fill it. Raises CheckpointError."""
    encoder = build_encoder(bfloat16=bfloat16)
    load_encoder_weights(encoder, CaptionerConfig.read(folder).encoder_weights(folder))
    return encoder


def captioner_fingerprint(folder: str) -> str:
    """Tell captioners apart, by the files that make one."""
    names = (CONFIG_FILE, VOCABULARY_FILE, DECODER_FILE, ENCODER_FILE)
    paths = [Path(folder, name) for name in names]
    return fingerprint([path for path in paths if path.exists()])


def encoder_fingerprint(folder: str) -> str:
    """Tell the encoders of captioners apart; no model is loaded."""
    return weights_fingerprint(CaptionerConfig.read(folder).encoder_weights(folder))


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


def _filled(kind: type[Any], found: Mapping[str, Any]) -> Any:
    """Make a dataclass of what JSON held. Raises TypeError where a value is of another type."""
    for field in fields(kind):
        value = found.get(field.name, field.default)
        if type(value) not in ((int, float) if field.type is float else (field.type,)):
            raise TypeError(f"{field.name} is {value!r}, not {field.type}")
    return kind(**found)


def _read_vocabulary(folder: str, config: CaptionerConfig) -> Vocabulary:
    path = Path(folder, VOCABULARY_FILE)
    try:
        vocabulary = Vocabulary.from_text(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: not a captioner's vocabulary ({error}); copy the file again"
        ) from error
    if len(vocabulary) != config.decoder.vocabulary_size:
        raise CheckpointError(
            f"{path}: {len(vocabulary)} words, config.json says "
            f"{config.decoder.vocabulary_size}; take all files from one captioner"
        )
    return vocabulary
