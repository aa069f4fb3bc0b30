"""The vectors of photos, out of the cache of their features."""

import errno

import numpy as np
import pytest

import batch.vectors
from batch.features import POOLED, FeatureCache, pooled_folder
from batch.vectors import VectorCache, Vectors

ENCODER = "f00d"


def grid(number: int) -> np.ndarray:
    return np.random.default_rng(number).random((8, 8, 2048), np.float32)


@pytest.fixture
def cached(tmp_path):
    cache = FeatureCache(str(tmp_path / ENCODER))
    for start in (0, 3):  # two shards, whose photos are mixed
        cache.write({f"{n % 3}{n}": grid(n) for n in range(start, start + 3)})
    return tmp_path


def test_a_photos_vector_is_the_mean_of_its_grid_of_length_one(cached):
    wanted = [f"{n % 3}{n}" for n in range(6)]
    vectors = VectorCache(str(cached), ENCODER).read(wanted, str(cached))
    assert vectors.photo_ids == sorted(wanted)
    for photo_id, found in zip(vectors.photo_ids, vectors.rows, strict=True):
        mean = grid(int(photo_id[1])).astype(np.float16).mean((0, 1), dtype=np.float32)
        np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=2e-5)


def test_the_vectors_are_the_same_by_bytes_from_grids_and_from_their_means(cached):
    first = VectorCache(str(cached), ENCODER).read(["00", "11"], str(cached))
    again = VectorCache(str(cached), ENCODER).read(["11", "00"], str(cached))
    np.testing.assert_array_equal(first.rows, again.rows)
    assert first.photo_ids == again.photo_ids


def test_imported_vectors_are_enough(tmp_path):
    folder = pooled_folder(str(tmp_path / ENCODER))
    FeatureCache(folder, POOLED).write({"a": np.ones(POOLED)})
    vectors = VectorCache(str(tmp_path), ENCODER)
    assert "a" in vectors
    np.testing.assert_allclose(vectors.read("a", str(tmp_path)).rows, 2048**-0.5, atol=1e-5)
    assert not (tmp_path / ENCODER).exists()


def test_photos_that_are_not_cached_are_left_out(cached):
    vectors = VectorCache(str(cached), ENCODER)
    assert "other" not in vectors
    assert vectors.read(["other", "00"], str(cached)).photo_ids == ["00"]
    assert vectors.read(["other"], str(cached)).photo_ids == []


def test_a_full_disk_is_an_error_and_nothing_is_left(cached, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    scratch = cached / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(batch.vectors.os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        VectorCache(str(cached), ENCODER).read(["00"], str(scratch))
    assert list(scratch.iterdir()) == []


def test_cosines_are_those_of_the_vectors_however_many(monkeypatch):
    monkeypatch.setattr(batch.vectors, "_PAIRS", 3)
    vectors = {str(n): np.random.default_rng(n).random(2048) for n in range(5)}
    ones, others = map(np.array, zip(*[(a, b) for a in range(5) for b in range(5)], strict=True))
    expected = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for a in vectors.values()
        for b in vectors.values()
    ]
    found = Vectors.of(vectors).cosine(ones, others)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert Vectors.of(vectors).cosine(ones[:0], others[:0]).shape == (0,)
