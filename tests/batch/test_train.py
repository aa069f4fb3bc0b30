"""A training ends in the same captioner however often it is interrupted."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import batch.calibrate
import batch.train
import batch.training
from batch.corpora.corpus import CaptionedPhoto, Corpus, stop
from batch.errors import ArchiveError, LockedError
from batch.features import FeatureCache
from batch.lock import locked
from batch.recipe import Phase, Recipe
from batch.train import Sources, train_captioner
from batch.training import Training
from models.captioner import (
    Captioner,
    CaptionerConfig,
    encoder_fingerprint,
    weights_fingerprint,
)
from models.checkpoint import read_arrays, read_progress
from models.encoder import load_encoder_weights
from models.errors import CheckpointError
from models.metrics import score
from models.training import CaptionTrainer
from models.vocabulary import SPECIALS
from tests.batch.archives import draw

THINGS = ["dog", "cat", "ball", "child", "man", "bird"]
SMALL = {
    "min_count": 2,
    "max_length": 6,
    "embedding": 4,
    "projection": 6,
    "attention": 4,
    "units": 8,
    "photos_a_step": 3,
    "captions_a_photo": 2,
    "seed": 7,
}
STEPS = 3  # a pass: nine photos, three a step
DECODER = Recipe("tiny", phases=(Phase(3, 0.01),), **SMALL)
BOTH = replace(DECODER, phases=(Phase(1, 0.01), Phase(2, 0.01, 0.002)))
ALL = replace(
    BOTH,
    phases=(
        Phase(1, 0.01, 0.002, averaging=0.9, colour=0.2),
        Phase(1, 0.01, averaging=0.9),
        Phase(2, 0.01, averaging=0.9, self_critical=0.5),
    ),
)

MERGE = Recipe(
    "tiny",
    architecture="merge",
    tokenizer="post-2017",
    unknown=False,
    keep_passes=True,
    phases=(Phase(2, 0.01, constant=True), Phase(1, 0.01, constant=True, photos_a_step=4)),
    **SMALL,
)


def small_encoder(*, bfloat16: bool = False) -> keras.Model:
    """Build an encoder of the right shapes that needs no time."""
    pixels = keras.Input((299, 299, 3), dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    layers = [
        keras.layers.AveragePooling2D(37, name="pooled"),
        keras.layers.Conv2D(2048, 1, activation="relu", name="conv2d_1"),
    ]
    grid = keras.Sequential([keras.Input((299, 299, 3)), *layers], name="grid")
    return keras.Model(pixels, grid(scaled), name="encoder")


def fill(encoder: keras.Model, weights: str) -> None:
    """Give an encoder its first weights, always the same."""
    random = np.random.default_rng(3)
    for variable in encoder.variables:
        variable.assign(random.normal(0, 0.5, variable.shape))


@pytest.fixture(scope="module", autouse=True)
def small_networks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch.train, "build_encoder", small_encoder)
        patch.setattr(batch.train, "load_encoder_weights", fill)
        patch.setattr(batch.train, "has_bfloat16", lambda: False)
        patch.setattr(batch.training, "STEPS_A_CHECKPOINT", 2)
        yield


class Run:
    """A training into a folder of its own."""

    def __init__(self, corpus: tuple[str, Corpus], out: Path, recipe: Recipe) -> None:
        self.photos, self.corpus = corpus
        self.recipe, self.out, self.encoder = recipe, out, "imagenet"
        self.cache = Path(self.photos).with_name("features")
        self.tell, self.glove, self.start = stop, None, None

    def go(self) -> str:
        """Train, or go on."""
        photos = str(self.photos)
        sources = Sources(self.corpus, photos, self.encoder, self.glove, self.tell, self.start)
        return train_captioner(self.recipe, sources, str(self.cache), str(self.out))

    def result(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
        """Give all that a training ends in: words, and the arrays of the state and of its best."""
        names = ["config.json", "vocabulary.txt", "curve.csv", "card.md"]
        words = {name: (self.out / name).read_text() for name in names}
        words["state"] = json.loads(read_progress(self.out / "state.h5"))
        arrays = {
            f"{path.name}: {name}": array
            for path in self.out.glob("*.h5")
            for name, array in read_arrays(path).items()
        }
        return words, arrays


def assert_same(one: Run, other: Run) -> None:
    words, arrays = one.result()
    other_words, other_arrays = other.result()
    assert words == other_words
    assert arrays.keys() == other_arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, other_arrays[name], err_msg=name)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Draw a corpus of nine photos to learn from and four to validate on."""
    folder = tmp_path_factory.mktemp("corpus") / "photos"
    photos = []
    for number in range(13):
        draw(folder / f"{number}.png", number)
        thing, place = THINGS[number % 6], "grass" if number < 9 else "sofa"
        texts = (f"A {thing} runs on {place} .", f"the {thing} sits", f"some {thing} no{number}")
        photos.append(CaptionedPhoto(f"{number}.png", texts))
    return str(folder), Corpus(tuple(photos[:9]), tuple(photos[9:]))


