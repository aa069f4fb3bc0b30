"""Beam search and sampling over any step function, for many photos at once, in one compiled graph.

The model is hidden behind a step: last tokens and state in, logits and next state out. Greedy
search is beam search with one beam.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import keras
from keras import ops

from models.sayable import NEVER, only, sayable
from models.vocabulary import END, PAD, START

Step = Callable[[Any, tuple[Any, ...], tuple[Any, ...]], tuple[Any, tuple[Any, ...]]]
"""Takes one step for all beams, as `Decoder.next_words` does."""

SLOTS = 32  # photos that are searched for at once
IMPOSSIBLE = NEVER / 2  # below it is no caption: there were fewer of them than beams


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

    @property
    def no_repeat(self) -> tuple[int, int]:
        """What may not come twice: n-grams of so many words, a word within so many."""
        return self.no_repeat_ngram, self.no_repeat_within

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


class _Beams(NamedTuple):
    """The beams of those photos that are at work, each in a slot of its own."""

    photo: Any  # (slots,) int32: which one; the number of all photos where the slot is empty
    position: Any  # (slots,) int32: words so far
    last: Any  # (slots, beams) int32: the last of them
    done: Any  # (slots, beams) bool
    log_probs: Any  # (slots, beams) float32
    tokens: Any  # (slots, beams, max_length + 1) int32
    state: tuple[Any, ...]  # (slots, beams, …) each


def beam_search(
    step: Step,
    photos: tuple[tuple[Any, ...], tuple[Any, ...]],
    config: SearchConfig,
    unsayable: Sequence[int],
    count: Any = None,
) -> tuple[Any, Any]:
    """Find the likeliest captions of each photo.

    photos: what every step looks at and the first state, as a decoder begins them, tuples of arrays
    (photos, …); count: how many of these are photos, the others are searched for nothing.
    A finished beam stays as it is and keeps its place while its score is among the best; scores
    are log-probability over length ** length_penalty (`<end>` counts). The `unsayable` ids are
    never chosen, nothing comes twice that `config` forbids to, and a caption that reaches
    `max_length` words ends there. SLOTS photos are at work at once: where the captions of one have
    all come to their end, the next photo has its slot, so that none waits for the longest.
    Returns tokens (photos, beams, max_length + 1) int32, best first, `<pad>` after `<end>`; and
    log-probabilities (photos, beams) float32.
    """
    seen, first = photos
    number = int(first[0].shape[0])
    count = number if count is None else count
    slots = min(SLOTS, number)

    def start(photo: Any) -> _Beams:
        return _start(ops.where(photo < count, photo, number), _of(first, photo), config)

    def advance(waiting: Any, beams: _Beams, tokens: Any, log_probs: Any) -> Any:
        beams = _advance(step, _of(seen, beams.photo), beams, config, unsayable)
        # Of fewer captions than beams the impossible ones never end: see IMPOSSIBLE.
        over = ops.all(beams.done, axis=-1) | (beams.position > config.max_length)
        place = ops.where(over, beams.photo, number)[:, None]  # of what is not over: the last row
        tokens = ops.scatter_update(tokens, place, beams.tokens)
        log_probs = ops.scatter_update(log_probs, place, beams.log_probs)
        ended = ops.cast(over, "int32")
        fresh = start(waiting + ops.cumsum(ended) - ended)
        return waiting + ops.sum(ended), _where(over, fresh, beams), tokens, log_probs

    def unfinished(waiting: Any, beams: _Beams, *found: Any) -> Any:  # noqa: ARG001 - the loop's
        return ops.any(beams.photo < number)

    beams = start(ops.arange(slots, dtype="int32"))
    found = _nothing_yet(number + 1, config)
    waiting = ops.convert_to_tensor(slots, "int32")
    end = ops.while_loop(unfinished, advance, (waiting, beams, *found))
    return end[2][:number], end[3][:number]


def _start(photo: Any, first: tuple[Any, ...], config: SearchConfig) -> _Beams:
    """Begin the captions of photos. All beams start alike, so only the first may be continued."""
    slots, beams = int(photo.shape[0]), config.num_beams
    tokens, never = _nothing_yet(slots, config)
    return _Beams(
        photo,
        ops.zeros((slots,), "int32"),
        ops.full((slots, beams), START, "int32"),
        ops.zeros((slots, beams), "bool"),
        ops.where(ops.arange(beams) == 0, 0.0, never),
        tokens,
        tuple(ops.repeat(ops.expand_dims(item, 1), beams, axis=1) for item in first),
    )


def _nothing_yet(photos: int, config: SearchConfig) -> tuple[Any, Any]:
    """Give the tokens and the log-probabilities of captions that nothing is known of."""
    shape = (photos, config.num_beams)
    tokens = ops.full((*shape, config.max_length + 1), PAD, "int32")
    return tokens, ops.full(shape, NEVER, "float32")


def _advance(
    step: Step, seen: tuple[Any, ...], beams: _Beams, config: SearchConfig, unsayable: Sequence[int]
) -> _Beams:
    """Say one word more."""
    logits, after = step(beams.last, beams.state, seen)
    slots, _, vocabulary = logits.shape
    words = sayable(logits, beams.tokens, beams.position, config.no_repeat, unsayable)
    words = ops.where(ops.expand_dims(beams.done, -1), only(PAD, ops.zeros_like(words)), words)
    totals = ops.expand_dims(beams.log_probs, -1) + words
    lengths = ops.sum(ops.cast(beams.tokens != PAD, "float32"), -1)
    lengths = lengths + ops.cast(~beams.done, "float32")
    scores = totals / ops.expand_dims(lengths, -1) ** config.length_penalty
    _, best = ops.top_k(ops.reshape(scores, (slots, -1)), config.num_beams)
    parent, word = best // vocabulary, ops.cast(best % vocabulary, "int32")
    done = ops.logical_or(_follow(beams.done, parent), word == END)
    return _Beams(
        beams.photo,
        beams.position + 1,
        word,
        done,
        ops.take_along_axis(ops.reshape(totals, (slots, -1)), best, 1),
        _put(_follow(beams.tokens, parent), word, beams.position),
        tuple(_follow(item, parent) for item in after),
    )


def sample(
    step: Step,
    photos: tuple[tuple[Any, ...], tuple[Any, ...]],
    draws: Any,
    config: SearchConfig,
    unsayable: Sequence[int],
) -> tuple[Any, Any]:
    """Draw one caption a photo, word by word, as the TensorFlow tutorial decodes.

    photos: as in `beam_search`; draws: (photos, max_length + 1) in [0, 1), one a word: the same
    numbers give the same caption. What may not be said is as in `beam_search`.
    Returns tokens (photos, 1, max_length + 1) and their log-probabilities (photos, 1), both at
    temperature 1, as in `beam_search`.
    """
    seen, first = photos
    one = replace(config, num_beams=1)

    def advance(beams: _Beams) -> tuple[_Beams]:
        logits, after = step(beams.last, beams.state, seen)
        words = sayable(logits, beams.tokens, beams.position, config.no_repeat, unsayable)
        chosen = ops.softmax(words / config.temperature, axis=-1)
        reached = ops.cumsum(chosen, axis=-1)
        draw = ops.take(draws, beams.position[0], axis=1)[:, None, None] * reached[..., -1:]
        word = ops.cast(ops.argmax(reached > draw, axis=-1), "int32")
        word = ops.where(beams.done, PAD, word)
        gained = ops.take_along_axis(words, ops.expand_dims(word, -1), -1)[..., 0]
        return (
            _Beams(
                beams.photo,
                beams.position + 1,
                word,
                ops.logical_or(beams.done, word == END),
                beams.log_probs + ops.where(beams.done, 0.0, gained),
                _put(beams.tokens, word, beams.position),
                after,
            ),
        )

    def unfinished(beams: _Beams) -> Any:
        return ops.logical_not(ops.all(beams.done))

    begun = _start(ops.arange(draws.shape[0], dtype="int32"), first, one)
    (end,) = ops.while_loop(unfinished, advance, (begun,), maximum_iterations=draws.shape[1])
    return end.tokens, end.log_probs


def _put(tokens: Any, word: Any, position: Any) -> Any:
    """Write each beam's word at its photo's position."""
    here = ops.arange(tokens.shape[-1]) == position[:, None, None]
    return ops.where(here, ops.expand_dims(word, -1), tokens)


def _of(arrays: tuple[Any, ...], photo: Any) -> tuple[Any, ...]:
    """Take the rows of photos; of those that there are not, any."""
    return tuple(ops.take(item, ops.minimum(photo, item.shape[0] - 1), axis=0) for item in arrays)


def _where(over: Any, fresh: _Beams, beams: _Beams) -> _Beams:
    """Take the slots that are over from `fresh`, the others from `beams`."""

    def either(new: Any, old: Any) -> Any:
        return ops.where(ops.reshape(over, (-1, *[1] * (len(old.shape) - 1))), new, old)

    *arrays, state = zip(fresh, beams, strict=True)
    states = tuple(either(new, old) for new, old in zip(*state, strict=True))
    return _Beams._make([*(either(new, old) for new, old in arrays), states])


def _follow(item: Any, parent: Any) -> Any:
    """Reorder (photos, beams, …) so that each new beam carries on its parent's."""
    index = ops.reshape(parent, (*parent.shape, *[1] * (len(item.shape) - 2)))
    return ops.take_along_axis(item, index, 1)


