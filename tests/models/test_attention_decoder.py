"""The decoder remembers what came before, looks at the whole grid, and mixes nothing up."""

import numpy as np
import pytest
import tensorflow as tf

from models.attention_decoder import DecoderConfig
from models.encoder import LOCATIONS
from models.vocabulary import START
from tests.models.conftest import TINY, grids, tiny_decoder

PHOTOS, ROWS, STEPS = 3, 2, 5


@pytest.fixture(scope="module")
def features():
    return grids(PHOTOS)


@pytest.fixture(scope="module")
def tokens():
    drawn = np.random.default_rng(1).integers(4, TINY.vocabulary_size, (PHOTOS, ROWS, STEPS))
    drawn[..., 0] = START
    return drawn.astype(np.int32)


def predict(decoder, features, tokens, **options):
    """Teacher forcing: logits and attention as arrays."""
    return tuple(map(np.asarray, decoder((features, tokens), **options)))


def test_logits_and_attention_come_for_every_row_and_step(decoder, features, tokens):
    logits, attention = predict(decoder, features, tokens)
    assert logits.shape == (PHOTOS, ROWS, STEPS, TINY.vocabulary_size)
    assert attention.shape == (PHOTOS, ROWS, STEPS, LOCATIONS)
    assert logits.dtype == attention.dtype == np.float32


def test_attention_sums_to_one_over_the_locations(decoder, features, tokens):
    attention = predict(decoder, features, tokens)[1]
    assert (attention >= 0).all()
    np.testing.assert_allclose(attention.sum(axis=-1), 1.0, rtol=1e-5)


def test_attention_moves_from_word_to_word_and_from_photo_to_photo(decoder, features, tokens):
    attention = predict(decoder, features, tokens)[1]
    assert np.abs(attention[:, :, 1:] - attention[:, :, :-1]).max() > 1e-3
    assert np.abs(attention[0] - attention[1]).max() > 1e-3


def test_prefixes_with_the_same_last_token_are_told_apart(decoder):
    """All places of this grid are alike, so attention cannot tell: only the state can."""
    flat = np.ones((1, 8, 8, 1)) * grids(1)[:, :1, :1]
    prefixes = np.array([[[START, 5, 9], [START, 6, 9]]], np.int32)
    logits = predict(decoder, flat, prefixes)[0]
    assert np.abs(logits[0, 0, 2] - logits[0, 1, 2]).max() > 1e-2
    np.testing.assert_allclose(logits[0, 0, 0], logits[0, 1, 0], atol=1e-5)


def test_a_repeated_token_gives_new_logits_as_the_state_moves_on(decoder, features):
    logits = predict(decoder, features, np.full((PHOTOS, 1, 4), 7, np.int32))[0]
    assert np.abs(np.diff(logits, axis=2)).max(axis=-1).min() > 1e-4


def test_the_recurrent_kernel_learns(decoder, features, tokens):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(decoder((features, tokens))[0]))
    weights = decoder.trainable_weights
    gradients = dict(
        zip((weight.path for weight in weights), tape.gradient(loss, weights), strict=True)
    )
    assert np.abs(gradients["gru/recurrent_kernel"]).max() > 1e-3
    for path, gradient in gradients.items():
        assert gradient is not None, path
        reached = np.abs(tf.convert_to_tensor(gradient)).max()
        # The softmax over places takes out what all of them share.
        assert reached > 0 or path == "attend_score/bias", path


def test_teacher_forcing_equals_stepping_one_by_one(decoder, features, tokens):
    logits, attention = predict(decoder, features, tokens)
    locations, keys, first = decoder.look(features)
    state = np.repeat(np.asarray(first)[:, None], ROWS, axis=1)
    for position in range(STEPS):
        embedded = decoder.embedding(tokens[:, :, position])
        state, context, looked = decoder.step(embedded, state, locations, keys)
        words = decoder.predict_words(state, context, embedded)
        np.testing.assert_allclose(words, logits[:, :, position], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(looked, attention[:, :, position], rtol=1e-4, atol=1e-6)


def test_rows_of_a_photo_do_not_influence_each_other(decoder, features, tokens):
    changed = tokens.copy()
    changed[:, 1] = (changed[:, 1] - 3) % 8 + 4
    before, after = (predict(decoder, features, item)[0] for item in (tokens, changed))
    np.testing.assert_allclose(after[:, 0], before[:, 0], rtol=1e-5, atol=1e-6)
    assert np.abs(after[:, 1] - before[:, 1]).max() > 1e-2


def test_photos_do_not_influence_each_other(decoder, features, tokens):
    changed = features.copy()
    changed[1] = grids(1, seed=9)[0]
    before, after = (predict(decoder, item, tokens)[0] for item in (features, changed))
    np.testing.assert_allclose(after[[0, 2]], before[[0, 2]], rtol=1e-5, atol=1e-6)
    assert np.abs(after[1] - before[1]).max() > 1e-2
    alone = predict(decoder, features[2:], tokens[2:])[0]
    np.testing.assert_allclose(alone[0], before[2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("position", range(1, STEPS))
def test_a_later_token_does_not_change_what_came_before(decoder, features, tokens, position):
    changed = tokens.copy()
    changed[:, :, position] = (changed[:, :, position] - 3) % 8 + 4
    before, after = (predict(decoder, features, item)[0] for item in (tokens, changed))
    np.testing.assert_allclose(after[:, :, :position], before[:, :, :position], atol=1e-5)
    for later in range(position, STEPS):
        assert np.abs(after[:, :, later] - before[:, :, later]).max() > 1e-4


def test_a_grid_may_come_as_a_list_of_places_and_in_half_precision(decoder, features, tokens):
    logits = predict(decoder, features, tokens)[0]
    listed = predict(decoder, features.reshape(PHOTOS, LOCATIONS, -1), tokens)[0]
    np.testing.assert_array_equal(listed, logits)
    half = predict(decoder, features.astype(np.float16), tokens)[0]
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, logits, atol=0.05)


def test_dropout_is_for_training_alone(decoder, features, tokens):
    calm = [predict(decoder, features, tokens)[0] for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    noisy = [predict(decoder, features, tokens, training=True)[0] for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-2


def test_the_number_of_weights_is_what_the_sizes_say():
    decoder = tiny_decoder(config=DecoderConfig(100, 30, 50, 20, 40))
    shapes = {weight.path: tuple(weight.shape) for weight in decoder.weights}
    assert shapes == {
        "projection/kernel": (2048, 50),
        "projection/bias": (50,),
        "initial/kernel": (50, 40),
        "initial/bias": (40,),
        "attend_locations/kernel": (50, 20),
        "attend_locations/bias": (20,),
        "attend_state/kernel": (40, 20),
        "attend_state/bias": (20,),
        "attend_score/kernel": (20, 1),
        "attend_score/bias": (1,),
        "embedding/embeddings": (100, 30),
        "gru/kernel": (80, 120),
        "gru/recurrent_kernel": (40, 120),
        "gru/bias": (2, 120),
        "hidden/kernel": (120, 40),
        "hidden/bias": (40,),
        "logits/kernel": (40, 100),
        "logits/bias": (100,),
    }
    assert decoder.count_params() == 132_931


@pytest.mark.parametrize(
    "wrong", [{"vocabulary_size": 0}, {"units": -1}, {"dropout": 1.0}, {"dropout": -0.1}]
)
def test_sizes_that_make_no_decoder_are_refused(wrong):
    with pytest.raises(ValueError, match="at least"):
        DecoderConfig(**{"vocabulary_size": 10, **wrong})
