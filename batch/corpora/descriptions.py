"""The `descriptions.txt` of the 2017 post: short name, space, cleaned caption, one a line."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from manifests.durable import atomic_write
from models.tokenizers import Tokenizer


def write_descriptions(
    captions: Mapping[str, Iterable[str]], tokenizer: Tokenizer, out: str
) -> int:
    """Write captions cleaned, by photo, as the post does; returns the number of lines."""
    lines = [
        f"{short_name(name)} {' '.join(tokenizer.split(text))}"
        for name, texts in captions.items()
        for text in texts
    ]
    with atomic_write(Path(out)) as file:
        file.write("\n".join(lines).encode())
    return len(lines)


def short_name(name: str) -> str:
    """Name a photo as the post does: what stands before the first full stop."""
    return name.partition(".")[0]


def is_description(line: str) -> bool:
    """Tell a line of descriptions from one of a token file, whose names end in `#number`."""
    name = line.partition(" ")[0]
    return "\t" not in line and "#" not in name and "." not in name
