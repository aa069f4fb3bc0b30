"""Decoders of the benchmarks: a search sees the same logits as a training."""

import numpy as np
import pytest

from benchmarks.variants import Ensemble, LateDecoder, LstmDecoder, TiedDecoder, TransformerDecoder
from models.attention_decoder import AttentionDecoder, DecoderConfig

CONFIG = DecoderConfig(11, 8, 16, 5, 16, dropout=0.0)
DECODERS = [LstmDecoder, TiedDecoder, TransformerDecoder, LateDecoder]


def by_steps(decoder, features, tokens):
    """Give the logits (photos, rows, steps, words) word by word, as a search asks for them."""
    seen, first = decoder.begin(features)
    state = tuple(np.repeat(np.asarray(item)[:, None], tokens.shape[1], axis=1) for item in first)
    logits = []
    for step in range(tokens.shape[2]):
        words, state = decoder.next_words(tokens[..., step], state, seen)
        logits.append(np.asarray(words))
    return np.stack(logits, axis=2)


@pytest.fixture
def photos():
    random = np.random.default_rng(3)
    features = random.normal(size=(2, 8, 8, 2048)).astype(np.float32)
    return features, random.integers(4, 11, (2, 3, 5)).astype(np.int32)


@pytest.mark.parametrize("kind", DECODERS, ids=lambda kind: kind.__name__)
def test_a_search_and_a_training_see_the_same(kind, photos):
    decoder = kind(CONFIG)
    logits, *_ = decoder(photos)
    np.testing.assert_allclose(by_steps(decoder, *photos), np.asarray(logits), atol=2e-4)


def test_an_ensemble_gives_the_mean_of_the_probabilities(photos):
    decoders = [AttentionDecoder(CONFIG), LstmDecoder(CONFIG)]
    single = [np.exp(by_steps(decoder, *photos)) for decoder in decoders]
    means = np.mean([each / each.sum(-1, keepdims=True) for each in single], axis=0)
    found = by_steps(Ensemble(decoders), *photos)
    np.testing.assert_allclose(np.exp(found), means, rtol=1e-3, atol=1e-6)
