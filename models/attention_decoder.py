"""The attention decoder: a grid of features in, the words of a caption out, one step at a time.

Xu et al. 2015, "Show, Attend and Tell" (soft attention), in the form of the TensorFlow tutorial:
projection, additive attention (Bahdanau et al. 2015), GRU, two dense layers. Unlike the tutorial,
the state is threaded from step to step, and starts from the mean of the grid.

Shapes are (photos, rows, …): a row is one of a photo's captions in training, one of its beams in
search. The photo's own part of the work is done once for all its rows.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from models.encoder import FEATURES, LOCATIONS


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of an attention decoder; stored in the captioner's config.json."""

    vocabulary_size: int
    embedding: int = 256
    projection: int = 512
    attention: int = 256
    units: int = 512
    dropout: float = 0.5

    def __post_init__(self) -> None:
        sizes = (self.vocabulary_size, self.embedding, self.projection, self.attention, self.units)
        if min(sizes) < 1 or not 0 <= self.dropout < 1:
            raise ValueError("sizes are at least 1, dropout is at least 0 and below 1")


class AttentionDecoder(keras.Model):
    """Predict each next token of captions from the photo's features and the tokens before."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(name="decoder")
        dense = keras.layers.Dense
        self.config = config
        self.projection = dense(config.projection, activation="relu", name="projection")
        self.initial = dense(config.units, activation="tanh", name="initial")
        self.attend_locations = dense(config.attention, name="attend_locations")
        self.attend_state = dense(config.attention, name="attend_state")
        self.attend_score = dense(1, name="attend_score")
        self.embedding = keras.layers.Embedding(
            config.vocabulary_size, config.embedding, name="embedding"
        )
        self.cell = keras.layers.GRUCell(config.units, name="gru")
        self.hidden = dense(config.units, activation="tanh", name="hidden")
        self.logits = dense(config.vocabulary_size, name="logits")
        self.dropout = keras.layers.Dropout(config.dropout, name="dropout")
        self._create_variables()

    def _create_variables(self) -> None:
        c = self.config
        self.projection.build((None, LOCATIONS, FEATURES))
        self.initial.build((None, c.projection))
        self.attend_locations.build((None, LOCATIONS, c.projection))
        self.attend_state.build((None, None, c.units))
        self.attend_score.build((None, None, LOCATIONS, c.attention))
        self.embedding.build(())
        self.cell.build((None, c.projection + c.embedding))
        self.hidden.build((None, None, c.units + c.projection + c.embedding))
        self.logits.build((None, None, c.units))
        self.built = True

    def look(self, features: Any) -> tuple[Any, Any, Any]:
        """Do a photo's own part of the work, once.

        features: (photos, 8, 8, 2048) or (photos, 64, 2048), any float type.
        Returns locations (photos, 64, projection), keys (photos, 64, attention), and the first
        state (photos, units), all float32.
        """
        grid = ops.reshape(ops.cast(features, "float32"), (-1, LOCATIONS, FEATURES))
        locations = self.projection(grid)
        return (
            locations,
            self.attend_locations(locations),
            self.initial(ops.mean(locations, axis=1)),
        )

    def step(self, embedded: Any, state: Any, locations: Any, keys: Any) -> tuple[Any, Any, Any]:
        """Take one step.

        embedded: (photos, rows, embedding), the last token; state: (photos, rows, units).
        Returns the next state, the context (photos, rows, projection), and the attention
        (photos, rows, 64), which sums to one.
        """
        attention = attend(self.attend_state(state), keys, self.attend_score)
        context = ops.matmul(attention, locations)
        rows = ops.shape(state)[1]
        inputs = ops.concatenate([context, embedded], axis=-1)
        flat, _ = self.cell(
            ops.reshape(inputs, (-1, inputs.shape[-1])),
            [ops.reshape(state, (-1, self.config.units))],
        )
        return ops.reshape(flat, (-1, rows, self.config.units)), context, attention

    def predict_words(self, state: Any, context: Any, embedded: Any, training: bool = False) -> Any:
        """Logits over the vocabulary (…, vocabulary_size) from state, context and last token."""
        seen = ops.concatenate([state, context, embedded], axis=-1)
        return self.logits(self.dropout(self.hidden(seen), training=training))

    def begin(self, features: Any) -> tuple[tuple[Any, Any], tuple[Any]]:
        """Start captioning photos, see `models.search.Decoder`."""
        locations, keys, first = self.look(features)
        return (locations, keys), (first,)

    def next_words(
        self, tokens: Any, state: tuple[Any, ...], seen: tuple[Any, ...]
    ) -> tuple[Any, tuple[Any]]:
        """Take one step of a search, see `models.search.Decoder`."""
        embedded = self.embedding(tokens)
        after, context, _ = self.step(embedded, state[0], *seen)
        return self.predict_words(after, context, embedded), (after,)

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> tuple[Any, Any]:
        """Predict every next token at once, the true tokens before it given (teacher forcing).

        inputs: features as for `look`; tokens (photos, rows, steps) int32, from `<start>` on.
        Returns logits (photos, rows, steps, vocabulary_size), attention (photos, rows, steps, 64).
        """
        features, tokens = inputs
        locations, keys, first = self.look(features)
        locations = self.dropout(locations, training=training)
        embedded = self.dropout(self.embedding(tokens), training=training)
        state = ops.repeat(ops.expand_dims(first, 1), ops.shape(tokens)[1], axis=1)
        # Keras' scan on TensorFlow gives back only what it also carries: carry all three.
        context = ops.zeros((*ops.shape(state)[:2], self.config.projection))
        attention = ops.zeros((*ops.shape(state)[:2], LOCATIONS))

        def advance(carry: Any, word: Any) -> tuple[Any, Any]:
            after = self.step(word, carry[0], locations, keys)
            return after, after

        _, steps = ops.scan(advance, (state, context, attention), ops.moveaxis(embedded, 2, 0))
        states, contexts, attention = (ops.moveaxis(item, 0, 2) for item in steps)
        return self.predict_words(states, contexts, embedded, training), attention


def attend(query: Any, keys: Any, score: keras.layers.Dense) -> Any:
    """Additive attention (Bahdanau et al. 2015), which sums to one: (photos, rows, 64).

    query: (photos, rows, attention); keys: (photos, 64, attention); score: a layer of one unit.
    """
    energy = ops.tanh(ops.expand_dims(keys, 1) + ops.expand_dims(query, 2))
    return ops.softmax(ops.squeeze(score(energy), -1), axis=-1)
