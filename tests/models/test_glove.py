"""Word vectors reach the rows of their words, and a bad file is told by its line."""

import numpy as np
import pytest

from models.errors import CheckpointError
from models.glove import read_glove
from models.vocabulary import Vocabulary
from tests.data import shared

VOCABULARY = Vocabulary.from_captions(["dog cat tree"], 1)  # rows 4 to 6: cat, dog, tree


def write(tmp_path, text):
    path = tmp_path / "glove.test.3d.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_word_gets_its_vector_and_the_rest_zeros(tmp_path):
    path = write(tmp_path, "the 9 9 9\ndog 1 2 3\n. . 7 7 7\ncat -0.5 1e-2 4\ndog 8 8 8\n")
    vectors = read_glove(path, VOCABULARY, 3)
    assert vectors.table.shape == (7, 3)
    assert vectors.table.dtype == np.float32
    np.testing.assert_allclose(vectors.table[4:], [[-0.5, 0.01, 4], [1, 2, 3], [0, 0, 0]])
    assert not vectors.table[:4].any()
    assert str(vectors) == "2 of 3 words have a vector; without: tree"


def test_specials_are_no_words_even_where_the_file_has_them(tmp_path):
    assert not read_glove(write(tmp_path, "<unk> 1 2 3\n"), VOCABULARY, 3).table.any()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("dog 1 2\n", 1),
        ("the 1 2 3\ndog 1 2\n", 2),
        ("the 1 2 3 4\n", 1),
        ("the 1 2 3\ndog 1 two 3\n", 2),
        ("the 1 2 3\ncat 1 nan 3\n", 2),
        ("the 1 2 3\n\ncat 1 2 3\n", 2),
        ("400000 3\nthe 1 2 3\n", 1),
    ],
)
def test_a_line_that_is_no_vector_is_named(tmp_path, text, line):
    with pytest.raises(
        CheckpointError, match=rf"glove\.test\.3d\.txt, line {line}: expected a word and 3"
    ):
        read_glove(write(tmp_path, text), VOCABULARY, 3)


@pytest.mark.parametrize(
    "make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_bytes(b"\xff\xfe 1")]
)
def test_a_file_that_is_no_text_is_named(tmp_path, make):
    make(tmp_path / "glove.txt")
    with pytest.raises(CheckpointError, match=r"glove\.txt"):
        read_glove(tmp_path / "glove.txt", VOCABULARY, 3)


def test_real_vectors_cover_nearly_all_words_of_flickr8k():
    path = shared("glove/glove.6B.200d.flickr8k_subset.txt")
    words = [line.split(" ", 1)[0] for line in path.read_text(encoding="utf-8").splitlines()]
    vectors = read_glove(path, Vocabulary.from_captions([*words, "zzyzzy"], 1), 200)
    assert vectors.missing == ("zzyzzy",)
    assert (np.abs(vectors.table[4:]).sum(axis=1) > 0).sum() == vectors.found
