"""Training learns what it is shown, weighs it rightly, and takes steps of the right size."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.attention_decoder import AttentionDecoder, DecoderConfig
from models.captioner import Captioner, CaptionerConfig
from models.search import SearchConfig
from models.training import (
    CaptionTrainer,
    ScaledAdamW,
    make_optimizer,
    smoothed_cross_entropy,
    warmed_cosine,
)
from models.vocabulary import PAD, Vocabulary

CORPUS = (
    ("a dog runs on grass", "a brown dog runs"),
    ("two boats on a lake", "boats lie on a lake"),
    ("a red car near a house", "a car stands near a house"),
    ("children play in the snow", "the children throw snow"),
)
LENGTH = 6
PEAK = 1e-2


class Weights(keras.Model):
    """A model whose loss is the sum of its weights times a number: every gradient is known."""

    def __init__(self, *names):
        super().__init__()
        self.named = [self.add_weight(shape=(3,), initializer="ones", name=n) for n in names]

    def call(self, slope):
        """Give a number whose slope is the same for all weights."""
        return slope * sum(self.named)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Take that number for the loss."""
        return keras.ops.sum(y_pred)

    def moved(self, optimizer, slope=1.0, steps=1):
        """Say how far each weight is from where it was after some steps."""
        self.compile(optimizer=optimizer)
        before = [np.asarray(weight) for weight in self.named]
        for _ in range(steps):
            self.train_on_batch(np.full((1, 1), slope, np.float32), np.zeros((1, 1)))
        return [b - np.asarray(w) for b, w in zip(before, self.named, strict=True)]


def toy(vocabulary):
    """Four photos, each alight in features of its own; two captions a photo."""
    features = np.zeros((len(CORPUS), 8, 8, 2048), np.float32)
    for photo in range(len(CORPUS)):
        features[photo, photo : photo + 3, :, photo * 512 : photo * 512 + 64] = 1.0
    tokens = np.stack([[vocabulary.encode(text, LENGTH) for text in texts] for texts in CORPUS])
    return features, tokens


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary.from_captions([text for texts in CORPUS for text in texts], 1)


@pytest.fixture(scope="module")
def corpus(vocabulary):
    return toy(vocabulary)


def small_decoder(vocabulary, dropout=0.0):
    keras.utils.set_random_seed(3)
    return AttentionDecoder(DecoderConfig(len(vocabulary), 12, 16, 12, 24, dropout))


@pytest.fixture(scope="module")
def trained(vocabulary, corpus):
    """Train a decoder on the toy corpus as the product does; give it and its losses."""
    features, tokens = corpus
    trainer = CaptionTrainer(small_decoder(vocabulary))
    # Keras asks for XLA wherever there is a GPU, and TensorFlow's cannot differentiate a scan.
    with pytest.warns(UserWarning, match="jit_compile=False"):
        trainer.compile(optimizer=make_optimizer(warmed_cosine(PEAK, 150)), jit_compile=True)
    losses = []
    for _ in range(150):
        trainer.reset_metrics()
        losses.append(trainer.train_on_batch((features, tokens[..., :-1]), tokens[..., 1:]))
    return trainer.decoder, losses


def test_the_loss_falls(trained):
    _, losses = trained
    assert np.isfinite(losses).all()
    assert np.mean(losses[15:20]) < 0.9 * losses[0]
    assert np.mean(losses[-5:]) < 0.5 * losses[0]


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_captioner_learns_a_toy_corpus_by_heart(trained, vocabulary, corpus, num_beams):
    decoder, _ = trained
    config = CaptionerConfig("toy", "en", decoder.config, SearchConfig(num_beams, LENGTH))
    captions = Captioner(config, vocabulary, decoder).caption(corpus[0])
    for caption, texts in zip(captions, CORPUS, strict=True):
        assert caption.text in {f"{text[0].upper()}{text[1:]}." for text in texts}
        assert caption.confidence > 0.3


# The loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_cross_entropy_is_what_the_formula_says(smoothing):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (2, 3, 4, 9))
    targets = rng.integers(0, 9, (2, 3, 4))
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = (1 - smoothing) * np.eye(9)[targets] + smoothing / 9
    expected = -(wanted * log_probs).sum(-1)
    found = smoothed_cross_entropy(targets.astype(np.int32), logits.astype(np.float32), smoothing)
    assert found.shape == targets.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def loss_of(trainer, features, tokens):
    """Give the loss of captions as the trainer sees it outside training: no dropout."""
    inputs, targets = (features, tokens[..., :-1]), tokens[..., 1:]
    return float(trainer.compute_loss(y=targets, y_pred=trainer(inputs)))


@pytest.fixture(scope="module")
def untrained(vocabulary):
    return CaptionTrainer(small_decoder(vocabulary, dropout=0.5))


