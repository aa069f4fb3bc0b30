"""The functional models that are shown are the models that run."""

import keras
import numpy as np
import pytest
from keras import ops

from models.attention_decoder import AttentionDecoder, DecoderConfig
from models.captioner import CaptionerConfig, make_decoder
from models.merge_decoder import MergeConfig, MergeDecoder
from models.search import SearchConfig
from models.structure import POST_2017, POST_2017_LENGTH, merge_model, one_step, structure_of
from models.tutorial_decoder import TutorialConfig, TutorialDecoder
from models.vocabulary import PAD, START

SIZES = {
    "attention": DecoderConfig(11, 4, 5, 6, 7),
    "merge": MergeConfig(11, 4, 7),
    "tutorial": TutorialConfig(11, 4, 7, 5, 6),
}


def fill(model):
    """Give a model weights that are large enough to tell its outputs apart."""
    random = np.random.default_rng(3)
    for variable in model.weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    return model


def features(*shape):
    return np.random.default_rng(4).normal(0, 0.1, shape).astype(np.float32)


def test_in_the_sizes_of_2017_each_layer_has_the_parameters_that_the_post_prints():
    model = merge_model(POST_2017, POST_2017_LENGTH)
    counts = {layer.name: layer.count_params() for layer in model.layers if layer.weights}
    assert counts == {
        "embedding": 330400,
        "photo": 524544,
        "lstm": 467968,
        "merged": 65792,
        "words": 424564,
    }
    assert model.count_params() == 1_813_268
    shapes = {layer.name: layer.output.shape for layer in model.layers}
    assert shapes["photo_dropout"] == (None, 2048)
    assert shapes["words_dropout"] == (None, 34, 200)
    assert [tuple(tensor.shape) for tensor in model.inputs] == [(None, 2048), (None, 34)]


def test_with_the_decoders_weights_the_merge_model_gives_the_decoders_probabilities():
    config, length = SIZES["merge"], 6
    decoder = fill(MergeDecoder(config))
    model = merge_model(config, length)
    own = {layer.name: layer for layer in model.layers}
    for layer in (decoder.photo, decoder.embedding, decoder.lstm, decoder.merged):
        own[layer.name].set_weights(layer.get_weights())
    own["words"].set_weights(decoder.logits.get_weights())
    grid = features(1, 8, 8, 2048)
    tokens = np.array([START, 5, 9, 4, 10, 3], np.int32)
    expected = np.asarray(ops.softmax(decoder((grid, tokens[None, None]))[0]))[0, 0]
    prefixes = np.full((length, length), PAD, np.int32)
    for row in range(length):
        prefixes[row, length - row - 1 :] = tokens[: row + 1]
    pooled = np.repeat(grid.mean(axis=(1, 2)), length, axis=0)
    found = np.asarray(model([pooled, prefixes]))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(np.diff(expected, axis=0)).max() > 0.01  # positions differ: rows cannot be mixed


@pytest.mark.parametrize("kind", [AttentionDecoder, TutorialDecoder])
def test_steps_of_the_functional_model_give_what_the_decoder_gives(kind):
    config = SIZES["attention" if kind is AttentionDecoder else "tutorial"]
    decoder = fill(kind(config))
    model = one_step(decoder)
    grid, tokens = features(1, 8, 8, 2048), np.array([START, 5, 9, 4], np.int32)
    logits, looked = (np.asarray(item)[0, 0] for item in decoder((grid, tokens[None, None])))
    state = np.asarray(decoder.begin(grid)[1][0])[:, None]
    for place, token in enumerate(tokens):
        step = model({"features": grid, "token": token[None, None], "state": state})
        state = np.asarray(step["next_state"])
        np.testing.assert_allclose(np.asarray(step["logits"])[0, 0], logits[place], atol=1e-5)
        np.testing.assert_allclose(np.asarray(step["attention"])[0, 0], looked[place], atol=1e-5)
    if kind is AttentionDecoder:
        np.testing.assert_allclose(step["first_state"], decoder.begin(grid)[1][0], atol=1e-5)


@pytest.mark.parametrize("architecture", SIZES)
def test_a_captioners_structure_has_all_the_parameters_of_its_decoder(architecture):
    config = CaptionerConfig("tiny", "en", SIZES[architecture], SearchConfig(), architecture)
    model = structure_of(config)
    assert isinstance(model, keras.Model)
    assert model.count_params() == make_decoder(config).count_params()


def test_a_merge_captioners_words_are_as_many_as_its_search_writes_and_both_ends():
    config = CaptionerConfig("tiny", "en", SIZES["merge"], SearchConfig(max_length=9), "merge")
    assert tuple(structure_of(config).get_layer("tokens").output.shape) == (None, 11)
