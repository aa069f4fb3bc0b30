"""Each tokenizer reads captions the way it promises, and Korean comes back as it was written."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.morphemes import morphemes, split_morphemes
from models.tokenizers import TOKENIZERS, find_tokenizer, join_pieces
from models.vocabulary import END, PAD, SPECIALS, START, Vocabulary

KOREAN = [
    ("검은 개가 눈 속에서 흰 개를 쫓고 있다.", "검은 개가 눈 속에서 흰 개를 쫓고 있다."),
    ("빨간 헬멧을 쓴 남자가 달렸다", "빨간 헬멧을 쓴 남자가 달렸다."),
    ("두 소녀가, 해변에서 웃는다!", "두 소녀가 해변에서 웃는다."),
    ("BMX 자전거를 탄 3명의 소년", "Bmx 자전거를 탄 3명의 소년."),
]
hangul = st.text("가나다라마바사아자차카타파하개를이는에서있다고 .,", max_size=30)


@pytest.mark.parametrize(
    ("name", "caption", "words"),
    [
        ("words", "A man's T-shirt, wet!", ["a", "man's", "t-shirt", "wet"]),
        ("words", "두 소녀가 웃는다.", ["두", "소녀가", "웃는다"]),
        ("post-2017", "A man's T-shirt, 2 dogs & b4 !", ["mans", "tshirt", "dogs"]),
        ("post-2017", "child in a pink dress .", ["child", "in", "pink", "dress"]),
        (
            "tutorial",
            "<start> A man's T-shirt, wet! <end>",
            ["<start>", "a", "man's", "t", "shirt", "wet", "<end>"],
        ),
        ("tutorial", "a dog\n", ["a", "dog\n"]),
    ],
)
def test_captions_are_split_as_the_captioner_was_taught(name, caption, words):
    assert find_tokenizer(name).split(caption) == words


def test_a_tokenizer_that_there_is_not_is_told_with_those_there_are():
    with pytest.raises(ValueError, match="no tokenizer 'sentences'; there are words, morphemes"):
        find_tokenizer("sentences")


def test_a_word_with_a_line_feed_is_written_without_it():
    assert TOKENIZERS["tutorial"].join(["a", "dog\n", "runs"]) == "A dog runs."


@pytest.mark.parametrize(("caption", "written"), KOREAN)
def test_korean_is_cut_into_pieces_and_joined_into_the_text_it_was(caption, written):
    pieces = split_morphemes(caption)
    assert len(pieces) > len(caption.split())
    assert join_pieces(pieces) == written


def test_morphemes_that_share_a_syllable_stay_one_piece():
    assert split_morphemes("남자가 모자를 쓴다") == ["남자", "##가", "모자", "##를", "쓴다"]


@given(hangul)
def test_pieces_hold_every_eojeol_in_its_place(text):
    eojeol = ("".join(filter(str.isalnum, word)) for word in text.split())
    assert join_pieces(split_morphemes(text)).removesuffix(".").split() == [*filter(None, eojeol)]


def test_decomposed_korean_gives_the_same_pieces():
    caption = KOREAN[0][0]
    assert split_morphemes(unicodedata.normalize("NFD", caption)) == split_morphemes(caption)
    assert morphemes(unicodedata.normalize("NFD", caption)) == morphemes(caption)


def test_scores_count_dictionary_forms_without_punctuation():
    assert morphemes("개가 달렸다.") == ["개", "가", "달리", "었", "다"]


def test_a_vocabulary_of_pieces_spells_korean():
    tokenizer = TOKENIZERS["morphemes"]
    vocabulary = Vocabulary.from_captions([caption for caption, _ in KOREAN], 1, tokenizer)
    for caption, written in KOREAN:
        assert vocabulary.decode(vocabulary.encode(caption, 30)) == written
    assert Vocabulary.from_text(vocabulary.to_text(), tokenizer) == vocabulary


def test_without_unk_unknown_words_are_left_out():
    vocabulary = Vocabulary.from_captions(["a dog runs"], 1, unknown=False)
    assert vocabulary.words == (*SPECIALS[:3], "a", "dog", "runs")
    assert vocabulary.specials == 3
    assert vocabulary.unsayable == (PAD, START)
    assert vocabulary.encode("a purple dog", 4).tolist() == [START, 3, 4, END, PAD, PAD]
    assert vocabulary.decode([START, 3, 4, END]) == "A dog."
