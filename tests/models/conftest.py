"""Small models for the tests: weights drawn by numpy, and models that follow a script."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from keras import ops

from models.attention_decoder import AttentionDecoder, DecoderConfig
from models.search import SearchConfig, beam_search
from models.vocabulary import END, PAD, SPECIALS, START, UNK

UNSAYABLE = (PAD, START, UNK)

TINY = DecoderConfig(
    vocabulary_size=12, embedding=6, projection=8, attention=5, units=7, dropout=0.5
)


def fill(variables, seed):
    """Give variables values that are large enough to matter and the same on every machine."""
    rng = np.random.default_rng(seed)
    for variable in sorted(variables, key=lambda variable: variable.path):
        width = variable.shape[0] if len(variable.shape) > 1 else 1 / 0.2**2
        variable.assign(rng.normal(0, 2 / np.sqrt(width), variable.shape))


def tiny_decoder(seed=0, config=TINY):
    """Make a decoder of a few hundred weights, drawn from a seed."""
    decoder = AttentionDecoder(config)
    fill(decoder.weights, seed)
    return decoder


def grids(photos, seed=0):
    """Draw features, different from photo to photo and from place to place."""

    def grid(photo):
        rng = np.random.default_rng([seed, photo])
        shown = rng.gamma(0.05, 10.0, 2048)  # what the photo shows, and below, where it shows it
        return shown * rng.gamma(0.3, 3.0, (8, 8, 2048))

    return np.stack([grid(photo) for photo in range(photos)]).astype(np.float32)


@pytest.fixture(scope="session")
def decoder():
    return tiny_decoder()


@dataclass(frozen=True)
class Script:
    """A model that is a table: each node has its logits, and tells where each token leads.

    logits: (nodes, words) float; moves: (nodes, words) int. The first tokens are the specials.
    """

    logits: np.ndarray
    moves: np.ndarray

    @classmethod
    def random(cls, seed, nodes=6, letters=4):
        """Draw a script that no rule can guess: what comes next depends on all that came before."""
        rng = np.random.default_rng(seed)
        shape = (nodes, len(SPECIALS) + letters)
        return cls(rng.normal(0, 2, shape), rng.integers(0, nodes, shape))

    @classmethod
    def tree(cls, letters, branches):
        """Write a script as {prefix: {letter: probability}}, "." for `<end>`."""
        nodes = {prefix: node for node, prefix in enumerate(branches)}
        words = (*SPECIALS[:END], ".", *SPECIALS[END + 1 :], *letters)
        logits = np.full((len(nodes), len(words)), -60.0)
        moves = np.zeros(logits.shape, int)
        for prefix, branch in branches.items():
            for letter, probability in branch.items():
                logits[nodes[prefix], words.index(letter)] = np.log(probability)
                moves[nodes[prefix], words.index(letter)] = nodes.get(prefix + letter, 0)
        return cls(logits, moves)

    @property
    def log_probs(self):
        """Log-probabilities of the next token (nodes, words)."""
        return self.logits - np.log(np.exp(self.logits).sum(axis=-1, keepdims=True))

    def price(self, tokens, node=0):
        """Sum by hand the log-probabilities of some tokens, up to `<end>`."""
        total = 0.0
        for token in tokens:
            total += self.log_probs[node, token]
            node = self.moves[node, token]
            if token == END:
                break
        return total

    def search(self, config, starts=(0,)):
        """Search from one node for each photo; give what `beam_search` gives, as arrays."""
        words = self.logits.shape[1]
        logits = ops.convert_to_tensor(self.logits.astype(np.float32))
        moves = ops.convert_to_tensor(self.moves.reshape(-1).astype(np.int32))

        def step(last, state, _):
            (node,) = state
            moved = ops.take(moves, node * words + last)
            node = ops.where(last == START, node, moved)
            return ops.take(logits, node, axis=0), (node,)

        nodes = ops.convert_to_tensor(np.array(starts, np.int32))
        found = beam_search(step, ((), (nodes,)), config, UNSAYABLE)
        return tuple(np.asarray(item) for item in found)

    def everything(self, max_length):
        """Every caption there can be, with its log-probability, padded to `max_length` + 1."""
        letters = range(len(SPECIALS), self.logits.shape[1])
        captions = {}
        for length in range(1, max_length + 1):
            for words in itertools.product(letters, repeat=length):
                padding = (PAD,) * (max_length - length)
                captions[(*words, END, *padding)] = self.price((*words, END))
        return captions


def spelled(tokens, letters):
    """Read tokens as letters, `<end>` as "."; padding is left out."""
    names = dict(enumerate(letters, len(SPECIALS))) | {END: ".", PAD: ""}
    return "".join(names.get(int(token), "?") for token in tokens)


def score(log_prob, tokens, config):
    """Rank captions as the search promises to: log-probability over length ** length_penalty."""
    return log_prob / np.count_nonzero(tokens) ** config.length_penalty


__all__ = ["TINY", "Script", "SearchConfig", "fill", "grids", "score", "spelled", "tiny_decoder"]