@pytest.fixture(scope="module")
def undisturbed(corpus, tmp_path_factory):
    training = Run(corpus, tmp_path_factory.mktemp("undisturbed") / "out", DECODER)
    training.go()
    return training


@pytest.fixture
def run(corpus, tmp_path):
    return lambda recipe=DECODER: Run(corpus, tmp_path / "out", recipe)


def interrupt(training: Run, saves: int) -> None:
    """Train until the state has been saved so often, and stop a little later."""
    save, saved = Training._save, []

    def save_and_stop(self, trainer):
        if len(saved) == saves:
            raise KeyboardInterrupt
        save(self, trainer)
        saved.append(1)

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(Training, "_save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            training.go()


def test_a_training_learns(undisturbed):
    words, _ = undisturbed.result()
    first, *_, last = words["state"]["history"]
    assert (first["step"], last["step"]) == (STEPS, 3 * STEPS)
    assert last["loss"] < first["loss"]


def test_an_interrupted_training_ends_like_an_undisturbed_one(run, undisturbed):
    training = run()
    interrupt(training, 1)  # in the middle of a pass
    training.go()
    assert_same(training, undisturbed)


def test_a_finished_training_is_not_done_again(undisturbed, tmp_path, monkeypatch):
    again = Run((undisturbed.photos, undisturbed.corpus), tmp_path / "again", DECODER)
    shutil.copytree(undisturbed.out, again.out)
    monkeypatch.setattr(CaptionTrainer, "train_on_batch", lambda *_: pytest.fail("trained again"))
    assert again.go().startswith("tiny: CIDEr")
    assert_same(again, undisturbed)


def ever_better(corpus, folder: Path, recipe: Recipe) -> Run:
    """Train without a disturbance; each pass is better than the one before."""
    training = Run(corpus, folder / "out", recipe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "validate", better_and_better)
        training.go()
    return training


@pytest.fixture(scope="module")
def undisturbed_both(corpus, tmp_path_factory):
    return ever_better(corpus, tmp_path_factory.mktemp("both"), BOTH)


validate = Training.validate


def better_and_better(training: Training, *arguments):
    """Score as ever, but let each pass be better than the one before."""
    cider = training.progress.phase + training.progress.step / 100
    return replace(validate(training, *arguments), cider=cider)


@pytest.mark.slow
def test_a_training_of_the_encoder_too_ends_alike_though_interrupted_again_and_again(
    run, undisturbed_both, monkeypatch
):
    monkeypatch.setattr(Training, "validate", better_and_better)
    training = run(BOTH)
    interrupt(training, 2)  # the state is that of the end of the first phase
    interrupt(training, 1)  # in the middle of a pass of the second one
    training.go()
    assert_same(training, undisturbed_both)
    words, _ = training.result()
    assert [row["phase"] for row in words["state"]["history"]] == [1, 2, 2]


@pytest.mark.slow
def test_a_tuned_encoder_goes_into_the_captioner_s_folder(undisturbed_both):
    out = undisturbed_both.out
    assert CaptionerConfig.read(str(out)).encoder == "encoder.weights.h5"
    tuned = read_arrays(out / "encoder.weights.h5")
    first = small_encoder()
    fill(first, "")
    assert first.variables
    for variable in first.variables:
        far = np.abs(tuned[variable.path] - np.asarray(variable)).max()
        assert 1e-4 < far < 0.1


# An encoder that was tuned, then left as it is; self-critical passes; averaged weights.


@pytest.fixture(scope="module")
def undisturbed_all(corpus, tmp_path_factory):
    return ever_better(corpus, tmp_path_factory.mktemp("all"), ALL)


@pytest.mark.slow
@pytest.mark.parametrize("saves", [(2, 1), (3,), (4, 1)])
def test_a_training_of_all_kinds_of_phases_ends_alike_though_interrupted(
    run, undisturbed_all, monkeypatch, saves
):
    monkeypatch.setattr(Training, "validate", better_and_better)
    training = run(ALL)
    for number in saves:
        interrupt(training, number)
    training.go()
    assert_same(training, undisturbed_all)
    words, _ = training.result()
    assert [row["phase"] for row in words["state"]["history"]] == [1, 2, 3, 3]


@pytest.mark.slow
def test_later_phases_see_through_the_encoder_that_was_tuned(undisturbed_all):
    out = str(undisturbed_all.out)
    tuned = encoder_fingerprint(out)
    assert tuned != weights_fingerprint("imagenet")
    assert len(FeatureCache(str(undisturbed_all.cache / tuned))) == 13
    assert CaptionerConfig.read(out).encoder == "encoder.weights.h5"


@pytest.mark.slow
def test_an_encoder_that_tuning_made_worse_is_not_gone_on_with(run, monkeypatch):
    phases = (Phase(1, 0.01), Phase(1, 0.01, 0.002), Phase(1, 0.01))
    left = iter((0.2, 0.1, 0.3))
    monkeypatch.setattr(
        Training, "validate", lambda training: replace(validate(training), cider=next(left))
    )
    monkeypatch.setattr(batch.training, "load_encoder_weights", fill)
    training = run(replace(DECODER, phases=phases))
    assert "CIDEr 30" in training.go()
    assert CaptionerConfig.read(str(training.out)).encoder == "imagenet"
    assert not (training.out / "encoder.weights.h5").exists()


@pytest.mark.slow
def test_a_training_goes_on_from_a_captioner(run, undisturbed_all):
    onwards = run(replace(DECODER, phases=(Phase(1, 1e-9),), min_count=1))
    start = onwards.start = str(undisturbed_all.out)
    onwards.encoder = f"{start}/encoder.weights.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch.train, "load_encoder_weights", load_encoder_weights)
        onwards.go()
    before, after = Captioner.load(start), Captioner.load(str(onwards.out))
    assert after.vocabulary == before.vocabulary
    grids = np.random.default_rng(1).random((5, 8, 8, 2048), np.float32)
    assert after.caption(grids) == before.caption(grids)


# The merge captioner.


@pytest.fixture
def glove(tmp_path):
    path = tmp_path / "glove.4d.txt"
    lines = [f"{word} {number} 1 2 3" for number, word in enumerate([*THINGS[:5], "of"])]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting", [{"language": "ko"}, {"architecture": "merge"}, {"tokenizer": "post-2017"}]
)
def test_a_captioner_of_another_kind_is_no_start(run, undisturbed, setting):
    second = run(replace(DECODER, **setting))
    second.start = str(undisturbed.out)
    (name,) = setting
    with pytest.raises(ArchiveError, match=rf"{name} (en|attention|words), .*PRESET="):
        second.go()


