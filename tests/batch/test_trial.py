"""Two captioners are compared by what they leave a reviewer to do, and chance is told."""

import numpy as np
import pytest

from batch.lessons import Lesson
from batch.trial import Trial, figures


def lesson(number, *captions, edited=True):
    return Lesson(str(number), captions, str(number), seen=True, edited=edited)


def trial(pairs, groups=None):
    """Compare captions: what stands, what the old one says, what the new one says."""
    lessons = [lesson(number, stands) for number, (stands, _, _) in enumerate(pairs)]
    measured = [
        figures(name, {str(n): pair[place] for n, pair in enumerate(pairs)}, lessons, str.split)
        for place, name in ((1, "old"), (2, "new"))
    ]
    edited = np.array([n % 2 == 0 for n in range(len(pairs))])
    return Trial(*measured, edited, np.array(groups or range(len(pairs))))


def test_the_captioner_with_fewer_words_to_change_is_better():
    found = trial([("a dog runs", "a cat runs", "a dog runs")] * 12)
    assert found.better
    assert (found.gain, found.interval, found.sure) == (1.0, (1.0, 1.0), True)
    assert "1.00 words a photo fewer to change, on 12 photos" in str(found)


def test_a_captioner_that_says_the_same_is_not_better():
    assert not trial([("a dog runs", "a cat runs", "a cat runs")] * 12).better


def test_a_gain_that_may_be_chance_is_not_better():
    same = ("a dog", "a dog", "a dog")
    found = trial([("a dog", "a cat", "a dog"), *[same] * 30])
    assert found.gain > 0
    assert not found.sure
    assert not found.better
    assert "may be chance" in str(found)


def test_photos_of_a_burst_are_no_more_than_one_witness():
    better, worse = ("a dog", "a cat", "a dog"), ("a dog", "a dog", "a cat")
    pairs = [*[better] * 40, *[worse] * 20]
    bursts = [n // 20 for n in range(60)]
    assert trial(pairs).better
    found = trial(pairs, bursts)
    assert found.gain == trial(pairs).gain > 0
    assert found.interval == (-1.0, 1.0)
    assert not found.better
    assert "on 60 photos, 3 if near-duplicates count once (95%" in str(found)


def test_a_group_counts_by_its_photos():
    pairs = [("a dog", "a cat", "a dog")] * 30
    assert trial(pairs, [min(n, 15) for n in range(30)]).interval == (1.0, 1.0)


def test_of_several_captions_that_stand_the_nearest_counts():
    found = figures("x", {"1": "a dog"}, [lesson(1, "a brown dog runs", "a dog")], str.split)
    assert list(found.edits) == [0]


def test_the_table_tells_approved_from_edited():
    text = trial([("a dog", "a cat", "a dog"), ("a cat", "a cat", "a dog")] * 8).table().as_text()
    assert "of 8 approved" in text
    assert "of 8 edited" in text
    assert "nothing to change" in text
    assert text.splitlines()[0].split() == ["old", "new"]


@pytest.mark.parametrize("said", ["", "a"])
def test_an_empty_caption_has_all_words_to_write(said):
    assert figures("x", {"1": said}, [lesson(1, "a dog")], str.split).edits[0] == 2 - len(said)
