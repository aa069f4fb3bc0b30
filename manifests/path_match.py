"""Which photo another program means by a path: found among our own, never looked for on the disk.

A source's paths may begin at another place than the archive's: `/mnt/old/2019/dog.jpg` for
`2019/dog.jpg`, or `dog.jpg` of a run over `2019` alone. That place is told once for the whole
source, by the rows that fit the archive with a folder at least, and then holds for each of them:
a path that fits only in another way is another photo's. A base name alone is taken only where the
source has no folders at all, and one photo of the whole archive has that name. A number (COCO's
`image_id`) may count the photos in any order: it is taken as a name only where each photo's name is
a number, all differ, and each number of the source is one of them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from manifests.foreign import Named, Said
from manifests.path_names import (
    Match,
    Names,
    Parts,
    Place,
    base,
    folded_parts,
    numbers,
    split,
    stem,
    tails_of,
)

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_IDENTITY: Final = re.compile(r"[0-9a-f]{64}")
_TOO_MANY: Final = 20  # photos of one name and folder; what fits them all tells nothing
_NO_START: Final = "the archive has no such folders: give ROOT= the one that the paths begin at"
_NO_NUMBER: Final = (
    "may be any photo's number, as not each number is that in one photo's name: give "
    "IMAGES=captions.json, the file that lists the images"
)


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a source's paths begin: without `strip`, below `add`."""

    strip: Parts = ()
    add: Parts = ()

    def applied(self, parts: Parts) -> Parts | None:
        """Give a path from the archive's root; None where it begins elsewhere."""
        if parts[: len(self.strip)] != self.strip or len(parts) == len(self.strip):
            return None
        return (*self.add, *parts[len(self.strip) :])


@dataclass(frozen=True, slots=True)
class _Path:
    """A path taken apart; `fixed`: it is known to begin at the archive's root."""

    parts: Parts = ()
    fixed: bool = False
    wrong: str = ""


