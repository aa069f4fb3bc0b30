"""Scores agree with pycocoevalcap, with hand-computed cases, and with what a score should do."""

import math
import random
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.metrics import score
from models.tokens import tokenize

FLICKR8K = Path(__file__).parents[2].parent / "shared" / "data" / "flickr8k" / "text"
needs_flickr8k = pytest.mark.skipif(
    not FLICKR8K.exists(), reason="Flickr8k's captions are not beside the repository"
)
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed")
needs_pycocoevalcap = pytest.mark.skipif(
    find_spec("pycocoevalcap") is None, reason="pycocoevalcap is not installed"
)

# Photos "1" and "2" share nothing, so that every n-gram is as rare as can be.
TWO = {"1": "a dog runs on grass", "2": "two children climb the stairs"}
TWO_REFERENCES = {photo: [caption] for photo, caption in TWO.items()}


def one(caption, *references):
    """Return the scores of a single caption."""
    return score({"1": caption}, {"1": references})


def theirs(candidates, references):
    """Return what pycocoevalcap says of captions that are split by single spaces already."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    listed = {photo: [caption] for photo, caption in candidates.items()}
    bleu, _ = Bleu(4).compute_score(references, listed, verbose=0)
    rouge, _ = Rouge().compute_score(references, listed)
    cider, by_photo = Cider().compute_score(references, listed)
    return bleu, rouge, cider, dict(zip(candidates, by_photo, strict=True))


def assert_same(ours, their):
    bleu, rouge, cider, by_photo = their
    assert ours.bleu == pytest.approx(bleu, rel=1e-9, abs=1e-12)
    assert ours.rouge_l == pytest.approx(rouge, rel=1e-9, abs=1e-12)
    assert ours.cider == pytest.approx(cider, rel=1e-9, abs=1e-12)
    assert ours.cider_by_photo == pytest.approx(by_photo, rel=1e-9, abs=1e-12)


@pytest.fixture(scope="module")
def flickr8k():
    """All captions of Flickr8k by photo."""
    captions = {}
    with (FLICKR8K / "Flickr8k.token.txt").open(encoding="utf-8") as lines:
        for line in lines:
            key, caption = line.rstrip("\n").split("\t")
            captions.setdefault(key.partition("#")[0], []).append(caption)
    return captions


@pytest.fixture(scope="module")
def dev(flickr8k):
    """Candidates and references of Flickr8k's development photos: a person against four others."""
    names = (FLICKR8K / "Flickr_8k.devImages.txt").read_text().split()
    return {n: flickr8k[n][0] for n in names}, {n: flickr8k[n][1:] for n in names}


WORDS = ["a", "dog", "cat", "runs", "on", "the", "red", "ball"]
captions_st = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
photos_st = st.dictionaries(
    st.text("0123456789", min_size=1, max_size=3),
    st.tuples(captions_st, st.lists(captions_st, min_size=1, max_size=4)),
    max_size=6,
)


@needs_pycocoevalcap
@settings(max_examples=150, deadline=None)
@given(photos_st)
def test_scores_equal_those_of_pycocoevalcap_on_any_captions(photos):
    photos["own"] = ("a dog", ["a dog runs"])  # pycocoevalcap fails where no reference has a word
    candidates = {photo: caption for photo, (caption, _) in photos.items()}
    references = {photo: texts for photo, (_, texts) in photos.items()}
    assert_same(score(candidates, references), theirs(candidates, references))


@needs_pycocoevalcap
@pytest.mark.parametrize(
    "candidates",
    [
        {"1": "", "2": ""},
        {"1": "", "2": "two children climb the stairs"},
        {"1": "dog", "2": "children"},
        {"1": "zebra", "2": "giraffe"},
        {"1": "a dog " * 30, "2": "the " * 50},
        TWO,
    ],
)
def test_scores_equal_those_of_pycocoevalcap_on_odd_captions(candidates):
    candidates = {photo: caption.strip() for photo, caption in candidates.items()}
    assert_same(score(candidates, TWO_REFERENCES), theirs(candidates, TWO_REFERENCES))


