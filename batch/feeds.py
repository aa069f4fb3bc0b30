"""Training batches: which photos and captions a step sees follows from the seed and the step."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from batch.damage import PhotoError
from batch.encode import THREADS, batched
from batch.errors import ArchiveError
from batch.features import SHARD_PHOTOS, FeatureCache
from batch.photos import open_upright, read_bytes
from batch.recipe import Recipe
from models.encoder import IMAGE_SIZE
from models.merge_decoder import pool_photo
from models.vocabulary import Vocabulary

AHEAD = 4  # batches made before they are asked for


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


def from_cache(cache: FeatureCache) -> Look:
    """See photos as their cached features, float16 (photos, 8, 8, 2048)."""

    def look(photos: Sequence[TrainingPhoto], _: Any) -> np.ndarray:
        features = read_all(cache, photos)
        return np.stack([features[photo.photo_id] for photo in photos])

    return look


def read_all(cache: FeatureCache, photos: Sequence[TrainingPhoto]) -> dict[str, np.ndarray]:
    """Read the features of photos that are all there. Raises ArchiveError where one is lost."""
    features = cache.read({photo.photo_id for photo in photos})
    if any(photo.photo_id not in features for photo in photos):
        raise ArchiveError(f"{cache.folder}: damaged features; run again to make them anew")
    return features


def from_memory(cache: FeatureCache, photos: Sequence[TrainingPhoto]) -> Look:
    """See photos as their pooled features, float32 (photos, 2048), read once: 4 KiB a photo."""
    pooled = {
        photo_id: pool_photo(grid).astype(np.float16)
        for batch in batched(photos, SHARD_PHOTOS)
        for photo_id, grid in read_all(cache, batch).items()
    }

    def look(photos: Sequence[TrainingPhoto], _: Any) -> np.ndarray:
        return np.stack([pooled[photo.photo_id] for photo in photos]).astype(np.float32)

    return look


def from_files(smallest_crop: float) -> Look:
    """See photos as uint8 pixels (photos, 299, 299, 3), mirrored by halves, cropped a little."""

    def look(photos: Sequence[TrainingPhoto], random: Any) -> np.ndarray:
        draws = random.random((len(photos), 4))
        with Parallel(n_jobs=THREADS, prefer="threads") as parallel:
            return np.stack(
                parallel(
                    delayed(_augmented)(photo.location, draw, smallest_crop)
                    for photo, draw in zip(photos, draws, strict=True)
                )
            )

    return look


def _augmented(location: str, draw: np.ndarray, smallest_crop: float) -> np.ndarray:
    """Crop, squash and maybe mirror a photo as four numbers in [0, 1) decide."""
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
    pixels = np.asarray(square, np.uint8)
    return pixels[:, ::-1] if draw[3] < 0.5 else pixels


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
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    yield from dataset.prefetch(AHEAD).as_numpy_iterator()


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
