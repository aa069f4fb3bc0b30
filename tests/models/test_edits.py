"""Words to change are counted as a person would change them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.edits import word_edits

WORDS = st.lists(st.sampled_from("abc"), max_size=6)


@pytest.mark.parametrize(
    ("said", "wanted", "edits"),
    [
        ("a dog runs", "a dog runs", 0),
        ("a dog runs", "a cat runs", 1),
        ("a dog runs", "a brown dog runs", 1),
        ("a dog runs", "", 3),
        ("on the grass a dog", "a dog on the grass", 4),
        ("개가 달린다", "개 두 마리가 달린다", 3),
    ],
)
def test_words_are_put_in_taken_out_and_replaced(said, wanted, edits):
    assert word_edits(said.split(), wanted.split()) == edits


@given(WORDS, WORDS, WORDS)
def test_the_count_is_a_distance(one, other, third):
    assert (word_edits(one, other) == 0) == (one == other)
    assert word_edits(one, other) == word_edits(other, one)
    assert word_edits(one, other) <= word_edits(one, third) + word_edits(third, other)
    assert abs(len(one) - len(other)) <= word_edits(one, other) <= max(len(one), len(other))