@needs_pycocoevalcap
@needs_flickr8k
def test_scores_equal_those_of_pycocoevalcap_on_flickr8k(dev):
    candidates, references = dev
    split = {photo: " ".join(tokenize(caption)) for photo, caption in candidates.items()}
    split_references = {p: [" ".join(tokenize(t)) for t in ts] for p, ts in references.items()}
    assert_same(score(candidates, references), theirs(split, split_references))


@needs_flickr8k
def test_captions_on_the_wrong_photos_score_far_lower(dev):
    candidates, references = dev
    shuffled = list(candidates.values())
    random.Random(0).shuffle(shuffled)
    wrong = score(dict(zip(candidates, shuffled, strict=True)), references)
    right = score(candidates, references)
    assert wrong.cider < 0.1 * right.cider
    assert wrong.bleu[3] < 0.5 * right.bleu[3]
    assert wrong.rouge_l < right.rouge_l


def test_bleu_counts_a_word_no_more_often_than_a_reference_has_it():
    references = "the cat is on the mat", "there is a cat on the mat"  # Papineni, section 2.1
    assert one("the the the the the the the", *references).bleu[0] == pytest.approx(2 / 7)


def test_bleu_is_the_geometric_mean_of_the_precisions():
    bleu = one("a cat sat here", "a cat sat there").bleu
    assert bleu[0] == pytest.approx(3 / 4)
    assert bleu[1] == pytest.approx(math.sqrt(3 / 4 * 2 / 3))
    assert bleu[2] == pytest.approx((3 / 4 * 2 / 3 * 1 / 2) ** (1 / 3))
    assert bleu[3] < 0.001  # no run of four matches


def test_bleu_punishes_captions_shorter_than_their_references():
    assert one("the cat", "the cat is on the mat").bleu[0] == pytest.approx(math.exp(1 - 6 / 2))


def test_bleu_takes_the_shorter_of_two_references_equally_near_in_length():
    assert one("a b c d", "a b c", "a b c d e").bleu[0] == pytest.approx(1)


def test_bleu_sums_over_photos_before_it_divides():
    scores = score({"1": "a", "2": "b x y"}, {"1": ["a"], "2": ["b c d"]})
    assert scores.bleu[0] == pytest.approx(2 / 4)  # the mean over photos would be 2/3


def test_rouge_l_follows_the_order_of_words():
    reference = "police killed the gunman"  # Lin 2004, section 3.1
    assert one("police kill the gunman", reference).rouge_l == pytest.approx(3 / 4)
    assert one("the gunman kill police", reference).rouge_l == pytest.approx(2 / 4)


def test_rouge_l_weighs_recall_by_beta():
    precision, recall = 3 / 3, 3 / 4
    wanted = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)
    assert one("police the gunman", "police killed the gunman").rouge_l == pytest.approx(wanted)


def test_rouge_l_is_the_mean_over_photos():
    scores = score({"1": "a b", "2": "x"}, {"1": ["a b"], "2": ["y"]})
    assert scores.rouge_l == pytest.approx(1 / 2)


def test_cider_clips_repeated_words_and_punishes_length():
    scores = score({"1": "dog dog dog dog", "2": "cat"}, {"1": ["dog"], "2": ["cat"]})
    cosine, gap = 1 / 4, 3  # only single words match; three bigrams more than the reference
    wanted = 10 * (cosine / 4) * math.exp(-(gap**2) / (2 * 6**2))
    assert scores.cider_by_photo["1"] == pytest.approx(wanted)


def test_cider_gives_nothing_for_words_that_every_photo_has():
    scores = score({"1": "a", "2": "a"}, {"1": ["a dog"], "2": ["a cat"]})
    assert scores.cider == 0


def test_cider_of_a_single_photo_is_zero():
    assert one("a dog runs on grass", "a dog runs on grass").cider == 0


def test_a_perfect_match_has_full_scores():
    scores = score(TWO, TWO_REFERENCES)
    assert scores.bleu == pytest.approx((1, 1, 1, 1))
    assert scores.rouge_l == pytest.approx(1)
    assert scores.cider_by_photo == pytest.approx({"1": 10, "2": 10})


def test_a_better_caption_ranks_higher_by_cider():
    candidates = TWO | {"2": "two children on a sofa"}
    by_photo = score(candidates, TWO_REFERENCES).cider_by_photo
    assert by_photo["1"] > by_photo["2"] > 0


