"""Training batches: which photos and captions a step sees follows from the seed and the step."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from batch.damage import PhotoError
from batch.encode import THREADS, batched, made_ahead
from batch.errors import ArchiveError
from batch.features import SHAPE, SHARD_PHOTOS, FeatureCache
from batch.photos import open_upright, read_bytes
from batch.recipe import Recipe
from models.encoder import IMAGE_SIZE
from models.merge_decoder import pool_photo
from models.vocabulary import Vocabulary

AHEAD = 4  # batches made before they are asked for
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green, blue: ITU-R BT.601


@dataclass(frozen=True)
class TrainingPhoto:
    """A photo to learn from: its place, its identity, its captions as ids (captions, steps)."""

    location: str
    photo_id: str
    tokens: np.ndarray


Batch = tuple[tuple[np.ndarray, np.ndarray], np.ndarray]
"""(features or pixels, tokens (photos, captions, steps)), targets: the tokens one step on."""

Look = Callable[[Sequence[TrainingPhoto], Any], np.ndarray]
"""Photos and a random generator -> what the model sees of them."""


def from_cache(cache: FeatureCache, photos: Sequence[TrainingPhoto]) -> Look:
    """See photos as their cached features, float16 (photos, 8, 8, 2048).

    They are read once where that takes no more than a third of the machine's memory: 256 KiB a
    photo.
    """
    if 2 * math.prod(SHAPE) * len(photos) < _memory() / 3:
        return from_memory(cache, photos)

    def look(photos: Sequence[TrainingPhoto], _: Any) -> np.ndarray:
        features = read_all(cache, photos)
        return np.stack([features[photo.photo_id] for photo in photos])

    return look


def _memory() -> int:
    """Tell how many bytes of memory the machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class Identified(Protocol):
    """Anything of a photo that is known by its identity."""

    @property
    def photo_id(self) -> str:
        """SHA-256 of the photo's bytes, in hexadecimal."""


def read_all(cache: FeatureCache, photos: Sequence[Identified]) -> dict[str, np.ndarray]:
    """Read the features of photos that are all there. Raises ArchiveError where one is lost."""
    features = cache.read({photo.photo_id for photo in photos})
    if any(photo.photo_id not in features for photo in photos):
        raise ArchiveError(f"{cache.folder}: damaged features; run again to make them anew")
    return features


def from_memory(
    cache: FeatureCache, photos: Sequence[TrainingPhoto], *, pooled: bool = False
) -> Look:
    """See photos as their features, or these `pooled` (photos, 2048), read once: float16."""

    def kept(grid: np.ndarray) -> np.ndarray:
        return pool_photo(grid).astype(np.float16) if pooled else grid

    features = {
        photo_id: kept(grid)
        for batch in batched(photos, SHARD_PHOTOS)
        for photo_id, grid in read_all(cache, batch).items()
    }

    def look(photos: Sequence[TrainingPhoto], _: Any) -> np.ndarray:
        return np.stack([features[photo.photo_id] for photo in photos])

    return look


def from_files(smallest_crop: float, colour: float = 0.0, *, mirrored: bool = True) -> Look:
    """See photos as uint8 pixels (photos, 299, 299, 3), cropped a little, half of them `mirrored`.

    Brightness, saturation and contrast are changed by a factor of up to 1 ± `colour`.
    """

    def look(photos: Sequence[TrainingPhoto], random: Any) -> np.ndarray:
        draws = random.random((len(photos), 7))
        if not mirrored:
            draws[:, 3] = 1
        with Parallel(n_jobs=THREADS, prefer="threads") as parallel:
            return np.stack(
                parallel(
                    delayed(_augmented)(photo.location, draw, smallest_crop, colour)
                    for photo, draw in zip(photos, draws, strict=True)
                )
            )

    return look


def _augmented(location: str, draw: np.ndarray, smallest_crop: float, colour: float) -> np.ndarray:
    """Crop, squash, maybe mirror and recolour a photo as seven numbers in [0, 1) decide."""
    try:
        image = open_upright(read_bytes(location), 2 * IMAGE_SIZE)
    except PhotoError as error:
        raise ArchiveError(f"{location}: {error}") from error
    side = np.sqrt(smallest_crop + (1 - smallest_crop) * draw[0])
    width, height = side * image.width, side * image.height
    left, top = draw[1] * (image.width - width), draw[2] * (image.height - height)
    box = (left, top, left + width, top + height)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    square = image.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    pixels = _recoloured(np.asarray(square, np.uint8), 1 + colour * (2 * draw[4:] - 1))
    return pixels[:, ::-1] if draw[3] < 0.5 else pixels


def _recoloured(pixels: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Multiply brightness, saturation and contrast of (height, width, 3) uint8 by three factors."""
    if (factors == 1).all():
        return pixels
    brightness, saturation, contrast = factors.astype(np.float32)
    bright = pixels * brightness
    grey = bright @ _LUMA
    mean = grey.mean()
    vivid = grey[..., None] + saturation * (bright - grey[..., None])
    return np.clip(mean + contrast * (vivid - mean), 0, 255).astype(np.uint8)


def steps_a_pass(photos: Sequence[TrainingPhoto], recipe: Recipe, phase: int) -> int:
    """Count the whole batches that a pass over the photos holds; at least one."""
    return max(1, len(photos) // recipe.step_size(phase))


def feed(
    photos: Sequence[TrainingPhoto], look: Look, recipe: Recipe, phase: int, steps: range
) -> Iterator[Batch]:
    """Give the batches of some steps of a phase, made ahead of time by tf.data."""
    import tensorflow as tf

    def batches() -> Iterator[Batch]:
        for step in steps:
            yield _batch(photos, look, recipe, phase, step)

    first = _batch(photos, look, recipe, phase, steps.start)
    signature = tf.nest.map_structure(lambda array: tf.TensorSpec(array.shape, array.dtype), first)
    yield from made_ahead(batches, signature, AHEAD)


def _batch(
    photos: Sequence[TrainingPhoto], look: Look, recipe: Recipe, phase: int, step: int
) -> Batch:
    turn, place = divmod(step, steps_a_pass(photos, recipe, phase))
    order = np.random.default_rng([recipe.seed, phase, turn]).permutation(len(photos))
    size = min(recipe.step_size(phase), len(photos))
    chosen = [photos[index] for index in order[place * size : (place + 1) * size]]
    random = np.random.default_rng([recipe.seed, phase, step, 1])
    tokens = np.stack([_draw(photo.tokens, recipe.captions_a_photo, random) for photo in chosen])
    return (look(chosen, random), tokens[..., :-1]), tokens[..., 1:]


def _draw(tokens: np.ndarray, number: int, random: Any) -> np.ndarray:
    """Take `number` of a photo's captions, each once before any comes twice."""
    rounds = -(-number // len(tokens))
    order = np.concatenate([random.permutation(len(tokens)) for _ in range(rounds)])
    return tokens[order[:number]]


def tokens_of(captions: Sequence[str], vocabulary: Vocabulary, max_length: int) -> np.ndarray:
    """Encode a photo's captions: int32 (captions, max_length + 2)."""
    return np.stack([vocabulary.encode(caption, max_length) for caption in captions])