def test_the_loss_is_the_mean_over_tokens_and_the_doubly_stochastic_term(untrained, corpus):
    features, tokens = corpus
    logits, attention = map(np.asarray, untrained((features, tokens[..., :-1])))
    targets = tokens[..., 1:]
    mask = targets != PAD
    words = np.asarray(smoothed_cross_entropy(targets, logits, 0.1))[mask].mean()
    looked = (1 - (attention * mask[..., None]).sum(axis=2)) ** 2
    found = loss_of(untrained, features, tokens)
    assert found == pytest.approx(words + 0.01 * looked.mean(), rel=1e-5)


def test_padding_does_not_change_the_loss(untrained, corpus):
    features, tokens = corpus
    longer = np.pad(tokens, ((0, 0), (0, 0), (0, 5)), constant_values=PAD)
    expected = pytest.approx(loss_of(untrained, features, tokens), rel=1e-5)
    assert loss_of(untrained, features, longer) == expected


def test_padding_teaches_nothing(untrained, corpus):
    """What the model says after the end of a caption has no part in the loss."""
    features, tokens = corpus
    inputs, targets = (features, tokens[..., :-1]), tokens[..., 1:]
    logits, attention = map(np.asarray, untrained(inputs))
    strange = logits.copy()
    strange[targets == PAD] += np.random.default_rng(0).normal(0, 9, logits.shape[-1])
    losses = [
        float(untrained.compute_loss(y=targets, y_pred=(item, attention)))
        for item in (logits, strange)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_captions_of_padding_alone_give_a_finite_loss(untrained, corpus):
    features, tokens = corpus
    assert np.isfinite(loss_of(untrained, features, np.full_like(tokens, PAD)))


def test_an_encoder_is_trained_through_the_decoder(vocabulary, corpus):
    """Pixels here are one number a cell; the encoder spreads it over the features."""
    pixels = keras.Input((8, 8, 1))
    encoder = keras.Model(pixels, keras.layers.Dense(2048, name="conv2d_1")(pixels))
    trainer = CaptionTrainer(small_decoder(vocabulary), encoder)
    seen = np.linspace(0, 1, 4 * 64, dtype=np.float32).reshape(4, 8, 8, 1)
    tokens = corpus[1]
    with tf.GradientTape() as tape:
        predicted = trainer((seen, tokens[..., :-1]), training=True)
        loss = trainer.compute_loss(y=tokens[..., 1:], y_pred=predicted)
    assert {weight.path for weight in encoder.trainable_weights} <= {
        weight.path for weight in trainer.trainable_weights
    }
    for gradient in tape.gradient(loss, encoder.trainable_weights):
        assert np.abs(gradient).max() > 0


# The optimiser


def test_scaled_variables_move_in_proportion():
    model = Weights("decoder", "encoder")
    scaled = (model.named[1],)
    optimizer = ScaledAdamW(0.1, weight_decay=0.0, scaled=scaled, scale=0.2)
    decoder, encoder = model.moved(optimizer, steps=5)
    np.testing.assert_allclose(decoder, 0.5, rtol=1e-3)
    np.testing.assert_allclose(encoder, 0.1, rtol=1e-3)


def test_other_variables_move_at_the_full_rate():
    model = Weights("decoder", "other")
    optimizer = ScaledAdamW(0.1, weight_decay=0.0, scaled=(), scale=0.2)
    for moved in model.moved(optimizer, steps=2):
        np.testing.assert_allclose(moved, 0.2, rtol=1e-3)


def test_the_rate_warms_up_peaks_and_ends_near_zero():
    steps = 200
    schedule = warmed_cosine(PEAK, steps)
    rates = np.array([float(schedule(step)) for step in range(steps + 1)])
    peak = int(rates.argmax())
    assert rates[0] == 0
    assert peak == steps // 20
    assert rates[peak] == pytest.approx(PEAK)
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert rates[-1] < 1e-3 * PEAK
    assert rates[(steps + peak) // 2] == pytest.approx(PEAK / 2, rel=0.05)


@pytest.mark.parametrize("steps", [1, 2, 19])
def test_a_short_training_has_a_schedule_too(steps):
    schedule = warmed_cosine(PEAK, steps)
    rates = [float(schedule(step)) for step in range(steps + 1)]
    assert all(0 <= rate <= PEAK * 1.0001 for rate in rates)
    assert max(rates) == pytest.approx(PEAK)


@pytest.mark.parametrize(("slope", "norm"), [(1e6, 5.0), (0.1, 0.1 * 6**0.5)])
def test_gradients_are_clipped_to_a_global_norm_of_five(slope, norm):
    model = Weights("decoder", "encoder")
    optimizer = make_optimizer(warmed_cosine(PEAK, 100))
    model.moved(optimizer, slope)
    moments = np.concatenate([np.asarray(moment) for moment in optimizer._momentums])
    assert np.linalg.norm(moments) / (1 - optimizer.beta_1) == pytest.approx(norm, rel=1e-4)


def test_weights_decay_where_nothing_else_moves_them():
    model = Weights("decoder")
    (moved,) = model.moved(make_optimizer(warmed_cosine(PEAK, 20)), slope=0.0, steps=3)
    rate = PEAK * (0 + 1) + float(warmed_cosine(PEAK, 20)(2))
    np.testing.assert_allclose(moved, 1e-4 * rate, rtol=0.05)
