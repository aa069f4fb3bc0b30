"""What makes a caption degenerate: words said over again, an end in the middle of a sentence.

Rules on the words alone. People break them too, now and then for a good reason ("a man in a red
shirt and a man in a blue one"): a share of captions says something beside that of people's.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from models.metrics import is_language
from models.morphemes import tagged_morphemes
from models.tokens import tokenize

NEAR: Final = 2  # words between a run of words and the same run again


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words that may come twice in any sentence, and, of them, those that none ends in. Left out of the
# second are "outside", "on", "her" and their like, which people do end captions with.
_UNFINISHED: Final = _set(
    """a an the and or but nor so of with without at from to into onto for as than by in over
    under through across near beside between against along during toward towards upon about is are
    was were be been being am has have had do does did will would can could while that who which
    whose where when their his its my your our this these some each another very wearing holding
    's"""
)
_FUNCTION: Final = _UNFINISHED - {"wearing", "holding"} | _set(
    """on up down out off around behind above below after before inside outside past away back front
    top it he she they them him her i you we us one two three it's not n't there other others both
    all many several few more next same also -lrb- -rrb-"""
)
# Verbs, places and dependent nouns that hold a Korean sentence together as function words do.
_KOREAN_FUNCTION: Final = _set("하 있 되 보 위 앞 옆 뒤 안 속 밖 아래 사이 중 쪽 것 곳 때")
_KOREAN_CONTENT: Final = ("NNG", "NNP", "VV", "VA", "XR")
_KOREAN_ENDS: Final = ("EF", "N", "XSN", "XR", "ETN", "S", "W", "IC")


Word = tuple[str, str]
"""A word or morpheme, and its part of speech: in Korean 불을 불고 holds no word twice."""


class Fault(StrEnum):
    """What is wrong with a caption. The first three are seen in its words, the others from outside.

    `frequent`: too many photos have the same; `cut`: as long as the search lets captions become.
    """

    REPEATED_WORD = "repeated_word"
    REPEATED_RUN = "repeated_run"
    DANGLING_END = "dangling_end"
    FREQUENT = "frequent"
    CUT = "cut"


@dataclass(frozen=True)
class _Reading:
    """A caption's words with their parts of speech, as far as those tell words apart.

    `content`: whether each says something by itself; `dangles`: whether the last asks for another.
    """

    words: tuple[Word, ...]
    content: tuple[bool, ...]
    dangles: bool

    def content_words(self) -> Iterator[Word]:
        return (word for word, says in zip(self.words, self.content, strict=True) if says)


def has_rules(language: str) -> bool:
    """Tell whether there are rules for a language, a BCP 47 tag; else only runs are looked for."""
    return _rules(language) is not None


def find_faults(caption: str, language: str) -> frozenset[Fault]:
    """Find what is degenerate in a caption's own words.

    `repeated_word`: a content word twice. `repeated_run`: a run of words that comes again at once,
    or, with a content word in it, after at most two others. `dangling_end`: the last word asks for
    another one. Raises MissingExtraError for Korean without kiwipiepy.
    """
    reading = _read(caption, language)
    content = list(reading.content_words())
    found = {
        Fault.REPEATED_WORD: len(set(content)) < len(content),
        Fault.REPEATED_RUN: _repeats_run(reading),
        Fault.DANGLING_END: reading.dangles,
    }
    return frozenset(fault for fault, is_there in found.items() if is_there)


def content_words(caption: str, language: str) -> frozenset[str]:
    """Give the words of a caption that say what there is: in Korean, in their dictionary forms."""
    words = _read(caption, language).content_words()
    return frozenset(f"{word}다" if tag.startswith("V") else word for word, tag in words)


def _rules(language: str) -> Callable[[str], _Reading] | None:
    if is_language(language, "ko"):
        return _read_korean
    return _read_english if is_language(language, "en") else None


def _read(caption: str, language: str) -> _Reading:
    return (_rules(language) or _read_any)(caption)


def _read_any(caption: str) -> _Reading:
    words = tuple((word, "") for word in tokenize(caption))
    return _Reading(words, (False,) * len(words), dangles=False)


def _read_english(caption: str) -> _Reading:
    words = tokenize(caption)
    content = tuple(word not in _FUNCTION for word in words)
    dangles = bool(words) and words[-1] in _UNFINISHED
    return _Reading(tuple((word, "") for word in words), content, dangles)


@lru_cache(2**16)
def _read_korean(caption: str) -> _Reading:
    tagged = tuple(tagged_morphemes(caption))
    content = tuple(
        tag.startswith(_KOREAN_CONTENT) and form not in _KOREAN_FUNCTION for form, tag in tagged
    )
    dangles = bool(tagged) and not tagged[-1][1].startswith(_KOREAN_ENDS)
    return _Reading(tagged, content, dangles)


def _repeats_run(reading: _Reading) -> bool:
    words, content = reading.words, reading.content
    for start in range(len(words)):
        for size in range(1, (len(words) - start) // 2 + 1):
            run = words[start : start + size]
            reach = NEAR if any(content[start : start + size]) else 0
            if any(_comes_at(words, run, start + size + gap) for gap in range(reach + 1)):
                return True
    return False


def _comes_at(words: Sequence[Word], run: Sequence[Word], place: int) -> bool:
    return words[place : place + len(run)] == run
