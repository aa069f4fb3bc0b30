"""Beam search and sampling over any step function, for many photos at once, in one compiled graph.

The model is hidden behind a step: last tokens and state in, logits and next state out. Greedy
search is beam search with one beam.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from models.vocabulary import END, PAD, START

Step = Callable[[Any, Any], tuple[Any, Any]]
"""tokens (photos, beams) int32, state (photos, beams, …) -> logits (…, words), next state."""

_NEVER = -1e9  # a log-probability that no sum of real ones reaches
IMPOSSIBLE = _NEVER / 2  # below it is no caption: there were fewer of them than beams


@dataclass(frozen=True)
class SearchConfig:
    """How captions are searched for; `length_penalty` 0 compares sums, 1 means per token.

    With a `temperature` above 0 words are drawn at random, as probable as the captioner holds them
    at 1, bolder above, the same at each run with the same `seed`; `num_beams` means nothing then.
    No word comes twice within `no_repeat_within` words: of 2 no "hat hat" and no "hat and hat".
    """

    num_beams: int = 4
    max_length: int = 20
    length_penalty: float = 0.7
    no_repeat_ngram: int = 2
    no_repeat_within: int = 0
    temperature: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.num_beams, self.max_length) < 1:
            raise ValueError("num_beams and max_length are at least 1")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError("temperature is 0 or more")

    def __str__(self) -> str:
        limits = f"max_length={self.max_length}"
        repeats = f"no_repeat_ngram={self.no_repeat_ngram}"
        if self.no_repeat_within:
            repeats += f" no_repeat_within={self.no_repeat_within}"
        if self.temperature:
            return f"temperature={self.temperature:g} seed={self.seed} {limits} {repeats}"
        penalty = f"length_penalty={self.length_penalty:g}"
        return f"beams={self.num_beams} {limits} {penalty} {repeats}"


class Decoder(Protocol):
    """What search and captioner ask of a decoder.

    `begin` does a photo's own part of the work once: features (photos, 8, 8, 2048) to what every
    step looks at, and the first state, tuples of arrays (photos, …). `next_words` takes one step:
    tokens (photos, rows) and the state of each row, to logits (photos, rows, words) and the next
    state.
    """

    def begin(self, features: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Start captioning photos."""

    def next_words(
        self, tokens: Any, state: tuple[Any, ...], seen: tuple[Any, ...]
    ) -> tuple[Any, tuple[Any, ...]]:
        """Take one step for all rows."""


