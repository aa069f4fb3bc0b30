"""Beam search over any step function, for many photos at once, in one compiled graph.

The model is hidden behind a step: last tokens and state in, log-probabilities and next state out.
Greedy search is beam search with one beam.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from models.vocabulary import END, PAD, START, UNK

Step = Callable[[Any, Any], tuple[Any, Any]]
"""tokens (photos, beams) int32, state (photos, beams, …) -> logits (…, words), next state."""

_NEVER = -1e9  # a log-probability that no sum of real ones reaches
IMPOSSIBLE = _NEVER / 2  # below it is no caption: there were fewer of them than beams


@dataclass(frozen=True)
class SearchConfig:
    """How captions are searched for; `length_penalty` 0 compares sums, 1 means per token."""

    num_beams: int = 4
    max_length: int = 20
    length_penalty: float = 0.7
    no_repeat_ngram: int = 2

    def __post_init__(self) -> None:
        if min(self.num_beams, self.max_length) < 1:
            raise ValueError("num_beams and max_length are at least 1")

    def __str__(self) -> str:
        return (
            f"beams={self.num_beams} max_length={self.max_length} "
            f"length_penalty={self.length_penalty:g} no_repeat_ngram={self.no_repeat_ngram}"
        )


def beam_search(step: Step, state: Any, photos: Any, config: SearchConfig) -> tuple[Any, Any]:
    """Find the likeliest captions of each photo.

    state: arrays (photos, beams, …), the same for all beams of a photo; photos: their number.
    A finished beam stays as it is and keeps its place while its score is among the best; scores
    are log-probability over length ** length_penalty (`<end>` counts). `<pad>`, `<start>` and
    `<unk>` are never chosen, no n-gram of `no_repeat_ngram` words comes twice, and a caption that
    reaches `max_length` words ends there.
    Returns tokens (photos, beams, max_length + 1) int32, best first, `<pad>` after `<end>`; and
    log-probabilities (photos, beams) float32.
    """
    beams, length = config.num_beams, config.max_length + 1
    tokens = ops.full((photos, beams, length), PAD, "int32")
    # All beams start alike: only the first may be continued, or the search would hold copies.
    log_probs = ops.where(ops.arange(beams) == 0, 0.0, _NEVER)
    log_probs = ops.broadcast_to(ops.cast(log_probs, "float32"), (photos, beams))
    last = ops.full((photos, beams), START, "int32")
    done = ops.zeros((photos, beams), "bool")

    def unfinished(*loop: Any) -> Any:
        return ops.logical_not(ops.all(loop[2]))

    def advance(
        position: Any, last: Any, done: Any, log_probs: Any, tokens: Any, *state: Any
    ) -> Any:
        logits, after = step(last, state)
        words = _allowed(logits, tokens, position, config)
        words = ops.where(ops.expand_dims(done, -1), _only(PAD, words), words)
        totals = ops.expand_dims(log_probs, -1) + words
        lengths = ops.sum(ops.cast(tokens != PAD, "float32"), -1) + ops.cast(~done, "float32")
        scores = totals / ops.expand_dims(lengths, -1) ** config.length_penalty
        vocabulary = logits.shape[-1]
        _, best = ops.top_k(ops.reshape(scores, (photos, beams * vocabulary)), beams)
        log_probs = ops.take_along_axis(ops.reshape(totals, (photos, -1)), best, 1)
        parent, word = best // vocabulary, ops.cast(best % vocabulary, "int32")
        tokens, done = _follow(tokens, parent), _follow(done, parent)
        here = ops.arange(length) == position
        tokens = ops.where(here, ops.expand_dims(word, -1), tokens)
        done = ops.logical_or(done, word == END)
        return (
            position + 1,
            word,
            done,
            log_probs,
            tokens,
            *(_follow(item, parent) for item in after),
        )

    loop = (ops.zeros((), "int32"), last, done, log_probs, tokens, *state)
    end = ops.while_loop(unfinished, advance, loop, maximum_iterations=length)
    return end[4], end[3]


def _only(token: int, words: Any) -> Any:
    """Log-probabilities that leave one token, certain."""
    return ops.where(ops.arange(words.shape[-1]) == token, 0.0, _NEVER)


def _follow(item: Any, parent: Any) -> Any:
    """Reorder (photos, beams, …) so that each new beam carries on its parent's."""
    index = ops.reshape(parent, (*parent.shape, *[1] * (len(item.shape) - 2)))
    return ops.take_along_axis(item, index, 1)


def _allowed(logits: Any, tokens: Any, position: Any, config: SearchConfig) -> Any:
    """Log-probabilities with what may not be said, or not said now, struck out."""
    words = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    token_ids = ops.arange(words.shape[-1])
    never = (token_ids == PAD) | (token_ids == START) | (token_ids == UNK)
    empty = (position == 0) & (token_ids == END)
    words = ops.where(never | empty, _NEVER, words)
    if 0 < config.no_repeat_ngram <= config.max_length:  # a longer one cannot come twice
        words = ops.where(_repeats(tokens, position, words.shape[-1], config), _NEVER, words)
    return ops.where(position == config.max_length, _keep_end(words), words)


def _keep_end(words: Any) -> Any:
    """At the last position only `<end>` is left, at the price that the model puts on it."""
    return ops.where(ops.arange(words.shape[-1]) == END, words, _NEVER)


def _repeats(tokens: Any, position: Any, vocabulary: int, config: SearchConfig) -> Any:
    """Tell which words would complete an n-gram that a beam holds: (photos, beams, words)."""
    size = config.no_repeat_ngram
    length = tokens.shape[-1]
    places = ops.arange(length - size + 1)
    matches = places + size - 1 < position  # the n-gram that begins here is written
    for offset in range(size - 1):
        here = ops.take(tokens, places + offset, axis=-1)
        prefix = ops.take(tokens, ops.maximum(position - size + 1 + offset, 0), axis=-1)
        matches = matches & (here == ops.expand_dims(prefix, -1))
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


class CaptionSearch(keras.Model):
    """A decoder and a search as one Keras model, compiled for the device by `predict_on_batch`.

    Features (photos, 8, 8, 2048) in, the number of photos fixed by the first call; out come what
    `beam_search` returns.
    """

    def __init__(self, decoder: Any, config: SearchConfig) -> None:
        super().__init__(name="search")
        self.decoder = decoder
        self.config = config

    def call(self, features: Any) -> tuple[Any, Any]:
        """Search for the captions of a batch of photos."""
        locations, keys, first = self.decoder.look(features)
        state = ops.repeat(ops.expand_dims(first, 1), self.config.num_beams, axis=1)

        def step(tokens: Any, state: Any) -> tuple[Any, tuple[Any]]:
            embedded = self.decoder.embedding(tokens)
            after, context, _ = self.decoder.step(embedded, state[0], locations, keys)
            return self.decoder.predict_words(after, context, embedded), (after,)

        return beam_search(step, (state,), features.shape[0], self.config)
