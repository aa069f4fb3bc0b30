"""What every caption corpus is read into: photos with their captions, split by photo."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from batch.errors import ArchiveError


class CorpusError(ArchiveError):
    """A caption file that cannot be used as it is."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one record of a corpus; the rest can be used.

    `record` is how a person finds it in the file, `image 391895` for one; it may be empty.
    """

    file: str
    record: str
    wrong: str
    outcome: str = "left out"

    @property
    def found(self) -> str:
        """Say where and what it is."""
        return f"{self.file}: {f'{self.record} {self.wrong}'.strip()}"

    def __str__(self) -> str:
        """Say where and what it is, and what came of it."""
        return f"{self.found}; {self.outcome}"


Tell = Callable[[Problem], None]
"""Told of each problem as it is found: it notes it, or raises CorpusError to stop."""


def stop(problem: Problem) -> NoReturn:
    """Stop at a problem, as --strict asks. Raises CorpusError."""
    raise CorpusError(f"{problem.found}; mend it, or leave out STRICT to go on without it")


@dataclass(frozen=True)
class CaptionedPhoto:
    """A photo's path, relative to the corpus' photo folder, and what people wrote of it."""

    path: str
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """Photos to learn from and photos to validate on; no photo is in both."""

    train: tuple[CaptionedPhoto, ...]
    dev: tuple[CaptionedPhoto, ...]

    def __post_init__(self) -> None:
        both = {photo.path for photo in self.train} & {photo.path for photo in self.dev}
        if both:
            raise CorpusError(f"{len(both)} photos are in both splits, {min(both)} among them")

    def captions(self) -> Iterator[str]:
        """All captions of the training split."""
        for photo in self.train:
            yield from photo.captions
