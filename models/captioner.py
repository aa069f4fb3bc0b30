"""A captioner: features in, captions out; a folder that holds all it needs.

config.json          format, name, language, encoder, decoder sizes, search
vocabulary.txt       one word a line
decoder.weights.h5   arrays by name
encoder.weights.h5   where it brings its own; else config.json names the encoder's weights
confidence.json      where it was calibrated: how a search turns into a confidence
scene.weights.h5     where it was taught: which photos are no scene
card.md              what it was made from and what it can do, for people
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np

from models.attention_decoder import AttentionDecoder, DecoderConfig
from models.calibration import CONFIDENCE_FILE, Calibration, Head, Hypothesis
from models.checkpoint import load_variables, save_variables
from models.encoder import FEATURES, GRID, build_encoder, load_encoder_weights
from models.errors import CheckpointError

# Under these names for who has a captioner at hand; without Keras they are to be had over there.
from models.fingerprints import CONFIG_FILE as CONFIG_FILE
from models.fingerprints import DECODER_FILE as DECODER_FILE
from models.fingerprints import ENCODER_FILE as ENCODER_FILE
from models.fingerprints import IMAGENET as IMAGENET
from models.fingerprints import PREPROCESSING, encoder_weights
from models.fingerprints import VOCABULARY_FILE as VOCABULARY_FILE
from models.fingerprints import captioner_fingerprint as captioner_fingerprint
from models.fingerprints import encoder_fingerprint as encoder_fingerprint
from models.fingerprints import fingerprint as fingerprint
from models.fingerprints import weights_fingerprint as weights_fingerprint
from models.hdf5 import LARGEST
from models.merge_decoder import MergeConfig, MergeDecoder, pool_photo
from models.search import IMPOSSIBLE, CaptionSearch, SearchConfig
from models.small_files import MAX_WORDS, read_json, read_text
from models.tokenizers import find_tokenizer
from models.tutorial_decoder import TutorialConfig, TutorialDecoder
from models.vocabulary import PAD, START, Vocabulary

FORMAT = 1
MAX_BEAMS = 100
MAX_LENGTH = 1_000
_LANGUAGE = re.compile("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")  # BCP 47
BATCH = 256  # photos a search is given; the last batch is filled up, so that one graph serves all

Photos = np.ndarray | Sequence[np.ndarray]
AnyConfig = DecoderConfig | MergeConfig | TutorialConfig
AnyDecoder = AttentionDecoder | MergeDecoder | TutorialDecoder
ARCHITECTURES: dict[str, tuple[type[AnyConfig], Callable[[Any], AnyDecoder]]] = {
    "attention": (DecoderConfig, AttentionDecoder),
    "merge": (MergeConfig, MergeDecoder),
    "tutorial": (TutorialConfig, TutorialDecoder),
}


@dataclass(frozen=True)
class CaptionerConfig:
    """What config.json says: all that rebuilding the captioner takes beside its files."""

    name: str
    language: str
    decoder: AnyConfig
    search: SearchConfig
    architecture: str = "attention"
    tokenizer: str = "words"
    encoder: str = ENCODER_FILE  # a file of the folder, `imagenet`, or a path (from the folder on)
    seen_through: str = ""  # fingerprint of the encoder, where that is not in the folder
    preprocessing: str = PREPROCESSING
    format: int = FORMAT

    @classmethod
    def read(cls, folder: str) -> "CaptionerConfig":
        """Read a captioner folder's config.json. Raises CheckpointError naming file and remedy."""
        path = Path(folder, CONFIG_FILE)
        try:
            found = read_json(path)
            sizes, _ = ARCHITECTURES[found.get("architecture", cls.architecture)]
            decoder = _filled(sizes, found["decoder"])
            search = _filled(SearchConfig, found["search"])
            config = _filled(cls, {**found, "decoder": decoder, "search": search})
            _check_limits(config)
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
        return encoder_weights(folder, self.encoder)


@dataclass(frozen=True)
class Caption:
    """A caption and how likely the captioner holds it.

    `log_prob` is the sum over its tokens, `<end>` too; `confidence` is the probability that the
    caption is acceptable, or, of a captioner that was not calibrated, the geometric mean of the
    tokens' probabilities, both in [0, 1]; `alternatives` are the other beams, the likeliest first;
    `words` are the caption's as the vocabulary has them.
    """

    text: str
    log_prob: float
    confidence: float
    alternatives: tuple[str, ...]
    words: tuple[str, ...] = ()


