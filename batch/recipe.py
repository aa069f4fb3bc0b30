"""What a training is, beside its data: sizes, rates, passes, seed."""

import json
from dataclasses import dataclass, field

from batch.errors import ArchiveError
from models.search import SearchConfig


@dataclass(frozen=True)
class Phase:
    """Some passes over the training photos; an encoder rate of 0 leaves the encoder as it is."""

    passes: int
    rate: float
    encoder_rate: float = 0.0
    tuned_after: str = ""  # the encoder's layer up to which it stays as it is


@dataclass(frozen=True)
class Recipe:
    """All that a training is, beside its data; a preset file is one of these as JSON."""

    name: str
    language: str = "en"
    min_count: int = 5
    max_length: int = 20
    embedding: int = 256
    projection: int = 512
    attention: int = 256
    units: int = 512
    dropout: float = 0.5
    label_smoothing: float = 0.1
    attention_weight: float = 0.01
    photos_a_step: int = 32
    captions_a_photo: int = 5
    smallest_crop: float = 0.75  # share of the photo's area
    seed: int = 1
    phases: tuple[Phase, ...] = (Phase(5, 5e-4), Phase(7, 5e-4, 1e-4))
    search: SearchConfig = field(default_factory=SearchConfig)

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("a recipe has at least one phase")

    @classmethod
    def read(cls, path: str) -> "Recipe":
        """Read a preset file. Raises ArchiveError naming what is not understood."""
        try:
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
            if "phases" in found:
                found["phases"] = tuple(Phase(**phase) for phase in found["phases"])
            if "search" in found:
                found["search"] = SearchConfig(**found["search"])
            return cls(**found)
        except (OSError, ValueError, TypeError) as error:
            raise ArchiveError(f"{path}: not a training preset ({error})") from error