@pytest.mark.slow
def test_a_merge_training_goes_on_to_the_same_end_and_keeps_each_pass(corpus, tmp_path, glove):
    whole, parted = (Run(corpus, tmp_path / name, MERGE) for name in ("whole", "parted"))
    whole.glove = parted.glove = glove
    whole.go()
    interrupt(parted, 2)
    parted.go()
    assert_same(parted, whole)
    passes = sorted(path.name for path in whole.out.glob("pass-*"))
    assert passes == ["pass-01", "pass-02", "pass-03"]
    words, _ = whole.result()
    assert [row["step"] for row in words["state"]["history"]] == [3, 6, 2]  # 3 photos, then 4
    captioners = [Captioner.load(str(whole.out / name)) for name in passes]
    kernels = [np.asarray(each.decoder.logits.kernel) for each in captioners]
    assert not np.allclose(kernels[0], kernels[2])
    assert SPECIALS[3] not in captioners[0].vocabulary.words


@pytest.mark.slow
def test_the_captioner_of_a_pass_finds_its_encoder_from_its_own_folder(corpus, tmp_path):
    (tmp_path / "other").mkdir()
    encoder = tmp_path / "other" / "encoder.weights.h5"
    encoder.write_bytes(b"weights")
    training = Run(corpus, tmp_path / "out", MERGE)
    training.encoder = str(encoder)
    training.go()
    assert CaptionerConfig.read(str(training.out)).encoder == "../other/encoder.weights.h5"
    for folder in (training.out, training.out / "pass-02"):
        assert encoder_fingerprint(str(folder)) == weights_fingerprint(str(encoder))


