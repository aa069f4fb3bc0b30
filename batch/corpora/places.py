"""Find a corpus' photos in a folder, whatever its folders are called, zip files left zipped."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

from batch.corpora.corpus import CaptionedPhoto, CorpusError, Problem, Tell
from batch.corpora.records import CaptionRecord
from batch.damage import PhotoError
from batch.scan import left_out
from batch.zipped import ENDING, is_zip, members

Folders = tuple[str, ...]
Candidates = Mapping[str, Sequence[str]]
"""For the last part of a path, the files of that name: paths below the photos' folder."""


def find_photos(
    photos: str,
    records: Sequence[CaptionRecord],
    tell: Tell,
    others: Sequence[CaptionRecord] = (),
) -> dict[str, CaptionedPhoto]:
    """Give the photo of each record's path; what is missing or could be two files is told.

    `photos` is a folder or a zip file. A file is a record's when it has its name and as many of the
    folders before it as any; a zip stands for a folder. It is not where it lies in the folder of
    other records: of `others` too, for which no photo is given and nothing is told. Raises
    CorpusError where there is no folder.
    """
    candidates = _candidates(photos, {_name(record.path) for record in records}, tell)
    known = _known([*records, *others])
    asked = {record.path for record in records}
    root = _name(os.path.abspath(photos))
    claims: dict[str, list[CaptionRecord]] = defaultdict(list)
    for record in (*records, *others):
        places = candidates.get(_name(record.path), ())
        best = _best(record.path, [p for p in places if _may_be(root, p, record.path, known)])
        if len(best) == 1:
            claims[best[0]].append(record)
        elif record.path in asked:
            tell(record.problem(_unclear(record, photos, best)))
    found: dict[str, CaptionedPhoto] = {}
    for place, claimants in claims.items():
        for record in claimants:
            if record.path in asked and len(claimants) == 1:
                found[record.path] = CaptionedPhoto(place, record.captions)
            elif record.path in asked:
                tell(record.problem(f"has no photo of its own, {place} is another's too"))
    return found


def _known(records: Iterable[CaptionRecord]) -> set[Folders]:
    """Gather the folders that records name: the last one of each path, the last two, and so on."""
    every = {_folders(record.path) for record in records}
    return {folders[start:] for folders in every for start in range(len(folders))}


def _may_be(root: str, place: str, wanted: str, known: set[Folders]) -> bool:
    """Tell whether a file may be a record's: not where its folder is that of other records.

    `root` is the name of the photos' place. Folders that no record names say
    nothing: all photos may be in one.
    """
    if place == wanted:
        return True
    own, folders = _folders(wanted), _folders(f"{root}/{place}")
    while folders and folders[-1:] not in known:
        folders = folders[:-1]
    alike = _common(folders, own)
    return alike == len(folders) or folders[-alike - 1 :] not in known


def _folders(path: str) -> Folders:
    """Give the folders of a path; a zip stands for the folder of its name."""
    parts = path.split("/")[:-1]
    return tuple(part[: -len(ENDING)] if is_zip(part) else part for part in parts)


def _common(folders: Folders, others: Folders) -> int:
    """Count the folders, from the last on, that two paths have in common."""
    pairs = zip(reversed(folders), reversed(others), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _unclear(record: CaptionRecord, photos: str, best: Sequence[str]) -> str:
    if not best:
        return f"has no photo, {record.path} is not under {photos}"
    return f"has a photo that could be {best[0]} or {best[1]} under {photos}"


def _best(wanted: str, candidates: Sequence[str]) -> list[str]:
    """Choose where a photo is; several where nothing tells them apart."""

    def rank(place: str) -> tuple[int, bool, bool, bool]:
        parts = place.split("/")
        is_zipped = any(is_zip(part) for part in parts[:-1])
        alike = _common(_folders(place), _folders(wanted))
        return alike, place == wanted, not is_zipped, len(parts) == 1

    ranked = [(rank(place), place) for place in candidates]
    best = max((rank for rank, _ in ranked), default=None)
    return [place for rank, place in ranked if rank == best]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _candidates(photos: str, names: set[str], tell: Tell) -> Candidates:
    """Walk the folder once, and into its zip files, noting the files of some names."""
    found: dict[str, list[str]] = defaultdict(list)
    for place in _files(photos, tell):
        if _name(place) in names:
            found[_name(place)].append(place)
    return found


def _files(photos: str, tell: Tell) -> Iterator[str]:
    if is_zip(photos) and os.path.isfile(photos):
        yield from _zipped(photos, tell)
        return
    if not os.path.isdir(photos):
        raise CorpusError(
            f"{photos!r} is no folder and no zip file; give PHOTOS= the photos' place"
        )
    for place in _walk(photos, tell):
        yield place
        if is_zip(place):
            yield from (f"{place}/{name}" for name in _zipped(os.path.join(photos, place), tell))


def _zipped(path: str, tell: Tell) -> Iterator[str]:
    try:
        yield from dict.fromkeys(members(path))  # a zip may hold two of one name
    except PhotoError:
        tell(Problem(path, "", "is no whole zip file, copy it again", "its photos are left out"))
    except OSError as error:
        wrong = f"cannot be opened ({error.strerror})"
        tell(Problem(path, "", wrong, "its photos are left out"))


def _walk(top: str, tell: Tell) -> Iterator[str]:
    """Give the files below a folder; links are followed, no folder is walked twice."""
    seen = {_identity(top)}

    def failed(error: OSError) -> None:
        wrong = f"cannot be listed ({error.strerror})"
        tell(Problem(str(error.filename), "", wrong, "its photos are left out"))

    for folder, folders, names in os.walk(top, onerror=failed, followlinks=True):
        folders[:] = _new_folders(folder, folders, seen)
        below = os.path.relpath(folder, top)
        prefix = "" if below == "." else f"{below}/"
        yield from (prefix + name for name in sorted(names))


def _new_folders(folder: str, names: Iterable[str], seen: set[tuple[int, int]]) -> Iterator[str]:
    for name in sorted(names):
        identity = _identity(os.path.join(folder, name))
        if not left_out(name) and identity not in seen:
            seen.add(identity)
            yield name


def _identity(folder: str) -> tuple[int, int]:
    found = os.stat(folder)
    return found.st_dev, found.st_ino
