"""How close captions are to what people wrote: BLEU, ROUGE-L and CIDEr-D.

The numbers are those of pycocoevalcap, which papers on captioning report, to its smallest habits;
a comment marks each habit that the papers don't have. Scores depend on how words are split:
`models.tokens.TOKENIZER` names the way used here; Korean is split into morphemes.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import accumulate, chain
from operator import mul
from statistics import fmean
from typing import Any, Final

from models.morphemes import morphemes, morphemes_name
from models.tokens import TOKENIZER, tokenize

MAX_N: Final = 4  # BLEU and CIDEr count runs of one to four words
ROUGE_BETA: Final = 1.2  # recall weighs this much more than precision
CIDER_SIGMA: Final = 6.0  # words: a caption so much too long or short keeps 61% of its score

Candidates = Mapping[str, str]  # photo to caption
References = Mapping[str, Sequence[str]]  # photo to what people wrote of it
Ngram = tuple[Any, ...]


@dataclass(frozen=True)
class Scores:
    """Scores of a set of captions, as fractions: 0.22, not 22. CIDEr alone goes beyond 1, to 10."""

    bleu: tuple[float, ...]  # BLEU-1 to BLEU-4
    rouge_l: float
    cider: float
    cider_by_photo: Mapping[str, float] = field(repr=False)

    def as_dict(self) -> dict[str, float]:
        """Return the scores of the whole set under their usual names, times 100 as papers do."""
        scores = {f"BLEU-{n}": bleu for n, bleu in enumerate(self.bleu, start=1)}
        scores |= {"ROUGE-L": self.rouge_l, "CIDEr": self.cider}
        return {name: 100 * score for name, score in scores.items()}


@dataclass(frozen=True)
class _Caption:
    """A caption's words, and how often each run of one to four of them occurs."""

    words: Sequence[Any]
    ngrams: Counter[Ngram]


@dataclass(frozen=True)
class _Photo:
    candidate: _Caption
    references: list[_Caption]


def score(
    candidates: Candidates,
    references: References,
    split: Callable[[str], list[str]] = tokenize,
) -> Scores:
    """Score one caption a photo against what people wrote of it.

    Raise ValueError where there is nothing to score, or where a photo lacks its caption or its
    references. CIDEr weighs words by how few of these photos they are used for: figures of
    different sets of photos don't compare, and that of a single photo is 0.
    """
    check_captions(candidates, references)
    photos = [
        _Photo(_count(split(caption)), [_count(split(text)) for text in references[photo]])
        for photo, caption in candidates.items()
    ]
    cider = _cider(photos)
    return Scores(
        bleu=_bleu(photos),
        rouge_l=fmean(map(_rouge_l, photos)),
        cider=fmean(cider),
        cider_by_photo=dict(zip(candidates, cider, strict=True)),
    )


@dataclass(frozen=True)
class Splitter:
    """How captions are split to be scored, and the name to give beside the scores."""

    name: str
    split: Callable[[str], list[str]]


@cache
def splitter(language: str) -> Splitter:
    """Find how captions of a language are split to be scored; `language` as in BCP 47.

    Eojeol would punish each particle: Korean is scored by morphemes. Raises MissingExtraError
    where what that takes is not installed.
    """
    if is_language(language, "ko"):
        return Splitter(morphemes_name(), lru_cache(2**17)(morphemes))
    return Splitter(TOKENIZER, tokenize)


def is_language(tag: str, language: str) -> bool:
    """Tell whether a BCP 47 tag, `ko-KR` say, is of a language."""
    return tag.partition("-")[0].lower() == language


def check_captions(candidates: Candidates, references: References) -> None:
    """Raise ValueError unless each photo has its caption and a list of references."""
    if not candidates and not references:
        raise ValueError("there are no captions to score")
    faults = {
        "no caption to score": [p for p in references if p not in candidates],
        "no references": [p for p in candidates if not references.get(p)],
        "a text where a list of references should be": [
            p for p, texts in references.items() if isinstance(texts, str)
        ],
    }
    for fault, photos in faults.items():
        if photos:
            raise ValueError(f"{len(photos)} photo(s) with {fault}; the first is {photos[0]!r}")


def _count(words: Sequence[Any]) -> _Caption:
    runs = (zip(*(words[i:] for i in range(n)), strict=False) for n in range(1, MAX_N + 1))
    return _Caption(words, Counter(chain.from_iterable(runs)))


# BLEU: Papineni, Roukos, Ward and Zhu, "BLEU: a method for automatic evaluation of machine
# translation", ACL 2002.


def _bleu(photos: list[_Photo]) -> tuple[float, ...]:
    """Return BLEU-1 to BLEU-4 of the whole set: matches are summed before they are divided."""
    matched = [0] * MAX_N
    proposed = [0] * MAX_N
    for photo in photos:
        for ngram, count in photo.candidate.ngrams.items():
            most = max(reference.ngrams.get(ngram, 0) for reference in photo.references)
            matched[len(ngram) - 1] += min(count, most)
            proposed[len(ngram) - 1] += count
    # Not in the paper: these keep sets without a match, or without a word, just above 0.
    precisions = ((m + 1e-15) / (p + 1e-9) for m, p in zip(matched, proposed, strict=True))
    brevity = _brevity_penalty(photos)
    return tuple(
        brevity * product ** (1 / n) for n, product in enumerate(accumulate(precisions, mul), 1)
    )


