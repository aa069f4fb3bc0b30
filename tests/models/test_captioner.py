"""A captioner's folder says the same wherever it is read, or says what is wrong with it."""

import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from models import captioner as module
from models import fingerprints
from models.attention_decoder import DecoderConfig
from models.calibration import CONFIDENCE_FILE, Calibration, Figures, Fitted, Head
from models.captioner import (
    CONFIG_FILE,
    DECODER_FILE,
    ENCODER_FILE,
    VOCABULARY_FILE,
    Captioner,
    CaptionerConfig,
    captioner_fingerprint,
    encoder_fingerprint,
    load_encoder,
    weights_fingerprint,
)
from models.errors import CheckpointError
from models.scene import SCENE_FILE
from models.search import SearchConfig
from models.vocabulary import Vocabulary
from tests.models.conftest import grids, tiny_decoder

SAID = "a dog runs on grass near two red boats"
REMEDIES = (
    "copy the file again",
    "take all files from one captioner",
    "again with make calibrate",
    "train it again",
    "a captioner's folder?",
    "made by another version?",
    "give 'imagenet' or the path",
)
GOLDEN = [  # text and confidence; the next best captions are far enough behind
    ("Runs runs dog on runs on.", 0.200),
    ("Dog dog runs runs dog on a a.", 0.173),
    ("Runs on on runs runs near on near.", 0.076),
    ("Dog dog on red on.", 0.284),
    ("Dog dog runs runs dog on on dog.", 0.118),
    ("Runs runs dog runs on on near on.", 0.186),
]


def make(words=SAID, search=SearchConfig(3, 8), seed=1):  # noqa: B008 - it is frozen
    """Make a captioner of a few hundred weights."""
    vocabulary = Vocabulary.from_captions([words], 1)
    decoder = tiny_decoder(seed, DecoderConfig(len(vocabulary), 6, 8, 5, 7))
    config = CaptionerConfig("tiny", "en", decoder.config, search)
    return Captioner(config, vocabulary, decoder)


def tiny_encoder(seed=0):
    """Make a model that takes an encoder's place where only its file matters."""
    pixels = keras.Input((4,))
    dense = keras.layers.Dense(3, name="conv2d_1")
    model = keras.Model(pixels, dense(pixels))
    kernel = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float16)
    dense.kernel.assign(kernel)
    return model


@pytest.fixture(scope="module")
def original():
    return make()


@pytest.fixture(scope="module")
def kept(original, tmp_path_factory):
    """Save a captioner's folder, with an encoder of its own; not to be changed."""
    home = tmp_path_factory.mktemp("captioner")
    original.save(str(home), tiny_encoder())
    return home


@pytest.fixture(scope="module")
def captioner(kept):
    return Captioner.load(str(kept))


@pytest.fixture(scope="module")
def photos():
    return grids(65)


@pytest.fixture(scope="module")
def captions(captioner, photos):
    return captioner.caption(photos)


@pytest.fixture
def folder(kept, tmp_path):
    """Copy the folder, to be changed."""
    return Path(shutil.copytree(kept, tmp_path / "copy"))


def rewrite(folder, **changes):
    """Change values of config.json; a dict changes a part of it."""
    found = json.loads((folder / CONFIG_FILE).read_text())
    for key, value in changes.items():
        found[key] = found[key] | value if isinstance(value, dict) else value
    (folder / CONFIG_FILE).write_text(json.dumps(found))


def refuses(load, *said):
    with pytest.raises(CheckpointError) as caught:
        load()
    message = str(caught.value)
    for part in map(str, said):
        assert part in message
    assert any(remedy in message for remedy in REMEDIES), message


def test_the_captions_of_a_saved_captioner_do_not_change_from_version_to_version(captions):
    for caption, (text, confidence) in zip(captions, GOLDEN, strict=False):
        assert caption.text == text
        assert caption.confidence == pytest.approx(confidence, abs=0.001)


def test_a_loaded_captioner_says_what_the_saved_one_said(original, photos, captions):
    """Half precision moves the numbers a little, and with these margins not the words."""
    before = original.caption(photos[: len(GOLDEN)])
    assert [caption.text for caption in before] == [text for text, _ in GOLDEN]
    for one, other in zip(before, captions, strict=False):
        assert one.log_prob == pytest.approx(other.log_prob, abs=0.05)


