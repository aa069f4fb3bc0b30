"""Self-critical training: what is drawn is weighed by how well it says what people said."""

import numpy as np
import pytest

from models.attention_decoder import AttentionDecoder, DecoderConfig
from models.metrics import Consensus, score
from models.search import SearchConfig
from models.self_critical import SelfCritic
from models.training import CaptionTrainer, averaged, make_optimizer, take_average
from models.vocabulary import END, PAD, START, Vocabulary

PEOPLE = (
    ("a dog runs on grass", "a dog runs"),
    ("a cat sleeps on a bed", "the cat sleeps"),
    ("two boats on water", "boats on the water"),
)
LENGTH = 6
VOCABULARY = Vocabulary.from_captions([c for photo in PEOPLE for c in photo], 1)
TOKENS = np.stack([[VOCABULARY.encode(c, LENGTH) for c in photo] for photo in PEOPLE])
FEATURES = np.zeros((3, 8, 8, 2048), np.float16)
for photo in range(3):
    FEATURES[photo, ..., photo * 600 : photo * 600 + 64] = 1
INPUTS, TARGETS = (FEATURES, TOKENS[..., :-1]), TOKENS[..., 1:]


@pytest.fixture
def decoder():
    return AttentionDecoder(DecoderConfig(len(VOCABULARY), 16, 16, 8, 16, 0.0))


@pytest.fixture
def critic(decoder):
    search = SearchConfig(num_beams=4, max_length=LENGTH, no_repeat_ngram=0)
    return SelfCritic(decoder, list(TOKENS), search, VOCABULARY.unsayable, share=0.75)


def test_the_reward_is_cider_of_a_set_of_photos():
    captions = ["a dog on grass", "a cat sleeps", "two dogs"]
    consensus = Consensus([[text.split() for text in photo] for photo in PEOPLE])
    rewards = [
        consensus.score(caption.split(), [text.split() for text in photo])
        for caption, photo in zip(captions, PEOPLE, strict=True)
    ]
    names = "abc"
    found = score(dict(zip(names, captions, strict=True)), dict(zip(names, PEOPLE, strict=True)))
    assert rewards == pytest.approx(list(found.cider_by_photo.values()))
    assert max(rewards) > 0


def test_the_captioner_s_own_captions_come_behind_those_of_people(critic):
    (features, tokens), targets, weights = critic.criticise(INPUTS, TARGETS)
    assert features is FEATURES
    assert tokens.shape == targets.shape == (3, 2 + 4, LENGTH + 1)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(tokens[:, :2], INPUTS[1])
    np.testing.assert_array_equal(targets[:, :2], TARGETS)
    np.testing.assert_array_equal(weights[:, :2], 0.25)
    own = tokens[:, 2:]
    assert (own[..., 0] == START).all()
    np.testing.assert_array_equal(own[..., 1:], targets[:, 2:, :-1])
    for photo in targets[:, 2:].tolist():
        assert len({tuple(sentence) for sentence in photo}) == 4
        for sentence in photo:
            end = sentence.index(END)
            assert all(token == PAD for token in sentence[end + 1 :])
            assert not set(VOCABULARY.unsayable) & set(sentence[:end])


def test_a_caption_weighs_what_it_scores_above_the_others_of_its_photo(critic):
    said = ["a dog runs", "a dog", "the bed", "boats"]
    beams = np.stack([[VOCABULARY.encode(text, LENGTH)[1:] for text in said]] * 3)
    weights = critic._advantages(beams, TARGETS)
    np.testing.assert_allclose(weights.sum(axis=1), 0, atol=1e-9)
    assert weights[0].argmax() == 0
    assert weights[0, 0] > weights[0, 1] > 0 > weights[0, 2]
    assert weights[2].argmax() == 3


def test_a_caption_that_breaks_off_scores_less_than_one_that_ends(critic):
    whole, broken = "a dog runs on grass", "a dog runs on"
    beams = np.stack([[VOCABULARY.encode(text, LENGTH)[1:] for text in (whole, broken)]] * 3)
    gained = critic._advantages(beams, TARGETS)[0]
    without_end = Consensus([[text.split() for text in photo] for photo in PEOPLE])
    references = [text.split() for text in PEOPLE[0]]
    plain = [without_end.score(text.split(), references) for text in (whole, broken)]
    assert gained[0] - gained[1] > plain[0] - plain[1]


def test_training_raises_the_reward(decoder, critic):
    trainer = CaptionTrainer(decoder, label_smoothing=0.0, attention_weight=0.0)
    trainer.compile(optimizer=make_optimizer(0.02))
    rewards = []
    for _ in range(60):
        batch = critic.criticise(INPUTS, TARGETS)
        rewards.append(critic.reward)
        trainer.train_on_batch(*batch)
    assert np.mean(rewards[-10:]) > np.mean(rewards[:10]) + 20


def test_weights_decide_what_is_learnt(decoder):
    """Two captions of each photo, of which one counts nothing."""
    trainer = CaptionTrainer(decoder, label_smoothing=0.0, attention_weight=0.0)
    trainer.compile(optimizer=make_optimizer(0.02))
    weights = np.tile(np.float32([1, 0]), (3, 1))
    for _ in range(60):
        trainer.train_on_batch(INPUTS, TARGETS, weights)
    logits = np.asarray(decoder(INPUTS)[0])
    chosen = np.take_along_axis(logits, TARGETS[..., None], -1)[..., 0] - logits.max(-1)
    there = TARGETS != PAD
    assert chosen[:, 0][there[:, 0]].mean() > -0.1
    assert chosen[:, 1][there[:, 1]].mean() < -1


def test_averages_take_the_weights_place_and_give_it_back(decoder):
    trainer = CaptionTrainer(decoder)
    trainer.compile(optimizer=make_optimizer(0.05, averaging=0.5))
    seen = []
    for _ in range(3):
        trainer.train_on_batch(INPUTS, TARGETS)
        seen.append(np.asarray(decoder.logits.kernel))
    mean = 0.25 * seen[0] + 0.25 * seen[1] + 0.5 * seen[2]
    with averaged(trainer):
        np.testing.assert_allclose(np.asarray(decoder.logits.kernel), mean, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(decoder.logits.kernel), seen[2])
    take_average(trainer)
    np.testing.assert_allclose(np.asarray(decoder.logits.kernel), mean, atol=1e-6)


def test_without_averaging_the_weights_stay(decoder):
    trainer = CaptionTrainer(decoder)
    trainer.compile(optimizer=make_optimizer(0.05))
    trainer.train_on_batch(INPUTS, TARGETS)
    before = np.asarray(decoder.logits.kernel)
    with averaged(trainer):
        np.testing.assert_array_equal(np.asarray(decoder.logits.kernel), before)
