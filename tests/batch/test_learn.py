"""A captioner learns what people correct, and is offered only where it is better for it."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import keras
import numpy as np
import pytest

import batch.learn
import batch.teach
from batch.config import CAPTIONER, captioner_folder
from batch.errors import ArchiveError, LockedError
from batch.features import FeatureCache, open_cache
from batch.learn import FEWEST, learn
from batch.lessons import LEARNT_FILE, Lesson, Split
from batch.lock import locked
from batch.recipe import Phase
from batch.teach import captions_of, teach
from manifests.manifest import write_records
from manifests.review import Review, ReviewStatus
from models.attention_decoder import AttentionDecoder, DecoderConfig
from models.captioner import (
    Captioner,
    CaptionerConfig,
    encoder_fingerprint,
    weights_fingerprint,
)
from models.checkpoint import read_arrays
from models.scene import SceneHead
from models.search import SearchConfig
from models.vocabulary import Vocabulary
from tests.batch.archives import state_of
from tests.manifests.examples import record

PHOTOS = 160
THINGS = ("dog", "cat", "ball", "man")
PLACES = ("grass", "sofa")


def identity(number):
    return sha256(f"photo {number}".encode()).hexdigest()


def kind(number):
    """Tell what a photo shows: a thing at a place."""
    return THINGS[number % 4], PLACES[number // 4 % 2]


def grid(number):
    """Give the features of a photo: what it shows lights up some of them."""
    thing, place = number % 4, number // 4 % 2
    features = np.random.default_rng(number).random((8, 8, 2048), np.float32) * 0.1
    features[..., 200 * thing : 200 * thing + 200] += 1
    features[..., 1000 + 200 * place : 1200 + 200 * place] += 1
    return features.astype(np.float16)


def first_words(number):
    thing, place = kind(number)
    return f"A {thing} sits on the {place}."


def corrected(number):
    """Say what a person makes of it: a man is two children, who run."""
    return first_words(number).replace("man sits", "children runs")


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Let tiny decoders learn in a few seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch.teach, "PHASES", (Phase(14, 0.01),))
        yield


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Keep the features of all photos, as the encoder of ImageNet would have made them."""
    root = tmp_path_factory.mktemp("features")
    cache = open_cache(str(root), weights_fingerprint("imagenet"), "attention")
    cache.write({identity(number): grid(number) for number in range(PHOTOS)})
    return root


def the_cache(features):
    (folder,) = features.iterdir()
    return FeatureCache(str(folder))


def untaught_captioner(folder):
    """Save a captioner that knows the words of all captions and says nothing of sense yet."""
    keras.utils.set_random_seed(4)
    captions = [text(number) for text in (first_words, corrected) for number in range(8)]
    vocabulary = Vocabulary.from_captions(captions, 1)
    decoder = AttentionDecoder(DecoderConfig(len(vocabulary), 16, 32, 8, 32, dropout=0.0))
    search = SearchConfig(num_beams=2, max_length=8)
    config = CaptionerConfig("start", "en", decoder.config, search, encoder="imagenet")
    Captioner(config, vocabulary, decoder).save(folder)
    return folder


def lesson(number, caption):
    return Lesson(identity(number), (caption,), identity(number), seen=True, edited=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory, features):
    """Teach a captioner to say what photos show, in its own words."""
    root = tmp_path_factory.mktemp("captioners")
    start = untaught_captioner(str(root / "start"))
    known = [lesson(number, first_words(number)) for number in range(PHOTOS)]
    parts = Split(tuple(known), tuple(known[:16]), ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch.teach, "PHASES", (Phase(8, 0.02),))
        teach(start, parts, the_cache(features), str(root / "base"), "base")
    for name in ("logs", "state.h5"):
        path = root / "base" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    folder = str(root / "base")
    SceneHead(np.zeros(2048, np.float32), -1.0, encoder_fingerprint(folder)).save(folder)
    return folder


def reviewed(out, said, numbers=range(PHOTOS)):
    """Write a manifest whose captions people have decided on, and give its folder."""
    out.mkdir(exist_ok=True)
    rows = [
        record(
            f"{number}.jpg".encode(),
            photo_id=identity(number),
            caption=first_words(number),
            language="en",
            reviews=(said(number),) if number in numbers else (),
        )
        for number in range(PHOTOS)
    ]
    write_records(out / "captions.parquet", rows, str(out / "photos that are not here"))
    return str(out)


