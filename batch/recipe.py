"""What a training is, beside its data: sizes, rates, passes, seed."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from batch.errors import ArchiveError
from models.attention_decoder import DecoderConfig
from models.merge_decoder import MergeConfig
from models.search import SearchConfig
from models.small_files import read_json
from models.tokenizers import find_tokenizer

Architecture = Literal["attention", "merge"]


@dataclass(frozen=True)
class Phase:
    """Some passes over the training photos; an encoder rate of 0 leaves the encoder as it is.

    The rate warms up and falls to zero over the phase, or with `constant` stays what it is. A phase
    that leaves the encoder as it is after one that tuned it goes on with the pass that was kept.
    Photos are mirrored, cropped and recoloured only where the encoder learns from them.
    """

    passes: int
    rate: float
    encoder_rate: float = 0.0
    tuned_after: str = ""  # the encoder's layer up to which it stays as it is
    constant: bool = False
    photos_a_step: int = 0  # the recipe's, where 0
    averaging: float = 0.0  # of the moving average of the weights, what a step leaves; 0: none
    mirrored: bool = True  # half of the photos
    smallest_crop: float = 0.75  # share of the photo's area
    colour: float = 0.0  # brightness, saturation and contrast change by up to so much
    self_critical: float = 0.0  # share of the loss, the rest is cross-entropy
    beams: int = 5  # captions of a photo that are criticised

    def check(self) -> None:
        """Raise ValueError where a setting means nothing."""
        if not 0 <= self.self_critical < 1 or self.beams < 2:
            raise ValueError("self_critical is at least 0 and below 1, beams at least 2")
        if not (0 <= self.averaging < 1 and 0 <= self.colour <= 1 and 0 < self.smallest_crop <= 1):
            raise ValueError(
                "averaging is at least 0 and below 1, colour from 0 to 1, smallest_crop above 0 "
                "and at most 1"
            )


@dataclass(frozen=True)
class Recipe:
    """All that a training is, beside its data; a preset file is one of these as JSON."""

    name: str
    language: str = "en"
    architecture: Architecture = "attention"
    tokenizer: str = "words"
    unknown: bool = True  # rare words become <unk>; else they are left out of captions
    min_count: int = 5
    max_length: int = 20
    embedding: int = 256
    projection: int = 512  # this and the next: where the decoder attends
    attention: int = 256
    units: int = 512
    dropout: float = 0.5
    tune_vectors: bool = False  # word vectors from a file are trained on, not kept as they are
    label_smoothing: float = 0.1
    attention_weight: float = 0.01
    weight_decay: float = 1e-4
    keep_passes: bool = False  # a captioner of each pass, not of the best one alone
    photos_a_step: int = 32
    captions_a_photo: int = 5
    seed: int = 1
    phases: tuple[Phase, ...] = (Phase(5, 5e-4), Phase(7, 5e-4, 1e-4))
    search: SearchConfig = field(default_factory=SearchConfig)

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("a recipe has at least one phase")
        if self.architecture not in get_args(Architecture):
            raise ValueError(f"no architecture {self.architecture!r}")
        if self.architecture == "merge" and any(phase.encoder_rate for phase in self.phases):
            raise ValueError("the merge captioner is trained on features alone: no encoder_rate")
        if any(phase.encoder_rate and phase.self_critical for phase in self.phases):
            raise ValueError("a self-critical phase leaves the encoder as it is: no encoder_rate")
        for phase in self.phases:
            phase.check()
        find_tokenizer(self.tokenizer)

    def decoder_config(self, vocabulary_size: int) -> DecoderConfig | MergeConfig:
        """Give the decoder's sizes for a vocabulary."""
        if self.architecture == "merge":
            return MergeConfig(vocabulary_size, self.embedding, self.units, self.dropout)
        return DecoderConfig(
            vocabulary_size,
            self.embedding,
            self.projection,
            self.attention,
            self.units,
            self.dropout,
        )

    def step_size(self, phase: int) -> int:
        """Tell how many photos a step of a phase sees."""
        return self.phases[phase].photos_a_step or self.photos_a_step

    @classmethod
    def read(cls, path: str) -> "Recipe":
        """Read a preset file. Raises ArchiveError naming what is not understood."""
        try:
            found = read_json(path)
            if "phases" in found:
                found["phases"] = tuple(Phase(**phase) for phase in found["phases"])
            if "search" in found:
                found["search"] = SearchConfig(**found["search"])
            return cls(**found)
        except (OSError, ValueError, TypeError) as error:
            raise ArchiveError(f"{path}: not a training preset ({error})") from error
