"""A tutorial's checkpoint says through our graph what its own step-by-step search says."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.captioner import DECODER_FILE, Captioner
from models.errors import CheckpointError
from models.legacy import find_checkpoint, import_tutorial, read_sizes, read_variables
from models.legacy_words import LONGEST, TutorialWords, guess_language
from models.tokenizers import join_tutorial, split_tutorial
from models.tutorial_decoder import TutorialConfig
from models.vocabulary import SPECIALS, START
from tests.data import shared
from tests.models.conftest import grids
from tests.models.tutorial import Tutorial, keras_ids, said_captions, split_into_two_parts

SMALL = {"rows": 41, "embedding": 12, "units": 10}
REAL = {  # folder, checkpoint: rows
    ("anishLearnsToCode-image-captioning", "ckpt-4"): 5001,
    ("iamfredrik-caption-api-coco", "ckpt-4"): 5001,
    ("img2U-API", "ckpt-13"): 5001,
    ("lee513-image_caption_deploy", "ckpt-11"): 6001,
}


def photos(number):
    """Draw features as large as the encoder's."""
    drawn = grids(number)
    return drawn / drawn.std()


def small(seed=0, **options):
    """Make a tutorial's captioner with more words than its tables have rows."""
    tutorial = Tutorial.draw(said_captions(40, 60), **SMALL, seed=seed, **options)
    tutorial.favour_the_end(1.5)
    return tutorial


@pytest.fixture(scope="module")
def full():
    """Make one of the usual size: 5,001 rows, 256, 512; of 6,000 words the rarest have no row."""
    tutorial = Tutorial.draw(said_captions(2400, 6000), 5001, 256, 512)
    tutorial.favour_the_end(8.0)
    return tutorial


@pytest.fixture(scope="module")
def full_folder(full, tmp_path_factory):
    return full.save(tmp_path_factory.mktemp("full") / "train")


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory):
    return small().save(tmp_path_factory.mktemp("small") / "train")


@pytest.fixture
def folder(small_folder, tmp_path):
    """Copy a folder, to be changed."""
    return Path(shutil.copytree(small_folder, tmp_path / "train"))


def says_the_same(tutorial, folder, tmp_path, number):
    """Import, save and load; compare words, then logits. Give the captions."""
    import_tutorial(str(folder), "old", "imagenet").save(str(tmp_path / "new"), half=False)
    captioner = Captioner.load(str(tmp_path / "new"))
    shown = photos(number)
    said = [caption.text for caption in captioner.caption(shown)]
    longest = captioner.config.search.max_length
    wanted = [tutorial.evaluate(grid, longest) for grid in shown]
    assert said == [join_tutorial(words) for words in wanted]
    numbers = [tutorial.ids[word] for word in captioner.vocabulary.words]
    tokens = np.array([START, *range(4, 12)], np.int32)
    logits, looks = captioner.decoder((shown[:1], tokens[None, None]))
    reference = tutorial.logits(shown[0], [numbers[token] for token in tokens])
    np.testing.assert_allclose(np.asarray(logits)[0, 0], reference[:, numbers], atol=2e-3)
    assert np.asarray(looks).max() > 0.1  # it does look somewhere
    return said


def test_a_full_size_checkpoint_says_word_for_word_what_the_tutorial_says(
    full, full_folder, tmp_path
):
    said = says_the_same(full, full_folder, tmp_path, 10)
    lengths = [len(text.split()) for text in said]
    assert len(set(said)) > 5
    assert len(set(lengths)) > 3  # they come to an end by themselves
    assert len({word for text in said for word in text.split()}) > 20


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reset_after", [True, False])
def test_small_checkpoints_of_either_gru_say_the_same(tmp_path, reset_after, seed):
    tutorial = small(seed, reset_after=reset_after)
    said = says_the_same(tutorial, tutorial.save(tmp_path / "train"), tmp_path, 20)
    assert len(set(said)) > 6


def test_sizes_words_language_and_search_come_from_the_files(full_folder):
    config = import_tutorial(str(full_folder), "old", "imagenet").config
    assert config.decoder == TutorialConfig(5000, 256, 512, 512, 512)  # row 5,000 has no word
    assert (config.architecture, config.tokenizer, config.encoder) == (
        "tutorial",
        "tutorial",
        "imagenet",
    )
    assert (config.name, config.language) == ("old", "en")
    assert (config.search.num_beams, config.search.length_penalty) == (1, 0)
    captions = pickle.loads((full_folder / "train_captions.pickle").read_bytes())
    longest = max(len(split_tutorial(caption)) for caption in captions) - 2
    assert config.search.max_length == longest


