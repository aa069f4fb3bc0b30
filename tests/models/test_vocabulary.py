"""Captions become ids and come back; the vocabulary is the same wherever it is made."""

import random
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tokenizers import join_words, split_words
from models.vocabulary import (
    END,
    PAD,
    SPECIALS,
    START,
    UNK,
    Vocabulary,
)

# Letters of the languages that captions come in; case goes there and back in these.
LETTERS = "abcdefghijklmnopqrstuvwxyzéèçñöüåžджя가나다라마바사한글0123456789"
words = st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=1, max_size=12)
captions = st.lists(st.text(max_size=40), min_size=1, max_size=6)


def vocabulary_of(*texts, min_count=1):
    return Vocabulary.from_captions(texts, min_count)


@given(words)
def test_known_words_come_back_as_a_sentence(said):
    vocabulary = vocabulary_of(" ".join(said))
    written = vocabulary.decode(vocabulary.encode(" ".join(said), len(said)))
    assert written == join_words(said)
    assert split_words(written) == said


@given(captions)
def test_any_text_survives_encoding_and_decoding(texts):
    vocabulary = vocabulary_of(*texts)
    for text in texts:
        said = split_words(text)
        tokens = vocabulary.encode(text, max(1, len(said)))
        assert tokens.dtype == np.int32
        assert vocabulary.decode(tokens) == join_words(said)


@given(captions, st.integers(1, 3))
def test_a_vocabulary_survives_its_file(texts, min_count):
    vocabulary = Vocabulary.from_captions(texts, min_count)
    assert Vocabulary.from_text(vocabulary.to_text()) == vocabulary


@given(captions, st.randoms(use_true_random=False))
def test_the_order_of_captions_does_not_change_the_ids(texts, shuffler):
    shuffled = random.Random(shuffler.random()).sample(texts, len(texts))
    assert vocabulary_of(*texts).words == vocabulary_of(*shuffled).words


def test_frequent_words_come_first_and_ties_by_spelling():
    vocabulary = vocabulary_of("the dog", "the cat", "the ant saw the dog")
    assert vocabulary.words == (*SPECIALS, "the", "dog", "ant", "cat", "saw")


def test_words_seen_less_often_than_min_count_are_left_out():
    texts = ["a dog", "a dog", "a cat"]
    assert Vocabulary.from_captions(texts, 2).words == (*SPECIALS, "a", "dog")
    assert Vocabulary.from_captions(texts, 3).words == (*SPECIALS, "a")
    assert len(Vocabulary.from_captions(texts, 1)) == len(SPECIALS) + 3


def test_a_caption_is_framed_by_start_and_end_and_padded_on_the_right():
    vocabulary = vocabulary_of("a dog")
    assert vocabulary.encode("A dog.", 4).tolist() == [START, 4, 5, END, PAD, PAD]


def test_a_caption_of_the_greatest_length_keeps_its_end():
    vocabulary = vocabulary_of("a b c")
    assert vocabulary.encode("a b c", 3).tolist() == [START, 4, 5, 6, END]


def test_a_cut_caption_has_no_end():
    vocabulary = vocabulary_of("a b c")
    assert vocabulary.encode("a b c", 2).tolist() == [START, 4, 5, 6]
    assert END not in vocabulary.encode("a b c a b c", 2)


def test_unknown_words_become_unk_and_are_never_printed():
    vocabulary = vocabulary_of("a dog")
    tokens = vocabulary.encode("a purple dog", 5)
    assert tokens.tolist() == [START, 4, UNK, 5, END, PAD, PAD]
    assert vocabulary.decode(tokens) == "A dog."


@given(st.lists(st.integers(0, 6)))
def test_no_special_is_ever_printed(token_ids):
    written = vocabulary_of("a b c").decode(token_ids)
    assert not set("<>") & set(written)
    assert not any(special.strip("<>") in written for special in SPECIALS)