@pytest.mark.slow
@pytest.mark.parametrize("tuned", [False, True])
def test_word_vectors_are_kept_or_tuned_as_the_recipe_says(corpus, tmp_path, glove, tuned, capsys):
    training = Run(corpus, tmp_path / "out", replace(MERGE, tune_vectors=tuned))
    training.glove = glove
    training.go()
    captioner = Captioner.load(str(training.out))
    row = captioner.vocabulary.words.index("dog")
    vector = np.asarray(captioner.decoder.embedding.embeddings)[row]
    assert np.allclose(vector, [0, 1, 2, 3]) != tuned
    assert "have a vector; without: " in capsys.readouterr().out


def test_a_merge_captioner_cannot_tune_the_encoder():
    with pytest.raises(ValueError, match="features alone"):
        replace(MERGE, phases=(Phase(1, 0.01, 0.01),))


# Which pass is kept, and what is written of all.


def scored(*ciders: float):
    """Let passes have these scores, one after the other."""
    left = iter(ciders)
    return lambda *captions: replace(score(*captions), cider=next(left))


def count_up(trainer, *_):
    """Train by adding one to each of the decoder's weights."""
    for variable in trainer.decoder.weights:
        variable.assign_add(keras.ops.ones_like(variable))
    return 1.0


@pytest.mark.parametrize(
    ("ciders", "steps", "best"),
    [((0.1, 0.3, 0.2), 6, 30.0), ((0.3, 0.3, 0.1), 3, 30.0), ((0.0, 0.0, 0.0), 3, 0.0)],
)
def test_the_best_pass_is_kept_the_first_of_equals(run, monkeypatch, ciders, steps, best):
    monkeypatch.setattr(CaptionTrainer, "train_on_batch", count_up)
    monkeypatch.setattr(
        Training, "_captions", lambda training: dict.fromkeys(training.references, "A.")
    )
    monkeypatch.setattr(batch.training, "score", scored(*ciders))
    training = run()
    said = training.go()
    captioner = Captioner.load(str(training.out))
    bias = next(v for v in captioner.decoder.weights if v.path.endswith("logits/bias"))
    np.testing.assert_array_equal(np.asarray(bias), np.full(bias.shape, steps))
    assert f"CIDEr {best}" in said
    assert f"| CIDEr | {best} |" in (training.out / "card.md").read_text()


def test_the_folder_has_a_captioner_its_card_its_curve_and_logs(undisturbed):
    out = undisturbed.out
    assert {path.name for path in out.iterdir()} - {".lock", "state.h5"} == {
        "config.json",
        "vocabulary.txt",
        "decoder.weights.h5",
        "card.md",
        "curve.csv",
        "curve.png",
        "logs",
    }
    card = (out / "card.md").read_text()
    assert card.startswith("# tiny\n")
    assert "Trained on 9 photos, chosen on 4 others" in card
    assert '"seed": 7' in card
    assert len((out / "curve.csv").read_text().splitlines()) == 1 + 3
    assert any((out / "logs").iterdir())


def test_the_captioner_of_the_folder_can_be_used_as_it_is(undisturbed):
    captioner = Captioner.load(str(undisturbed.out))
    assert (captioner.config.name, captioner.config.language) == ("tiny", "en")
    assert captioner.config.encoder == "imagenet"
    assert captioner.config.search == DECODER.search
    features = np.random.default_rng(0).random((2, 8, 8, 2048))
    assert all(caption.text for caption in captioner.caption(features))


def test_the_vocabulary_is_of_the_training_split_alone(undisturbed):
    words = (undisturbed.out / "vocabulary.txt").read_text().split()
    assert words[:4] == list(SPECIALS)
    assert set(words[4:]) == {*THINGS, "a", "the", "some", "runs", "sits", "on", "grass"}


def test_features_are_made_once_for_all_trainings(undisturbed, tmp_path, monkeypatch):
    shards = undisturbed.cache / weights_fingerprint("imagenet")
    encoder = small_encoder()
    monkeypatch.setattr(batch.train, "build_encoder", lambda bfloat16: encoder)
    monkeypatch.setattr(encoder, "predict_on_batch", lambda pixels: pytest.fail("encoded again"))
    training = batch.train.prepare(
        DECODER,
        Sources(undisturbed.corpus, undisturbed.photos, "imagenet"),
        FeatureCache(str(shards)),
        str(tmp_path / "out"),
    )
    assert len(training.train) == 9


# What is refused.


def test_a_second_training_into_a_folder_is_refused(run):
    training = run()
    with locked(str(training.out)), pytest.raises(LockedError):
        training.go()


