"""Training of captioners: the loss, the optimiser and its schedule; the data comes from outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from models.vocabulary import PAD


class CaptionTrainer(keras.Model):
    """A decoder to be trained on features, or an encoder and a decoder to be trained on pixels.

    Inputs: (features or pixels, tokens); targets: the same tokens one step on,
    (photos, captions, steps) int32, `<pad>` where there is nothing to learn; and where captions do
    not count alike, the weight of each: (photos, captions) float32.
    """

    def __init__(
        self,
        decoder: keras.Model,
        encoder: keras.Model | None = None,
        *,
        label_smoothing: float = 0.1,
        attention_weight: float = 0.01,
    ) -> None:
        super().__init__(name="trainer")
        self.decoder = decoder
        self.encoder = encoder
        self.label_smoothing = label_smoothing
        self.attention_weight = attention_weight
        # Keras asks for XLA wherever there is a GPU; TensorFlow's has no gradient for the scan.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> tuple[Any, ...]:
        """Give the logits of every step, and the attention where the decoder attends."""
        seen, tokens = inputs
        if self.encoder is not None:
            seen = self.encoder(seen, training=training)
        return self.decoder((seen, tokens), training=training)

    def compute_loss(  # Keras calls it with all of these
        self,
        x: Any = None,  # noqa: ARG002
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,  # noqa: ARG002
    ) -> Any:
        """Cross-entropy a token, padding left out, plus the doubly stochastic term of Xu et al."""
        logits, *looks = y_pred
        mask = ops.cast(y != PAD, "float32")
        loss = smoothed_cross_entropy(y, logits, self.label_smoothing) * mask
        if sample_weight is not None:
            loss = loss * ops.expand_dims(ops.cast(sample_weight, "float32"), -1)
        loss = ops.sum(loss) / ops.maximum(ops.sum(mask), 1.0)
        for attention in looks:
            # (photos, captions, 64)
            looked = ops.sum(attention * ops.expand_dims(mask, -1), axis=2)
            loss += self.attention_weight * ops.mean(ops.square(1.0 - looked))
        return loss


def smoothed_cross_entropy(targets: Any, logits: Any, smoothing: float) -> Any:
    """Cross-entropy of each token against its target, `smoothing` of it spread over all words.

    targets: (…) int; logits: (…, words); returns (…) float32. Szegedy et al. 2016, section 7.
    """
    log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    picked = ops.take_along_axis(log_probs, ops.expand_dims(ops.cast(targets, "int32"), -1), -1)
    true = ops.squeeze(picked, -1)
    return -(1.0 - smoothing) * true - smoothing * ops.mean(log_probs, axis=-1)


class ScaledAdamW(keras.optimizers.AdamW):
    """AdamW that takes smaller steps on some variables: a tuned encoder beside a new decoder."""

    def __init__(
        self, *args: Any, scaled: tuple[Any, ...] = (), scale: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._scaled = frozenset(self._var_key(variable) for variable in scaled)
        self._scale = scale

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable."""
        # Backends hand over variables of their own: Keras' key finds which one is meant.
        scale = self._scale if self._var_key(variable) in self._scaled else 1.0
        super().update_step(gradient, variable, learning_rate * scale)


def make_optimizer(
    rate: Any,
    *,
    weight_decay: float = 1e-4,
    averaging: float = 0.0,
    encoder_variables: tuple[Any, ...] = (),
    encoder_scale: float = 0.0,
) -> ScaledAdamW:
    """AdamW (Loshchilov & Hutter 2019) with clipped gradients.

    `rate` is the decoder's, a number or a schedule; the encoder's is `encoder_scale` times that.
    With `averaging` above 0 it keeps the exponential moving average of the weights, of which each
    step leaves so much (Polyak & Juditsky 1992); `averaged` puts it in their place.
    """
    return ScaledAdamW(
        rate,
        weight_decay=weight_decay,
        global_clipnorm=5.0,
        use_ema=averaging > 0,
        ema_momentum=averaging,
        ema_overwrite_frequency=None,
        scaled=encoder_variables,
        scale=encoder_scale,
        name="optimizer",
    )


@contextmanager
def averaged(trainer: CaptionTrainer) -> Iterator[None]:
    """Put the averages that the optimiser keeps in the weights' place, for as long as it lasts.

    Nothing changes where it keeps none.
    """
    weights = trainer.trainable_variables if trainer.optimizer.use_ema else []
    current = [ops.copy(weight.value) for weight in weights]
    take_average(trainer)
    try:
        yield
    finally:
        for weight, value in zip(weights, current, strict=True):
            weight.assign(value)


def take_average(trainer: CaptionTrainer) -> None:
    """Put the averages that the optimiser keeps, if any, in the weights' place for good."""
    trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
    for weight in trainer.trainable_variables:  # on JAX they are the averages' own memory now,
        weight.assign(ops.copy(weight.value))  # which the next step would give back


def warmed_cosine(peak: float, steps: int) -> Any:
    """Schedule a rate: up to its peak over a twentieth of the steps, then a cosine to zero."""
    warmup = max(1, steps // 20)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup
    )
