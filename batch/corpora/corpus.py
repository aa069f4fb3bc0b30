"""What every caption corpus is read into: photos with their captions, split by photo."""

from collections.abc import Iterator
from dataclasses import dataclass

from batch.errors import ArchiveError


class CorpusError(ArchiveError):
    """A caption file that cannot be used as it is."""


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
