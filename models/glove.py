"""Word vectors from GloVe's files (Pennington, Socher & Manning 2014), for a vocabulary."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.errors import CheckpointError
from models.vocabulary import Vocabulary


@dataclass(frozen=True)
class WordVectors:
    """An embedding table (words, size) float32, zeros for words without a vector."""

    table: np.ndarray = field(repr=False)
    found: int  # words of the vocabulary that have a vector
    words: int  # of the vocabulary, specials left out
    missing: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.missing[:10]) + (", …" if len(self.missing) > 10 else "")
        without = f"; without: {shown}" if self.missing else ""
        return f"{self.found:,} of {self.words:,} words have a vector{without}"


def read_glove(path: str | os.PathLike[str], vocabulary: Vocabulary, size: int) -> WordVectors:
    """Read the vectors of a vocabulary's words; the rest of the file only passes by.

    Of a word that the file has twice the first one counts. Raises CheckpointError naming the line
    that is no word and `size` numbers, or the file where it cannot be read.
    """
    table = np.zeros((len(vocabulary), size), np.float32)
    rows = {word: row for row, word in enumerate(vocabulary.words)}
    wanted = set(vocabulary.words[vocabulary.specials :])
    try:
        with Path(path).open(encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                # From the right: a few words of the larger files hold spaces.
                word, *numbers = line.rstrip().rsplit(" ", size)
                # A first line with more numbers is of longer vectors, not an odd word.
                if len(numbers) != size or (number == 1 and " " in word):
                    raise _bad_line(path, number, size)
                if word in wanted:
                    table[rows[word]] = _vector(numbers, path, number)
                    wanted.remove(word)
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{os.fspath(path)}: cannot be read as UTF-8 text ({error})"
        ) from error
    words = vocabulary.words[vocabulary.specials :]
    missing = tuple(word for word in words if word in wanted)
    return WordVectors(table, len(words) - len(missing), len(words), missing)


def _vector(numbers: list[str], path: str | os.PathLike[str], line: int) -> np.ndarray:
    try:
        vector = np.array(numbers, np.float32)
    except ValueError as error:
        raise _bad_line(path, line, len(numbers)) from error
    if not np.isfinite(vector).all():
        raise _bad_line(path, line, len(numbers))
    return vector


def _bad_line(path: str | os.PathLike[str], line: int, size: int) -> CheckpointError:
    return CheckpointError(
        f"{os.fspath(path)}, line {line}: expected a word and {size} numbers; is the preset's "
        "embedding the size of these vectors, and the file whole?"
    )