def by_xla() -> bool:
    """Tell whether XLA is to compile a search though Keras would not have it do so.

    A third faster on processors, after two seconds. On GPUs Keras asks it anyway; PyTorch has none.
    """
    return keras.backend.backend() != "torch" and not keras.distribution.list_devices("gpu")


class CaptionSearch(keras.Model):
    """A decoder and a search as one Keras model, compiled for the device by `predict_on_batch`.

    Features (photos, 8, 8, 2048) in, the number of photos is fixed by the first call; where there
    is a temperature a pair of them and the draws (photos, max_length + 1) for `sample`; else, where
    a batch was filled up, a pair of them and bool (photos,), true for those in front that are
    photos. Out come tokens and log-probabilities as `beam_search` and `sample` return them.
    """

    def __init__(self, decoder: Decoder, config: SearchConfig, unsayable: Sequence[int]) -> None:
        super().__init__(name="search")
        self.decoder = decoder
        self.config = config
        self.unsayable = tuple(unsayable)
        self.compile(jit_compile=True if by_xla() else "auto")

    def call(self, inputs: Any) -> tuple[Any, Any]:
        """Caption a batch of photos."""
        features, more = inputs if isinstance(inputs, (tuple, list)) else (inputs, None)
        photos, step = self.decoder.begin(features), self.decoder.next_words
        if self.config.temperature:
            return sample(step, photos, more, self.config, self.unsayable)
        count = None if more is None else ops.sum(ops.cast(more, "int32"))
        return beam_search(step, photos, self.config, self.unsayable, count)