def beam_search(
    step: Step, state: Any, photos: Any, config: SearchConfig, unsayable: Sequence[int]
) -> tuple[Any, Any]:
    """Find the likeliest captions of each photo.

    state: arrays (photos, beams, …), the same for all beams of a photo; photos: their number.
    A finished beam stays as it is and keeps its place while its score is among the best; scores
    are log-probability over length ** length_penalty (`<end>` counts). The `unsayable` ids are
    never chosen, nothing comes twice that `config` forbids to, and a caption that reaches
    `max_length` words ends there.
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

    def advance(
        position: Any, last: Any, done: Any, log_probs: Any, tokens: Any, *state: Any
    ) -> Any:
        logits, after = step(last, state)
        words = _allowed(logits, tokens, position, config, unsayable)
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
    end = ops.while_loop(_unfinished, advance, loop, maximum_iterations=length)
    return end[4], end[3]


def sample(
    step: Step, state: Any, draws: Any, config: SearchConfig, unsayable: Sequence[int]
) -> tuple[Any, Any]:
    """Draw one caption a photo, word by word, as the TensorFlow tutorial decodes.

    state: arrays (photos, 1, …); draws: (photos, max_length + 1) in [0, 1), one a word: the same
    numbers give the same caption. What may not be said is as in `beam_search`.
    Returns tokens (photos, 1, max_length + 1) and their log-probabilities (photos, 1), both at
    temperature 1, as in `beam_search`.
    """
    photos, length = draws.shape[0], config.max_length + 1
    tokens = ops.full((photos, 1, length), PAD, "int32")
    loop = (
        ops.zeros((), "int32"),
        ops.full((photos, 1), START, "int32"),
        ops.zeros((photos, 1), "bool"),
        ops.zeros((photos, 1), "float32"),
        tokens,
    )

    def advance(
        position: Any, last: Any, done: Any, log_probs: Any, tokens: Any, *state: Any
    ) -> Any:
        logits, after = step(last, state)
        words = _allowed(logits, tokens, position, config, unsayable)
        chosen = ops.softmax(words / config.temperature, axis=-1)
        reached = ops.cumsum(chosen, axis=-1)
        draw = ops.take(draws, position, axis=1)[:, None, None] * reached[..., -1:]
        word = ops.cast(ops.argmax(reached > draw, axis=-1), "int32")
        word = ops.where(done, PAD, word)
        gained = ops.take_along_axis(words, ops.expand_dims(word, -1), -1)[..., 0]
        log_probs = log_probs + ops.where(done, 0.0, gained)
        here = ops.arange(length) == position
        tokens = ops.where(here, ops.expand_dims(word, -1), tokens)
        done = ops.logical_or(done, word == END)
        return (position + 1, word, done, log_probs, tokens, *after)

    end = ops.while_loop(_unfinished, advance, (*loop, *state), maximum_iterations=length)
    return end[4], end[3]


def _unfinished(*loop: Any) -> Any:
    """Tell from the state of either loop whether a caption has not come to its end."""
    return ops.logical_not(ops.all(loop[2]))


def _only(token: int, words: Any) -> Any:
    """Log-probabilities that leave one token, certain."""
    return ops.where(ops.arange(words.shape[-1]) == token, 0.0, _NEVER)


def _follow(item: Any, parent: Any) -> Any:
    """Reorder (photos, beams, …) so that each new beam carries on its parent's."""
    index = ops.reshape(parent, (*parent.shape, *[1] * (len(item.shape) - 2)))
    return ops.take_along_axis(item, index, 1)


def _allowed(
    logits: Any, tokens: Any, position: Any, config: SearchConfig, unsayable: Sequence[int]
) -> Any:
    """Log-probabilities with what may not be said, or not said now, struck out."""
    words = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    token_ids = ops.arange(words.shape[-1])
    never = ops.any(ops.expand_dims(token_ids, -1) == np.array(unsayable, "int32"), axis=-1)
    empty = (position == 0) & (token_ids == END)
    words = ops.where(never | empty, _NEVER, words)
    if 0 < config.no_repeat_ngram <= config.max_length:  # a longer one cannot come twice
        words = ops.where(_repeats(tokens, position, words.shape[-1], config), _NEVER, words)
    for back in range(1, config.no_repeat_within + 1):
        words = ops.where(token_ids == _word_before(tokens, position, back), _NEVER, words)
    return ops.where(position == config.max_length, _keep_end(words), words)


def _word_before(tokens: Any, position: Any, back: int) -> Any:
    """Give each beam's word so many words before a position, `<pad>` before the first."""
    word = ops.take(tokens, ops.maximum(position - back, 0), axis=-1)
    return ops.expand_dims(ops.where(position >= back, word, PAD), -1)


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

    Features (photos, 8, 8, 2048) in, or where there is a temperature a pair of them and the draws
    (photos, max_length + 1) for `sample`; the number of photos is fixed by the first call. Out come
    tokens and log-probabilities as `beam_search` and `sample` return them.
    """

    def __init__(self, decoder: Decoder, config: SearchConfig, unsayable: Sequence[int]) -> None:
        super().__init__(name="search")
        self.decoder = decoder
        self.config = config
        self.unsayable = tuple(unsayable)

    def call(self, inputs: Any) -> tuple[Any, Any]:
        """Caption a batch of photos."""
        features, draws = inputs if self.config.temperature else (inputs, None)
        seen, first = self.decoder.begin(features)
        rows = 1 if self.config.temperature else self.config.num_beams
        state = tuple(ops.repeat(ops.expand_dims(item, 1), rows, axis=1) for item in first)

        def step(tokens: Any, state: Any) -> tuple[Any, tuple[Any, ...]]:
            return self.decoder.next_words(tokens, state, seen)

        if self.config.temperature:
            return sample(step, state, draws, self.config, self.unsayable)
        return beam_search(step, state, features.shape[0], self.config, self.unsayable)