def test_case_and_punctuation_change_no_score():
    written = {"1": "A dog runs , on grass .", "2": "Two children climb the stairs!"}
    assert score(written, TWO_REFERENCES) == score(TWO, TWO_REFERENCES)


def test_the_order_of_photos_and_references_changes_no_score():
    references = {"1": ["a dog runs", "the dog on grass"], "2": ["children climb", "two children"]}
    turned = {photo: references[photo][::-1] for photo in ("2", "1")}
    turned_candidates = dict(reversed(TWO.items()))
    ours, other = score(TWO, references), score(turned_candidates, turned)
    assert other.as_dict() == pytest.approx(ours.as_dict())
    assert other.cider_by_photo == pytest.approx(ours.cider_by_photo)


def test_words_can_be_split_another_way():
    letters = score({"1": "개가 달린다"}, {"1": ["개는 달린다"]}, split=list)
    assert letters.bleu[0] == pytest.approx(5 / 6)
    assert one("개가 달린다", "개는 달린다").bleu[0] == pytest.approx(1 / 2)


def test_as_dict_names_scores_as_papers_do_times_100():
    scores = score(TWO, TWO_REFERENCES).as_dict()
    assert list(scores) == ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"]
    assert scores["BLEU-4"] == pytest.approx(100)
    assert scores["CIDEr"] == pytest.approx(1000)


@pytest.mark.parametrize(
    ("candidates", "references", "message"),
    [
        ({}, {}, "no captions"),
        ({"1": "a dog"}, TWO_REFERENCES, "1 .* no caption .* '2'"),
        (TWO, {"1": ["a dog"]}, "1 .* no references.* '2'"),
        (TWO, {"1": ["a dog"], "2": []}, "1 .* no references.* '2'"),
        (TWO, {"1": "a dog", "2": ["two children"]}, "a text .* '1'"),
    ],
)
def test_photos_without_captions_or_references_are_refused(candidates, references, message):
    with pytest.raises(ValueError, match=message):
        score(candidates, references)


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A man's dogs don't sit.", "a man 's dogs do n't sit"),
        ("We cannot see what they're doing", "we can not see what they 're doing"),
        ('A sign says " stop , please ! "', "a sign says stop please"),
        ("He said \"hello\" to the 'best' dog", "he said hello to the best dog"),
        ("a T-shirt -- black/white - on sale...", "a t-shirt black/white on sale"),
        ("Mr. Potato Head on Main St. in the U.S.", "mr. potato head on main st. in the u.s."),
        ("at 10:30pm he paid $1,000", "at 10:30 pm he paid $ 1,000"),
        ("a player (number 7) runs", "a player -lrb- number 7 -rrb- runs"),
        ("rock 'n' roll at five o'clock", "rock 'n' roll at five o'clock"),
        ("the dogs' toys", "the dogs toys"),
        ("red,white,blue", "red white blue"),
        ("a man\u2019s \u201cbig\u201d hat \u2013 caf\u00e9\u2026", "a man 's big hat caf\u00e9"),
        ("cafe\u0301", "caf\u00e9"),
        ("\uac1c\uac00 \ub2ec\ub9b0\ub2e4.", "\uac1c\uac00 \ub2ec\ub9b0\ub2e4"),
        (" \t\n.", ""),
        ("", ""),
    ],
)
def test_captions_are_split_as_the_penn_treebank_does(caption, words):
    assert tokenize(caption) == words.split()


@given(st.text())
def test_any_text_splits_into_lower_case_words_without_space(text):
    assert all(word and not any(map(str.isspace, word)) for word in tokenize(text))
    assert tokenize(text.replace(" ", "  ")) == tokenize(text)


@pytest.mark.slow
@needs_java
@needs_pycocoevalcap  # it writes a temporary file in its own folder
@needs_flickr8k
def test_flickr8k_is_split_as_pycocoevalcap_splits_it(flickr8k):
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    listed = {name: [{"caption": c} for c in texts] for name, texts in flickr8k.items()}
    their = PTBTokenizer().tokenize(listed)
    same = [
        tokenize(caption) == words.split()
        for name, texts in flickr8k.items()
        for caption, words in zip(texts, their[name], strict=True)
    ]
    assert len(same) == 40460
    assert sum(same) / len(same) > 0.9999
