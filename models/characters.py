"""Scores by characters, for languages whose words are hard to split: BLEU and chrF of sacreBLEU."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from models.errors import MissingExtraError


def character_scores(
    candidates: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Score captions by their characters, times 100: BLEU-4 (`char-BLEU`) and chrF.

    Papineni et al. 2002; Popović 2015, "chrF: character n-gram F-score". Photos may have different
    numbers of references. Raises MissingExtraError without sacrebleu.
    """
    sacrebleu = _sacrebleu()
    texts = list(candidates.values())
    # One list a rank: the first reference of each photo, the second, …; None where there is none.
    ranks = [list(rank) for rank in zip_longest(*(references[photo] for photo in candidates))]
    return {
        "char-BLEU": sacrebleu.BLEU(tokenize="char").corpus_score(texts, ranks).score,
        "chrF": sacrebleu.CHRF().corpus_score(texts, ranks).score,
    }


def _sacrebleu() -> Any:
    try:
        import sacrebleu
    except ImportError as error:
        raise MissingExtraError("scores by characters", "sacrebleu", "make korean") from error
    return sacrebleu
