"""Load photos and encode them: the next photos are read while the encoder works on these."""

import atexit
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from threading import Semaphore
from typing import Any, TypeVar

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from batch.corpora.corpus import Problem, Tell
from batch.features import SHARD_PHOTOS, FeatureCache
from batch.photos import LoadedPhoto
from batch.sandbox import WORKERS, load
from batch.scan import Photo, RemotePhoto

CHUNK = 32  # photos loaded together, and the encoder's batch
A_WHILE = 1.0  # seconds that photos may take until it is told that there are none yet
AHEAD = 3  # chunks loaded before they are asked for: 25 MiB
THREADS = WORKERS
FETCHING = max(8, THREADS)  # threads where photos are fetched, and are mostly waited for

Encode = Callable[[np.ndarray], np.ndarray]
"""pixels (photos, 299, 299, 3) uint8 -> features (photos, 8, 8, 2048), any float type."""

Item = TypeVar("Item")

# TensorFlow's iterators that have not come to their end. To let go of one is to wait for the photos
# it is loading, minutes where servers are slow: an interrupted run must not do so on its way out.
_unended: list[Iterator[Any]] = []
atexit.register(_unended.clear)


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Give the items in lists of `size`; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def made_ahead(make: Callable[[], Iterator[Any]], signature: Any, items: int) -> Iterator[Any]:
    """Iterate over what a generator makes, so many items ahead, by a thread of tf.data.

    signature: a TensorSpec, or a tuple of them, of an item; items come as numpy arrays. Nothing is
    tuned: the thread that does so looks after 10 ms, 20 ms and so on, up to a minute, whether it is
    still needed, and whoever lets go of the iterator waits for it.
    """
    import tensorflow as tf

    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    dataset = tf.data.Dataset.from_generator(make, output_signature=signature).prefetch(items)
    iterator: Iterator[Any] = dataset.with_options(untuned).as_numpy_iterator()
    return iterator


def load_and_encode(
    photos: Iterable[Photo], cached: Container[str], encode: Encode
) -> Iterator[tuple[list[LoadedPhoto], dict[str, np.ndarray]]]:
    """Load photos in their order, and encode those whose identity is not in `cached`.

    Gives, a chunk at a time, the loaded photos (their pixels dropped) and the new features by
    photo identity, float16 (8, 8, 2048). Photos of equal bytes are encoded once. While a chunk
    takes long there are empty ones, so that nobody waits for it who has other things to do.
    """
    import tensorflow as tf  # five seconds to import: only when there is work

    waiting: dict[int, list[LoadedPhoto]] = {}
    wrong: list[Exception] = []  # told here: TensorFlow would make a fault of its own of it
    ready = Semaphore(0)

    def chunks() -> Iterator[tuple[int, list[str], np.ndarray]]:
        yield -1, [], _filled([])  # asked for at once: with it TensorFlow begins to load ahead
        try:
            for number, loaded in enumerate(load_chunks(photos, cached)):
                new = {photo.photo_id: photo.pixels for photo in loaded if photo.pixels is not None}
                waiting[number] = [replace(photo, pixels=None) for photo in loaded]
                ready.release()
                yield number, [str(photo_id) for photo_id in new], _filled(list(new.values()))
        except Exception as error:  # noqa: BLE001 - raised below, in the run's own thread
            wrong.append(error)
        finally:
            ready.release()  # for the end, or for what went wrong

    signature = (
        tf.TensorSpec((), tf.int64),
        tf.TensorSpec((None,), tf.string),
        tf.TensorSpec((None, None, None, 3), tf.uint8),
    )
    iterator = made_ahead(chunks, signature, AHEAD)
    _unended.append(iterator)
    for found in _when_ready(iterator, ready):
        if found is None:
            yield [], {}
            continue
        number, photo_ids, pixels = found
        features = encode(pixels) if len(photo_ids) else pixels
        grids = np.asarray(features[: len(photo_ids)]).astype(np.float16)
        named = zip(photo_ids, grids, strict=True)
        yield waiting.pop(int(number)), {photo_id.decode(): grid for photo_id, grid in named}
    _unended.remove(iterator)
    if wrong:
        raise wrong[0]


def _when_ready(iterator: Iterator[Item], ready: Semaphore) -> Iterator[Item | None]:
    """Give all but the first, each when it is there; each A_WHILE that it is not, None.

    No signal gets through to Python while it waits in TensorFlow, and photos that come by URL can
    take minutes.
    """
    next(iterator)
    while True:
        while not ready.acquire(timeout=A_WHILE):
            yield None
        try:
            found = next(iterator)
        except StopIteration:
            return
        yield found


def encode_photos(photos: Iterable[Photo], encode: Encode) -> dict[str, np.ndarray]:
    """Encode photos past any cache; give features by photo identity, of those that are sound."""
    features: dict[str, np.ndarray] = {}
    for _, new in load_and_encode(photos, (), encode):
        features |= new
    return features


def fill_cache(
    photos: Iterable[Photo], cache: FeatureCache, encode: Encode
) -> Iterator[tuple[list[LoadedPhoto], int]]:
    """Put the features of photos into the cache, a shard at a time.

    Gives, a chunk at a time, the loaded photos and how many were encoded.
    """
    pending: dict[str, np.ndarray] = {}
    for loaded, features in load_and_encode(photos, cache, encode):
        pending |= features
        if len(pending) >= SHARD_PHOTOS:
            cache.write(pending)
            pending = {}
        yield loaded, len(features)
    cache.write(pending)


def encode_into_cache(
    paths: Sequence[str],
    folder: str,
    cache: FeatureCache,
    encode: Encode,
    tell: Tell,
) -> dict[str, str]:
    """Put the features of a corpus' photos into the cache; give each path its photo identity.

    `tell` is told of photos that cannot be read; they get none.
    """
    photos = (Photo(folder, path, 0, 0) for path in paths)
    with tqdm(total=len(paths), desc="encoding", unit="photo", disable=None) as bar:
        identities: dict[str, str] = {}
        for loaded, _ in fill_cache(photos, cache, encode):
            for photo in loaded:
                if photo.photo_id is not None and photo.status == "ok":
                    identities[photo.photo.relative] = photo.photo_id
                else:
                    tell(Problem(photo.photo.location, "", photo.error))
            bar.update(len(loaded))
    return identities


def load_chunks(photos: Iterable[Photo], cached: Container[str]) -> Iterator[list[LoadedPhoto]]:
    """Load photos in their order, by threads that each have a process do it.

    Pixels are given once, of those that are not in `cached`.
    """
    decoded: set[str] = set()

    def is_new(photo_id: str) -> bool:
        return photo_id not in cached and photo_id not in decoded

    chunks = batched(photos, CHUNK)
    first = next(chunks, [])
    threads = FETCHING if any(isinstance(photo, RemotePhoto) for photo in first) else THREADS
    with Parallel(n_jobs=threads, prefer="threads") as parallel:
        for chunk in filter(None, chain([first], chunks)):
            loaded = parallel(delayed(load)(photo, needs_pixels=is_new) for photo in chunk)
            decoded.update(photo.photo_id for photo in loaded if photo.pixels is not None)
            yield loaded


def _filled(pixels: list[Any]) -> np.ndarray:
    """Stack pixels and fill up to a whole chunk, so that the encoder is compiled for one size."""
    if not pixels:
        return np.zeros((0, 0, 0, 3), np.uint8)
    blank = np.zeros_like(pixels[0])
    return np.stack(pixels + [blank] * (CHUNK - len(pixels)))
