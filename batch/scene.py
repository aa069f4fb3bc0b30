"""Teach a captioner to pass over what is no scene: from photos it learnt from, and from drawings.

Writes scene.weights.h5 into the captioner's folder. The photos are a sample of those it was trained
on, as they are and made odd (dark, washed out, grey, cropped tight); what is no scene is drawn.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm import tqdm

from batch.caption import encode_with
from batch.corpora.corpus import Tell, stop
from batch.encode import CHUNK, Encode, batched, encode_into_cache
from batch.errors import ArchiveError
from batch.features import SHARD_PHOTOS, FeatureCache, open_cache
from batch.feeds import TrainingPhoto
from batch.nonscenes.drawings import KINDS, drawings
from batch.nonscenes.looks import odd_photo
from batch.photos import open_upright, read_bytes, squashed
from models.captioner import CaptionerConfig, encoder_fingerprint
from models.encoder import FEATURES, IMAGE_SIZE
from models.merge_decoder import pool_photo
from models.scene import SceneHead

ENOUGH = 500  # photos to learn from; fewer don't tell what scenes look like
PHOTOS = 2000  # of them, a sample
ODD = 640  # of these, once more
EACH = 32  # drawings of each kind
MOST = 0.001  # of the photos to validate on may be taken for no scene
FOLDS = 5  # groups of kinds, each left out once to see whether it is found all the same
_SEED = 1


@dataclass(frozen=True)
class SceneReport:
    """How well scenes are told: photos to validate on that were flagged, drawings that were found.

    The photos are the half of those to validate on by which the line was not moved. Each kind of
    drawing was left out while those were fitted that it was tried with.
    """

    photos: int
    flagged: int
    found: Mapping[str, int]
    each: int

    def __str__(self) -> str:
        drawn = self.each * len(self.found)
        kinds = ", ".join(f"{kind.replace('_', ' ')} {n}" for kind, n in self.found.items())
        return (
            f"taken for no scene: {self.flagged:,} of {self.photos:,} photos to validate on, "
            f"{sum(self.found.values()):,} of {drawn:,} drawings of kinds that were left out "
            f"(of {self.each} each: {kinds})"
        )


def teach_scenes(
    folder: str, train: Sequence[str], dev: Sequence[str], features: str, tell: Tell = stop
) -> SceneReport:
    """Fit a captioner's scene head and write it into its folder.

    train, dev: paths of photos that it has learnt from, and of others; features: root of the cache.
    `tell` is told of photos that cannot be read, which are left out. Raises ArchiveError where
    there are too few photos, CheckpointError where the encoder is gone.
    """
    _check_enough(len(train))
    encoder, encode = encoder_fingerprint(folder), encode_with(folder)
    cache = open_cache(features, encoder, CaptionerConfig.read(folder).architecture)
    random = np.random.default_rng(_SEED)
    chosen = [train[place] for place in random.permutation(len(train))[:PHOTOS]]

    def encoded(paths: Sequence[str]) -> dict[str, str]:
        return encode_into_cache(paths, "", cache, encode, tell)

    photos = encoded(chosen)
    _check_enough(len(photos))
    odd = (_made_odd(path, number) for number, path in enumerate(list(photos)[:ODD]))
    scenes = np.concatenate([_kept(photos.values(), cache), _encoded(odd, encode)])
    spared, held_out = np.array_split(_kept(encoded(dev).values(), cache), 2)
    others = _encoded((picture for _, picture in drawings(EACH)), encode)

    def fit(drawn: np.ndarray) -> SceneHead:
        return SceneHead.fit(scenes, drawn, encoder).sparing(spared, MOST)

    head = fit(others)
    head.save(folder)
    flagged = sum(not head.shown_in(photo) for photo in held_out)
    return SceneReport(len(held_out), flagged, _found(others, fit), EACH)


def _check_enough(photos: int) -> None:
    if photos < ENOUGH:
        raise ArchiveError(
            f"{photos:,} photos are too few to learn from what scenes look like; {ENOUGH} are "
            "enough"
        )


def end_training(
    folder: str, train: Sequence[TrainingPhoto], dev: Sequence[TrainingPhoto], features: str
) -> None:
    """Teach a captioner that has just been trained, and tell of it; not one of a few photos."""
    if len(train) >= ENOUGH:
        learnt, others = ([photo.location for photo in split] for split in (train, dev))
        # A photo that has become unreadable since it was learnt from is no matter now.
        tqdm.write(str(teach_scenes(folder, learnt, others, features, lambda _: None)))


def _found(others: np.ndarray, fit: Callable[[np.ndarray], SceneHead]) -> dict[str, int]:
    """Count the drawings of each kind that are found by a head that never saw their kind."""
    places = np.repeat(np.arange(len(KINDS)), EACH)
    names = list(KINDS)
    counts: Counter[str] = Counter(dict.fromkeys(names, 0))
    for fold in range(FOLDS):
        left_out = places % FOLDS == fold
        head = fit(others[~left_out])
        tried = zip(places[left_out], others[left_out], strict=True)
        counts.update(names[place] for place, photo in tried if not head.shown_in(photo))
    return dict(counts)


def _kept(photo_ids: Iterable[str], cache: FeatureCache) -> np.ndarray:
    """Give the pooled features of photos in their order, float32 (photos, 2048)."""
    pooled = []
    for batch in batched(photo_ids, SHARD_PHOTOS):
        found = cache.read(batch)
        pooled += [pool_photo(found[photo_id]) for photo_id in batch if photo_id in found]
    return np.array(pooled, np.float32).reshape(-1, FEATURES)


def _encoded(pictures: Iterable[Image.Image], encode: Encode) -> np.ndarray:
    """Give the pooled features of pictures, as if they had been cached."""
    return np.stack([pool_photo(grid) for grid in _grids(pictures, encode)])


def _grids(pictures: Iterable[Image.Image], encode: Encode) -> Iterator[np.ndarray]:
    for chunk in batched(pictures, CHUNK):
        pixels = np.stack([squashed(picture, IMAGE_SIZE) for picture in chunk])
        yield from np.asarray(encode(pixels)).astype(np.float16)


def _made_odd(path: str, number: int) -> Image.Image:
    photo = open_upright(read_bytes(path), 2 * IMAGE_SIZE)
    return odd_photo(photo, np.random.default_rng([_SEED, number]))
