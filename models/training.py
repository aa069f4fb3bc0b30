"""Training of captioners: the loss, the optimiser and its schedule; the data comes from outside."""

from typing import Any

import keras
from keras import ops

from models.vocabulary import PAD


class CaptionTrainer(keras.Model):
    """A decoder to be trained on features, or an encoder and a decoder to be trained on pixels.

    Inputs: (features or pixels, tokens); targets: the same tokens one step on,
    (photos, captions, steps) int32, `<pad>` where there is nothing to learn.
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
        sample_weight: Any = None,  # noqa: ARG002
        training: bool = True,  # noqa: ARG002
    ) -> Any:
        """Cross-entropy a token, padding left out, plus the doubly stochastic term of Xu et al."""
        logits, *looks = y_pred
        mask = ops.cast(y != PAD, "float32")
        loss = smoothed_cross_entropy(y, logits, self.label_smoothing)
        loss = ops.sum(loss * mask) / ops.maximum(ops.sum(mask), 1.0)
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
    encoder_variables: tuple[Any, ...] = (),
    encoder_scale: float = 0.0,
) -> ScaledAdamW:
    """AdamW (Loshchilov & Hutter 2019) with clipped gradients.

    `rate` is the decoder's, a number or a schedule; the encoder's is `encoder_scale` times that.
    """
    return ScaledAdamW(
        rate,
        weight_decay=weight_decay,
        global_clipnorm=5.0,
        scaled=encoder_variables,
        scale=encoder_scale,
        name="optimizer",
    )


def warmed_cosine(peak: float, steps: int) -> Any:
    """Schedule a rate: up to its peak over a twentieth of the steps, then a cosine to zero."""
    warmup = max(1, steps // 20)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup
    )
