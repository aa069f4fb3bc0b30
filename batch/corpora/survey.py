"""What a caption corpus holds, counted as its captioner will see it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from batch.corpora.corpus import CaptionedPhoto
from models.tokenizers import Tokenizer
from models.vocabulary import Vocabulary

MARKS = 2  # <start> and <end>, which the 2017 post counts as words of every caption


@dataclass(frozen=True)
class Survey:
    """Counts of a corpus; `<start>` and `<end>` count as words of its captions."""

    names: int  # photos with captions, in any split
    words: int  # different ones in all their captions, marks left out
    train_photos: int
    train_captions: int
    train_words: int  # different ones in the training captions
    kept_words: int  # of these, seen often enough
    vocabulary: int  # rows of the captioner's table
    longest: int  # words of the longest training caption

    def __str__(self) -> str:
        """Write the figures as the 2017 post prints them, one a line."""
        lines = {
            "photos with captions": f"{self.names:,}",
            "words in all captions": f"{self.words:,}",
            "training photos": f"{self.train_photos:,}",
            "training captions": f"{self.train_captions:,}",
            "training words": f"{self.train_words:,} -> {self.kept_words:,} kept",
            "vocabulary size": f"{self.vocabulary:,}",
            "longest caption": f"{self.longest:,}",
        }
        return "\n".join(f"{name:<24}{value:>20}" for name, value in lines.items())


def survey(
    captions: Mapping[str, Iterable[str]],
    train: Sequence[CaptionedPhoto],
    tokenizer: Tokenizer,
    min_count: int,
    *,
    unknown: bool,
) -> Survey:
    """Count all captions, by photo, and those of the training split."""
    texts = [text for photo in train for text in photo.captions]
    split = [tokenizer.split(text) for text in texts]
    vocabulary = Vocabulary.from_captions(texts, min_count, tokenizer, unknown=unknown)
    every = {word for some in captions.values() for text in some for word in tokenizer.split(text)}
    return Survey(
        names=len(captions),
        words=len(every),
        train_photos=len(train),
        train_captions=len(texts),
        train_words=len(Counter(word for words in split for word in words)) + MARKS,
        kept_words=len(vocabulary) - vocabulary.specials + MARKS,
        vocabulary=len(vocabulary),
        longest=max(map(len, split), default=0) + MARKS,
    )