def test_nothing_after_the_end_is_printed():
    vocabulary = vocabulary_of("a dog ran")
    assert vocabulary.decode([4, 5, END, 6, PAD]) == "A dog."


def test_no_words_make_no_sentence():
    assert vocabulary_of("a").decode([START, END, PAD]) == ""


def test_a_caption_that_spells_a_special_is_not_taken_for_it():
    vocabulary = vocabulary_of("a dog")
    assert vocabulary.encode("<pad> <end> dog", 3).tolist() == [START, UNK, UNK, 5, END]


def test_korean_is_the_same_word_composed_or_decomposed():
    composed = unicodedata.normalize("NFC", "해변에서 달리는 개")
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    vocabulary = vocabulary_of(composed)
    assert vocabulary == vocabulary_of(decomposed)
    assert vocabulary.encode(decomposed, 5).tolist() == vocabulary.encode(composed, 5).tolist()
    assert vocabulary.decode(vocabulary.encode(decomposed, 5)) == "해변에서 달리는 개."


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A man's dog doesn't sit.", ["a", "man's", "dog", "doesn't", "sit"]),
        ("A T-shirt-clad girl - alone", ["a", "t-shirt-clad", "girl", "alone"]),
        ("'quoted' -dashed- dogs'", ["quoted", "dashed", "dogs"]),
        ("l\u2019homme", ["l'homme"]),
        ("two\tdogs,\nthree;cats!", ["two", "dogs", "three", "cats"]),
        ("Ein Café in CAFÉ", ["ein", "café", "in", "café"]),
        (" . !? ", []),
    ],
)
def test_apostrophes_and_hyphens_hold_words_together_and_punctuation_goes(caption, expected):
    assert split_words(caption) == expected


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_vocabulary_file_may_have_been_through_windows(ending):
    text = ending.join([*SPECIALS, "a", "dog", ""])
    assert Vocabulary.from_text(text).words == (*SPECIALS, "a", "dog")


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("a", "dog"),
        SPECIALS[:2],
        ("<start>", "<pad>", "<end>", "<unk>", "a"),
        ("a", *SPECIALS),
    ],
)
def test_a_vocabulary_without_its_specials_in_front_is_refused(wrong):
    with pytest.raises(ValueError, match="begins with <pad>"):
        Vocabulary(wrong)


def test_a_vocabulary_with_a_word_twice_is_refused():
    with pytest.raises(ValueError, match="each word once"):
        Vocabulary((*SPECIALS, "dog", "dog"))
    with pytest.raises(ValueError, match="each word once"):
        Vocabulary((*SPECIALS, "dog", "<end>"))


@given(st.lists(st.text("a\\u0\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029", max_size=6), unique=True))
def test_words_that_hold_line_ends_come_back(words):
    """Captions of COCO end in line feeds, which the tutorial's words hold."""
    vocabulary = Vocabulary((*SPECIALS, *(word for word in words if word not in SPECIALS)))
    assert Vocabulary.from_text(vocabulary.to_text()) == vocabulary
    assert len(vocabulary.to_text().splitlines()) == len(vocabulary)


@pytest.mark.parametrize("line", ["\\", "a\\n", "\\u00", "\\uD800", "\\\\"])
def test_a_backslash_that_escapes_nothing_is_refused(line):
    with pytest.raises(ValueError, match="escapes nothing"):
        Vocabulary.from_text("\n".join([*SPECIALS, line]))


@given(words)
def test_a_caption_is_cut_into_the_words_that_it_was_written_with(said):
    vocabulary = vocabulary_of(" ".join(said))
    assert vocabulary.cut(join_words(said)) == tuple(said)


@pytest.mark.parametrize("caption", ["A dog barks.", "a dog", "A  dog.", "A dog!", "A dog. "])
def test_a_caption_that_its_words_do_not_spell_is_not_cut(caption):
    assert vocabulary_of("a dog runs").cut(caption) is None
