"""Where captioners looked when they wrote captions, for many photos at once, from the cache."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from batch.encode import batched
from manifests.gallery import Looked
from models.morphemes import PIECE

if TYPE_CHECKING:  # TensorFlow takes seconds to import
    from batch.features import FeatureCache
    from models.captioner import Captioner

TOGETHER = 256  # photos: 64 MiB of features


class Said(NamedTuple):
    """A caption, the photo that it is of, and the captioner that wrote it, by its signature."""

    photo_id: str
    captioner: str
    caption: str


@dataclass(frozen=True)
class Attended:
    """What it takes to tell: features that are kept, and captioners by their signatures."""

    cache: "FeatureCache"
    captioners: "Mapping[str, Captioner]"

    @classmethod
    def load(cls, captioners: Sequence[str], features: str) -> "Attended":
        """Load captioners, by their folders, and the cache under `features`; no encoder.

        Raises CheckpointError where a folder is not whole, ArchiveError where captioners do not go
        together.
        """
        from batch.caption import Stage

        stage = Stage.load(captioners, features, {})
        return cls(stage.cache, stage.captioners)

    def can_tell(self, said: Said) -> bool:
        """Tell whether the caption is one of these captioners' and the photo's features are kept.

        Whether the captioner attends shows when it is asked.
        """
        return said.captioner in self.captioners and said.photo_id in self.cache

    def looks(self, captions: Sequence[Said]) -> Iterator[tuple[Said, Looked]]:
        """Tell where each word of captions was looked for; quickest in the order of the run.

        The words are the caption's own: one whose words the captioner would not write now, with
        its search as it is, is left out. So are photos whose features are damaged. Raises
        CheckpointError where a captioner does not attend.
        """
        for some in batched(captions, TOGETHER):
            features = self.cache.read({said.photo_id for said in some})
            for captioner, group in self._by_captioner(some, features).items():
                grids = [features[said.photo_id] for said in group]
                yield from looks_of(self.captioners[captioner], grids, group)

    def _by_captioner(
        self, captions: Sequence[Said], features: Mapping[str, np.ndarray]
    ) -> dict[str, list[Said]]:
        groups: dict[str, list[Said]] = defaultdict(list)
        for said in captions:
            if said.photo_id in features and said.captioner in self.captioners:
                groups[said.captioner].append(said)
        return groups


def looks_of(
    captioner: "Captioner", features: Sequence[np.ndarray], captions: Sequence[Said]
) -> Iterator[tuple[Said, Looked]]:
    """Tell where one captioner looked in photos whose captions it wrote."""
    from batch.attention import shown_word

    words = words_of(captioner, features, [said.caption for said in captions])
    spelled = [number for number, found in enumerate(words) if found]
    grids = captioner.looks(
        [features[number] for number in spelled], [words[number] or () for number in spelled]
    )
    for number, looked in zip(spelled, grids, strict=True):
        shown = tuple(map(shown_word, words[number] or ()))
        yield captions[number], Looked(shown, brightest_255(looked).tobytes())


def words_of(
    captioner: "Captioner", features: Sequence[np.ndarray], captions: Sequence[str]
) -> list[tuple[str, ...] | None]:
    """Find the words, as the vocabulary has them, that captions were written with.

    A caption is cut where that gives words which spell it again, and searched for again where it
    does not, or where it hides how it was put together, as Korean pieces do: the words are then
    those of the search, if that ends in the same text. None where neither knows.
    """
    words = [_cut(captioner, caption) for caption in captions]
    hidden = any(word.startswith(PIECE) for word in captioner.vocabulary.words)
    unsure = [number for number, found in enumerate(words) if hidden or found is None]
    again = captioner.caption([features[number] for number in unsure])
    for number, found in zip(unsure, again, strict=True):
        if found.text == captions[number]:
            words[number] = found.words
    return words


def brightest_255(grids: np.ndarray) -> np.ndarray:
    """Turn shares of attention (words, 8, 8) into uint8, the greatest share of all being 255.

    Words can be compared, as in attention pictures (`batch/attention.py`).
    """
    top = grids.max(initial=np.finfo(np.float32).tiny)
    return np.rint(grids / top * 255).astype(np.uint8)


def _cut(captioner: "Captioner", caption: str) -> tuple[str, ...] | None:
    from models.errors import MissingExtraError

    try:
        return captioner.vocabulary.cut(caption)
    except MissingExtraError:  # Korean is cut by a package that captioning does without
        return None
