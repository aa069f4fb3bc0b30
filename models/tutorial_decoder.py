"""The decoder of TensorFlow's captioning tutorial, as its old checkpoints need it.

Its quirk is kept: the GRU is called without its state, so each step starts it from zeros, and what
it gave at the step before reaches the attention alone. Only for checkpoints that were trained so;
new captioners use `models.attention_decoder`.

Shapes are (photos, rows, …) as there.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from models.attention_decoder import attend
from models.encoder import FEATURES, LOCATIONS


@dataclass(frozen=True)
class TutorialConfig:
    """Sizes of a tutorial's decoder, as its checkpoint tells them."""

    vocabulary_size: int
    embedding: int = 256
    units: int = 512
    attention: int = 512
    hidden: int = 512
    reset_after: bool = True

    def __post_init__(self) -> None:
        sizes = (self.vocabulary_size, self.embedding, self.units, self.attention, self.hidden)
        if min(sizes) < 1:
            raise ValueError("sizes are at least 1")


class TutorialDecoder(keras.Model):
    """Predict each next token as the tutorial's CNN_Encoder and RNN_Decoder do together."""

    def __init__(self, config: TutorialConfig) -> None:
        super().__init__(name="decoder")
        dense = keras.layers.Dense
        self.config = config
        self.projection = dense(config.embedding, activation="relu", name="projection")
        self.attend_locations = dense(config.attention, name="attend_locations")
        self.attend_state = dense(config.attention, name="attend_state")
        self.attend_score = dense(1, name="attend_score")
        self.embedding = keras.layers.Embedding(
            config.vocabulary_size, config.embedding, name="embedding"
        )
        self.cell = keras.layers.GRUCell(config.units, reset_after=config.reset_after, name="gru")
        self.hidden = dense(config.hidden, name="hidden")
        self.logits = dense(config.vocabulary_size, name="logits")
        self._create_variables()

    def _create_variables(self) -> None:
        c = self.config
        self.projection.build((None, LOCATIONS, FEATURES))
        self.attend_locations.build((None, LOCATIONS, c.embedding))
        self.attend_state.build((None, None, c.units))
        self.attend_score.build((None, None, LOCATIONS, c.attention))
        self.embedding.build(())
        self.cell.build((None, 2 * c.embedding))
        self.hidden.build((None, None, c.units))
        self.logits.build((None, None, c.hidden))
        self.built = True

    def begin(self, features: Any) -> tuple[tuple[Any, Any], tuple[Any]]:
        """Start captioning photos, see `models.search.Decoder`."""
        grid = ops.reshape(ops.cast(features, "float32"), (-1, LOCATIONS, FEATURES))
        locations = self.projection(grid)
        state = ops.zeros((ops.shape(locations)[0], self.config.units))
        return (locations, self.attend_locations(locations)), (state,)

    def next_words(
        self, tokens: Any, state: tuple[Any, ...], seen: tuple[Any, ...]
    ) -> tuple[Any, tuple[Any]]:
        """Take one step of a search, see `models.search.Decoder`."""
        after, _ = self.step(self.embedding(tokens), state[0], *seen)
        return self.logits(self.hidden(after)), (after,)

    def step(self, embedded: Any, state: Any, locations: Any, keys: Any) -> tuple[Any, Any]:
        """Take one step; returns the next state and the attention (photos, rows, 64)."""
        attention = attend(self.attend_state(state), keys, self.attend_score)
        context = ops.matmul(attention, locations)
        inputs = ops.concatenate([context, embedded], axis=-1)
        flat = ops.reshape(inputs, (-1, inputs.shape[-1]))
        blank = ops.zeros((ops.shape(flat)[0], self.config.units))
        after, _ = self.cell(flat, [blank])  # the quirk: not from `state`
        return ops.reshape(after, ops.shape(state)), attention

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> tuple[Any, Any]:  # noqa: ARG002 - Keras gives it
        """Predict every next token at once, the true tokens before it given.

        inputs: features as for `begin`; tokens (photos, rows, steps) int32, from `<start>` on.
        Returns logits (photos, rows, steps, vocabulary_size), attention (photos, rows, steps, 64).
        """
        features, tokens = inputs
        seen, (first,) = self.begin(features)
        state = ops.repeat(ops.expand_dims(first, 1), tokens.shape[1], axis=1)
        logits, looked = [], []
        for place in range(tokens.shape[2]):
            state, attention = self.step(self.embedding(tokens[..., place]), state, *seen)
            logits.append(self.logits(self.hidden(state)))
            looked.append(attention)
        return ops.stack(logits, 2), ops.stack(looked, 2)
