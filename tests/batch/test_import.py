"""What older scripts left becomes a captioner, or features that need no encoding."""

import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from batch.__main__ import main
from batch.corpora.corpus import CorpusError
from batch.corpora.flickr8k import training_captions
from batch.errors import ArchiveError
from batch.features import POOLED, FeatureCache, PooledBehind, open_cache, pooled_folder
from batch.feeds import TrainingPhoto, from_memory
from batch.imports import Origin, import_captioner, import_features
from batch.photos import load
from batch.pipeline import run
from batch.scan import Photo
from models.captioner import Captioner, CaptionerConfig, encoder_fingerprint, weights_fingerprint
from models.errors import CheckpointError
from models.merge_decoder import MergeConfig, MergeDecoder
from models.search import SearchConfig
from models.vocabulary import Vocabulary
from tests.batch.archives import WORDS, draw
from tests.models.test_legacy_h5 import ROWS, captions, keras_2_weights, post_model
from tests.models.tutorial import Tutorial, said_captions


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    """Write a small tutorial's folder; not to be changed."""
    drawn = Tutorial.draw(said_captions(20, 30), 31, 6, 5)
    return str(drawn.save(tmp_path_factory.mktemp("old") / "my train"))


@pytest.fixture(scope="module")
def post(tmp_path_factory):
    """Write weights of the post's model, its captions, and the names of its photos."""
    folder = tmp_path_factory.mktemp("post")
    texts = captions()
    lines = [f"{n // 5}.jpg#{n % 5}\t{text}\n" for n, text in enumerate(texts)]
    (folder / "tokens").write_text("".join(lines) + "unseen.jpg#0\tnever seen\n")
    (folder / "train").write_text("".join(f"{n}.jpg\n" for n in range(len(texts) // 5 + 1)))
    keras_2_weights(post_model(), folder)
    return folder


def test_a_tutorials_folder_becomes_a_captioner_by_one_command(tutorial, tmp_path, capsys):
    out = tmp_path / "new"
    assert main(["import-checkpoint", "--out", str(out), "--", tutorial]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf".*my train: tutorial, en, \d+ words, \d+\.\d s: {out}", line)
    captioner = Captioner.load(str(out))
    assert captioner.config.name == "my train"
    assert captioner.config.encoder == "imagenet"
    assert captioner.caption(np.ones((1, 8, 8, 2048), np.float32))[0].text
    card = (out / "card.md").read_text()
    assert "`ckpt-1` and `train_captions.pickle` of `my train`" in card


def test_a_captioner_may_go_with_an_encoder_of_its_own(tutorial, tmp_path):
    encoder = tmp_path / "encoder.weights.h5"
    encoder.write_bytes(b"weights")
    import_captioner(Origin(tutorial, str(encoder)), str(tmp_path / "new"))
    assert CaptionerConfig.read(str(tmp_path / "new")).encoder == str(encoder)
    assert encoder_fingerprint(str(tmp_path / "new")) == weights_fingerprint(str(encoder))
    encoder.write_bytes(b"others")
    with pytest.raises(CheckpointError, match="another one than it was trained with"):
        encoder_fingerprint(str(tmp_path / "new"))


def test_by_default_imports_go_beside_what_ships(tutorial, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    import_captioner(Origin(tutorial), None)
    assert Captioner.load("models/imported/my train")


def test_weights_of_the_post_become_a_captioner(post, tmp_path, capsys):
    asked = ["--captions", str(post / "tokens"), "--train-list", str(post / "train")]
    source = str(post / "weights.h5")
    assert main(["import-checkpoint", "--out", str(tmp_path), *asked, source]) == 0
    assert f"weights.h5: merge, en, {ROWS - 3} words" in capsys.readouterr().out
    assert Captioner.load(str(tmp_path)).config.architecture == "merge"
    assert "`weights.h5`, `tokens`, `train`" in (tmp_path / "card.md").read_text()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"path": "none"}, "'none': not there; give FROM="),
        ({"path": __file__}, "no .h5 file; of a tutorial's checkpoint give FROM= the folder"),
        ({"encoder": "none"}, "'none': no such file; give ENCODER="),
        ({"captions": None}, "give CAPTIONS="),
        ({"train_list": None}, "TRAIN_LIST="),
    ],
)
def test_what_is_not_given_is_told(post, tmp_path, change, told):
    given = {"path": str(post / "weights.h5"), "captions": "a", "train_list": "b"}
    with pytest.raises(ArchiveError, match=told):
        import_captioner(Origin(**given | change), str(tmp_path))


def test_no_captioner_is_overwritten(tutorial, tmp_path):
    import_captioner(Origin(tutorial), str(tmp_path))
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(ArchiveError, match="holds a captioner; remove it"):
        import_captioner(Origin(tutorial), str(tmp_path))
    assert (tmp_path / "config.json").read_bytes() == before


