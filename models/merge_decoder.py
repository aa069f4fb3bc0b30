"""The merge decoder: the photo as one vector beside the words so far, merged for each next word.

Tanti, Gatt & Camilleri 2017, "What is the role of recurrent neural networks (RNNs) in an image
caption generator?", in the sizes of the 2017 post: pooled features through a dense layer, words
through an LSTM, the two added, a dense layer, the vocabulary.

Shapes are (photos, rows, …) as in `models.attention_decoder`.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from models.encoder import FEATURES


@dataclass(frozen=True)
class MergeConfig:
    """Sizes of a merge decoder; stored in the captioner's config.json."""

    vocabulary_size: int
    embedding: int = 200
    units: int = 256
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if min(self.vocabulary_size, self.embedding, self.units) < 1 or not 0 <= self.dropout < 1:
            raise ValueError("sizes are at least 1, dropout is at least 0 and below 1")


class MergeDecoder(keras.Model):
    """Predict each next token of captions from the pooled photo and the tokens before."""

    def __init__(self, config: MergeConfig) -> None:
        super().__init__(name="decoder")
        layers = keras.layers
        self.config = config
        self.photo = layers.Dense(config.units, activation="relu", name="photo")
        self.embedding = layers.Embedding(
            config.vocabulary_size, config.embedding, name="embedding"
        )
        self.lstm = layers.LSTM(config.units, return_sequences=True, name="lstm")
        self.merged = layers.Dense(config.units, activation="relu", name="merged")
        self.logits = layers.Dense(config.vocabulary_size, name="logits")
        self.dropout = layers.Dropout(config.dropout, name="dropout")
        self._create_variables()

    def _create_variables(self) -> None:
        c = self.config
        self.photo.build((None, FEATURES))
        self.embedding.build(())
        self.lstm.build((None, None, c.embedding))
        self.merged.build((None, None, c.units))
        self.logits.build((None, None, c.units))
        self.built = True

    def begin(self, features: Any) -> tuple[tuple[Any], tuple[Any, Any]]:
        """Start captioning photos, see `models.search.Decoder`."""
        photo = self.photo(pool(features))
        blank = ops.zeros_like(photo)
        return (photo,), (blank, blank)

    def next_words(
        self, tokens: Any, state: tuple[Any, ...], seen: tuple[Any, ...]
    ) -> tuple[Any, tuple[Any, Any]]:
        """Take one step of a search, see `models.search.Decoder`."""
        rows = (*ops.shape(tokens)[:2], self.config.units)
        words = ops.reshape(self.embedding(tokens), (-1, self.config.embedding))
        flat = [ops.reshape(item, (-1, self.config.units)) for item in state]
        output, after = self.lstm.cell(words, flat)
        hidden, carry = (ops.reshape(item, rows) for item in after)
        return self.merge(ops.expand_dims(seen[0], 1), ops.reshape(output, rows)), (hidden, carry)

    def merge(self, photo: Any, sentence: Any) -> Any:
        """Logits (…, words) of the next token, from a photo and a sentence (…, units)."""
        return self.logits(self.merged(photo + sentence))

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> tuple[Any]:
        """Predict every next token at once, the true tokens before it given (teacher forcing).

        inputs: features (photos, 8, 8, 2048) or pooled (photos, 2048), any float type; tokens
        (photos, rows, steps) int32, from `<start>` on.
        Returns logits (photos, rows, steps, vocabulary_size).
        """
        features, tokens = inputs
        photo = self.photo(self.dropout(pool(features), training=training))
        embedded = self.dropout(self.embedding(tokens), training=training)
        photos, rows, steps = ops.shape(tokens)
        flat = ops.reshape(embedded, (photos * rows, steps, self.config.embedding))
        sentences = self.lstm(flat, training=training)
        sentences = ops.reshape(sentences, (photos, rows, steps, self.config.units))
        return (self.merge(photo[:, None, None], sentences),)


def pool(features: Any) -> Any:
    """Average the grid: (photos, 8, 8, 2048), or pooled before, to float32 (photos, 2048)."""
    features = ops.cast(features, "float32")
    return ops.mean(ops.reshape(features, (ops.shape(features)[0], -1, FEATURES)), axis=1)


def pool_photo(features: np.ndarray) -> np.ndarray:
    """Average one photo's grid without TensorFlow: (8, 8, 2048), or (2048,), to float32 (2048,)."""
    grid: np.ndarray = features.reshape(-1, FEATURES)
    return grid.mean(axis=0, dtype=np.float32)