def test_a_photo_that_is_not_there_is_named(run):
    training = run()
    lost = CaptionedPhoto("lost.png", ("A dog .",))
    training.corpus = replace(training.corpus, dev=(*training.corpus.dev, lost))
    with pytest.raises(ArchiveError, match=r"lost\.png"):
        training.go()


def test_photos_that_cannot_be_read_are_told_and_the_rest_is_learnt_from(run):
    training, told = run(), []
    (Path(training.photos) / "bad.png").write_bytes(b"no photo")
    lost = [CaptionedPhoto(name, ("A dog .",)) for name in ("lost.png", "bad.png")]
    shutil.copy(Path(training.photos) / "9.png", Path(training.photos) / "copy.png")
    copy = CaptionedPhoto("copy.png", ("A dog .",))
    train = (*training.corpus.train, *lost, copy)
    training.corpus = replace(training.corpus, train=train)
    training.tell = told.append
    training.go()
    assert [Path(problem.file).name for problem in told] == ["lost.png", "bad.png", "copy.png"]
    assert "is the same photo as one to validate on" in str(told[-1])
    assert "Trained on 9 photos" in (training.out / "card.md").read_text()


def test_a_corpus_without_a_readable_photo_is_refused(run, tmp_path):
    training = run()
    training.photos, training.tell = tmp_path / "empty", lambda problem: None
    training.photos.mkdir()
    with pytest.raises(ArchiveError, match="too few"):
        training.go()


def test_a_training_goes_on_with_the_same_photos_alone(run):
    training = run()
    interrupt(training, 1)
    photo = Path(training.photos) / "2.png"
    before = photo.read_bytes()
    try:
        draw(photo, 99)
        with pytest.raises(ArchiveError, match="another recipe, corpus or encoder"):
            training.go()
    finally:
        photo.write_bytes(before)


def test_captions_of_photos_left_out_do_not_reach_the_vocabulary(run):
    training = run()
    lost = CaptionedPhoto("gone.png", ("A zebra sleeps .", "a zebra"))
    train = (*training.corpus.train, lost)
    training.corpus, training.tell = replace(training.corpus, train=train), lambda problem: None
    training.go()
    assert "zebra" not in (training.out / "vocabulary.txt").read_text().split()


def test_a_layer_that_the_encoder_has_not_is_named_before_anything_is_trained(run):
    training = run(replace(BOTH, phases=(Phase(1, 0.01, 0.01, tuned_after="mixed99"),)))
    with pytest.raises(ArchiveError, match="mixed99"):
        training.go()


def test_a_photo_folder_that_is_not_there_is_named(run, tmp_path):
    training = run()
    training.photos = tmp_path / "nowhere"
    with pytest.raises(ArchiveError, match=r"there is no .*nowhere"):
        training.go()


@pytest.mark.parametrize("what", ["recipe", "corpus", "encoder"])
def test_the_state_of_another_training_is_refused(run, undisturbed, what, tmp_path):
    training = run(replace(DECODER, seed=8) if what == "recipe" else DECODER)
    shutil.copytree(undisturbed.out, training.out)
    if what == "corpus":
        training.corpus = replace(training.corpus, train=training.corpus.train[1:])
    if what == "encoder":
        training.encoder = str(tmp_path / "mine.npz")
        Path(training.encoder).write_bytes(b"weights")
    with pytest.raises(ArchiveError, match="another recipe, corpus or encoder"):
        training.go()


def test_a_broken_state_is_named(run, undisturbed):
    training = run()
    shutil.copytree(undisturbed.out, training.out)
    (training.out / "state.h5").write_bytes(b"half a file")
    with pytest.raises(CheckpointError, match=r"state\.h5"):
        training.go()


@pytest.mark.parametrize("place", ["out", "cache"])
def test_nothing_is_written_among_the_photos(run, place):
    training = run()
    setattr(training, place, Path(training.photos, "results"))
    with pytest.raises(ArchiveError, match="inside the photo folder"):
        training.go()
    assert not Path(training.photos, "results").exists()


def test_a_training_with_enough_photos_to_validate_on_ends_with_a_calibrated_captioner(
    run, undisturbed, monkeypatch
):
    assert Captioner.load(str(undisturbed.out)).calibration is None
    monkeypatch.setattr(batch.train, "FEWEST", 4)
    monkeypatch.setattr(batch.calibrate, "FEWEST", 4)
    training = run()
    training.go()
    found = Captioner.load(str(training.out)).calibration
    assert found.fitted_on["photos"] == 4