def test_what_cannot_be_imported_is_one_line_and_leaves_no_captioner(tutorial, tmp_path, capsys):
    folder = Path(shutil.copytree(tutorial, tmp_path / "old"))
    (folder / "train_captions.pickle").write_bytes(b"cos\nsystem\n(S'touch x'\ntR.")
    assert main(["import-checkpoint", "--out", str(tmp_path / "new"), str(folder)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {folder}/train_captions.pickle: not a")
    assert not (tmp_path / "new").exists()


# The captions of the post


def test_descriptions_and_tokens_give_the_same_captions(tmp_path):
    (tmp_path / "tokens").write_text(
        "b.jpg.1#0\tA dog\na.jpg#0\tA cat .\nb.jpg.1#1\tTwo\n\nc.jpg#0\tNo\n"
    )
    (tmp_path / "descriptions.txt").write_text("b A dog\na A cat .\nb Two\nc No")
    (tmp_path / "train").write_text("a.jpg\nb.jpg.1\n")
    for name in ("tokens", "descriptions.txt"):
        found = training_captions(str(tmp_path / name), str(tmp_path / "train"))
        assert found == ["A dog", "Two", "A cat ."]


def test_captions_of_other_photos_are_told(tmp_path):
    (tmp_path / "tokens").write_text("b.jpg#0\tA dog\n")
    (tmp_path / "train").write_text("a.jpg\n")
    with pytest.raises(CorpusError, match="no caption of the photos"):
        training_captions(str(tmp_path / "tokens"), str(tmp_path / "train"))


# Features


def vector(seed):
    return np.random.default_rng(seed).random(2048).astype(np.float32)


def pickled(folder, vectors):
    path = folder / "encoded_train_images.pkl"
    path.write_bytes(pickle.dumps(vectors))
    return str(path)


def identity(path):
    return load(Photo(str(path.parent), path.name, 0, 0)).photo_id


@pytest.fixture
def photos(tmp_path):
    """Make a folder of photos: two alike, two of one name."""
    folder = tmp_path / "photos"
    draw(folder / "a.png", 1)
    draw(folder / "2019" / "b.png", 2)
    for place in ("x", "y"):
        draw(folder / place / "same.png", 3)
        draw(folder / place / "two.png", ord(place))
    return folder


def test_vectors_are_kept_under_the_identities_of_their_photos(photos, tmp_path):
    names = ("a.png", "..\\photos\\b.png", "same.png", "two.png", "none.png")
    path = pickled(tmp_path, {name: vector(number) for number, name in enumerate(names)})
    found = import_features(path, str(photos), str(tmp_path / "cache"))
    assert found.folder == str(tmp_path / "cache" / f"{weights_fingerprint('imagenet')}-pooled")
    assert found.left_out == {
        "two.png": "several photos have this name",
        "none.png": "no photo has this name",
    }
    cache = FeatureCache(found.folder, POOLED)
    assert len(cache) == found.photos == 3
    for number, place in enumerate(("a.png", "2019/b.png", "x/same.png")):
        kept = cache.read([identity(photos / place)])[identity(photos / place)]
        np.testing.assert_array_equal(kept, vector(number).astype(np.float16), strict=True)


def test_the_command_lists_what_is_left_out(photos, tmp_path, capsys):
    vectors = {f"{number}.png": vector(number) for number in range(25)} | {"a.png": vector(0)}
    asked = ["--photos", str(photos), "--features", str(tmp_path / "cache")]
    assert main(["import-features", *asked, pickled(tmp_path, vectors)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("1 photo, 25 left out: ")
    lines = told.err.splitlines()
    assert lines[0] == "0.png: no photo has this name"
    assert lines[20:] == ["and 5 more"]


def test_a_cache_among_the_photos_and_a_hostile_pickle_are_refused(photos, tmp_path):
    path = pickled(tmp_path, {"a.png": vector(0)})
    with pytest.raises(ArchiveError, match="FEATURES"):
        import_features(path, str(photos), str(photos / "cache"))
    with pytest.raises(ArchiveError, match="give PHOTOS="):
        import_features(path, str(photos / "none"), str(tmp_path / "cache"))
    Path(path).write_bytes(b"cos\nsystem\n(S'touch x'\ntR.")
    with pytest.raises(CheckpointError, match=r"os\.system"):
        import_features(path, str(photos), str(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


def test_two_vectors_of_one_name_are_refused(photos, tmp_path):
    path = pickled(tmp_path, {"x/a.png": vector(0), "y/a.png": vector(1)})
    with pytest.raises(ArchiveError, match="one name"):
        import_features(path, str(photos), str(tmp_path / "cache"))


# Who sees them


def grid(seed):
    return np.random.default_rng(seed).random((8, 8, 2048)).astype(np.float16)


def test_a_grid_is_read_before_a_vector_and_neither_as_the_other(tmp_path):
    folder = str(tmp_path / "f00d")
    FeatureCache(folder).write({"a": grid(0), "b": grid(1)})
    FeatureCache(pooled_folder(folder), POOLED).write({"b": vector(1), "c": vector(2)})
    both = open_cache(str(tmp_path), "f00d", "merge")
    assert isinstance(both, PooledBehind)
    assert {name: array.shape for name, array in both.read(iter("abcd")).items()} == {
        "a": (8, 8, 2048),
        "b": (8, 8, 2048),
        "c": (2048,),
    }
    assert [name in both for name in "abcd"] == [True, True, True, False]
    for architecture in ("attention", "tutorial"):
        grids = open_cache(str(tmp_path), "f00d", architecture)
        assert grids.read("abc").keys() == {"a", "b"}
        assert "c" not in grids
    both.write({"c": grid(2), "d": grid(3)})
    assert both.read("cd")["c"].shape == (2048,)
    assert FeatureCache(folder).read("cd").keys() == {"d"}


def test_without_imports_a_cache_is_one_of_grids(tmp_path):
    cache = open_cache(str(tmp_path), "f00d", "merge")
    assert type(cache) is FeatureCache
    assert [path.name for path in tmp_path.iterdir()] == ["f00d"]


def test_training_sees_grids_and_vectors_alike(tmp_path):
    folder = str(tmp_path / "f00d")
    FeatureCache(folder).write({"a": grid(0)})
    FeatureCache(pooled_folder(folder), POOLED).write({"b": vector(1)})
    photos = [TrainingPhoto(name, name, np.zeros((1, 3), np.int32)) for name in "ab"]
    seen = from_memory(PooledBehind(folder), photos, pooled=True)(photos, None)
    assert (seen.dtype, seen.shape) == (np.float16, (2, 2048))
    np.testing.assert_allclose(seen[0], grid(0).reshape(64, 2048).mean(0), rtol=2e-3)
    np.testing.assert_array_equal(seen[1], vector(1).astype(np.float16))


def merge_captioner(folder):
    """Save a merge captioner of random weights."""
    vocabulary = Vocabulary.from_captions([WORDS], 1)
    decoder = MergeDecoder(MergeConfig(len(vocabulary), 8, 16))
    random = np.random.default_rng(5)
    for variable in decoder.weights:
        variable.assign(random.normal(0, 1.0, variable.shape))
    search = SearchConfig(2, 6)
    config = CaptionerConfig("old", "en", decoder.config, search, "merge", encoder="imagenet")
    Captioner(config, vocabulary, decoder).save(str(folder))
    return str(folder)


def test_captions_of_a_vector_and_of_its_grid_are_the_same_in_any_company(tmp_path):
    captioner = Captioner.load(merge_captioner(tmp_path))
    shown = [grid(number) for number in range(6)]
    pooled = [one.reshape(64, 2048).mean(0, dtype=np.float32) for one in shown]
    assert captioner.caption(pooled) == captioner.caption(shown)
    mixed = [shown[0], pooled[1], pooled[2], shown[3], pooled[4], shown[5]]
    assert captioner.caption(mixed) == captioner.caption(np.stack(shown))


def test_a_captioner_that_attends_takes_no_vector_for_a_grid(captioner_folder):
    captioner = Captioner.load(captioner_folder)
    for features in (np.zeros((64, 2048), np.float32), [grid(0), vector(1)]):
        with pytest.raises(ValueError, match="not "):
            captioner.caption(features)


def test_photos_with_imported_vectors_are_not_encoded_again(archive, fake_encoder, tmp_path):
    """A run encodes the photos that have none; an attention captioner's run encodes all."""
    archive.draw("a.png", "b.png", "c.png", "d.png")
    path = pickled(tmp_path, {name: vector(n) for n, name in enumerate(["a.png", "c.png"])})
    import_features(path, str(archive.root), str(archive.features))
    run(archive.config(captioner=merge_captioner(tmp_path / "merge")))
    assert fake_encoder.photos == 2
    captioner = Captioner.load(str(tmp_path / "merge"))
    expected = captioner.caption([vector(n).astype(np.float16) for n in range(2)])
    said = archive.captions
    assert [said["a.png"], said["c.png"]] == [caption.text for caption in expected]
    assert all(said.values())
    assert encoder_fingerprint(archive.captioner) == weights_fingerprint("imagenet")
    run(archive.config(overwrite=True))
    assert fake_encoder.photos == 4
