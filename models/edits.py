"""How many words a person has to change to make one caption of another."""

from collections.abc import Sequence


def word_edits(words: Sequence[str], wanted: Sequence[str]) -> int:
    """Count the words to put in, take out or replace, at least: Levenshtein's distance, 1966."""
    row = list(range(len(wanted) + 1))  # the answer for the words so far, by words of `wanted`
    for count, word in enumerate(words, 1):
        above, row = row, [count]
        for place, other in enumerate(wanted, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (word != other)))
    return row[-1]
