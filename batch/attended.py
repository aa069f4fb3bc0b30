"""Where captioners looked when they wrote captions, for many photos at once, from the cache."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from batch.encode import batched
from batch.features import FeatureCache
from batch.quiet import start_tensorflow
from batch.stores import is_there
from manifests.gallery import Looked
from models.fingerprints import attends, captioner_signature, encoder_fingerprint
from models.morphemes import PIECE

if TYPE_CHECKING:  # TensorFlow takes seconds to import
    from models.captioner import Captioner

TOGETHER = 256  # photos: 64 MiB of features


class Said(NamedTuple):
    """A caption, the photo that it is of, and the captioner that wrote it, by its signature."""

    photo_id: str
    captioner: str
    caption: str


class Attended:
    """What it takes to tell: captioners' folders and features that are kept, by signatures.

    The captioners themselves, and TensorFlow with them, are loaded when they are asked.
    """

    def __init__(self, folders: Mapping[str, str], caches: Mapping[str, FeatureCache]) -> None:
        self.folders, self.caches = folders, caches
        self._loaded: dict[str, Captioner] = {}

    @classmethod
    def load(cls, folders: Sequence[str], features: str) -> "Attended":
        """Find out what captioners, by their folders, can tell, with the caches under `features`.

        Those that do not attend, or whose encoder has seen no photo, tell nothing. Raises
        CheckpointError where a folder is not whole.
        """
        attending = {captioner_signature(folder): folder for folder in folders if attends(folder)}
        places = {
            signature: os.path.join(features, encoder_fingerprint(folder))
            for signature, folder in attending.items()
        }
        kept = {each: FeatureCache(each) for each in {*places.values()} if is_there(each)}
        caches = {each: kept[place] for each, place in places.items() if place in kept}
        return cls(attending, caches)

    def can_tell(self, said: Said) -> bool:
        """Tell whether a caption is one of these captioners', and its photo's features are kept."""
        return said.captioner in self.caches and said.photo_id in self.caches[said.captioner]

    def captioner(self, signature: str) -> "Captioner":
        """Give a captioner, loaded when it is first asked for. Raises CheckpointError."""
        if signature not in self._loaded:
            start_tensorflow()
            from models.captioner import Captioner

            self._loaded[signature] = Captioner.load(self.folders[signature])
        return self._loaded[signature]

    def looks(self, captions: Sequence[Said]) -> Iterator[tuple[Said, Looked]]:
        """Tell where each word of captions was looked for; quickest in the order of the run.

        The words are the caption's own: one whose words the captioner would not write now, with
        its search as it is, is left out. So are photos whose features are damaged. Raises
        CheckpointError where a captioner's folder is not whole.
        """
        for some in batched(filter(self.can_tell, captions), TOGETHER):
            for signature, group in _by_captioner(some).items():
                features = self.caches[signature].read({said.photo_id for said in group})
                whole = [said for said in group if said.photo_id in features]
                grids = [features[said.photo_id] for said in whole]
                if whole:
                    yield from looks_of(self.captioner(signature), grids, whole)


def _by_captioner(captions: Sequence[Said]) -> dict[str, list[Said]]:
    groups: dict[str, list[Said]] = defaultdict(list)
    for said in captions:
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