def correction(number):
    """Review a photo: a person corrects what is wrong and approves what is right."""
    text = corrected(number)
    edited = text != first_words(number)
    status = ReviewStatus.EDITED if edited else ReviewStatus.APPROVED
    return Review("en", status, text, reviewer="Kim")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, base, features):
    root = tmp_path_factory.mktemp("learnt")
    out = reviewed(root / "out", correction)
    before = state_of(Path(base))
    found = learn(out, base, str(features), str(root / "new"))
    assert state_of(Path(base)) == before  # the old one stays
    return found


# One that is better.


@pytest.mark.slow
def test_what_people_corrected_is_said_of_photos_that_were_held_out(outcome, base, features):
    held_out = outcome.parts.held_out
    assert len(held_out) > 20
    old, new = (
        captions_of(Captioner.load(folder), held_out, the_cache(features))
        for folder in (base, outcome.place)
    )
    wanted = {identity(number): corrected(number) for number in range(PHOTOS)}
    assert sum(new[each] == wanted[each] for each in new) > 0.9 * len(new)
    assert sum(old[each] == wanted[each] for each in old) < 0.8 * len(old)
    assert outcome.offered
    assert outcome.trial.sure
    assert "children" not in "".join(old.values())


@pytest.mark.slow
def test_photos_held_out_are_not_learnt_from(outcome):
    parts = outcome.parts
    learnt = json.loads(Path(outcome.place, LEARNT_FILE).read_text())["photos"]
    assert learnt == sorted(each.photo_id[:16] for each in (*parts.train, *parts.chosen_on))
    assert not {each.photo_id[:16] for each in parts.held_out} & {*learnt}
    assert len(learnt) + len(parts.held_out) == PHOTOS


@pytest.mark.slow
def test_the_new_captioner_is_whole_and_sees_through_the_same_encoder(outcome, base):
    place = Path(outcome.place)
    assert {path.name for path in place.iterdir()} == {
        "config.json",
        "vocabulary.txt",
        "decoder.weights.h5",
        "scene.weights.h5",
        "learnt.json",
        "card.md",
    }
    config = CaptionerConfig.read(str(place))
    assert (config.name, config.language) == ("new", "en")
    assert encoder_fingerprint(str(place)) == encoder_fingerprint(base)
    assert SceneHead.load(str(place), encoder_fingerprint(base))
    kept = read_arrays(place / "decoder.weights.h5").values()
    assert all(array.dtype == np.float16 for array in kept)
    assert Captioner.load(str(place)).calibration is None
    assert not list(place.parent.glob(".learning-*"))


@pytest.mark.slow
def test_its_card_tells_the_figures_and_nobody_s_words(outcome):
    card = Path(outcome.place, "card.md").read_text(encoding="utf-8")
    assert card.startswith("# new\n")
    assert f"Learnt from {len(outcome.parts.train)} photos" in card
    assert "| words to change a photo |" in card
    assert "not calibrated" in card
    assert not any(word in card for word in ("children", "runs", "Kim", ".jpg"))


@pytest.mark.slow
def test_the_outcome_tells_the_figures_of_both(outcome):
    said = str(outcome)
    assert "words to change a photo" in said
    assert "base" in said
    assert f"offered: {outcome.place}" in said


@pytest.mark.slow
def test_it_learns_again_without_holding_out_what_it_has_learnt(
    outcome, features, tmp_path, monkeypatch
):
    monkeypatch.setattr(batch.teach, "PHASES", (Phase(1, 1e-4),))
    out = reviewed(tmp_path / "out", correction)
    again = learn(out, outcome.place, str(features), str(tmp_path / "again"))
    assert again.parts.held_out == outcome.parts.held_out
    assert again.trial.old.name == "new"


@pytest.mark.slow
def test_learning_twice_gives_the_same_weights(base, features, tmp_path, monkeypatch):
    monkeypatch.setattr(batch.teach, "PHASES", (Phase(1, 0.02),))
    known = tuple(lesson(number, corrected(number)) for number in range(40))
    parts = Split(known, known[:5], ())
    for name in ("one", "two"):
        teach(base, parts, the_cache(features), str(tmp_path / name), "new")
    one, two = (read_arrays(tmp_path / name / "decoder.weights.h5") for name in ("one", "two"))
    before = read_arrays(Path(base, "decoder.weights.h5"))
    assert any((array != before[name]).any() for name, array in one.items())
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)


# One that is not.


