"""The journal of reviews: everything that people have said, in files that are only ever added.

    reviews/000001-1f0c9a3e5b7d4a21.jsonl

A file is one deed (a merge, an undo, a run that found photos moved): a line that says what it was,
then a line for each thing said. The name holds the digest of the content: a damaged file is told,
never believed. What stands is worked out from all files in their order, as in a ledger; nothing
that a manifest loses is lost here, and nothing is ever written over.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from manifests.durable import atomic_write, remove_leftovers
from manifests.errors import ManifestError, NewerError
from manifests.json_rows import parse
from manifests.review import Offer, Review, ReviewStatus

FOLDER: Final = "reviews"
VERSION: Final = 1
MERGE: Final = "merge"
UNDO: Final = "undo"
RUN: Final = "run"
LINES: Final = "lines"  # in the head of a file: what tells the whole lines of a damaged one


class Place(NamedTuple):
    """Where a photo is, and which: the bytes of its path, and the SHA-256 of its own."""

    raw_path: bytes
    photo_id: str


@dataclass(frozen=True, slots=True)
class Said:
    """A person's decision on a photo."""

    place: Place
    review: Review


@dataclass(frozen=True, slots=True)
class Offered:
    """Words that could not be taken, since a person's stand there already."""

    place: Place
    offer: Offer


@dataclass(frozen=True, slots=True)
class Moved:
    """What was said of a photo goes on at another place: it was moved, or written into."""

    place: Place
    to: Place


Entry: TypeAlias = Said | Offered | Moved


@dataclass(frozen=True)
class Deed:
    """One file of the journal."""

    number: int
    kind: str
    at: str  # UTC, ISO 8601
    source: str  # the name of the file that was merged
    undoes: int | None
    entries: tuple[Entry, ...]


def _by_place() -> dict[Place, Any]:
    return defaultdict(dict)