def test_weights_are_kept_to_the_last_bit(full, full_folder, tmp_path):
    captioner = import_tutorial(str(full_folder), "old", "imagenet")
    captioner.save(str(tmp_path), half=False)
    numbers = [full.ids[word] for word in captioner.vocabulary.words]
    again = Captioner.load(str(tmp_path)).decoder
    np.testing.assert_array_equal(
        again.logits.kernel, full.arrays["decoder/fc2/kernel"][:, numbers]
    )
    np.testing.assert_array_equal(
        again.embedding.embeddings, full.arrays["decoder/embedding/embeddings"][numbers]
    )
    assert (tmp_path / DECODER_FILE).stat().st_size > 4 * again.count_params()


def test_two_data_files_are_read_as_one(folder, tmp_path):
    before = import_tutorial(str(folder), "old", "imagenet").decoder.get_weights()
    split_into_two_parts(folder)
    assert len(list(folder.glob("*.data-*"))) == 2
    after = import_tutorial(str(folder), "old", "imagenet").decoder.get_weights()
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


# Which checkpoint


@pytest.mark.parametrize("where", ["", "/home/someone/checkpoints/train/", "C:\\\\train\\\\"])
def test_the_path_of_another_machine_is_not_followed(folder, where):
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{where}ckpt-1"\n')
    assert find_checkpoint(str(folder)) == str(folder / "ckpt-1")


@pytest.mark.parametrize("content", [None, b"", b"\x00\xff", b"all_model_checkpoint_paths: 3"])
def test_without_a_checkpoint_file_the_last_one_counts(folder, content):
    (folder / "checkpoint").unlink()
    if content is not None:
        (folder / "checkpoint").write_bytes(content)
    for name in ("ckpt-9.index", "ckpt-10.index", "ckpt-x.index", "notes.index"):
        (folder / name).touch()
    assert find_checkpoint(str(folder)) == str(folder / "ckpt-10")


def test_a_named_checkpoint_that_is_not_there_is_told(folder):
    (folder / "checkpoint").write_text('model_checkpoint_path: "ckpt-7"\n')
    with pytest.raises(CheckpointError, match=r"ckpt-7\.index: no such file.*copy it here"):
        find_checkpoint(str(folder))


def test_a_folder_without_a_checkpoint_is_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"no ckpt-N\.index; give the folder"):
        import_tutorial(str(tmp_path), "old", "imagenet")


# Files that are missing, torn or of another model


def test_a_missing_data_file_is_named(folder):
    (folder / "ckpt-1.data-00000-of-00001").unlink()
    with pytest.raises(CheckpointError, match=r"ckpt-1\.data-00000-of-00001: no such file; the"):
        import_tutorial(str(folder), "old", "imagenet")


def test_of_two_data_files_the_missing_one_is_named(folder):
    split_into_two_parts(folder)
    (folder / "ckpt-1.data-00001-of-00002").unlink()
    with pytest.raises(CheckpointError, match="no such file") as caught:
        import_tutorial(str(folder), "old", "imagenet")
    assert "data-00001-of-00002" in str(caught.value)
    assert "data-00000-of-00002" not in str(caught.value)


@pytest.mark.parametrize("name", ["ckpt-1.index", "ckpt-1.data-00000-of-00001"])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_torn_file_is_told(folder, name, share):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"copy (it|the files) again"):
        import_tutorial(str(folder), "old", "imagenet")


def test_a_changed_bit_in_the_weights_is_told(folder):
    path = folder / "ckpt-1.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="copy the files again"):
        import_tutorial(str(folder), "old", "imagenet")


def rewritten(tmp_path, change):
    tutorial = small()
    change(tutorial.arrays)
    return str(tutorial.save(tmp_path / "changed"))


@pytest.mark.parametrize(
    ("key", "shape", "told"),
    [
        ("decoder/fc1/bias", None, "decoder/fc1/bias is missing"),
        ("encoder/fc/kernel", (64, 12), r"encoder/fc/kernel is \[64, 12\], not \[2048, embedding"),
        ("decoder/fc2/bias", (40,), r"decoder/fc2/bias is \[40\], not \[41\]"),
        ("decoder/gru/cell/kernel", (10, 30), "decoder has 10 inputs, not 24"),
        ("decoder/gru/cell/bias", (3, 30), "decoder has 3 biases, not 2"),
        ("decoder/norm/gamma", (10,), "decoder/norm/gamma is not the tutorial's"),
    ],
)
def test_what_is_not_the_tutorials_is_named(tmp_path, key, shape, told):
    def change(arrays):
        if shape is None:
            del arrays[key]
        else:
            arrays[key] = np.zeros(shape, np.float32)

    with pytest.raises(CheckpointError, match=told):
        import_tutorial(rewritten(tmp_path, change), "old", "imagenet")


def test_weights_that_are_no_numbers_are_told(tmp_path):
    def change(arrays):
        arrays["decoder/fc1/bias"][3] = np.nan

    with pytest.raises(CheckpointError, match=r"decoder/fc1/bias holds no numbers"):
        import_tutorial(rewritten(tmp_path, change), "old", "imagenet")


