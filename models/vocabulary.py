"""Words to ids and back: how a captioner reads its training captions and writes its own."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

PAD, START, END, UNK = range(4)
SPECIALS = ("<pad>", "<start>", "<end>", "<unk>")

_WORD = re.compile(r"\w+(?:['-]\w+)*")


def split_words(caption: str) -> list[str]:
    """Give the words of a caption in lower case, NFC, without punctuation."""
    plain = caption.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return _WORD.findall(unicodedata.normalize("NFC", plain).lower())


def join_words(words: Sequence[str]) -> str:
    """Write words as a sentence: a capital first, a full stop last; nothing for no words."""
    text = " ".join(words)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


@dataclass(frozen=True)
class Vocabulary:
    """The words that a captioner knows; the id of a word is its place, the specials come first."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.words[: len(SPECIALS)] != SPECIALS:
            raise ValueError(f"a vocabulary begins with {', '.join(SPECIALS)}")
        if len(set(self.words)) != len(self.words):
            raise ValueError("a vocabulary holds each word once")

    @classmethod
    def from_captions(cls, captions: Iterable[str], min_count: int = 5) -> "Vocabulary":
        """Keep words seen at least `min_count` times, the most frequent first, ties by spelling.

        Give it the training split alone: a word met only in validation must stay unknown.
        """
        counts = Counter(word for caption in captions for word in split_words(caption))
        kept = [word for word, count in counts.items() if count >= min_count]
        return cls(SPECIALS + tuple(sorted(kept, key=lambda word: (-counts[word], word))))

    @classmethod
    def from_text(cls, text: str) -> "Vocabulary":
        """Read what `to_text` wrote."""
        return cls(tuple(text.splitlines()))

    def to_text(self) -> str:
        """One word a line, in the order of the ids."""
        return "".join(f"{word}\n" for word in self.words)

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: token_id for token_id, word in enumerate(self.words)}

    def encode(self, caption: str, max_length: int) -> np.ndarray:
        """Turn a caption into ids: `<start>`, the words that fit, `<end>`, `<pad>` to fill.

        Returns int32 (max_length + 2,). A caption that was cut has no `<end>`.
        """
        ids = [self._ids.get(word, UNK) for word in split_words(caption)]
        tokens = [START, *ids, END] if len(ids) <= max_length else [START, *ids[: max_length + 1]]
        return np.array(tokens + [PAD] * (max_length + 2 - len(tokens)), np.int32)

    def decode(self, token_ids: Iterable[int]) -> str:
        """Write the sentence that the ids spell, up to `<end>`; specials are never printed."""
        words = []
        for token_id in token_ids:
            if token_id == END:
                break
            if token_id >= len(SPECIALS):
                words.append(self.words[token_id])
        return join_words(words)