@pytest.mark.slow
def test_where_people_let_all_captions_stand_nothing_is_offered(base, features, tmp_path):
    everything = [lesson(number, "") for number in range(PHOTOS)]
    said = captions_of(Captioner.load(base), everything, the_cache(features))

    def approve(number):
        return Review("en", ReviewStatus.APPROVED, said[identity(number)])

    out = reviewed(tmp_path / "out", approve)
    found = learn(out, base, str(features), str(tmp_path / "new" / "captioner"))
    assert not found.offered
    assert found.trial.old.edits.sum() == 0
    assert "nothing is offered" in str(found)
    assert "words to change a photo" in str(found)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.slow
def test_a_learning_that_makes_it_worse_is_refused(base, features, tmp_path, monkeypatch):
    monkeypatch.setattr(batch.teach, "PHASES", (Phase(1, 5.0),))
    found = learn(
        reviewed(tmp_path / "out", correction), base, str(features), str(tmp_path / "new")
    )
    assert found.trial.gain < 0
    assert found.trial.sure
    assert not (tmp_path / "new").exists()


# What is refused before anything is learnt.


@pytest.fixture
def untaught(monkeypatch):
    monkeypatch.setattr(batch.learn, "teach", lambda *_: pytest.fail("something was taught"))


@pytest.fixture
def start(captioner_folder):
    return captioner_folder


def test_too_few_reviews_say_how_many_there_are(start, features, tmp_path, untaught):
    out = reviewed(tmp_path / "out", correction, range(FEWEST - 1))
    with pytest.raises(ArchiveError, match=rf"^{FEWEST - 1} photos .* at least {FEWEST}"):
        learn(out, start, str(features), str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_near_duplicates_are_too_few_to_compare_captioners_on(start, features, tmp_path, untaught):
    with pytest.raises(ArchiveError, match="near-duplicates count once"):
        learn(
            reviewed(tmp_path / "out", correction),
            start,
            str(features),
            groups={identity(number): identity(number % 40) for number in range(40, PHOTOS)},
        )


def test_reviews_in_another_language_do_not_count(start, features, tmp_path, untaught):
    def korean(number):
        return Review("ko", ReviewStatus.APPROVED, "개")

    with pytest.raises(ArchiveError, match=r"^0 photos have .* in en"):
        learn(reviewed(tmp_path / "out", korean), start, str(features), str(tmp_path / "new"))


def test_photos_without_cached_features_are_counted(start, tmp_path, untaught):
    out = reviewed(tmp_path / "out", correction)
    with pytest.raises(ArchiveError, match=rf"{PHOTOS} more have no cached features"):
        learn(out, start, str(tmp_path / "nothing"), str(tmp_path / "new"))


def test_a_captioner_that_is_there_is_not_written_over(start, features, tmp_path, untaught):
    out = reviewed(tmp_path / "out", correction)
    (tmp_path / "new").mkdir()
    with pytest.raises(ArchiveError, match="is there already"):
        learn(out, start, str(features), str(tmp_path / "new"))


def test_nothing_is_written_among_the_photos(start, features, tmp_path, untaught):
    out = reviewed(tmp_path / "out", correction)
    photos = tmp_path / "out" / "photos that are not here"
    photos.mkdir()
    with pytest.raises(ArchiveError, match="inside the photo folder"):
        learn(out, start, str(features), str(photos / "new"))


def test_a_second_learning_of_the_same_captioner_at_once_is_refused(
    start, features, tmp_path, untaught
):
    out = reviewed(tmp_path / "out", correction)
    with locked(str(tmp_path / ".learning-new")), pytest.raises(LockedError):
        learn(out, start, str(features), str(tmp_path / "new"))


def test_an_interrupted_learning_leaves_nothing(start, features, tmp_path, monkeypatch):
    def interrupt(captioner, parts, cache, out, name):
        Path(out, "half").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(batch.learn, "teach", interrupt)
    out = reviewed(tmp_path / "out", correction)
    with pytest.raises(KeyboardInterrupt):
        learn(out, start, str(features), str(tmp_path / "new"))
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


@pytest.mark.parametrize(
    ("archive", "name"),
    [("여행 2019", "여행-2019"), ("../=1+1\n", "1-1"), ("\udcff", "archive"), ("a-b", "a-b")],
)
def test_a_captioner_is_named_after_the_one_before_and_the_archive(
    archive, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    ships = captioner_folder(CAPTIONER)
    place = batch.learn._new_place(ships, archive)
    assert place == f"models/trained/flickr8k-en-{name}"
    Path(place).mkdir(parents=True)
    assert batch.learn._new_place(ships, archive) == f"{place}-2"
