"""The merge decoder is the post's model: by position, in its sizes, and in training and search."""

import keras
import numpy as np
import pytest

from models.merge_decoder import MergeConfig, MergeDecoder, pool
from models.search import CaptionSearch, SearchConfig
from models.training import CaptionTrainer, make_optimizer
from models.vocabulary import END, PAD, START
from tests.models.conftest import fill, grids

TINY = MergeConfig(vocabulary_size=9, embedding=5, units=6, dropout=0.5)
UNSAYABLE = (PAD, START)


@pytest.fixture(scope="module")
def tiny():
    decoder = MergeDecoder(TINY)
    fill(decoder.weights, 0)
    return decoder


def predict(decoder, features, tokens):
    (logits,) = decoder((features, np.asarray(tokens, np.int32)))
    return np.asarray(logits)


def test_the_posts_sizes_have_the_posts_parameters():
    decoder = MergeDecoder(MergeConfig(1652))
    layers = ("embedding", "photo", "lstm", "merged", "logits")
    counts = [getattr(decoder, name).count_params() for name in layers]
    assert counts == [330_400, 524_544, 467_968, 65_792, 424_564]
    assert decoder.count_params() == 1_813_268


def test_steps_give_what_teacher_forcing_gives(tiny):
    features, tokens = grids(2), np.array([[[1, 4, 5, 6]], [[1, 7, 7, 3]]], np.int32)
    wanted = predict(tiny, features, tokens)
    seen, first = tiny.begin(features)
    state = tuple(item[:, None] for item in first)
    for place in range(tokens.shape[2]):
        logits, state = tiny.next_words(tokens[..., place], state, seen)
        np.testing.assert_allclose(logits, wanted[:, :, place], rtol=1e-4, atol=1e-5)


def test_the_state_is_threaded(tiny):
    ends_alike = predict(tiny, grids(1), [[[1, 4, 5], [1, 6, 5]]])[0, :, -1]
    assert np.abs(ends_alike[0] - ends_alike[1]).max() > 1e-3


def test_pooled_features_caption_as_the_grid_does(tiny):
    features = grids(3)
    tokens = np.tile(np.array([1, 4, 5], np.int32), (3, 1, 1))
    pooled = features.mean(axis=(1, 2))
    np.testing.assert_allclose(pool(features), pooled, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        predict(tiny, features, tokens), predict(tiny, pooled, tokens), rtol=1e-4, atol=1e-4
    )


def test_a_search_says_what_greedy_choice_by_hand_says(tiny):
    features, config = grids(3), SearchConfig(1, 6, no_repeat_ngram=0)
    tokens, _ = CaptionSearch(tiny, config, UNSAYABLE).predict_on_batch(features)
    for photo, found in zip(features, np.asarray(tokens)[:, 0], strict=True):
        said = [START]
        while said[-1] != END and len(said) <= config.max_length:
            logits = predict(tiny, photo[None], [[said]])[0, 0, -1].copy()
            logits[list(UNSAYABLE)] = -np.inf
            if len(said) == 1:
                logits[END] = -np.inf
            said.append(int(logits.argmax()))
        assert found[found != PAD].tolist()[: len(said) - 1] == said[1:]


def test_training_teaches_it_which_photo_has_which_caption():
    keras.utils.set_random_seed(1)
    decoder = MergeDecoder(MergeConfig(8, 6, 12, dropout=0.0))
    trainer = CaptionTrainer(decoder, label_smoothing=0.0)
    trainer.compile(optimizer=make_optimizer(0.02))
    captions = np.array([[[START, 4, 5, END, PAD]], [[START, 6, 7, 6, END]]], np.int32)
    features = grids(2).mean(axis=(1, 2))
    inputs, targets = (features, captions[..., :-1]), captions[..., 1:]
    losses = [float(trainer.train_on_batch(inputs, targets)) for _ in range(80)]
    assert losses[-1] < 0.1 < losses[0]
    tokens, _ = CaptionSearch(decoder, SearchConfig(1, 4, no_repeat_ngram=0), UNSAYABLE)(
        keras.ops.convert_to_tensor(features)
    )
    assert np.asarray(tokens)[:, 0, :4].tolist() == [[4, 5, END, PAD], [6, 7, 6, END]]


@pytest.mark.parametrize("wrong", [{"units": 0}, {"embedding": 0}, {"dropout": 1.0}])
def test_sizes_that_make_no_model_are_refused(wrong):
    with pytest.raises(ValueError, match="at least"):
        MergeConfig(9, **wrong)