def test_a_second_save_and_load_changes_nothing(captioner, captions, photos, tmp_path):
    captioner.save(str(tmp_path))
    again = Captioner.load(str(tmp_path))
    assert again.config == captioner.config
    assert again.vocabulary == captioner.vocabulary
    assert again.caption(photos[:3]) == captions[:3]


def test_photos_are_told_apart(captions):
    assert len({caption.text for caption in captions}) > 20


@pytest.mark.parametrize("number", [1, 2, 63, 64, 65])
def test_captions_do_not_depend_on_how_many_photos_come_together(
    captioner, captions, photos, number
):
    assert captioner.caption(photos[:number]) == captions[:number]


def test_captions_do_not_depend_on_the_company_or_the_order(captioner, captions, photos):
    order = np.random.default_rng(0).permutation(len(photos))
    assert captioner.caption(photos[order]) == [captions[index] for index in order]
    assert captioner.caption(photos[64:]) == captions[64:]


def test_no_photos_have_no_captions(captioner, photos):
    assert captioner.caption(photos[:0]) == []


def test_features_may_be_of_any_float_type(captioner, photos):
    half = photos[:4].astype(np.float16)
    assert captioner.caption(half) == captioner.caption(half.astype(np.float64))


def test_confidence_that_was_not_calibrated_is_the_mean_probability_of_a_token(captions):
    for caption in captions:
        tokens = len(caption.text.split()) + 1  # the end is one too
        assert caption.confidence == pytest.approx(np.exp(caption.log_prob / tokens))
        assert 0 < caption.confidence <= 1
    assert len({caption.confidence for caption in captions}) > 20


def test_alternatives_are_other_captions_each_told_once(captions):
    for caption in captions:
        told = [caption.text, *caption.alternatives]
        assert len(told) == len(set(told)) == 3
        assert all(text.endswith(".") and text[0].isupper() for text in told)


def test_beams_that_found_no_caption_are_not_told():
    """Two words and one place make two captions, whatever the number of beams."""
    (caption,) = make("dogs run", SearchConfig(5, 1)).caption(grids(1))
    assert {caption.text, *caption.alternatives} == {"Dogs.", "Run."}
    assert len(caption.alternatives) == 1


def test_weights_that_are_no_numbers_do_not_stop_a_batch():
    captioner = make()
    captioner.decoder.logits.bias.assign(np.full(13, np.nan))
    (caption,) = captioner.caption(grids(1))
    assert not caption.confidence > 0


def test_search_settings_can_be_changed_when_loading(kept, photos, captioner):
    greedy = Captioner.load(str(kept), num_beams=1, max_length=3)
    assert greedy.config.search == SearchConfig(1, 3)
    assert captioner.config.search == SearchConfig(3, 8)
    for caption in greedy.caption(photos[:10]):
        assert caption.alternatives == ()
        assert 1 <= len(caption.text.split()) <= 3


def test_a_folder_holds_readable_text_and_arrays(kept):
    names = {CONFIG_FILE, VOCABULARY_FILE, DECODER_FILE, ENCODER_FILE}
    assert {path.name for path in kept.iterdir()} == names
    config = json.loads((kept / CONFIG_FILE).read_text(encoding="utf-8"))
    assert config["decoder"]["units"] == 7
    assert config["search"]["num_beams"] == 3
    assert (kept / VOCABULARY_FILE).read_text(encoding="utf-8").splitlines()[4:] == sorted(
        SAID.split()
    )


def test_a_name_in_another_script_stays_readable(tmp_path):
    captioner = make("개 두 마리")
    captioner.config = replace(captioner.config, name="한국어", language="ko")
    captioner.save(str(tmp_path))
    assert "한국어" in (tmp_path / CONFIG_FILE).read_text(encoding="utf-8")
    again = Captioner.load(str(tmp_path))
    assert (again.config, again.vocabulary) == (captioner.config, captioner.vocabulary)


# Calibrated captioners


def calibration():
    """Make one whose confidence is 0.9 for beams and 0.2 for single captions, less with dogs."""
    figures = Figures(0.5, 0.5, 0.01)
    beams, single = (
        Fitted("", 0.5, figures, figures, Head(float(np.log(odds)), {}, {"dog": -1.0}))
        for odds in (9, 1 / 4)
    )
    return Calibration({"photos": 1000}, beams, single)


