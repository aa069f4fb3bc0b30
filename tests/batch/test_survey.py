"""The 2017 post's figures come out of our code, and its descriptions go out and come in."""

import json
import re
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.__main__ import main
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


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["photo.1.jpg", "photo.2.jpg"], "'photo.2.jpg' is called 'photo' there, and so is 'photo"),
        (["a.jpg", "a.jpg.1"], "'a.jpg.1' is called 'a' there, and so is 'a.jpg'"),
        (["my photo.jpg"], "'my photo.jpg' has a space"),
        (["x y/photo.jpg"], "'x y/photo.jpg' has a space"),
        (["my\u3000photo.jpg"], "photo.jpg' has a space"),
        (["photo.jpg "], "'photo.jpg ' has a space"),
        (["photo#1.jpg"], "'photo#1.jpg' has a space or #"),
        (["v1.0/a.jpg"], "'v1.0/a.jpg' has a folder with a full stop"),
        (["train2014.zip/a.jpg"], "'train2014.zip/a.jpg' has a folder with a full stop"),
        ([".jpg"], "'.jpg' has no name before its first full stop"),
    ],
)
def test_descriptions_that_would_be_read_as_another_photos_are_not_written(tmp_path, names, told):
    out = tmp_path / "descriptions.txt"
    with pytest.raises(CorpusError) as error:
        write_descriptions(dict.fromkeys(["b.jpg", *names], ("A dog",)), POST, str(out))
    assert str(error.value).startswith(f"{out}: cannot be written, the photo '")
    assert told in str(error.value)
    assert str(error.value).endswith("; rename it")
    assert not out.exists()


@given(
    names=st.lists(st.text(st.sampled_from("ab./ #\t1"), min_size=1, max_size=5), unique=True),
    data=st.data(),
)
def test_whatever_photos_are_called_descriptions_give_each_its_own_captions(
    tmp_path_factory, names, data
):
    folder = tmp_path_factory.mktemp("album")
    said = {name: (f"dog {chr(97 + number) * 3}",) for number, name in enumerate(names)}
    out, dev = str(folder / "descriptions.txt"), folder / "dev"
    try:
        write_descriptions(said, POST, out)
    except CorpusError:
        return
    if names:
        dev.write_text(data.draw(st.sampled_from(names)) + "\n")
        (photo,) = read_flickr8k(out, None, str(dev)).dev
        assert photo.captions == said[photo.path]


def test_the_real_names_are_all_written(tmp_path):
    captions = read_tokens(str(shared("flickr8k/text") / "Flickr8k.token.txt"))
    out = str(tmp_path / "descriptions.txt")
    assert write_descriptions(captions, POST, out) == 40_460
    assert len(read_tokens(out)) == 8_092
    assert "2258277193_586949ec62" in read_tokens(out)


@pytest.fixture
def folder(tmp_path):
    """Make a folder with COCO's captions of a photo a split, and the photos."""
    for number, split in enumerate(("train", "val")):
        images = [{"id": number, "file_name": f"{split}.jpg"}]
        annotations = [{"id": number, "image_id": number, "caption": f"A {split} dog"}]
        text = json.dumps({"images": images, "annotations": annotations})
        (tmp_path / f"{split}.json").write_text(text)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "train.jpg").touch()
    (tmp_path / "photos" / "val.jpg").touch()
    return tmp_path


def count(folder, *options):
    captions = ["--captions", str(folder / "train.json")]
    return main(["corpus", *captions, "--dev-captions", str(folder / "val.json"), *options])


def test_json_is_counted_without_its_photos(folder, capsys):
    shutil.rmtree(folder / "photos")
    assert count(folder, "--descriptions", str(folder / "out.txt")) == 0
    told = capsys.readouterr()
    assert re.search(r"^photos with captions +2$", told.out, re.MULTILINE)
    assert re.search(r"^training photos +1$", told.out, re.MULTILINE)
    assert told.err == ""
    assert (folder / "out.txt").read_text() == "train a train dog\nval a val dog"
    assert count(folder, "--photos", "") == 1
    assert "'' is no folder" in capsys.readouterr().err


def test_json_is_counted_with_its_photos_where_their_place_is_given(folder, capsys):
    (folder / "photos" / "train.jpg").unlink()
    assert count(folder, "--photos", str(folder / "photos")) == 1
    assert "image 0 has no photo" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["photos/desc.txt", "photos/new/desc.txt", "photos"])
def test_descriptions_are_never_written_among_the_photos(folder, capsys, place):
    photos = ["--photos", str(folder / "photos")]
    assert count(folder, *photos, "--descriptions", str(folder / place)) == 1
    assert "DESCRIPTIONS is " in capsys.readouterr().err
    assert sorted(path.name for path in (folder / "photos").iterdir()) == ["train.jpg", "val.jpg"]
    assert count(folder, *photos, "--descriptions", str(folder / "desc.txt")) == 0


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
