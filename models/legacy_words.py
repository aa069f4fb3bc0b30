"""The words of old captioners, counted anew from their captions, and their rows in the tables."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.search import SearchConfig
from models.tokenizers import split_post_2017, split_tutorial
from models.vocabulary import PAD, SPECIALS, UNK

LONGEST = 50  # words; no caption is searched beyond, whatever a script kept
MIN_COUNT = 10  # the post's threshold
_BEGIN, _END = "startseq", "endseq"


@dataclass(frozen=True)
class TutorialWords:
    """The words that a tutorial's captioner can say, and the row of its tables for each.

    The tables have rows that no word has: those of ids from num_words on, which the tutorial turns
    into `<unk>` before it learns, and those beyond the last word. They were never taught, and are
    left out, so that they are never said. Words are in our order, the specials first.
    """

    words: tuple[str, ...]
    rows: np.ndarray = field(repr=False)
    longest: int  # words of the longest caption, LONGEST at most

    @classmethod
    def count(cls, captions: Iterable[str], rows: int) -> "TutorialWords":
        """Give ids to the words of captions as Keras' Tokenizer did, for tables of so many rows.

        The tutorial's tables have top_k + 1 rows, of which its Tokenizer(num_words=top_k) gives
        out the first top_k. Where there is one row for each word and one for `<pad>`, the script
        took its size from the words and all of them count.
        Raises ValueError where the specials are not among the words.
        """
        split = [split_tutorial(caption) for caption in captions]
        counts = Counter(word for words in split for word in words)
        ordered = sorted(counts, key=lambda word: -counts[word])  # stable: ties as first seen
        ids = {word: number for number, word in enumerate([SPECIALS[UNK], *ordered], 1)}
        limit = rows if len(ids) + 1 == rows else rows - 1
        ids[SPECIALS[PAD]] = 0
        known = {number: word for word, number in ids.items() if number < limit}
        lost = [word for word in SPECIALS if ids.get(word) not in known]
        if lost:
            raise ValueError(
                f"{' and '.join(lost)} not among the words; give the captions that the tutorial's "
                "script wrote, each between <start> and <end>"
            )
        others = [number for number in sorted(known) if known[number] not in SPECIALS]
        order = [*(ids[word] for word in SPECIALS), *others]
        longest = max(map(len, split)) - 2  # without <start> and <end>
        words = tuple(known[number] for number in order)
        return cls(words, np.array(order), min(max(1, longest), LONGEST))


@dataclass(frozen=True)
class PostWords:
    """The words of the post's model in our order, and the row of its tables for each."""

    words: tuple[str, ...]
    rows: np.ndarray = field(repr=False)
    longest: int  # words of the longest caption, both markers among them, LONGEST at most

    @classmethod
    def count(cls, captions: Iterable[str], rows: int) -> "PostWords":
        """Give ids to the words of training captions as the post does, as they are first seen.

        Those seen 10 times or more; where the tables have another number of rows, as many times
        as they ask for. Raises ValueError naming both numbers where none does.
        """
        # A caption that the cleaning leaves empty holds an empty word between the markers.
        marked = [[_BEGIN, *(split_post_2017(caption) or [""]), _END] for caption in captions]
        counts = Counter(word for words in marked for word in words)
        kept = _kept(counts, rows - 1)
        ids = {word: number for number, word in enumerate(kept, 1)}
        if not {_BEGIN, _END} <= ids.keys():
            raise ValueError("there are too few captions to make a vocabulary of")
        others = [word for word in kept if word not in ("", _BEGIN, _END)]
        order = [PAD, ids[_BEGIN], ids[_END], *(ids[word] for word in others)]
        longest = max(map(len, marked))
        return cls((*SPECIALS[:UNK], *others), np.array(order), min(longest, LONGEST))


def _kept(counts: Mapping[str, int], number: int) -> list[str]:
    """Choose the words that are frequent enough, in the order in which they were first seen."""
    usual = sum(count >= MIN_COUNT for count in counts.values())
    for least in (MIN_COUNT, *sorted(set(counts.values()))):
        kept = [word for word, count in counts.items() if count >= least]
        if len(kept) == number:
            return kept
    raise ValueError(
        f"its tables have {number + 1:,} rows, and the captions make {usual + 1:,} of words seen "
        f"{MIN_COUNT} times or more, at no threshold {number + 1:,}; give CAPTIONS= and "
        "TRAIN_LIST= the files that it was trained on"
    )


def greedy(longest: int) -> SearchConfig:
    """Search as those scripts did: the likeliest word, then the likeliest after it."""
    return SearchConfig(1, longest, length_penalty=0.0, no_repeat_ngram=0)


def guess_language(words: Sequence[str]) -> str:
    """Tell Korean, where most words hold Hangul, from English."""
    korean = sum(any("\uac00" <= letter <= "\ud7a3" for letter in word) for word in words)
    return "ko" if 2 * korean > len(words) else "en"
