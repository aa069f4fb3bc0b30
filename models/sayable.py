"""What a search may say next: nothing unsayable, nothing twice that it is told not to repeat."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from models.vocabulary import END, PAD

NEVER = -1e9  # a log-probability that no sum of real ones reaches


def sayable(
    logits: Any,
    tokens: Any,
    position: Any,
    no_repeat: tuple[int, int],
    unsayable: Sequence[int],
) -> Any:
    """Give log-probabilities with what may not be said, or not said now, struck out.

    logits: (photos, beams, words); tokens: what each beam has said (photos, beams, length);
    position: how many words that are (photos,) int32, of which `length` is one more than the most;
    no_repeat: the n of n-grams, and the distance in words, within which nothing comes twice.
    """
    words = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    token_ids = ops.arange(words.shape[-1])
    position = position[:, None, None]
    never = np.isin(np.arange(words.shape[-1]), unsayable)
    words = ops.where(never | ((position == 0) & (token_ids == END)), NEVER, words)
    size, within = no_repeat
    if 0 < size < tokens.shape[-1]:  # a longer one cannot come twice
        words = ops.where(_repeats(tokens, position, words.shape[-1], size), NEVER, words)
    for back in range(1, within + 1):
        words = ops.where(token_ids == _word_before(tokens, position, back), NEVER, words)
    return ops.where(position == tokens.shape[-1] - 1, only(END, words), words)


def only(token: int, words: Any) -> Any:
    """Strike out all words but one, which is left at its price."""
    return ops.where(ops.arange(words.shape[-1]) == token, words, NEVER)


def _word_before(tokens: Any, position: Any, back: int) -> Any:
    """Give each beam's word so many words before a position, `<pad>` before the first."""
    return ops.where(position >= back, _word_at(tokens, position - back), PAD)


def _word_at(tokens: Any, position: Any) -> Any:
    """Give each beam's word (photos, beams, 1) at its photo's position, or the first."""
    index = ops.broadcast_to(ops.maximum(position, 0), (*tokens.shape[:2], 1))
    return ops.take_along_axis(tokens, index, axis=-1)


def _repeats(tokens: Any, position: Any, vocabulary: int, size: int) -> Any:
    """Tell which words would complete an n-gram that a beam holds: (photos, beams, words)."""
    length = tokens.shape[-1]
    places = ops.arange(length - size + 1)
    matches = places + size - 1 < position  # the n-gram that begins here is written
    for offset in range(size - 1):
        here = ops.take(tokens, places + offset, axis=-1)
        matches = matches & (here == _word_at(tokens, position - size + 1 + offset))
    matches = ops.broadcast_to(matches, (*tokens.shape[:2], length - size + 1))
    completes = ops.take(tokens, places + size - 1, axis=-1)
    counts = ops.scatter(
        _with_rows(completes),
        ops.reshape(ops.cast(matches, "int32"), (-1,)),
        (tokens.shape[0] * tokens.shape[1], vocabulary),
    )
    return ops.reshape(counts > 0, (*tokens.shape[:2], vocabulary))


def _with_rows(columns: Any) -> Any:
    """Make scatter indices (rows * n, 2) out of columns (photos, beams, n)."""
    flat = ops.reshape(columns, (-1, columns.shape[-1]))
    rows = ops.broadcast_to(ops.expand_dims(ops.arange(flat.shape[0]), -1), flat.shape)
    return ops.stack([ops.reshape(rows, (-1,)), ops.reshape(flat, (-1,))], axis=-1)
