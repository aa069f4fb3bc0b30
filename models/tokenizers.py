"""Captions to words and back: each captioner names the way that it was taught with.

`words`       lower case, no punctuation, hyphens and apostrophes kept; in Korean these are eojeol
`morphemes`   Korean: eojeol cut into the written pieces of their morphemes (needs kiwipiepy to cut)
`post-2017`   the cleaning of Brownlee's and Lamba's tutorials: letters only, no one-letter words
`tutorial`    what Keras' Tokenizer does with the filters of TensorFlow's captioning tutorial
"""

import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.morphemes import PIECE, split_morphemes

_WORD = re.compile(r"\w+(?:['-]\w+)*")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_TUTORIAL_FILTERS = str.maketrans(dict.fromkeys('!"#$%&()*+.,-/:;=?@[\\]^_`{|}~ ', " "))


@dataclass(frozen=True)
class Tokenizer:
    """How a captioner reads captions (`split`) and writes its own (`join`)."""

    name: str
    split: Callable[[str], list[str]]
    join: Callable[[Sequence[str]], str]


def split_words(caption: str) -> list[str]:
    """Give the words of a caption in lower case, NFC, without punctuation."""
    plain = caption.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return _WORD.findall(unicodedata.normalize("NFC", plain).lower())


def split_post_2017(caption: str) -> list[str]:
    """Clean a caption as the 2017 post does: punctuation is cut out, odd words are left out."""
    words = (word.lower().translate(_NO_PUNCTUATION) for word in caption.split())
    return [word for word in words if len(word) > 1 and word.isalpha()]


def split_tutorial(caption: str) -> list[str]:
    """Split as Keras' Tokenizer: filters become spaces, only the space separates.

    Line feeds and tabs, which the tutorial's filters lack, stay inside words as they did there.
    """
    return [word for word in caption.lower().translate(_TUTORIAL_FILTERS).split(" ") if word]


def join_words(words: Sequence[str]) -> str:
    """Write words as a sentence: a capital first, a full stop last; nothing for no words."""
    text = " ".join(words)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def join_tutorial(words: Sequence[str]) -> str:
    """Write words as a sentence, without the line feeds that some of the tutorial's words hold."""
    return join_words(" ".join(words).split())


def join_pieces(pieces: Sequence[str]) -> str:
    """Write pieces as a sentence: those that continue an eojeol go right behind it."""
    return join_words(" ".join(pieces).replace(f" {PIECE}", "").removeprefix(PIECE).split())


TOKENIZERS = {
    tokenizer.name: tokenizer
    for tokenizer in (
        Tokenizer("words", split_words, join_words),
        Tokenizer("morphemes", split_morphemes, join_pieces),
        Tokenizer("post-2017", split_post_2017, join_words),
        Tokenizer("tutorial", split_tutorial, join_tutorial),
    )
}
WORDS = TOKENIZERS["words"]


def find_tokenizer(name: str) -> Tokenizer:
    """Find a tokenizer by its name. Raises ValueError naming those that there are."""
    if name not in TOKENIZERS:
        raise ValueError(f"no tokenizer {name!r}; there are {', '.join(TOKENIZERS)}")
    return TOKENIZERS[name]