@pytest.fixture
def calibrated(original, tmp_path):
    """Save the captioner once more, with a confidence of its own."""
    parts = original.config, original.vocabulary, original.decoder
    Captioner(*parts, calibration()).save(str(tmp_path / "calibrated"), tiny_encoder())
    return tmp_path / "calibrated"


@pytest.mark.parametrize(
    ("search", "chances"),
    [({}, [0.9, 0.768]), ({"num_beams": 1}, [0.2, 0.084]), ({"temperature": 1.0}, [0.2, 0.084])],
    ids=str,
)
def test_a_calibrated_captioner_is_as_sure_as_its_file_says(
    kept, calibrated, photos, search, chances
):
    before = Captioner.load(str(kept), **search).caption(photos[:20])
    after = Captioner.load(str(calibrated), **search).caption(photos[:20])
    assert [caption.text for caption in before] == [caption.text for caption in after]
    assert [caption.log_prob for caption in before] == [caption.log_prob for caption in after]
    for caption in after:
        chance = chances["dog" in caption.text.lower()]
        assert caption.confidence == pytest.approx(chance, abs=0.001)


def test_a_captioner_that_is_saved_over_a_calibrated_one_is_not_calibrated(
    original, calibrated, photos
):
    assert Captioner.load(str(calibrated)).calibration == calibration()
    original.save(str(calibrated))
    assert not (calibrated / CONFIDENCE_FILE).exists()
    assert Captioner.load(str(calibrated)).calibration is None


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"[]", b"{}"])
def test_a_damaged_confidence_is_named(calibrated, content):
    (calibrated / CONFIDENCE_FILE).write_bytes(content)
    refuses(lambda: Captioner.load(str(calibrated)), calibrated / CONFIDENCE_FILE)


# Damaged folders


@pytest.mark.parametrize("name", [CONFIG_FILE, VOCABULARY_FILE, DECODER_FILE])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    refuses(lambda: Captioner.load(str(folder)), folder / name)


@pytest.mark.parametrize("name", [CONFIG_FILE, VOCABULARY_FILE, DECODER_FILE])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x80", b"<html>404</html>", b"[]", b"{}"])
def test_a_file_with_other_content_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    refuses(lambda: Captioner.load(str(folder)), folder / name)


@pytest.mark.parametrize("name", [CONFIG_FILE, VOCABULARY_FILE, DECODER_FILE])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_named(folder, name, share):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(share * len(whole))])
    refuses(lambda: Captioner.load(str(folder)), folder / name)


@pytest.mark.parametrize("name", [CONFIG_FILE, VOCABULARY_FILE, DECODER_FILE])
def test_a_folder_in_the_place_of_a_file_is_named(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    refuses(lambda: Captioner.load(str(folder)), folder / name)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    refuses(lambda: Captioner.load(str(tmp_path / "none")), tmp_path / "none")


@pytest.mark.parametrize(
    "changes",
    [
        {"decoder": {"units": "7"}},
        {"decoder": {"units": 0}},
        {"decoder": {"units": None}},
        {"decoder": {"embedding": 1.5}},
        {"decoder": {"dropout": 2}},
        {"decoder": {"layers": 3}},
        {"decoder": []},
        {"search": {"num_beams": "3"}},
        {"search": {"num_beams": 0}},
        {"search": {"max_length": -1}},
        {"search": {"length_penalty": None}},
        {"search": {"no_repeat_ngram": True}},
        {"search": None},
        {"encoder": None},
        {"name": 3},
        {"lambda": "import os"},
        {"format": 2},
        {"format": "1"},
        {"preprocessing": "caffe"},
    ],
    ids=str,
)
def test_a_configuration_with_a_wrong_value_is_named(folder, changes):
    rewrite(folder, **changes)
    refuses(lambda: Captioner.load(str(folder)), folder / CONFIG_FILE)


def test_a_whole_number_may_stand_for_a_fraction_in_the_configuration(folder):
    rewrite(folder, search={"length_penalty": 1})
    assert Captioner.load(str(folder)).config.search.length_penalty == 1


def test_a_vocabulary_of_another_captioner_is_named(folder):
    (folder / VOCABULARY_FILE).write_text(Vocabulary.from_captions(["a b"], 1).to_text())
    refuses(lambda: Captioner.load(str(folder)), folder / VOCABULARY_FILE, "6 words", "13")


def test_weights_of_another_captioner_are_named(folder, tmp_path):
    make("a b").save(str(tmp_path / "other"))
    shutil.copy(tmp_path / "other" / DECODER_FILE, folder / DECODER_FILE)
    refuses(lambda: Captioner.load(str(folder)), folder / DECODER_FILE)


def test_weights_of_another_kind_are_named(folder):
    shutil.copy(folder / ENCODER_FILE, folder / DECODER_FILE)
    refuses(lambda: Captioner.load(str(folder)), folder / DECODER_FILE)


@pytest.mark.parametrize("name", [CONFIG_FILE, VOCABULARY_FILE, DECODER_FILE])
def test_code_in_a_folder_is_never_run(folder, name):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (folder / "sprung",))

    (folder / name).write_bytes(pickle.dumps(Trap()))
    refuses(lambda: Captioner.load(str(folder)), folder / name)
    assert not (folder / "sprung").exists()


