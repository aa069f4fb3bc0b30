"""What a step sees follows from the seed and the number of the step, and from nothing else."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import batch.feeds
from batch.errors import ArchiveError
from batch.features import SHAPE, FeatureCache
from batch.feeds import (
    TrainingPhoto,
    _augmented,
    _batch,
    _draw,
    feed,
    from_cache,
    from_files,
    steps_a_pass,
    tokens_of,
)
from batch.recipe import Recipe
from models.vocabulary import END, PAD, START, Vocabulary
from tests.batch.archives import draw
from tests.pictures import encoded, noise, upright

RECIPE = Recipe("tiny", photos_a_step=3, captions_a_photo=2, seed=5)


def photos(number: int, captions: int = 4) -> list[TrainingPhoto]:
    """Make photos whose tokens say whose they are and which caption: 100 a photo."""
    return [
        TrainingPhoto(f"{i}.png", str(i), 100 * i + np.arange(captions)[:, None].repeat(5, 1))
        for i in range(number)
    ]


def numbers(chosen, random) -> np.ndarray:
    """See photos as their numbers and a random one."""
    return np.array([[float(photo.photo_id), random.random()] for photo in chosen])


def fed(steps: range, recipe: Recipe = RECIPE, phase: int = 0, number: int = 10):
    return list(feed(photos(number), numbers, recipe, phase, steps))


def assert_equal(ones, others) -> None:
    assert len(ones) == len(others)
    for ((seen, tokens), targets), ((other_seen, other_tokens), other_targets) in zip(
        ones, others, strict=True
    ):
        np.testing.assert_array_equal(seen, other_seen)
        np.testing.assert_array_equal(tokens, other_tokens)
        np.testing.assert_array_equal(targets, other_targets)


def test_a_feed_that_starts_later_goes_on_alike():
    assert_equal(fed(range(8))[5:], fed(range(5, 8)))


def test_a_feed_gives_the_same_again():
    assert_equal(fed(range(4)), fed(range(4)))


@pytest.mark.parametrize("other", [{"recipe": replace(RECIPE, seed=6)}, {"phase": 1}])
def test_another_seed_or_phase_is_another_order(other):
    ones, others = fed(range(3)), fed(range(3), **other)
    seen = [[batch[0][0][:, 0].tolist() for batch in batches] for batches in (ones, others)]
    assert seen[0] != seen[1]


def test_a_pass_shows_each_photo_once_and_the_next_one_in_another_order():
    batches = fed(range(6), number=9)
    order = [int(number) for (seen, _), _ in batches for number in seen[:, 0]]
    assert sorted(order[:9]) == sorted(order[9:]) == list(range(9))
    assert order[:9] != order[9:]


def test_photos_that_fill_no_step_wait_for_another_pass():
    assert steps_a_pass(photos(10), RECIPE, 0) == 3
    shown = {int(n) for (seen, _), _ in fed(range(30), number=10) for n in seen[:, 0]}
    assert shown == set(range(10))


def test_a_corpus_smaller_than_a_step_is_one_step():
    assert steps_a_pass(photos(2), RECIPE, 0) == 1
    assert [len(seen) for (seen, _), _ in fed(range(3), number=2)] == [2, 2, 2]


def test_a_photo_comes_with_its_own_captions_and_what_follows_each_word():
    tokens = np.arange(6).repeat(2).reshape(6, 2).T
    mine = [TrainingPhoto(str(i), str(i), 10 * i + tokens) for i in range(3)]
    (((seen, given), wanted),) = feed(mine, numbers, RECIPE, 0, range(1))
    assert given.shape == wanted.shape == (3, 2, 5)
    np.testing.assert_array_equal(wanted[..., :-1], given[..., 1:])
    for number, rows in zip(seen[:, 0], given, strict=True):
        assert {row[0] for row in rows.tolist()} == {10 * number}


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 99))
def test_no_caption_comes_twice_before_each_came_once(number, captions, seed):
    tokens = np.arange(captions)[:, None].repeat(3, 1)
    drawn = Counter(_draw(tokens, number, np.random.default_rng(seed))[:, 0].tolist())
    assert drawn.total() == number
    assert max(drawn.values()) - min(drawn.get(i, 0) for i in range(captions)) <= 1


def test_captions_are_drawn_anew_in_each_step():
    drawn = {tuple(tokens[0, :, 0].tolist()) for (_, tokens), _ in fed(range(30), number=1)}
    assert len(drawn) > 5


@pytest.mark.parametrize("memory", [0, 2**40])
def test_cached_features_are_seen_in_the_order_of_the_photos(tmp_path, monkeypatch, memory):
    monkeypatch.setattr(batch.feeds, "_memory", lambda: memory)
    cache = FeatureCache(str(tmp_path))
    cache.write({str(i): np.full(SHAPE, i, np.float16) for i in range(4)})
    seen = from_cache(cache, photos(4))([photos(4)[i] for i in (2, 0, 3, 2)], None)
    assert (seen.dtype, seen.shape) == (np.float16, (4, *SHAPE))
    assert seen[:, 0, 0, 0].tolist() == [2, 0, 3, 2]


def test_features_that_were_lost_are_told_with_what_to_do(tmp_path):
    cache = FeatureCache(str(tmp_path))
    with pytest.raises(ArchiveError, match="run again"):
        from_cache(cache, photos(2))(photos(2), None)


@pytest.fixture
def pictures(tmp_path) -> list[TrainingPhoto]:
    for seed in range(3):
        draw(tmp_path / f"{seed}.png", seed)
    tokens = np.zeros((1, 4), np.int32)
    return [TrainingPhoto(str(tmp_path / f"{i}.png"), str(i), tokens) for i in range(3)]


def test_files_are_seen_as_pixels_that_follow_from_the_step(pictures):
    one, again, other = (
        _batch(pictures, from_files(0.75), RECIPE, 0, step)[0][0] for step in (0, 0, 1)
    )
    assert (one.dtype, one.shape) == (np.uint8, (3, 299, 299, 3))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_photos_need_not_be_mirrored(pictures):
    looks = from_files(1.0, mirrored=False), from_files(1.0)
    plain, halved = (look(pictures * 8, np.random.default_rng(0)) for look in looks)
    flipped = (plain != halved).any((1, 2, 3))
    assert 0 < flipped.sum() < len(flipped)
    np.testing.assert_array_equal(halved[flipped], plain[flipped][:, :, ::-1])


def field_of(
    path: Path, *draws: float, smallest: float = 0.75, colours=(0.5, 0.5, 0.5)
) -> np.ndarray:
    """Augment a picture, in its own colours or with three more draws for other ones."""
    return _augmented(str(path), np.array([*draws, *colours]), smallest, 0.4).astype(int)


def test_colours_are_changed_within_bounds(pictures):
    here = Path(pictures[0].location)
    plain = field_of(here, 0.5, 0.5, 0.5, 0.9)
    darker = field_of(here, 0.5, 0.5, 0.5, 0.9, colours=(0, 0.5, 0.5))
    np.testing.assert_allclose(darker, plain * 0.6, atol=1)
    paler = field_of(here, 0.5, 0.5, 0.5, 0.9, colours=(0.5, 0, 0.5))
    np.testing.assert_allclose(np.ptp(paler, axis=-1), 0.6 * np.ptp(plain, axis=-1), atol=2)
    flatter = field_of(here, 0.5, 0.5, 0.5, 0.9, colours=(0.5, 0.5, 0))
    assert flatter.std() == pytest.approx(0.6 * plain.std(), rel=0.05)


def test_half_of_the_pictures_are_mirrored(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(noise(299, 299), "PNG"))
    left, right = field_of(path, 1, 0, 0, 0.49), field_of(path, 1, 0, 0, 0.5)
    np.testing.assert_array_equal(left, right[:, ::-1])
    np.testing.assert_array_equal(right, np.asarray(noise(299, 299)))


def test_a_crop_stays_within_the_picture_and_is_as_small_as_was_said(tmp_path):
    path = tmp_path / "a.png"
    wide = Image.fromarray(np.arange(256, dtype=np.uint8)[None].repeat(64, 0)).convert("RGB")
    path.write_bytes(encoded(wide, "PNG"))
    for start, first, last in ((0.0, 0, 128), (0.999, 128, 255), (0.5, 64, 192)):
        row = field_of(path, 0.0, start, start, 0.9, smallest=0.25)[150, :, 0]
        assert abs(row[0] - first) < 4
        assert abs(row[-1] - last) < 4
        assert all(here <= there for here, there in pairwise(row))


def test_pictures_are_seen_upright(tmp_path):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[274] = 6
    path.write_bytes(encoded(upright().transpose(Image.Transpose.ROTATE_90), exif=exif.tobytes()))
    pixels = field_of(path, 1, 0, 0, 0.9)
    assert np.abs(pixels[75, 75] - (220, 40, 40)).max() < 12


@settings(deadline=None)
@given(st.lists(st.text("ab ", max_size=9), min_size=1, max_size=4), st.integers(1, 5))
def test_captions_become_rows_of_one_length(captions, longest):
    vocabulary = Vocabulary.from_captions(["a b a b"], 1)
    rows = tokens_of(captions, vocabulary, longest)
    assert rows.shape == (len(captions), longest + 2)
    assert rows.dtype == np.int32
    assert (rows[:, 0] == START).all()
    for row in rows.tolist():
        assert END in row or PAD not in row
