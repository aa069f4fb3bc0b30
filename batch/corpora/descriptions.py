"""The `descriptions.txt` of the 2017 post: short name, space, cleaned caption, one a line."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from batch.corpora.corpus import CorpusError
from manifests.durable import atomic_write
from models.tokenizers import Tokenizer


def write_descriptions(
    captions: Mapping[str, Iterable[str]], tokenizer: Tokenizer, out: str
) -> int:
    """Write captions cleaned, by photo, as the post does; returns the number of lines.

    Raises CorpusError naming a photo whose captions would be read again as another's.
    """
    named = _short_names(captions, out)
    lines = [
        f"{named[name]} {' '.join(tokenizer.split(text))}"
        for name, texts in captions.items()
        for text in texts
    ]
    with atomic_write(Path(out)) as file:
        file.write("\n".join(lines).encode())
    return len(lines)


def _short_names(names: Iterable[str], out: str) -> dict[str, str]:
    taken: dict[str, str] = {}
    for name in names:
        short = short_name(name)
        wrong = _wrong(name, short)
        if not wrong and short in taken:
            wrong = f"is called {short!r} there, and so is {taken[short]!r}"
        if wrong:
            raise CorpusError(f"{out}: cannot be written, the photo {name!r} {wrong}; rename it")
        taken[short] = name
    return {name: short for short, name in taken.items()}


def _wrong(name: str, short: str) -> str:
    """Say why descriptions cannot name a photo; nothing where they can."""
    if not is_shortened_well(name):
        return "has a folder with a full stop, where names there end (of a zip: leave out PHOTOS=)"
    if not short:
        return "has no name before its first full stop"
    if "#" in short or any(character.isspace() for character in name):
        return "has a space or # in its name, where a name ends"
    return ""


def is_shortened_well(name: str) -> bool:
    """Tell whether a photo's short name is that of the photo, not of one of its folders."""
    return "." not in name.rpartition("/")[0]


def short_name(name: str) -> str:
    """Name a photo as the post does: what stands before the first full stop."""
    return name.partition(".")[0]


def is_description(line: str) -> bool:
    """Tell a line of descriptions from one of a token file, whose names end in `#number`."""
    name = line.partition(" ")[0]
    return "\t" not in line and "#" not in name and "." not in name