def _brevity_penalty(photos: list[_Photo]) -> float:
    """Return what is left of the score of captions that are shorter than their references."""
    words = sum(len(photo.candidate.words) for photo in photos)
    wanted = sum(map(_closest_length, photos))
    return math.exp(min(0.0, 1 - (wanted + 1e-9) / (words + 1e-15)))  # as small as above


def _closest_length(photo: _Photo) -> int:
    """Return the reference length nearest to the candidate's, the shorter of two as near."""
    length = len(photo.candidate.words)
    lengths = (len(reference.words) for reference in photo.references)
    return min(lengths, key=lambda wanted: (abs(wanted - length), wanted))


# ROUGE-L: Lin, "ROUGE: a package for automatic evaluation of summaries", 2004.


def _rouge_l(photo: _Photo) -> float:
    """Return the F-measure of the longest common subsequence, with the best of each reference.

    Not in the paper: the best precision and the best recall may be of two references, and a
    caption without words counts as one empty word.
    """
    candidate = photo.candidate.words or [""]
    references = [reference.words or [""] for reference in photo.references]
    common = [_common_subsequence(candidate, words) for words in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(candidate)
    recall = max(c / len(words) for c, words in zip(common, references, strict=True))
    return (1 + ROUGE_BETA**2) * precision * recall / (recall + ROUGE_BETA**2 * precision)


def _common_subsequence(left: Sequence[Any], right: Sequence[Any]) -> int:
    """Return the length of the longest sequence of words that both have, gaps allowed."""
    row = [0] * (len(right) + 1)  # the answer for the words of `left` so far, by words of `right`
    for word in left:
        above, row = row, [0]
        for i, other in enumerate(right):
            row.append(above[i] + 1 if word == other else max(row[i], above[i + 1]))
    return row[-1]


# CIDEr-D: Vedantam, Zitnick and Parikh, "CIDEr: consensus-based image description evaluation",
# CVPR 2015.


@dataclass(frozen=True)
class _Weighted:
    """A caption as tf-idf weights of its n-grams, with their norm for each n."""

    weights: dict[Ngram, float]
    norms: list[float]
    bigrams: int


class Consensus:
    """CIDEr-D with the rarity of n-grams taken from the references of a set of photos.

    references: by photo, of each caption its words, or whatever stands for words: ids, say.
    """

    def __init__(self, references: Sequence[Sequence[Sequence[Any]]]) -> None:
        self._unseen = math.log(len(references))
        seen: Counter[Ngram] = Counter()
        for captions in references:
            seen.update(set().union(*(_count(caption).ngrams for caption in captions)))
        # the log of all photos over those with the n-gram in a reference (idf)
        self._rarity = {ngram: self._unseen - math.log(count) for ngram, count in seen.items()}

    def score(self, caption: Sequence[Any], references: Sequence[Sequence[Any]]) -> float:
        """Return the CIDEr-D of one caption, from 0 to 10."""
        candidate = self._weigh(caption)
        return 10 * fmean(_similarity(candidate, self._weigh(words)) for words in references)

    def _weigh(self, words: Sequence[Any]) -> _Weighted:
        ngrams = _count(words).ngrams.items()
        weights = {ngram: n * self._rarity.get(ngram, self._unseen) for ngram, n in ngrams}
        return _Weighted(weights, _norms(weights), max(0, len(words) - 1))


def _cider(photos: list[_Photo]) -> list[float]:
    """Return the CIDEr-D of each photo, with the rarity of n-grams taken from all references."""
    references = [[reference.words for reference in photo.references] for photo in photos]
    consensus = Consensus(references)
    pairs = zip(photos, references, strict=True)
    return [consensus.score(photo.candidate.words, theirs) for photo, theirs in pairs]


def _norms(weights: dict[Ngram, float]) -> list[float]:
    squares = [0.0] * MAX_N
    for ngram, weight in weights.items():
        squares[len(ngram) - 1] += weight**2
    return [math.sqrt(square) for square in squares]


def _similarity(candidate: _Weighted, reference: _Weighted) -> float:
    """Return the mean cosine over n, clipped to the reference's counts, less for a wrong length.

    Not in the paper: lengths are counted in bigrams, so one word is as long as none.
    """
    dots = [0.0] * MAX_N
    for ngram, weight in candidate.weights.items():
        other = reference.weights.get(ngram, 0.0)
        dots[len(ngram) - 1] += min(weight, other) * other
    sizes = map(mul, candidate.norms, reference.norms)
    cosines = (dot / size if size else 0.0 for dot, size in zip(dots, sizes, strict=True))
    gap = candidate.bigrams - reference.bigrams
    return fmean(cosines) * math.exp(-(gap**2) / (2 * CIDER_SIGMA**2))
