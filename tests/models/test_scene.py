"""Scenes are told from what is none by a line through pooled features, which lies in a file."""

import numpy as np
import pytest

from models.errors import CheckpointError
from models.scene import SCENE_FILE, SceneHead
from tests.models.conftest import grids

ENCODER = "0123456789abcdef"


def looks(photos, seed, shift=0.0):
    """Draw pooled features; `shift` moves a tenth of the numbers."""
    features = np.random.default_rng(seed).gamma(0.5, 1.0, (photos, 2048)).astype(np.float32)
    features[:, ::10] += shift
    return features


@pytest.fixture(scope="module")
def head():
    return SceneHead.fit(looks(60, seed=1), looks(40, seed=2, shift=0.6), ENCODER)


def test_what_is_no_scene_is_told_from_scenes_that_were_never_seen(head):
    scenes, others = looks(100, seed=3), looks(100, seed=4, shift=0.6)
    assert np.mean([head.shown_in(photo) for photo in scenes]) > 0.95
    assert np.mean([head.shown_in(photo) for photo in others]) < 0.05


def test_a_grid_and_its_mean_are_judged_alike(head):
    grid = grids(1)[0].astype(np.float16)
    pooled = grid.reshape(-1, 2048).mean(axis=0, dtype=np.float32)
    assert head.doubt(grid) == head.doubt(pooled)


def test_the_file_judges_as_what_was_fitted(head, tmp_path):
    head.save(str(tmp_path))
    again = SceneHead.load(str(tmp_path), ENCODER)
    for photo in looks(20, seed=5, shift=0.2):
        assert again.doubt(photo) == head.doubt(photo)
    assert (tmp_path / SCENE_FILE).stat().st_size < 10_000


def test_the_same_photos_give_the_same_file(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        SceneHead.fit(looks(30, 1), looks(30, 2, 0.6), ENCODER).save(str(tmp_path / name))
    assert (tmp_path / "one" / SCENE_FILE).read_bytes() == (
        tmp_path / "two" / SCENE_FILE
    ).read_bytes()


def test_a_captioner_without_the_file_has_none(tmp_path):
    assert SceneHead.load(str(tmp_path), ENCODER) is None


def test_one_for_another_encoder_is_refused_with_what_to_do(head, tmp_path):
    head.save(str(tmp_path))
    with pytest.raises(CheckpointError, match=rf"{SCENE_FILE}: .*another encoder.*make scene"):
        SceneHead.load(str(tmp_path), ENCODER[::-1])


def test_a_damaged_file_is_named(head, tmp_path):
    head.save(str(tmp_path))
    path = tmp_path / SCENE_FILE
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(CheckpointError, match=f"{SCENE_FILE}: .*copy the file again"):
        SceneHead.load(str(tmp_path), ENCODER)


@pytest.mark.parametrize("seed", range(6, 12))
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_no_more_scenes_are_flagged_than_are_allowed(head, share, seed, tmp_path):
    doubtful = looks(50, seed=seed, shift=0.35)
    sparing = head.sparing(doubtful, share)
    assert sparing.bias <= head.bias
    sparing.save(str(tmp_path))
    stored = SceneHead.load(str(tmp_path), ENCODER)
    assert np.mean([not stored.shown_in(photo) for photo in doubtful]) <= share


def test_a_head_that_flags_none_stays_as_it_is(head):
    assert head.sparing(looks(50, seed=7, shift=-0.3), 0.1) == head
    assert head.sparing(np.zeros((0, 2048), np.float32), 0.1) == head
