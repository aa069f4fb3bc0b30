"""Photos meet their own features, each photo is encoded once, and memory does not grow."""

import threading
from pathlib import Path

import numpy as np
import pytest

import batch.encode
from batch.encode import (
    AHEAD,
    CHUNK,
    batched,
    encode_into_cache,
    fill_cache,
    load_and_encode,
)
from batch.features import SHAPE, FeatureCache
from batch.photos import load
from batch.scan import Photo, scan
from tests.batch.archives import FakeEncoder, draw


def features_of(path: Path) -> np.ndarray:
    """Encode one photo by itself."""
    pixels = load(Photo(str(path.parent), path.name, 0, 0)).pixels
    return FakeEncoder().predict_on_batch(pixels[None])[0]


def encoded(folder: Path, cached=(), encoder=None):
    """Load and encode a folder; give all photos, in order, and all features."""
    photos, features = [], {}
    encode = (encoder or FakeEncoder()).predict_on_batch
    for loaded, new in load_and_encode(scan(folder), cached, encode):
        assert not features.keys() & new.keys()
        photos += loaded
        features |= new
    return photos, features


@pytest.mark.parametrize("number", [1, 3, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
def test_each_photo_has_its_own_features_and_keeps_its_place(tmp_path, number):
    for seed in range(number):
        draw(tmp_path / f"{seed:03}.png", seed)
    photos, features = encoded(tmp_path)
    assert [photo.photo.relative for photo in photos] == [f"{i:03}.png" for i in range(number)]
    assert len(features) == number
    for photo in photos:
        found = features[photo.photo_id]
        np.testing.assert_array_equal(found, features_of(Path(photo.photo.location)), strict=True)


def test_features_are_float16_whatever_the_encoder_gives(tmp_path):
    draw(tmp_path / "a.png")
    wide = lambda pixels: FakeEncoder().predict_on_batch(pixels).astype(np.float32)  # noqa: E731
    ((_, features),) = load_and_encode(scan(tmp_path), (), wide)
    (grid,) = features.values()
    assert (grid.dtype, grid.shape) == (np.float16, SHAPE)


def test_pixels_are_dropped_once_they_are_encoded(tmp_path):
    draw(tmp_path / "a.png")
    photos, _ = encoded(tmp_path)
    assert photos[0].pixels is None


def test_the_encoder_sees_batches_of_one_size(tmp_path):
    for seed in range(CHUNK + 3):
        draw(tmp_path / f"{seed:03}.png", seed)
    encoder = FakeEncoder()
    encoded(tmp_path, encoder=encoder)
    assert encoder.sizes == [CHUNK, CHUNK]
    assert encoder.photos == CHUNK + 3


def test_photos_of_equal_bytes_are_encoded_once_near_and_far(tmp_path):
    for number in range(CHUNK + 2):
        draw(tmp_path / f"{number:03}.png", seed=number % 3)
    encoder = FakeEncoder()
    photos, features = encoded(tmp_path, encoder=encoder)
    assert len(photos) == CHUNK + 2
    assert {photo.photo_id for photo in photos} == features.keys()
    assert encoder.photos == len(features) == 3


def test_photos_whose_features_are_kept_are_not_decoded(tmp_path, monkeypatch):
    for seed in range(4):
        draw(tmp_path / f"{seed}.png", seed)
    photos, features = encoded(tmp_path)
    known = {photos[1].photo_id, photos[2].photo_id}
    decoded = []
    load = batch.encode.load

    def watched(photo, **options):
        found = load(photo, **options)
        decoded.extend([found.photo_id] if found.pixels is not None else [])
        return found

    monkeypatch.setattr(batch.encode, "load", watched)
    encoder = FakeEncoder()
    again, new = encoded(tmp_path, known, encoder)
    assert {*decoded} == features.keys() - known
    assert encoder.photos == 2
    assert new.keys() == features.keys() - known
    assert [photo.photo_id for photo in again] == [photo.photo_id for photo in photos]
    assert [photo.width for photo in again] == [48] * 4


def test_where_all_is_known_the_encoder_is_not_asked(tmp_path):
    draw(tmp_path / "a.png")
    photos, _ = encoded(tmp_path)
    encoder = FakeEncoder()
    again, new = encoded(tmp_path, {photos[0].photo_id}, encoder)
    assert (len(again), new, encoder.sizes) == (1, {}, [])


def test_photos_that_cannot_be_read_pass_through_in_their_place(tmp_path):
    draw(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no photo")
    draw(tmp_path / "c.png", 1)
    (tmp_path / "d.png").symlink_to("nowhere")
    photos, features = encoded(tmp_path)
    assert [photo.status for photo in photos] == ["ok", "unreadable", "ok", "vanished"]
    assert len(features) == 2
    assert photos[2].photo_id in features


def test_a_chunk_without_a_sound_photo_is_no_reason_to_stop(tmp_path):
    for number in range(CHUNK):
        (tmp_path / f"{number:03}.png").write_bytes(b"no photo %d" % number)
    draw(tmp_path / "z.png")
    photos, features = encoded(tmp_path)
    assert len(photos) == CHUNK + 1
    assert list(features) == [photos[-1].photo_id]


def test_no_photos_give_no_chunks():
    assert list(load_and_encode([], (), FakeEncoder().predict_on_batch)) == []


def test_loading_runs_ahead_of_the_encoder_by_a_few_chunks_and_no_further(tmp_path, monkeypatch):
    draw(tmp_path / "a.png")
    monkeypatch.setattr(batch.encode, "CHUNK", 4)
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield Photo(str(tmp_path), "a.png", 0, 0)

    at_rest = threading.Event()
    chunks = load_and_encode(endless(), (), FakeEncoder().predict_on_batch)
    for number in range(1, 4):
        next(chunks)
        before = -1
        while before != len(asked):  # until the threads that load have nothing more to do
            before = len(asked)
            at_rest.wait(0.3)
        # what was given, what waits, and the one being loaded
        assert 4 * number <= len(asked) <= 4 * (number + AHEAD + 2)
    chunks.close()


def test_the_cache_is_filled_a_shard_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(batch.encode, "CHUNK", 2)
    monkeypatch.setattr(batch.encode, "SHARD_PHOTOS", 4)
    for seed in range(7):
        draw(tmp_path / "photos" / f"{seed}.png", seed)
    draw(tmp_path / "photos" / "copy.png", 6)
    cache = FeatureCache(str(tmp_path / "cache"))
    chunks = fill_cache(scan(tmp_path / "photos"), cache, FakeEncoder().predict_on_batch)
    sizes = [(len(loaded), new, len(cache)) for loaded, new in chunks]
    assert sizes == [(2, 2, 0), (2, 2, 4), (2, 2, 4), (2, 1, 4)]
    assert len(cache) == 7
    assert len(list((tmp_path / "cache").glob("*.parquet"))) == 2


def test_a_corpus_is_encoded_and_each_path_learns_its_identity(tmp_path):
    for seed, name in enumerate(["b.png", "a.png", "sub/c.png"]):
        draw(tmp_path / "photos" / name, seed)
    cache = FeatureCache(str(tmp_path / "cache"))
    names = ["b.png", "sub/c.png", "a.png"]
    encoder = FakeEncoder()
    encode = encoder.predict_on_batch
    photos = str(tmp_path / "photos")
    identities = encode_into_cache(names, photos, cache, encode, pytest.fail)
    assert list(identities) == names
    features = cache.read(identities.values())
    for name in names:
        own = features_of(tmp_path / "photos" / name)
        np.testing.assert_array_equal(features[identities[name]], own)
    assert encode_into_cache(names, photos, cache, encode, pytest.fail) == identities
    assert encoder.photos == 3


@pytest.mark.parametrize("name", ["gone.png", "bad.png"])
def test_a_corpus_photo_that_is_not_sound_is_told_and_left_out(tmp_path, name):
    draw(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "bad.png").write_bytes(b"no photo")
    cache = FeatureCache(str(tmp_path / "cache"))
    told = []
    identities = encode_into_cache(
        [name, "a.png"],
        str(tmp_path / "photos"),
        cache,
        FakeEncoder().predict_on_batch,
        told.append,
    )
    assert list(identities) == ["a.png"]
    assert [(Path(problem.file).name, bool(problem.wrong)) for problem in told] == [(name, True)]


def test_batches_hold_all_items_in_order_the_last_one_what_is_left():
    assert list(batched("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(batched([], 2)) == []
