"""How much captions repeat each other: a captioner may score well and say little."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.vocabulary import Vocabulary

FREQUENT = 0.02  # of the photos: a caption that stands for more says little of each


@dataclass(frozen=True)
class Variety:
    """What captions of a set of photos have in common; `frequent` are those of over 2% of them."""

    distinct: float  # captions that differ, as a share of all
    most_frequent: str
    most_frequent_share: float
    frequent: Mapping[str, float]
    words_used: int  # of those known
    words_known: int


def variety(captions: Sequence[str], vocabulary: Vocabulary) -> Variety:
    """Tell how much captions repeat each other; empty ones are passed over."""
    counts = Counter(filter(None, captions))
    total = max(1, counts.total())
    most_frequent, times = counts.most_common(1)[0] if counts else ("", 0)
    words = {word for caption in counts for word in vocabulary.tokenizer.split(caption)}
    return Variety(
        distinct=len(counts) / total,
        most_frequent=most_frequent,
        most_frequent_share=times / total,
        frequent={
            caption: times / total
            for caption, times in counts.most_common()
            if times > max(1, FREQUENT * total)
        },
        words_used=len(words.intersection(vocabulary.words)),
        words_known=len(vocabulary) - vocabulary.specials,
    )