@dataclass
class Reviews:
    """What stands, by place and language, and what was said before it.

    `history` is all that was said and not undone, `heard` when anything was ever said, undone or
    not: a manifest that is put back does not bring it back.
    """

    decided: dict[Place, dict[str, Review]] = field(default_factory=_by_place)
    offered: dict[Place, list[Offer]] = field(default_factory=lambda: defaultdict(list))
    sources: dict[Place, dict[str, str]] = field(default_factory=_by_place)  # files
    history: dict[Place, list[Review]] = field(default_factory=lambda: defaultdict(list))
    heard: dict[Place, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    renamed: dict[str, list[str]] = field(default_factory=dict)  # identities of photos written into

    def take(self, entry: Entry, source: str) -> None:
        """Add what a deed says."""
        match entry:
            case Said(place, review):
                self.decided[place][review.language] = review
                self.sources[place][review.language] = source
                self.history[place].append(review)
                self.offered[place] = [
                    each for each in self.offered[place] if each.language != review.language
                ]
            case Offered(place, offer):
                if offer not in self.offered[place]:
                    self.offered[place].append(offer)
            case Moved(place, to):
                # What is known of the new place already was said later.
                self.decided[to] = self.decided.pop(place, {}) | self.decided[to]
                self.sources[to] = self.sources.pop(place, {}) | self.sources[to]
                self.offered[to] += self.offered.pop(place, [])
                self.history[to] += self.history.pop(place, [])

    def note(self, entry: Entry) -> None:
        """Note down what was ever said."""
        match entry:
            case Said(place, review):
                self.heard[place].add((review.language, review.at))
            case Moved(place, to):
                self.heard[to] |= self.heard[place]
                if place.photo_id and place.raw_path == to.raw_path:
                    names = self.renamed.setdefault(place.photo_id, [])
                    names += [to.photo_id] if to.photo_id not in names else []

    def names(self, photo_id: str) -> list[str]:
        """Give what a photo and its copies go by since this program wrote into them, this first."""
        found = [photo_id]
        for each in found:
            found += [new for new in self.renamed.get(each, ()) if new not in found]
        return found

    def has_heard(self, place: Place, review: Review) -> bool:
        """Tell whether the journal holds a review, undone or not."""
        return (review.language, review.at) in self.heard.get(place, ())


class Journal:
    """The journal in the folder of a run's results. Hold the folder's lock to write."""

    def __init__(self, out: str | Path) -> None:
        self.folder = Path(out, FOLDER)

    def paths(self) -> list[Path]:
        """Give the files, in their order."""
        return sorted(self.folder.glob("[0-9]*.jsonl")) if self.folder.is_dir() else []

    @property
    def latest(self) -> str | None:
        """The name of the last file, which changes with every deed."""
        paths = self.paths()
        return paths[-1].name if paths else None

    def deeds(self) -> list[Deed]:
        """Read all files. Raises ManifestError where one is damaged, missing or a newer version's.

        Also OSError where the disk fails: then nothing must be written.
        """
        paths = self.paths()
        deeds = [read_deed(path) for path in paths]
        for expected, (deed, path) in enumerate(zip(deeds, paths, strict=True), 1):
            if deed.number != expected:
                raise ManifestError(
                    path,
                    f"number {expected} of the journal is missing or there twice",
                    "Put back the folder reviews from a copy",
                )
        return deeds

    def read(self) -> Reviews:
        """Work out what stands."""
        return stand(self.deeds())

    def append(
        self, kind: str, entries: Sequence[Entry], *, source: str = "", undoes: int | None = None
    ) -> Path:
        """Add a file; returns its path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder)
        number = len(self.deeds()) + 1
        return self.write(number, head_of(kind, source, undoes), entries)

    def write(self, number: int, head: Mapping[str, Any], entries: Sequence[Entry]) -> Path:
        """Write a file; returns its path. Its head tells the digest of each line behind it."""
        lines = [_encoded(_line(entry)) for entry in entries]
        data = b"".join([_encoded({**head, LINES: [*map(digest_of_line, lines)]}), *lines])
        path = self.folder / f"{number:06d}-{digest_of(data)}.jsonl"
        with atomic_write(path) as handle:
            handle.write(data)
        return path


def head_of(kind: str, source: str = "", undoes: int | None = None) -> dict[str, Any]:
    """Give what stands in the first line of a file of the journal."""
    return {
        "photo_captions.reviews": VERSION,
        "kind": kind,
        "at": now(),
        "source": source,
        "undoes": undoes,
    }


def stand(deeds: Sequence[Deed]) -> Reviews:
    """Work out what stands after deeds in their order; those that were undone count as not done."""
    undone = {deed.undoes for deed in deeds}
    found = Reviews()
    for deed in deeds:
        for entry in deed.entries:
            found.note(entry)
            if deed.number not in undone:
                found.take(entry, deed.source)
    return found


def last_merge(deeds: Sequence[Deed]) -> Deed | None:
    """Give the last merge that was not undone."""
    undone = {deed.undoes for deed in deeds}
    return next((d for d in reversed(deeds) if d.kind == MERGE and d.number not in undone), None)


def now() -> str:
    """Give the time in UTC, fine enough to tell one deed from the next."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def read_deed(path: Path) -> Deed:
    """Read one file of the journal. Raises ManifestError where it is damaged, OSError."""
    data = path.read_bytes()
    number, _, digest = path.stem.partition("-")
    try:
        if digest != digest_of(data):
            raise ValueError("it is not what was written")
        head, *lines = (parse(line.decode()) for line in data.splitlines())
        version = head["photo_captions.reviews"]
        if version > VERSION:
            raise NewerError(
                path, f"a newer version of this program wrote it ({version})", "Update the program"
            )
        entries = tuple(map(entry_of, lines))
        return Deed(int(number), head["kind"], head["at"], head["source"], head["undoes"], entries)
    except (ValueError, LookupError, TypeError) as error:
        raise ManifestError(
            path,
            f"the journal of reviews is damaged ({error})",
            "Put back a copy of it: no corrections are written while it is not whole",
        ) from error


def digest_of(data: bytes) -> str:
    """Give the digest of a file's content that is in its name."""
    return hashlib.sha256(data).hexdigest()[:16]


def digest_of_line(line: bytes) -> str:
    """Give the digest of a line, without its end, that is in the head of its file."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()[:8]


def _encoded(line: Mapping[str, Any]) -> bytes:
    # Lone surrogates of odd names are written as JSON escapes, and come back.
    return f"{json.dumps(line)}\n".encode()


def _line(entry: Entry) -> dict[str, Any]:
    line: dict[str, Any] = {"is": type(entry).__name__.lower(), **_place(entry.place)}
    match entry:
        case Said(_, review):
            line |= asdict(review)
        case Offered(_, offer):
            line |= asdict(offer)
        case Moved(_, to):
            line["to"] = _place(to)
    return line


def _place(place: Place) -> dict[str, str]:
    path = place.raw_path.decode("utf-8", "surrogateescape")
    return {"path": path, "photo_id": place.photo_id}


def entry_of(line: dict[str, Any]) -> Entry:
    """Read a line behind the head. Raises ValueError, LookupError or TypeError."""
    kind = line.pop("is")
    place = _place_of(line)
    match kind:
        case "said":
            return Said(place, Review(**line | {"status": ReviewStatus(line["status"])}))
        case "offered":
            return Offered(place, Offer(**line))
        case "moved":
            return Moved(place, _place_of(line["to"]))
    raise ValueError(f"no entry of a journal: {kind}")


def _place_of(line: dict[str, Any]) -> Place:
    return Place(line.pop("path").encode("utf-8", "surrogateescape"), line.pop("photo_id"))
