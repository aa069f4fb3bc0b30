"""A Flickr8k token file and its lists are read as they are, or refused with the line to look at."""

from pathlib import Path

import pytest

from batch.corpora.corpus import CaptionedPhoto, Corpus, CorpusError
from batch.corpora.flickr8k import read_flickr8k, read_tokens
from batch.errors import ArchiveError

TEXTS = Path(__file__).parents[2] / "../shared/data/flickr8k/text"
TOKENS = """\
dog.jpg#0\tA dog runs .
dog.jpg#1\tThe dog is running .
cat.jpg#0\tA cat sits .
two.jpg.1#0\tTwo children # play
"""


@pytest.fixture
def put(tmp_path):
    def put(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        return str(tmp_path / name)

    return put


def test_captions_are_gathered_by_name_in_the_order_of_their_lines(put):
    captions = read_tokens(put("tokens", TOKENS))
    assert captions == {
        "dog.jpg": ("A dog runs .", "The dog is running ."),
        "cat.jpg": ("A cat sits .",),
        "two.jpg.1": ("Two children # play",),
    }


def test_blank_lines_byte_order_marks_and_carriage_returns_do_not_matter(put):
    text = "\ufeff" + TOKENS.replace("\n", "\r\n\r\n")
    assert read_tokens(put("a", text)) == read_tokens(put("b", TOKENS))


def test_captions_in_any_script_are_kept(put):
    captions = read_tokens(put("tokens", "바다.jpg#0\t개가 \u2028 달린다\n"))
    assert captions == {"바다.jpg": ("개가 \u2028 달린다",)}


@pytest.mark.parametrize("line", ["no tab", "dog.jpg\tno number", "#0\tno name", "dog.jpg#0\t "])
def test_a_line_that_is_no_caption_is_named(put, line):
    path = put("tokens", f"dog.jpg#0\tA dog .\n\n{line}\n")
    with pytest.raises(CorpusError) as error:
        read_tokens(path)
    assert str(error.value) == f"{path}, line 3: expected name#number, a tab, a caption"


@pytest.mark.parametrize("which", ["tokens", "train", "dev"])
@pytest.mark.parametrize("kind", ["missing", "no text"])
def test_a_file_that_cannot_be_read_is_named(put, tmp_path, which, kind):
    paths = {
        "tokens": put("tokens", TOKENS),
        "train": put("train", "dog.jpg\n"),
        "dev": put("dev", "cat.jpg\n"),
    }
    if kind == "missing":
        Path(paths[which]).unlink()
    else:
        Path(paths[which]).write_bytes(b"caf\xe9.jpg#0\tA dog")
    with pytest.raises(CorpusError, match=f"{which}: cannot be read"):
        read_flickr8k(*paths.values())


def test_a_corpus_has_the_photos_of_the_lists_in_their_order(put):
    corpus = read_flickr8k(
        put("tokens", TOKENS), put("train", "\ncat.jpg \ndog.jpg\ncat.jpg"), put("dev", "two.jpg.1")
    )
    assert corpus.train == (
        CaptionedPhoto("cat.jpg", ("A cat sits .",)),
        CaptionedPhoto("dog.jpg", ("A dog runs .", "The dog is running .")),
    )
    assert corpus.dev == (CaptionedPhoto("two.jpg.1", ("Two children # play",)),)


def test_a_listed_photo_without_a_caption_is_named_with_its_list(put):
    train = put("train", "dog.jpg\nbird.jpg\n")
    with pytest.raises(CorpusError, match=r"train: bird\.jpg has no caption"):
        read_flickr8k(put("tokens", TOKENS), train, put("dev", "cat.jpg"))


DESCRIPTIONS = "dog a dog\nphoto the photo\nv1 another\n"


def test_a_short_name_is_a_photos_where_no_other_has_it(put):
    corpus = read_flickr8k(put("d", DESCRIPTIONS), put("train", "dog.jpg.1"), put("dev", "photo.a"))
    assert corpus.train == (CaptionedPhoto("dog.jpg.1", ("a dog",)),)
    assert corpus.dev == (CaptionedPhoto("photo.a", ("the photo",)),)


@pytest.mark.parametrize(
    ("train", "dev"),
    [("photo.1.jpg\nphoto.2.jpg", "dog"), ("dog", "photo.2.jpg\nphoto.1.jpg")],
)
def test_a_short_name_of_two_photos_is_refused(put, train, dev):
    for lists in ((train, dev), ("photo.1.jpg", "photo.2.jpg"), ("photo.1.jpg", "photo")):
        with pytest.raises(
            CorpusError, match=r"the captions of 'photo' could be of photo\.\d\.jpg"
        ):
            read_flickr8k(put("d", DESCRIPTIONS), put("train", lists[0]), put("dev", lists[1]))


def test_a_token_file_tells_photos_of_one_short_name_apart(put):
    tokens = put("tokens", "photo.1.jpg#0\tA dog\nphoto.2.jpg#0\tA cat\n")
    corpus = read_flickr8k(tokens, put("train", "photo.1.jpg"), put("dev", "photo.2.jpg"))
    assert corpus.train[0].captions == ("A dog",)
    assert corpus.dev[0].captions == ("A cat",)


def test_a_folder_before_its_full_stop_is_no_photos_name(put):
    with pytest.raises(CorpusError, match=r"dev: v1\.0/a\.jpg has no caption"):
        read_flickr8k(put("d", DESCRIPTIONS), None, put("dev", "v1.0/a.jpg"))


def test_a_list_that_names_nothing_is_refused(put):
    tokens, some, none = put("tokens", TOKENS), put("some", "dog.jpg"), put("none", " \n")
    for lists in ((some, none), (none, some)):
        with pytest.raises(CorpusError, match="none: names no photo"):
            read_flickr8k(tokens, *lists)


def test_splits_that_share_a_photo_are_refused(put):
    lists = put("train", "dog.jpg\ncat.jpg\n"), put("dev", "cat.jpg\ntwo.jpg.1\n")
    with pytest.raises(CorpusError, match=r"1 photos are in both splits, cat\.jpg among them"):
        read_flickr8k(put("tokens", TOKENS), *lists)


def test_what_is_wrong_with_a_corpus_is_told_like_what_is_wrong_with_an_archive():
    assert issubclass(CorpusError, ArchiveError)


def test_the_training_captions_are_those_of_the_training_split_alone():
    train = (CaptionedPhoto("a", ("one", "two")), CaptionedPhoto("b", ("three",)))
    corpus = Corpus(train, (CaptionedPhoto("c", ("four",)),))
    assert list(corpus.captions()) == ["one", "two", "three"]


def test_for_scoring_alone_no_list_to_learn_from_is_needed(put):
    corpus = read_flickr8k(put("tokens", TOKENS), None, put("dev", "cat.jpg\n"))
    assert corpus.train == ()
    assert [photo.path for photo in corpus.dev] == ["cat.jpg"]


@pytest.mark.skipif(not TEXTS.is_dir(), reason="Flickr8k is not here: ../shared/data/flickr8k")
def test_the_published_files_have_the_published_figures():
    captions = read_tokens(str(TEXTS / "Flickr8k.token.txt"))
    assert len(captions) == 8092
    assert sum(map(len, captions.values())) == 40_460
    lists = [str(TEXTS / f"Flickr_8k.{split}Images.txt") for split in ("train", "dev")]
    corpus = read_flickr8k(str(TEXTS / "Flickr8k.token.txt"), *lists)
    assert (len(corpus.train), len(corpus.dev)) == (6000, 1000)
    assert sum(1 for _ in corpus.captions()) == 30_000