# The encoder that goes with it


@pytest.fixture
def _small_encoders(monkeypatch):
    monkeypatch.setattr(module, "build_encoder", lambda **_: tiny_encoder(seed=1))


@pytest.mark.usefixtures("_small_encoders")
def test_the_encoder_of_the_folder_comes_back(folder):
    encoder = load_encoder(str(folder))
    np.testing.assert_array_equal(encoder.layers[1].kernel, tiny_encoder().layers[1].kernel)


@pytest.mark.usefixtures("_small_encoders")
def test_a_missing_encoder_is_named_and_none_is_taken_from_elsewhere(folder, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    shutil.move(folder / ENCODER_FILE, tmp_path / "elsewhere" / ENCODER_FILE)
    monkeypatch.chdir(tmp_path / "elsewhere")
    refuses(lambda: load_encoder(str(folder)), folder / ENCODER_FILE)


@pytest.mark.usefixtures("_small_encoders")
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_encoder_is_named(folder, share):
    whole = (folder / ENCODER_FILE).read_bytes()
    (folder / ENCODER_FILE).write_bytes(whole[: int(share * len(whole))])
    refuses(lambda: load_encoder(str(folder)), folder / ENCODER_FILE)


@pytest.mark.usefixtures("_small_encoders")
def test_an_encoder_may_be_named_by_path_or_as_imagenet(folder, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "load_encoder_weights", lambda _, weights: asked.append(weights))
    for encoder in ("imagenet", str(tmp_path / "shared.weights.h5"), ENCODER_FILE):
        rewrite(folder, encoder=encoder)
        load_encoder(str(folder))
    assert asked == ["imagenet", str(tmp_path / "shared.weights.h5"), str(folder / ENCODER_FILE)]


# Fingerprints


FILES = [CONFIG_FILE, VOCABULARY_FILE, DECODER_FILE, ENCODER_FILE, CONFIDENCE_FILE, SCENE_FILE]


@pytest.mark.parametrize("name", FILES)
def test_a_change_of_any_file_changes_the_fingerprint(folder, name):
    before = captioner_fingerprint(str(folder))
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    assert captioner_fingerprint(str(folder)) != before


def test_names_times_and_cards_do_not_change_the_fingerprints(kept, folder):
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    (folder / "card.md").write_text("# A captioner\n")
    moved = folder.rename(folder.with_name("moved"))
    assert captioner_fingerprint(str(moved)) == captioner_fingerprint(str(kept))
    assert encoder_fingerprint(str(moved)) == encoder_fingerprint(str(kept))


def test_the_encoder_fingerprint_changes_with_the_encoder_alone(folder):
    before = encoder_fingerprint(str(folder))
    for name in (VOCABULARY_FILE, DECODER_FILE):
        (folder / name).write_bytes(b"other")
    assert encoder_fingerprint(str(folder)) == before
    with (folder / ENCODER_FILE).open("ab") as file:
        file.write(b"\n")
    assert encoder_fingerprint(str(folder)) != before


def test_the_encoder_fingerprint_changes_with_the_preprocessing(kept, monkeypatch):
    before = weights_fingerprint(str(kept / ENCODER_FILE)), weights_fingerprint("imagenet")
    monkeypatch.setattr(fingerprints, "PREPROCESSING", "centre-crop")
    after = weights_fingerprint(str(kept / ENCODER_FILE)), weights_fingerprint("imagenet")
    assert len({*before, *after}) == 4


def test_captioners_with_the_same_encoder_share_its_fingerprint(folder, tmp_path):
    make("a b").save(str(tmp_path / "other"), tiny_encoder())
    assert encoder_fingerprint(str(tmp_path / "other")) == encoder_fingerprint(str(folder))
    assert captioner_fingerprint(str(tmp_path / "other")) != captioner_fingerprint(str(folder))


def test_fingerprints_are_short_names_for_folders(kept):
    for found in (captioner_fingerprint(str(kept)), weights_fingerprint("imagenet")):
        assert len(found) == 16
        int(found, 16)


def test_an_encoder_that_is_another_one_by_now_is_told(folder):
    other = folder / "other.weights.h5"
    other.write_bytes(b"the encoder it was taught with")
    rewrite(folder, encoder=other.name, seen_through=weights_fingerprint(str(other)))
    assert encoder_fingerprint(str(folder)) == weights_fingerprint(str(other))
    other.write_bytes(b"a new version of it")
    refuses(lambda: encoder_fingerprint(str(folder)), CONFIG_FILE, other.name, "another one")


# Sampling and attention.


def test_sampled_captions_follow_from_the_seed_and_the_photo_alone(photos):
    draw = SearchConfig(max_length=8, temperature=1.0, seed=3)
    captioner = make(search=draw)
    together = captioner.caption(photos[:10])
    alone = [captioner.caption(photo[None])[0] for photo in photos[:10]]
    assert [caption.text for caption in together] == [caption.text for caption in alone]
    other = make(search=replace(draw, seed=4)).caption(photos[:10])
    assert sum(a.text != b.text for a, b in zip(together, other, strict=True)) > 5
    assert all(caption.alternatives == () for caption in together)
    assert all(0 < caption.confidence <= 1 for caption in together)


def test_photos_are_sampled_apart():
    captioner = make(search=SearchConfig(max_length=8, temperature=3.0))
    assert len({caption.text for caption in captioner.caption(grids(20))}) > 10


def test_attention_tells_where_each_word_was_looked_for(captioner, photos):
    words, shares = captioner.attend(photos[0])
    assert captioner.vocabulary.tokenizer.join(words) == captioner.caption(photos[:1])[0].text
    assert shares.shape == (len(words), 8, 8)
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), 1, rtol=1e-4)
    assert np.abs(shares[0] - shares[-1]).max() > 1e-5
    moved = np.roll(photos[0], 3, axis=1)  # the same things elsewhere in the photo
    _, elsewhere = captioner.attend(moved)
    np.testing.assert_allclose(np.roll(shares[0], 3, axis=1), elsewhere[0], rtol=1e-3, atol=1e-6)


def test_many_photos_attention_is_that_of_each_alone(photos):
    captioner = make(search=SearchConfig(max_length=8))
    spelled = [caption.words for caption in captioner.caption(photos[:65])]
    assert len({len(words) for words in spelled}) > 1
    together = captioner.looks(photos[:65], spelled)
    for number in (0, 1, 63, 64):
        words, alone = captioner.attend(photos[number])
        assert tuple(words) == spelled[number]
        np.testing.assert_allclose(together[number], alone, rtol=1e-4, atol=1e-7)


def test_attention_follows_the_words_that_are_given(captioner, photos):
    words = captioner.vocabulary.words[4:7]
    first, other = captioner.looks(photos[[0, 0]], [words, words[::-1]])
    assert first.shape == other.shape == (3, 8, 8)
    # A grid is where the word was looked for, before it was heard.
    np.testing.assert_allclose(first[:2], other[:2], rtol=1e-4)
    assert np.abs(first[2] - other[2]).max() > 1e-5


def test_no_photos_have_no_attention(captioner, photos):
    assert captioner.looks(photos[:0], []) == []