def test_missing_captions_are_told(folder):
    (folder / "train_captions.pickle").unlink()
    with pytest.raises(CheckpointError, match=r"train_captions\.pickle: cannot be read"):
        import_tutorial(str(folder), "old", "imagenet")


def test_captions_without_their_marks_are_told(folder):
    (folder / "train_captions.pickle").write_bytes(pickle.dumps(["a dog", "a cat"]))
    with pytest.raises(CheckpointError, match=r"pickle: <start> and <end> not among the words"):
        import_tutorial(str(folder), "old", "imagenet")


# Words


def marked(*captions):
    return [f"<start> {caption} <end>" for caption in captions]


@pytest.mark.parametrize("rows", [5, 20, 41, 300])
def test_words_have_the_rows_that_keras_gave_them(rows):
    captions = said_captions(40, 60)
    words = TutorialWords.count(captions, rows)
    assert words.words[:4] == SPECIALS
    assert dict(zip(words.words, words.rows.tolist(), strict=True)) == keras_ids(captions, rows - 1)


def test_where_each_word_has_a_row_the_last_one_is_said_too():
    captions = marked("a dog", "a cat")  # <unk> <start> <end> a dog cat, and <pad>
    assert TutorialWords.count(captions, 7).words == (*SPECIALS, "a", "dog", "cat")
    assert TutorialWords.count(captions, 6).words == (*SPECIALS, "a")  # num_words is 5
    assert TutorialWords.count(captions, 8).words == (*SPECIALS, "a", "dog", "cat")
    assert TutorialWords.count(captions, 99).words == (*SPECIALS, "a", "dog", "cat")


def test_ties_are_kept_as_first_seen():
    words = TutorialWords.count(marked("b a d c", "c d"), 99).words[4:]
    assert words == ("d", "c", "b", "a")


def test_captions_that_spell_specials_change_nothing_else():
    words = TutorialWords.count(marked("a <pad> dog", "<unk> a"), 99)
    assert words.words == (*SPECIALS, "a", "dog")
    assert words.rows.tolist() == [0, 2, 4, 7, 3, 6]  # as Keras' index: the later <unk> counts


def test_the_longest_caption_is_bounded():
    assert TutorialWords.count(marked("a b c", "a"), 99).longest == 3
    assert TutorialWords.count(marked("a " * 600_000), 99).longest == LONGEST
    assert TutorialWords.count(["<start> <end>"], 99).longest == 1


def test_korean_is_told_by_its_letters():
    assert guess_language(("<pad>", "빨간", "헬멧을", "쓴", "남자가", "t")) == "ko"
    assert guess_language(("a", "man", "개")) == "en"


# Real files


@pytest.mark.parametrize(("place", "rows"), REAL.items(), ids=lambda item: str(item)[:20])
def test_real_checkpoints_have_their_sizes_and_miss_their_data(place, rows):
    folder, name = shared("checkpoints") / place[0], place[1]
    prefix = find_checkpoint(str(folder))
    assert prefix == str(folder / name)
    assert read_sizes(prefix) == TutorialConfig(rows, 256, 512, 512, 512)
    with pytest.raises(CheckpointError, match=rf"{name}\.data-0000.*no such file") as caught:
        import_tutorial(str(folder), "old", "imagenet")
    parts = 2 if folder.name == "img2U-API" else 1
    assert str(caught.value).count(f"-of-0000{parts}") == parts


def test_a_relative_of_the_tutorial_is_read_whole_and_refused():
    folder = shared("checkpoints/neuro-cangjie")
    prefix = find_checkpoint(str(folder))
    variables = read_variables(prefix)
    assert len(variables) == 21
    assert sum(array.size for array in variables.values() if array.ndim) > 150_000
    assert variables["decoder/gru/cell/kernel"].shape == (256, 384)
    assert all(np.isfinite(array).all() for array in variables.values())
    with pytest.raises(CheckpointError, match="not a photo captioner of the tutorial") as caught:
        import_tutorial(str(folder), "old", "imagenet")
    for name in (
        "encoder/cnn1/kernel is not",
        "decoder/fc1/kernel is missing",
        "encoder/fc/kernel",
    ):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("folder", "rows", "words"),
    [("iamfredrik-caption-api-coco", 5001, 3370), ("lee513-image_caption_deploy", 6001, 6000)],
)
def test_real_captions_make_the_words_that_keras_makes(folder, rows, words):
    path = shared(f"checkpoints/{folder}") / "train_captions.pickle"
    captions = pickle.loads(path.read_bytes())
    found = TutorialWords.count(captions, rows)
    assert len(found.words) == words
    expected = keras_ids(captions, rows - 1)
    assert dict(zip(found.words, found.rows.tolist(), strict=True)) == expected
    assert sum(word.endswith("\n") for word in found.words) > 5  # COCO's own line feeds
