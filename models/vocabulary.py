"""Words to ids and back: how a captioner reads its training captions and writes its own."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import numpy as np

from models.tokenizers import WORDS, Tokenizer

PAD, START, END, UNK = range(4)
SPECIALS = ("<pad>", "<start>", "<end>", "<unk>")
# The backslash, and all that str.splitlines splits at: words of old checkpoints hold line feeds.
_ESCAPED = re.compile(r"[\\\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4}))?")


@dataclass(frozen=True)
class Vocabulary:
    """The words that a captioner knows; the id of a word is its place, the specials come first.

    Without `<unk>` among them, words that are not known are left out of captions.
    """

    words: tuple[str, ...]
    tokenizer: Tokenizer = WORDS

    def __post_init__(self) -> None:
        if self.words[:UNK] != SPECIALS[:UNK]:
            raise ValueError(f"a vocabulary begins with {', '.join(SPECIALS[:UNK])}")
        if len(set(self.words)) != len(self.words):
            raise ValueError("a vocabulary holds each word once")

    @classmethod
    def from_captions(
        cls,
        captions: Iterable[str],
        min_count: int = 5,
        tokenizer: Tokenizer = WORDS,
        *,
        unknown: bool = True,
    ) -> "Vocabulary":
        """Keep words seen at least `min_count` times, the most frequent first, ties by spelling.

        Give it the training split alone: a word met only in validation must stay unknown.
        """
        counts = Counter(word for caption in captions for word in tokenizer.split(caption))
        kept = [word for word, count in counts.items() if count >= min_count]
        words = sorted(kept, key=lambda word: (-counts[word], word))
        return cls((*SPECIALS[: len(SPECIALS) if unknown else UNK], *words), tokenizer)

    @classmethod
    def from_text(cls, text: str, tokenizer: Tokenizer = WORDS) -> "Vocabulary":
        """Read what `to_text` wrote. Raises ValueError where it is no vocabulary."""
        return cls(tuple(map(_unescaped, text.splitlines())), tokenizer)

    def to_text(self) -> str:
        """One word a line, in the order of the ids; line ends within words are escaped."""
        return "".join(f"{_escaped(word)}\n" for word in self.words)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def specials(self) -> int:
        """How many of the first ids are no words."""
        return len(SPECIALS) if SPECIALS[UNK] in self.words[UNK : UNK + 1] else UNK

    @property
    def unsayable(self) -> tuple[int, ...]:
        """The ids that a caption never holds."""
        return tuple(token_id for token_id in range(self.specials) if token_id != END)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: token_id for token_id, word in enumerate(self.words)}

    def encode(self, caption: str, max_length: int) -> np.ndarray:
        """Turn a caption into ids: `<start>`, the words that fit, `<end>`, `<pad>` to fill.

        Returns int32 (max_length + 2,). A caption that was cut has no `<end>`.
        """
        ids = self.ids(self.tokenizer.split(caption))
        tokens = [START, *ids, END] if len(ids) <= max_length else [START, *ids[: max_length + 1]]
        return np.array(tokens + [PAD] * (max_length + 2 - len(tokens)), np.int32)

    def cut(self, caption: str) -> tuple[str, ...] | None:
        """Cut a caption into words that spell it again to the letter; None where none do."""
        words = tuple(self.tokenizer.split(caption))
        known = all(word in self._ids for word in words)
        return words if known and self.tokenizer.join(words) == caption else None

    def ids(self, words: Iterable[str]) -> list[int]:
        """Give the ids of words; those that are not known are `<unk>`, or left out without one."""
        if self.specials > UNK:
            return [self._ids.get(word, UNK) for word in words]
        return [self._ids[word] for word in words if word in self._ids]

    def decode(self, token_ids: Iterable[int]) -> str:
        """Write the sentence that the ids spell, up to `<end>`; specials are never printed."""
        return self.tokenizer.join(self.spell(token_ids))

    def spell(self, token_ids: Iterable[int]) -> list[str]:
        """Give the words of the ids, up to `<end>`, without the specials."""
        until_end = takewhile(lambda token_id: token_id != END, token_ids)
        return [self.words[token_id] for token_id in until_end if token_id >= self.specials]


def _escaped(word: str) -> str:
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", word)


def _unescaped(line: str) -> str:
    return _ESCAPE.sub(_meant, line)


def _meant(found: re.Match[str]) -> str:
    if found[1] is None:
        raise ValueError("a backslash that escapes nothing")
    return chr(int(found[1], 16))
