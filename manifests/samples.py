"""Samples of captions, drawn to be checked: what was drawn, and what the machine said then.

reviews/sample-0001.json   and so on; the last one is the one at work
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from manifests.durable import write_json
from manifests.errors import ManifestError, NewerError
from manifests.json_rows import parse

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """A caption that was drawn; the words are known by their digest (`manifests.review`)."""

    photo_id: str
    raw_path: bytes
    language: str  # BCP 47; empty where nothing tells
    said: str  # digest of the machine's caption
    captioner: str
    confidence: float | None


@dataclass(frozen=True)
class Sample:
    """Captions drawn at random, without replacement, from `population` captions."""

    number: int
    seed: int
    drawn_at: str  # UTC, ISO 8601
    language: str  # that was asked for, BCP 47; empty: each photo's own caption
    population: int
    drawn: tuple[Drawn, ...]  # in the order of their paths

    @property
    def captioners(self) -> tuple[str, ...]:
        """Name the captioners whose captions were drawn."""
        return tuple(sorted({each.captioner for each in self.drawn}))


def last_sample(folder: Path, language: str | None = "") -> Sample | None:
    """Read the last sample of captions in a language in the folder of the reviews, if there is one.

    An empty language: of each photo's own caption; None: of any. Raises ManifestError where a
    sample is damaged or a newer version's, OSError where it can't be reached.
    """
    for path in sorted(folder.glob("sample-[0-9]*.json"), key=_number, reverse=True):
        sample = read_sample(path)
        if language in (None, sample.language):
            return sample
    return None


def read_sample(path: Path) -> Sample:
    """Read a sample; raises as `last_sample`."""
    try:
        found = parse(path.read_text(encoding="utf-8"))
        if found["version"] > VERSION:
            problem = "it was made by a newer version of this program"
            raise NewerError(path, problem, "Update the program")
        return _sample(found)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        remedy = "Put back a copy of it, or move it away and draw again"
        raise ManifestError(path, f"it is damaged ({error!r})", remedy) from error


def write_sample(folder: Path, sample: Sample) -> None:
    """Write a sample to its file, in the place of an older state of it."""
    found = asdict(sample) | {"drawn": [_as_json(each) for each in sample.drawn]}
    known = {"version": VERSION, **found, "captioners": sample.captioners}
    write_json(folder / f"sample-{sample.number:04d}.json", known)


def rename_samples(folder: Path, renamed: Callable[[bytes, str], str]) -> None:
    """Let samples follow photos whose bytes this program has changed.

    renamed: gives the identity by now of the photo that had a path and an identity.
    """
    for path in sorted(folder.glob("sample-*.json")):
        sample = read_sample(path)
        new_ids = (renamed(each.raw_path, each.photo_id) for each in sample.drawn)
        pairs = zip(sample.drawn, new_ids, strict=True)
        drawn = tuple(replace(each, photo_id=photo_id) for each, photo_id in pairs)
        if drawn != sample.drawn:
            write_sample(folder, replace(sample, drawn=drawn))


def _number(path: Path) -> int:
    digits = path.stem.removeprefix("sample-")
    return int(digits) if digits.isascii() and digits.isdecimal() else 0


def _as_json(drawn: Drawn) -> dict[str, Any]:
    return asdict(drawn) | {"raw_path": drawn.raw_path.decode("utf-8", "surrogateescape")}


def _sample(found: Mapping[str, Any]) -> Sample:
    drawn = [
        Drawn(
            str(each["photo_id"]),
            each["raw_path"].encode("utf-8", "surrogateescape"),
            str(each["language"]),
            str(each["said"]),
            str(each["captioner"]),
            None if each["confidence"] is None else float(each["confidence"]),
        )
        for each in found["drawn"]
    ]
    number, seed, population = (int(found[name]) for name in ("number", "seed", "population"))
    drawn_at, language = str(found["drawn_at"]), str(found["language"])
    return Sample(number, seed, drawn_at, language, population, tuple(drawn))
