"""Korean morphemes by Kiwi: for the words of a captioner, and for scores.

Kiwi (kiwipiepy) is needed to cut text, so to train and to score; a captioner whose vocabulary is
made of pieces captions without it.
"""

import re
import unicodedata
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from typing import Any

from models.errors import MissingExtraError

PIECE = "##"  # before a piece that continues an eojeol
_NO_LETTERS = re.compile(r"\W+")
_PUNCTUATION_TAGS = ("SF", "SP", "SS", "SSO", "SSC", "SE", "SO", "SW", "SB")


def split_morphemes(caption: str) -> list[str]:
    """Cut a caption's eojeol into written pieces at the borders of their morphemes.

    Morphemes that share a syllable stay one piece (쓴 = 쓰 + ㄴ), so that pieces joined again are
    the text. Lower case, NFC, no punctuation. Raises MissingExtraError without kiwipiepy.
    """
    text = unicodedata.normalize("NFC", caption).lower()
    borders = _borders(text)
    pieces: list[str] = []
    for eojeol in re.finditer(r"\S+", text):
        cuts = [eojeol.start(), *_between(borders, eojeol.start(), eojeol.end()), eojeol.end()]
        written = (text[start:end] for start, end in pairwise(cuts))
        words = filter(None, (_NO_LETTERS.sub("", piece) for piece in written))
        pieces += [word if n == 0 else PIECE + word for n, word in enumerate(words)]
    return pieces


def morphemes(caption: str) -> list[str]:
    """Give the morphemes in their dictionary forms, punctuation left out: the words of scores."""
    return [form for form, _ in tagged_morphemes(caption)]


def tagged_morphemes(caption: str) -> list[tuple[str, str]]:
    """Give the morphemes in their dictionary forms, each with its part of speech in Sejong's tags.

    Punctuation is left out. Raises MissingExtraError without kiwipiepy.
    """
    tokens = _kiwi().tokenize(unicodedata.normalize("NFC", caption))
    return [(token.form, token.tag) for token in tokens if token.tag not in _PUNCTUATION_TAGS]


def morphemes_name() -> str:
    """Name the way that `morphemes` splits, with its version: other versions split otherwise."""
    _kiwi()
    return f"kiwipiepy {version('kiwipiepy')}"


def _borders(text: str) -> list[int]:
    """Find where a morpheme starts that shares no syllable with those before it."""
    borders, reached = [], 0
    for token in _kiwi().tokenize(text):
        if token.start >= reached:
            borders.append(token.start)
        reached = max(reached, token.start + token.len)
    return borders


def _between(borders: list[int], start: int, end: int) -> list[int]:
    return [border for border in borders if start < border < end]


@cache
def _kiwi() -> Any:
    try:
        from kiwipiepy import Kiwi
    except ImportError as error:
        raise MissingExtraError("Korean morphemes", "kiwipiepy", "make korean") from error
    return Kiwi(num_workers=1)
