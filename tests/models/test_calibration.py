"""A calibrated confidence is the chance that a caption is acceptable; its file can be read."""

import json

import numpy as np
import pytest

from models.calibration import CONFIDENCE_FILE, Calibration, Fitted, Head, Hypothesis
from models.errors import CheckpointError

EASY, HARD = ("a", "dog", "runs"), ("a", "crowd", "stands")


def captions(number=600, seed=1):
    """Draw captions, the sure and the easy ones of which have more CIDEr; and that CIDEr."""
    random = np.random.default_rng(seed)
    words = [EASY if easy else HARD for easy in random.random(number) < 0.5]
    sure = random.uniform(-2, -0.2, number)
    cider = 150 + 60 * (sure + 1) + np.array([50 if each is EASY else -50 for each in words])
    cider += random.normal(0, 30, number)
    found = [Hypothesis(each, 4 * mean) for each, mean in zip(words, sure, strict=True)]
    return found, np.maximum(cider, 0)


@pytest.fixture(scope="module")
def fitted():
    return Fitted.fit("beams=4", *captions())


@pytest.fixture
def folder(fitted, tmp_path):
    """Write a confidence.json into a folder."""
    calibration = Calibration({"photos": 600}, fitted, fitted)
    (tmp_path / CONFIDENCE_FILE).write_text(json.dumps(calibration.as_json()))
    return tmp_path


def test_confidence_rises_with_how_sure_the_search_was(fitted):
    rising = [fitted.head.confidence(Hypothesis(EASY, 4 * mean)) for mean in (-2, -1, -0.5, -0.1)]
    assert rising == sorted(rising)
    assert 0 < rising[0] < rising[-1] < 1


def test_words_that_go_wrong_more_often_lower_the_confidence(fitted):
    easy, hard = (fitted.head.confidence(Hypothesis(words, -4.0)) for words in (EASY, HARD))
    assert easy > hard + 0.1
    assert 0 < fitted.head.confidence(Hypothesis(("never", "met"), -3.0)) < 1


def test_new_captions_are_acceptable_as_often_as_their_confidence_says(fitted):
    found, cider = captions(seed=2)
    again = Fitted.fit("beams=4", found, cider)
    said = np.mean([fitted.head.confidence(caption) for caption in found])
    assert said == pytest.approx(again.acceptable, abs=0.02)


def test_the_figures_tell_that_it_ranks_and_means_more_than_the_geometric_mean(fitted):
    before, after = fitted.geometric_mean, fitted.calibrated
    assert after.spearman > before.spearman + 0.1
    assert after.area_under_risk < before.area_under_risk
    assert after.calibration_error < min(0.05, before.calibration_error)


def test_the_figures_are_of_captions_that_were_not_fitted_to():
    """Words that say nothing of CIDEr do not help on new captions, though they do on the old."""
    random = np.random.default_rng(3)
    words = [tuple(f"w{word}" for word in random.integers(0, 40, 8)) for _ in range(120)]
    found = [Hypothesis(each, -9.0) for each in words]
    assert abs(Fitted.fit("", found, random.uniform(0, 300, 120)).calibrated.spearman) < 0.25


def test_captions_that_are_all_alike_have_the_confidence_of_their_share():
    head = Head.fit([Hypothesis(EASY, -4.0)] * 50, np.full(50, 0.3))
    assert head.confidence(Hypothesis(EASY, -4.0)) == pytest.approx(0.3, abs=0.01)


def test_the_file_gives_back_the_confidence_and_can_be_read_by_people(folder, fitted):
    again = Calibration.read(str(folder))
    caption = Hypothesis(HARD, -2.5)
    for beams in (True, False):
        assert again.head(beams=beams).confidence(caption) == fitted.head.confidence(caption)
    assert again.fitted_on == {"photos": 600}
    found = json.loads((folder / CONFIDENCE_FILE).read_text())
    assert "person" in found["about"]
    assert found["several_beams"]["head"]["words"].keys() == {*EASY, *HARD}
    assert found["several_beams"]["calibrated"]["spearman"] == fitted.calibrated.spearman


def test_a_folder_without_the_file_is_not_calibrated(tmp_path):
    assert Calibration.read(str(tmp_path)) is None


def change(found, *keys, to):
    *path, last = keys
    for key in path:
        found = found[key]
    found[last] = to


@pytest.mark.parametrize(
    ("keys", "to"),
    [
        (["format"], 2),
        (["several_beams"], None),
        (["single_caption", "head"], {}),
        (["several_beams", "head", "intercept"], float("nan")),
        (["several_beams", "head", "intercept"], "high"),
        (["several_beams", "head", "signals"], {"mood": 1.0}),
        (["several_beams", "head", "words"], ["dog"]),
        (["single_caption", "calibrated"], {}),
        (["fitted_on"], 3),
    ],
)
def test_a_file_with_other_content_is_named_with_the_remedy(folder, keys, to):
    found = json.loads((folder / CONFIDENCE_FILE).read_text())
    change(found, *keys, to=to)
    (folder / CONFIDENCE_FILE).write_text(json.dumps(found))
    with pytest.raises(CheckpointError, match=r"confidence\.json.*make calibrate"):
        Calibration.read(str(folder))


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[]", b"<html>"])
def test_a_damaged_file_is_named_with_the_remedy(folder, content):
    (folder / CONFIDENCE_FILE).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"confidence\.json.*make calibrate"):
        Calibration.read(str(folder))
