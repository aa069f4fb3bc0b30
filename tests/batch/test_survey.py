"""The 2017 post's figures come out of our code, and its descriptions go out and come in."""

import pytest

from batch.corpora.corpus import CorpusError
from batch.corpora.descriptions import write_descriptions
from batch.corpora.flickr8k import read_flickr8k, read_tokens
from batch.corpora.survey import Survey, survey
from models.tokenizers import TOKENIZERS
from tests.data import shared

POST = TOKENIZERS["post-2017"]


@pytest.fixture(scope="module")
def flickr8k():
    """Survey the real files as the post does."""
    texts = shared("flickr8k/text")
    token_file = str(texts / "Flickr8k.token.txt")
    lists = [str(texts / f"Flickr_8k.{split}Images.txt") for split in ("train", "dev")]
    train = read_flickr8k(token_file, *lists).train
    return survey(read_tokens(token_file), train, POST, 10, unknown=False)


@pytest.mark.parametrize(
    ("what", "figure"),
    [
        ("names", 8_092),
        ("words", 8_763),
        ("train_photos", 6_000),
        ("train_captions", 30_000),
        ("train_words", 7_578),
        ("kept_words", 1_651),
        ("vocabulary", 1_652),
        ("longest", 34),
    ],
)
def test_the_figures_of_the_post_come_out(flickr8k, what, figure):
    assert getattr(flickr8k, what) == figure


def write_tokens(tmp_path):
    (tmp_path / "tokens").write_text(
        "a.jpg#0\tA dog's 2 balls , wet .\na.jpg#1\tThe dog !\nb.jpg.1#0\tA cat\n"
    )
    (tmp_path / "train").write_text("a.jpg\n")
    (tmp_path / "dev").write_text("b.jpg.1\n")
    return str(tmp_path / "tokens"), str(tmp_path / "train"), str(tmp_path / "dev")


def test_a_small_corpus_is_counted_by_hand(tmp_path):
    files = write_tokens(tmp_path)
    found = survey(read_tokens(files[0]), read_flickr8k(*files).train, POST, 1, unknown=True)
    # dogs balls wet / the dog / cat; the longest has three words and its two marks
    assert found == Survey(2, 6, 1, 2, 7, 7, 9, 5)
    assert "7 -> 7 kept" in str(found)


def test_descriptions_are_written_as_the_post_writes_them(tmp_path):
    files = write_tokens(tmp_path)
    out = tmp_path / "descriptions.txt"
    assert write_descriptions(read_tokens(files[0]), POST, str(out)) == 3
    assert out.read_bytes() == b"a dogs balls wet\na the dog\nb cat"


def test_descriptions_are_a_corpus_again(tmp_path):
    files = write_tokens(tmp_path)
    out = str(tmp_path / "descriptions.txt")
    write_descriptions(read_tokens(files[0]), POST, out)
    corpus = read_flickr8k(out, *files[1:])
    assert [(photo.path, photo.captions) for photo in corpus.train] == [
        ("a.jpg", ("dogs balls wet", "the dog"))
    ]
    assert [photo.path for photo in corpus.dev] == ["b.jpg.1"]


def test_cleaning_twice_changes_nothing(tmp_path):
    files = write_tokens(tmp_path)
    out = str(tmp_path / "descriptions.txt")
    write_descriptions(read_tokens(files[0]), POST, out)
    again = str(tmp_path / "again.txt")
    write_descriptions(read_tokens(out), POST, again)
    assert (tmp_path / "again.txt").read_bytes() == (tmp_path / "descriptions.txt").read_bytes()


def test_a_token_file_that_turns_into_descriptions_is_named_by_its_line(tmp_path):
    (tmp_path / "mixed").write_text("a a dog\nb.jpg#0\tA cat\n")
    with pytest.raises(CorpusError, match="line 2: expected a name, a space, a caption"):
        read_tokens(str(tmp_path / "mixed"))
