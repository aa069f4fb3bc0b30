"""Decoders that were tried against the one that ships, by `benchmarks.ablations` and `searches`.

Each has what training and search ask of a decoder: `call`, `begin` and `next_words`.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from models.attention_decoder import AttentionDecoder, DecoderConfig, attend
from models.encoder import FEATURES, LOCATIONS

HEADS = 8
LONGEST = 32  # words; positions that the transformer knows


class LstmDecoder(AttentionDecoder):
    """The attention decoder with an LSTM cell (Hochreiter & Schmidhuber 1997) for its GRU."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        del self.cell
        self.cell = keras.layers.LSTMCell(config.units, name="lstm")
        self.cell.build((None, config.projection + config.embedding))

    def look(self, features: Any) -> tuple[Any, Any, Any]:
        """Begin with a carry of zeros behind the state: (photos, 2 * units)."""
        locations, keys, first = super().look(features)
        return locations, keys, ops.concatenate([first, ops.zeros_like(first)], axis=-1)

    def step(self, embedded: Any, state: Any, locations: Any, keys: Any) -> tuple[Any, Any, Any]:
        """Take one step; state: (photos, rows, 2 * units), output and carry."""
        units, rows = self.config.units, ops.shape(state)[1]
        attention = attend(self.attend_state(state[..., :units]), keys, self.attend_score)
        context = ops.matmul(attention, locations)
        inputs = ops.concatenate([context, embedded], axis=-1)
        flat = ops.reshape(state, (-1, 2 * units))
        _, after = self.cell(
            ops.reshape(inputs, (-1, inputs.shape[-1])), [flat[:, :units], flat[:, units:]]
        )
        return ops.reshape(ops.concatenate(after, -1), (-1, rows, 2 * units)), context, attention

    def predict_words(self, state: Any, context: Any, embedded: Any, training: bool = False) -> Any:
        """Predict from the output alone."""
        return super().predict_words(state[..., : self.config.units], context, embedded, training)


