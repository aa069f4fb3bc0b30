"""Self-critical training: the captioner's own captions, made likelier the better they score.

Rennie et al. 2017, "Self-critical sequence training for image captioning". Several captions of each
photo are drawn; what each scores above the mean of the others (Luo 2020, "A better variant of
self-critical sequence training") weighs its cross-entropy. The score is CIDEr-D against what people
wrote, `<end>` counted as a word, or captions would learn to break off after "with a".
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.metrics import Consensus
from models.search import CaptionSearch, Decoder, SearchConfig
from models.vocabulary import PAD, START

BESIDE: Final = 2  # of a photo's captions by people; all of them would take twice the time


class SelfCritic:
    """Draws captions of photos and weighs them, to be learnt from like captions of people.

    corpus: by photo, its captions' tokens (captions, steps), `<start>` first.
    `share` of the loss is self-critical, the rest stays cross-entropy on what people wrote.
    """

    def __init__(
        self,
        decoder: Decoder,
        corpus: Sequence[np.ndarray],
        unsayable: Sequence[int],
        *,
        share: float,
        samples: int,
    ) -> None:
        length = corpus[0].shape[-1] - 1
        self._draws = (samples, length)
        search = SearchConfig(max_length=length - 1, no_repeat_ngram=0, temperature=1.0)
        self._search = CaptionSearch(decoder, search, unsayable)
        self._consensus = Consensus([_sentences(tokens[:, 1:]) for tokens in corpus])
        self._share = share
        self.reward = 0.0  # the mean CIDEr-D of the last batch of drawn captions, times 100

    def criticise(
        self,
        inputs: tuple[np.ndarray, np.ndarray],
        targets: np.ndarray,
        random: np.random.Generator,
    ) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
        """Put drawn captions behind some of people: inputs, targets, and weights of all of them.

        inputs: features (photos, 8, 8, 2048), tokens (photos, captions, steps) int32; targets:
        the tokens one step on. All captions are scored against, the first `BESIDE` are learnt from:
        what comes back has so many and the drawn ones, and their weights (photos, captions).
        """
        features, tokens = inputs
        draws = random.random((len(features), *self._draws), np.float32)
        drawn = np.asarray(self._search.predict_on_batch((features.astype(np.float32), draws))[0])
        advantages = self._advantages(drawn, targets)
        before = np.insert(drawn[..., :-1], 0, START, axis=-1)
        tokens, targets = tokens[:, :BESIDE], targets[:, :BESIDE]
        theirs = np.full(targets.shape[:2], 1 - self._share)
        weights = np.concatenate([theirs, self._share * advantages], 1, dtype=np.float32)
        inputs = features, np.concatenate([tokens, before], axis=1)
        return inputs, np.concatenate([targets, drawn], axis=1), weights

    def _advantages(self, drawn: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Tell how much better each caption scores than the others drawn of its photo."""
        scores = np.array(
            [
                [self._consensus.score(sentence, references) for sentence in _sentences(captions)]
                for captions, references in zip(drawn, map(_sentences, targets), strict=True)
            ]
        )
        self.reward = 100 * float(scores.mean())
        others = (scores.sum(1, keepdims=True) - scores) / max(1, scores.shape[1] - 1)
        advantages: np.ndarray = scores - others
        return advantages


def _sentences(captions: np.ndarray) -> list[list[int]]:
    """Give each caption's tokens up to `<end>`, which counts, without the padding."""
    return [[token for token in caption if token != PAD] for caption in captions.tolist()]