class Matcher:
    """The photos of an archive, to be found by what a source calls them."""

    def __init__(self, places: Sequence[Place], roots: Sequence[str], root: str | None) -> None:
        """Index the photos.

        roots: the archive's own path, as it may be written; root: where the source's paths begin,
        where a person has said it.
        """
        self._places = places
        self._roots = [split(each)[1] for each in roots if each]
        self._root = split(root)[1] if root else None
        self._whole = Names(self._texts(range(len(places))))
        self._ids = Names((each.photo_id or "", at) for at, each in enumerate(places))

    def match(self, said: Sequence[Said]) -> list[Match]:
        """Find the photo of each row of one source."""
        paths = [self._read(each.photo) for each in said]
        flat = not any(path.fixed or len(path.parts) > 1 for path in paths)
        start = None if flat else self._start(said, paths)
        numbered = self._numbered(said)
        return [
            numbered.get(each.photo, Match(why=_NO_NUMBER))
            if each.named is Named.NUMBER
            else self._one(each, path, _Start() if path.fixed else start, flat)
            for each, path in zip(said, paths, strict=True)
        ]

    def _numbered(self, said: Sequence[Said]) -> Mapping[str, Match]:
        """Give the photos by the numbers in their names; none where a source's do not fit these."""
        found = numbers(place.text for place in self._places) or ()
        matches = {str(each): Match((at,), "name") for at, each in enumerate(found)}
        fits = all(each.photo in matches for each in said if each.named is Named.NUMBER)
        return matches if fits else {}

    def _texts(self, ats: Iterable[int]) -> Iterable[tuple[str, int]]:
        for at in ats:
            place = self._places[at]
            yield place.text, at
            if place.shown != place.text:
                yield place.shown, at

    @cached_property
    def _pictures(self) -> Sequence[tuple[str, int]]:
        """What a file beside a photo may be about."""
        return list(self._texts(at for at, each in enumerate(self._places) if not each.failed))

    @cached_property
    def _stems(self) -> Names:
        return Names((stem(text), at) for text, at in self._pictures)

    @cached_property
    def _base_stems(self) -> Names:
        return Names((stem(base(text)), at) for text, at in self._pictures)

    @cached_property
    def _bases(self) -> Names:
        return Names((base(text), at) for text, at in self._texts(range(len(self._places))))

    def _read(self, text: str) -> _Path:
        if "\0" in text:
            return _Path(wrong="its path holds a NUL")
        if (_URL.match(text) or "\\" in text) and self._whole.find(text):
            return _Path(tuple(text.split("/")), fixed=True)
        if _URL.match(text):
            return _Path(wrong="is on the web, and not among the archive's photos")
        absolute, parts = split(text)
        if ".." in parts:
            return _Path(wrong="its path leads out of its folder")
        return self._from_root(parts, absolute=absolute)

    def _from_root(self, parts: Parts, *, absolute: bool) -> _Path:
        given = self._root is not None
        for root in [self._root, *(self._roots if absolute else ())]:
            if root is not None and parts[: len(root)] == root:
                return _Path(parts[len(root) :], fixed=True)
        if given and absolute:
            return _Path(wrong="is not in the folder that ROOT= names")
        return _Path(parts, fixed=given)

    def _start(self, said: Sequence[Said], paths: Sequence[_Path]) -> _Start | None:
        """Tell where the source's paths begin; None where nothing tells, or not one place alone."""
        beside = any(each.named is Named.BESIDE for each in said)
        tails = tails_of([*self._whole, *(self._stems if beside else ())])
        votes: Counter[_Start] = Counter()
        for each, path in zip(said, paths, strict=True):
            if path.parts and not path.fixed:
                votes.update(self._ways(path.parts, each.named, tails))
        first, second = [*votes.most_common(2), (None, 0), (None, 0)][:2]
        return first[0] if first[1] > second[1] else None

    def _ways(self, parts: Parts, named: Named, tails: Mapping[Parts, list[Parts]]) -> set[_Start]:
        """Give the ways in which a path fits a photo's, with a folder at least."""
        ways = {_Start()} if self._hits(parts, named) else set()
        folded = folded_parts(parts)
        ours = {*tails.get(folded[-2:], ())} if len(parts) > 1 else set()
        for each in ours if len(ours) <= _TOO_MANY else ():
            shared = min(len(each), len(parts))
            if len(each) != len(parts) and folded_parts(each[-shared:]) == folded[-shared:]:
                ways.add(_Start(strip=parts[:-shared], add=each[:-shared]))
        return ways

    def _one(self, said: Said, path: _Path, start: _Start | None, flat: bool) -> Match:
        named = self._named(said, path, start, flat)
        if not _IDENTITY.fullmatch(said.photo_id):
            return named
        copies = tuple(self._ids.find(said.photo_id))
        if copies:
            meant = named.photos if {*named.photos} <= {*copies} else ()
            return Match(meant or copies, "photo_id")
        if any(self._places[at].photo_id for at in named.photos):
            return Match(why="is of another file than the one at its path now")
        return named if said.photo else Match(why="the archive has no photo of its photo_id")

    def _named(self, said: Said, path: _Path, start: _Start | None, flat: bool) -> Match:
        if path.wrong or not path.parts:
            return Match(why=path.wrong or "names no photo")
        if flat:
            return self._by_name(said.named, path.parts[0])
        if start is None:
            return Match(why=_NO_START)
        ours = start.applied(path.parts)
        hits = self._hits(ours, said.named) if ours else []
        return self._only(hits, "path" if start == _Start() else "folders")

    def _hits(self, parts: Parts, named: Named) -> list[int]:
        text = "/".join(parts)
        hits = self._whole.find(text)
        return hits or (self._stems.find(text) if named is Named.BESIDE else [])

    def _by_name(self, named: Named, name: str) -> Match:
        hits = self._bases.find(name)
        if not hits and named is Named.BESIDE:
            hits = self._base_stems.find(name)
        at_root = len(hits) == 1 and b"/" not in self._places[hits[0]].raw_path
        return self._only(hits, "path" if at_root else "name")

    def _only(self, hits: Sequence[int], by: str) -> Match:
        if len(hits) == 1:
            return Match(tuple(hits), by)
        if not hits:
            return Match(why="the archive has no such photo")
        shown = " or ".join(sorted(self._places[at].shown for at in hits[:2]))
        return Match(why=f"may be of {shown}{' or others' if len(hits) > 2 else ''}")