class Captioner:
    """A decoder, its vocabulary and its search; how sure to be of what they find."""

    def __init__(
        self,
        config: CaptionerConfig,
        vocabulary: Vocabulary,
        decoder: AnyDecoder,
        calibration: Calibration | None = None,
    ) -> None:
        self.config = config
        self.vocabulary = vocabulary
        self.decoder = decoder
        self.calibration = calibration

    @classmethod
    def load(cls, folder: str, **search: Any) -> "Captioner":
        """Load a captioner's folder; `search` changes settings of its SearchConfig.

        Raises CheckpointError where a file is missing or does not fit.
        """
        config = CaptionerConfig.read(folder)
        config = replace(config, search=replace(config.search, **search))
        vocabulary = _read_vocabulary(folder, config)
        decoder = make_decoder(config)
        load_variables(decoder.weights, Path(folder, DECODER_FILE))
        return cls(config, vocabulary, decoder, Calibration.read(folder))

    def save(self, folder: str, encoder: keras.Model | None = None, *, half: bool = True) -> None:
        """Write the folder, in half precision by default, the encoder too where one is given."""
        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        (home / VOCABULARY_FILE).write_text(self.vocabulary.to_text(), encoding="utf-8")
        save_variables(self.decoder.weights, home / DECODER_FILE, half=half)
        if encoder is not None:
            save_variables(encoder.weights, home / ENCODER_FILE, half=half)
        (home / CONFIDENCE_FILE).unlink(missing_ok=True)  # it may be of other weights
        if self.calibration:
            _write_json(home / CONFIDENCE_FILE, self.calibration.as_json())
        _write_json(home / CONFIG_FILE, asdict(self.config))

    def caption(self, features: Photos) -> list[Caption]:
        """Caption photos by their features (8, 8, 2048) each, any number, any float type.

        Where the captioner sees a photo as one vector, some or all may be pooled, (2048,).
        The same features give the same captions, whatever they are batched with.
        """
        return [
            caption
            for start in range(0, len(features), BATCH)
            for caption in self._caption_batch(features[start : start + BATCH])
        ]

    def attend(self, features: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Caption one photo by its features (8, 8, 2048); tell where each word was looked for.

        Returns the words, as the vocabulary has them, and for each the share of attention that each
        cell of the grid had: float32 (words, 8, 8), each grid sums to one.
        Raises CheckpointError where the captioner's decoder does not attend.
        """
        [caption] = self.caption(features[None])
        [grids] = self.looks(features[None], [caption.words])
        return list(caption.words), grids

    def looks(self, features: Photos, spelled: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Tell where each word of given captions was looked for (teacher forcing).

        features: (8, 8, 2048) a photo; spelled: each photo's words, as the vocabulary has them.
        Returns, for each photo, what `attend` does of its words. Raises CheckpointError where the
        captioner's decoder does not attend.
        """
        return [
            grids
            for start in range(0, len(features), BATCH)
            for grids in self._looks_batch(
                features[start : start + BATCH], spelled[start : start + BATCH]
            )
        ]

    def _looks_batch(
        self, features: Photos, spelled: Sequence[Sequence[str]]
    ) -> Iterator[np.ndarray]:
        longest = max(1, *map(len, spelled))
        heard = np.full((len(spelled), 1, longest), PAD, np.int32)
        for row, words in zip(heard[:, 0], spelled, strict=True):
            row[: len(words)] = [START, *self.vocabulary.ids(words[:-1])][: len(words)]
        _, *looks = self.decoder((self._stacked(features), heard))
        if not looks:
            raise CheckpointError(
                f"{self.config.name} does not attend: it sees each photo as one vector"
            )
        grids = np.asarray(looks[0])[:, 0].reshape(len(spelled), longest, GRID, GRID)
        for photo, words in zip(grids, spelled, strict=True):
            yield photo[: len(words)]

    def _caption_batch(self, features: Photos) -> list[Caption]:
        return [self._write(*pair) for pair in zip(*self._search_batch(features), strict=True)]

    def _search_batch(self, features: Photos) -> tuple[np.ndarray, np.ndarray]:
        """Search for the captions of at most BATCH photos: tokens and log-probabilities."""
        draws = bool(self.config.search.temperature)
        more = _filled_up(self._draws(features)) if draws else np.arange(BATCH) < len(features)
        inputs = _filled_up(self._stacked(features)), more
        tokens, log_probs = map(np.asarray, self._search.predict_on_batch(inputs))
        return tokens[: len(features)], log_probs[: len(features)]

    def _stacked(self, features: Photos) -> np.ndarray:
        """Stack what the decoder sees of photos; a vector is never taken for a grid."""
        if isinstance(self.decoder, MergeDecoder):
            return np.stack([pool_photo(photo) for photo in features])
        for photo in features:
            if photo.shape != (GRID, GRID, FEATURES):
                raise ValueError(f"features are (8, 8, 2048) a photo, not {photo.shape}")
        return np.asarray(features)

    @cached_property
    def _search(self) -> CaptionSearch:
        return CaptionSearch(self.decoder, self.config.search, self.vocabulary.unsayable)

    def _draws(self, features: Photos) -> np.ndarray:
        """Give the numbers that sampling draws by: they follow from the seed and the photo."""
        search = self.config.search
        return np.stack([_draw(photo, search.seed, search.max_length + 1) for photo in features])

    def _write(self, beams: np.ndarray, log_probs: np.ndarray) -> Caption:
        others = beams[1:][log_probs[1:] > IMPOSSIBLE]
        text, *alternatives = dict.fromkeys(map(self.vocabulary.decode, [beams[0], *others]))
        found = Hypothesis(tuple(self.vocabulary.spell(beams[0])), float(log_probs[0]))
        confidence = self._head.confidence(found) if self._head else found.geometric_mean
        return Caption(text, found.log_prob, confidence, tuple(alternatives), found.words)

    @cached_property
    def _head(self) -> Head | None:
        search = self.config.search
        beams = search.num_beams > 1 and not search.temperature
        return self.calibration.head(beams=beams) if self.calibration else None


def make_decoder(config: CaptionerConfig) -> AnyDecoder:
    """Build the decoder that a configuration asks for, untrained."""
    _, decoder = ARCHITECTURES[config.architecture]
    return decoder(config.decoder)


def _filled_up(rows: np.ndarray) -> np.ndarray:
    """Copy rows into a whole batch, zeros behind them."""
    padded = np.zeros((BATCH, *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    return padded


def _draw(features: np.ndarray, seed: int, length: int) -> np.ndarray:
    photo = hashlib.sha256(np.ascontiguousarray(features, np.float16).tobytes()).digest()
    return np.random.default_rng([seed, int.from_bytes(photo[:8])]).random(length, np.float32)


def load_encoder(folder: str, *, bfloat16: bool = False) -> keras.Model:
    """Build the encoder that a captioner's folder names and fill it. Raises CheckpointError."""
    encoder = build_encoder(bfloat16=bfloat16)
    load_encoder_weights(encoder, CaptionerConfig.read(folder).encoder_weights(folder))
    return encoder


def _check_limits(config: CaptionerConfig) -> None:
    """Raise ValueError where a configuration asks for more than any captioner: memory is finite."""
    sizes = [size for size in asdict(config.decoder).values() if type(size) is int]
    second, first = sorted([FEATURES, *sizes])[-2:]
    if first * second > LARGEST:  # no array has more numbers than its two largest sizes make
        raise ValueError(f"sizes of {first:,} and {second:,}")
    if config.search.num_beams > MAX_BEAMS or config.search.max_length > MAX_LENGTH:
        raise ValueError("a search of more beams, or for longer captions, than any")
    if not _LANGUAGE.fullmatch(config.language):  # it becomes the name of columns and files
        raise ValueError(f"language is {config.language[:40]!r}")


def _write_json(path: Path, found: Mapping[str, Any]) -> None:
    path.write_text(f"{json.dumps(found, indent=2, ensure_ascii=False)}\n", encoding="utf-8")


def _filled(kind: type[Any], found: Mapping[str, Any]) -> Any:
    """Make a dataclass of what JSON held. Raises TypeError where a value is of another type."""
    for field in fields(kind):
        value = found.get(field.name, field.default)
        expected = get_args(field.type) or (field.type,)
        if type(value) not in ((int, float) if field.type is float else expected):
            raise TypeError(f"{field.name} is {value!r}, not {field.type}")
    return kind(**found)


def _read_vocabulary(folder: str, config: CaptionerConfig) -> Vocabulary:
    path = Path(folder, VOCABULARY_FILE)
    try:
        tokenizer = find_tokenizer(config.tokenizer)
        vocabulary = Vocabulary.from_text(read_text(path, MAX_WORDS), tokenizer)
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