class TiedDecoder(AttentionDecoder):
    """The attention decoder whose output layer is its embedding (Press & Wolf 2017)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        del self.logits
        self.hidden = keras.layers.Dense(config.embedding, activation="tanh", name="tied_hidden")
        self.hidden.build((None, None, config.units + config.projection + config.embedding))
        self.bias = self.add_weight(shape=(config.vocabulary_size,), initializer="zeros", name="b")

    def predict_words(self, state: Any, context: Any, embedded: Any, training: bool = False) -> Any:
        """Compare what is to be said with the embedding of each word."""
        seen = ops.concatenate([state, context, embedded], axis=-1)
        hidden = self.dropout(self.hidden(seen), training=training)
        return ops.matmul(hidden, ops.transpose(self.embedding.embeddings)) + self.bias


class _Block(keras.layers.Layer):
    """Look over the grid, then think: cross-attention and a dense network, each normed before."""

    def __init__(self, size: int, dropout: float, *, causal: bool, name: str) -> None:
        super().__init__(name=name)
        layers = keras.layers
        self.causal = causal
        heads = {"num_heads": HEADS, "key_dim": size // HEADS}
        self.listen = layers.MultiHeadAttention(**heads, name="listen") if causal else None
        self.look = layers.MultiHeadAttention(**heads, name="look")
        self.wide = layers.Dense(2 * size, activation="gelu", name="wide")
        self.narrow = layers.Dense(size, name="narrow")
        self.norms = [layers.LayerNormalization(name=f"norm_{number}") for number in range(3)]
        self.dropout = layers.Dropout(dropout, name="dropout")
        self.size = size

    def build(self, _: Any) -> None:
        """Make the variables."""
        rows, grid = (None, None, self.size), (None, LOCATIONS, self.size)
        if self.listen is not None:
            self.listen.build(rows, rows)
        self.look.build(rows, grid)
        self.wide.build((None, *rows))
        self.narrow.build((None, None, None, 2 * self.size))
        for norm in self.norms:
            norm.build((None, *rows))
        self.built = True

    def call(self, words: Any, grid: Any, training: bool = False) -> Any:
        """words: (photos, rows, steps, size); grid: (photos, 64, size)."""
        shape = photos, rows, steps, size = ops.shape(words)
        if self.listen is not None:
            normed = ops.reshape(self.norms[0](words), (photos * rows, steps, size))
            heard = self.listen(normed, normed, use_causal_mask=True)
            words = words + self.dropout(ops.reshape(heard, shape), training=training)
        queries = ops.reshape(self.norms[1](words), (photos, rows * steps, size))
        looked = ops.reshape(self.look(queries, grid), shape)
        words = words + self.dropout(looked, training=training)
        thought = self.narrow(self.wide(self.norms[2](words)))
        return words + self.dropout(thought, training=training)


class TransformerDecoder(keras.Model):
    """A transformer decoder over the grid (Vaswani et al. 2017), layers normed before."""

    blocks_count = 2
    causal = True

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(name="decoder")
        layers = keras.layers
        self.config, size = config, config.units
        self.projection = layers.Dense(size, activation="relu", name="projection")
        self.embedding = layers.Embedding(config.vocabulary_size, size, name="embedding")
        self.positions = layers.Embedding(LONGEST, size, name="positions")
        self.blocks = [
            _Block(size, config.dropout, causal=self.causal, name=f"block_{number}")
            for number in range(self.blocks_count)
        ]
        self.norm = layers.LayerNormalization(name="norm")
        self.logits = layers.Dense(config.vocabulary_size, name="logits")
        self.dropout = layers.Dropout(config.dropout, name="dropout")
        self.projection.build((None, LOCATIONS, FEATURES))
        for layer in (self.embedding, self.positions):
            layer.build(())
        for layer in (*self.blocks, self.norm, self.logits):
            layer.build((None, None, None, size))
        self.built = True

    def look(self, features: Any) -> Any:
        """Project the grid: (photos, 64, size)."""
        return self.projection(ops.reshape(ops.cast(features, "float32"), (-1, 64, FEATURES)))

    def think(self, words: Any, grid: Any, training: bool = False) -> Any:
        """Give logits (photos, rows, steps, vocabulary) from words (photos, rows, steps, size)."""
        for block in self.blocks:
            words = block(words, grid, training=training)
        return self.logits(self.dropout(self.norm(words), training=training))

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> tuple[Any]:
        """Predict every next token at once."""
        features, tokens = inputs
        grid = self.dropout(self.look(features), training=training)
        words = self.embedding(tokens) + self.positions(ops.arange(tokens.shape[-1]))
        return (self.think(self.dropout(words, training=training), grid, training),)

    def begin(self, features: Any) -> tuple[tuple[Any], tuple[Any, Any]]:
        """Begin with no words."""
        grid = self.look(features)
        photos = ops.shape(grid)[0]
        return (grid,), (
            ops.zeros((photos, LONGEST, self.config.units)),
            ops.zeros((photos,), "int32"),
        )

    def next_words(
        self, tokens: Any, state: tuple[Any, ...], seen: tuple[Any, ...]
    ) -> tuple[Any, tuple[Any, Any]]:
        """Take one step; the words before are thought through again."""
        words, position = state
        here = ops.expand_dims(ops.arange(LONGEST) == ops.expand_dims(position, -1), -1)
        new = self.embedding(tokens) + self.positions(position)
        words = ops.where(here, ops.expand_dims(new, 2), words)
        logits = self.think(words, seen[0])
        return ops.sum(ops.where(here, logits, 0.0), axis=2), (words, position + 1)


class LateDecoder(TransformerDecoder):
    """An LSTM over the words, then blocks that look over the grid: no step waits for a look."""

    causal = False

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        self.lstm = keras.layers.LSTM(config.units, return_sequences=True, name="lstm")
        self.lstm.build((None, None, config.units))

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> tuple[Any]:
        """Predict every next token at once."""
        features, tokens = inputs
        grid = self.dropout(self.look(features), training=training)
        photos, rows, steps = ops.shape(tokens)
        words = self.dropout(self.embedding(tokens), training=training)
        heard = self.lstm(ops.reshape(words, (photos * rows, steps, self.config.units)))
        heard = ops.reshape(heard, (photos, rows, steps, self.config.units))
        return (self.think(self.dropout(heard, training=training), grid, training),)

    def begin(self, features: Any) -> tuple[tuple[Any], tuple[Any, Any]]:
        """Begin with an LSTM that heard nothing."""
        grid = self.look(features)
        blank = ops.zeros((ops.shape(grid)[0], self.config.units))
        return (grid,), (blank, blank)

    def next_words(
        self, tokens: Any, state: tuple[Any, ...], seen: tuple[Any, ...]
    ) -> tuple[Any, tuple[Any, Any]]:
        """Take one step of the LSTM, then look."""
        rows = (*ops.shape(tokens)[:2], self.config.units)
        words = ops.reshape(self.embedding(tokens), (-1, self.config.units))
        flat = [ops.reshape(item, (-1, self.config.units)) for item in state]
        output, after = self.lstm.cell(words, flat)
        hidden, carry = (ops.reshape(item, rows) for item in after)
        heard = ops.expand_dims(ops.reshape(output, rows), 2)
        return self.think(heard, seen[0])[:, :, 0], (hidden, carry)


class Ensemble(keras.Model):
    """Several decoders of one vocabulary that vote on each word: the mean of their probabilities.

    For searches alone. Each sees the photo and keeps its state by itself.
    """

    def __init__(self, decoders: Sequence[Any]) -> None:
        super().__init__(name="ensemble")
        self.decoders = list(decoders)
        self.built = True

    def begin(self, features: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Begin with all of them."""
        begun = [decoder.begin(features) for decoder in self.decoders]
        self._parts = [(len(seen), len(state)) for seen, state in begun]
        return sum((seen for seen, _ in begun), ()), sum((state for _, state in begun), ())

    def next_words(
        self, tokens: Any, state: tuple[Any, ...], seen: tuple[Any, ...]
    ) -> tuple[Any, tuple[Any, ...]]:
        """Take one step of each; the logits are the logarithm of the mean probability."""
        total: Any = 0.0
        after: tuple[Any, ...] = ()
        for decoder, (looks, states) in zip(self.decoders, self._parts, strict=True):
            logits, new = decoder.next_words(tokens, tuple(state[:states]), tuple(seen[:looks]))
            seen, state, after = seen[looks:], state[states:], after + tuple(new)
            total += ops.softmax(ops.cast(logits, "float32"), axis=-1) / len(self.decoders)
        return ops.log(total), after
