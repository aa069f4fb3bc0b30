"""Names of photos as others write them: split, folded and indexed; the disk is never asked."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

# A number alone, or as COCO names its photos: COCO_val2014_000000391895.jpg.
_NUMBERED: Final = re.compile(r"(?:COCO_[a-z]+\d{4}_)?(\d{1,18})", re.ASCII)

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A photo of the archive, as far as it is known by now."""

    raw_path: bytes
    photo_id: str | None
    failed: bool = False  # no picture that a file beside it could be about

    @property
    def text(self) -> str:
        """The path, with bytes that are no text as os.fsdecode gives them."""
        return self.raw_path.decode("utf-8", "surrogateescape")

    @property
    def shown(self) -> str:
        r"""The path as people see it, with `\xff`."""
        return self.raw_path.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Match:
    """The photos that are meant: several where they are copies; `why` tells where there is none."""

    photos: tuple[int, ...] = ()
    by: str = ""  # "photo_id", "path", "folders" or "name"
    why: str = ""


class Names:
    """Where names lead: as they are written, or else with their letters composed (NFC)."""

    def __init__(self, named: Iterable[tuple[str, int]]) -> None:
        self._found: dict[str, list[tuple[str, int]]] = {}
        for name, at in named:
            if name:
                self._found.setdefault(folded(name), []).append((name, at))

    def find(self, name: str) -> list[int]:
        """Give all that have the name, each once."""
        found = self._found.get(folded(name), [])
        exact = [at for each, at in found if each == name]
        return list(dict.fromkeys(exact or [at for _, at in found]))

    def __iter__(self) -> Iterator[str]:
        return (name for found in self._found.values() for name, _ in found)


def split(text: str) -> tuple[bool, Parts]:
    """Split a path, a Windows one too; tell whether it begins at the top of a disk."""
    text = text.replace("\\", "/") if "\\" in text and "/" not in text else text
    absolute = text.startswith("/") or text[1:2] == ":"
    return absolute, tuple(part for part in text.split("/") if part not in ("", "."))


def folded(text: str) -> str:
    """Compose the letters of a name, which macOS takes apart."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded_parts(parts: Parts) -> Parts:
    """Compose the letters of a path."""
    return tuple(map(folded, parts))


def base(path: str) -> str:
    """Give the name without its folders."""
    return path.rpartition("/")[2]


def stem(path: str) -> str:
    """Leave out the ending of a path's name."""
    folder, slash, name = path.rpartition("/")
    before, dot, _ = name.rpartition(".")
    return f"{folder}{slash}{before if dot and before else name}"


def number(path: str) -> str:
    """Give the number that a photo's name is, without noughts in front; empty where it is none."""
    found = _NUMBERED.fullmatch(stem(base(path)))
    return (found[1].lstrip("0") or "0") if found else ""


def numbers(paths: Iterable[str]) -> list[int] | None:
    """Give the numbers that photos' names are; None unless each is one, and no other's."""
    found = [number(path) for path in paths]
    apart = len({*found}) == len(found)
    return [int(each) for each in found] if apart and "" not in found else None


def tails_of(texts: Iterable[str]) -> Mapping[Parts, list[Parts]]:
    """Give the paths that have a folder by their last two parts."""
    found: defaultdict[Parts, list[Parts]] = defaultdict(list)
    for text in texts:
        parts = tuple(text.split("/"))
        if len(parts) > 1:
            found[folded_parts(parts[-2:])].append(parts)
    return found
