"""Self-critical training: the captioner's own captions, made likelier the better they score.

Rennie et al. 2017, "Self-critical sequence training for image captioning", on the beams of a search
instead of random draws, as in Cornia et al. 2020, "Meshed-memory transformer for image captioning":
what a beam scores above the mean of the others of its photo weighs its cross-entropy. The score is
CIDEr-D against what people wrote, `<end>` counted as a word, or captions would learn to break off
after "with a".
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.metrics import Consensus
from models.search import IMPOSSIBLE, CaptionSearch, Decoder, SearchConfig
from models.vocabulary import PAD, START

BESIDE: Final = 2  # of a photo's captions by people; all of them would take twice the time


class SelfCritic:
    """Captions photos and weighs the captions, to be learnt from like captions of people.

    corpus: by photo, its captions' tokens (captions, steps), `<start>` first.
    `share` of the loss is self-critical, the rest stays cross-entropy on what people wrote.
    """

    def __init__(
        self,
        decoder: Decoder,
        corpus: Sequence[np.ndarray],
        search: SearchConfig,
        unsayable: Sequence[int],
        *,
        share: float,
    ) -> None:
        self._search = CaptionSearch(decoder, search, unsayable)
        self._consensus = Consensus([_sentences(tokens[:, 1:]) for tokens in corpus])
        self._share = share
        self.reward = 0.0  # the mean CIDEr-D of the last batch of beams, times 100

    def criticise(
        self, inputs: tuple[np.ndarray, np.ndarray], targets: np.ndarray
    ) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
        """Put beams behind some captions of people: inputs, targets, and weights of all of them.

        inputs: features (photos, 8, 8, 2048), tokens (photos, captions, steps) int32; targets:
        the tokens one step on. All captions are scored against, the first `BESIDE` are learnt from:
        what comes back has so many and the beams, and their weights (photos, captions).
        """
        features, tokens = inputs
        found = self._search.predict_on_batch(features.astype(np.float32))
        beams, log_probs = map(np.asarray, found)
        advantages = np.where(log_probs > IMPOSSIBLE, self._advantages(beams, targets), 0.0)
        before = np.insert(beams[..., :-1], 0, START, axis=-1)
        tokens, targets = tokens[:, :BESIDE], targets[:, :BESIDE]
        theirs = np.full(targets.shape[:2], 1 - self._share)
        weights = np.concatenate([theirs, self._share * advantages], 1, dtype=np.float32)
        inputs = features, np.concatenate([tokens, before], axis=1)
        return inputs, np.concatenate([targets, beams], axis=1), weights

    def _advantages(self, beams: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Tell how much better each beam scores than the others of its photo."""
        scores = np.array(
            [
                [self._consensus.score(sentence, references) for sentence in _sentences(captions)]
                for captions, references in zip(beams, map(_sentences, targets), strict=True)
            ]
        )
        self.reward = 100 * float(scores.mean())
        others = (scores.sum(1, keepdims=True) - scores) / (scores.shape[1] - 1)
        advantages: np.ndarray = scores - others
        return advantages


def _sentences(captions: np.ndarray) -> list[list[int]]:
    """Give each caption's tokens up to `<end>`, which counts, without the padding."""
    return [[token for token in caption if token != PAD] for caption in captions.tolist()]
