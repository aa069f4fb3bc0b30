"""Captions out to XMP sidecars, beside the photos or in a tree of folders like theirs.

This and `batch/embed.py` alone write under the photos' folder, and only where the user asks. What
may leave are captions that people have approved or written; a rerun takes back what no longer may.
The photos themselves are read, never written.
"""

import os
from collections import Counter
from dataclasses import dataclass, field

from batch.captioned import Captioned
from batch.config import is_within, keep_out_of
from batch.said import description_of
from batch.sidecar_files import (
    check_same_photo,
    explain,
    read_sidecar,
    remove_sidecar,
    replace_sidecar,
)
from batch.sidecar_places import Naming, NoPlaceError, Places
from batch.summary import COMPLETE, WITH_FAILURES
from manifests.record import Record
from manifests.sidecar import NAMESPACE, Description, XmpError, merge_xmp, read_xmp


@dataclass
class Exported:
    """What an export did, for one line to print; `notes` tell of each photo what was left alone."""

    photos: int = 0
    written: int = 0
    unchanged: int = 0
    removed: int = 0  # sidecars that held nothing but captions which no longer stand
    not_reviewed: int = 0
    kept_words: int = 0  # photos in whose sidecar another's caption stands
    other_name: int = 0
    left: Counter[str] = field(default_factory=Counter)  # photos left alone, by reason
    notes: list[tuple[str, str]] = field(default_factory=list)  # path, what is to be said of it

    @property
    def exit_code(self) -> int:
        """Exit code 3 where a caption did not get to its place."""
        return WITH_FAILURES if self.left or self.kept_words else COMPLETE

    def leave(self, record: Record, why: str) -> None:
        """Note a photo that was left alone."""
        self.left[why] += 1
        self.notes.append((record.path, why))

    def __str__(self) -> str:
        counts = [
            (self.removed, "taken back"),
            (self.unchanged, "unchanged"),
            (self.other_name, "named photo.ext.xmp, as photo.xmp may be another's"),
            (self.kept_words, "with a caption by others, which was kept"),
            (self.not_reviewed, "with no caption that was approved or edited"),
        ]
        parts = [f"{self.photos:,} photos, {self.written:,} sidecars written"]
        parts += [f"{n:,} {what}" for n, what in counts if n]
        if self.left:
            reasons = "; ".join(f"{n:,} {why}" for why, n in sorted(self.left.items()))
            parts.append(f"{self.left.total():,} left alone ({reasons})")
        return ", ".join(parts)


def export_sidecars(
    found: Captioned,
    naming: Naming = Naming.WITH_ENDING,
    *,
    include_machine: bool = False,
    replaces: bool = False,
    to: str | None = None,
) -> Exported:
    """Bring the sidecars of an archive's photos to what people have said of them.

    `naming` is for new sidecars; those of either name that hold our words are brought up to date.
    `replaces` lets a reviewed caption take the place of one by others. `to` is a folder for a tree
    of sidecars like that of the photos; None: beside the photos. What stands in the way of one
    photo is noted, and the others go on. Raises ArchiveError where `to` is among the photos or the
    archive is not there.
    """
    keep_out_of(found.archive, {} if to is None else {"TO": to})
    work = _Export(Places(found, to), naming, replaces)
    for record in found.records:
        work.photo(record, description_of(record, include_machine=include_machine))
    return work.done


@dataclass
class _Export:
    places: Places
    naming: Naming
    replaces: bool
    done: Exported = field(default_factory=Exported)
    _taken: set[tuple[int, int]] = field(default_factory=set)  # sidecars of this run, by inode

    def photo(self, record: Record, description: Description | None) -> None:
        self.done.photos += 1
        try:
            if description is None:
                self.done.not_reviewed += 1
                self.take_back(record)
            else:
                self.export(record, description)
        except NoPlaceError as error:
            self.done.leave(record, str(error))
        except XmpError as error:
            self.done.leave(record, f"its sidecar cannot be read: {error}")
        except OSError as error:
            self.done.leave(record, explain(error))

    def take_back(self, record: Record) -> None:
        try:
            location = self.places.location(record)
        except NoPlaceError:
            return  # nothing of ours can be there
        for sidecar in self._ours(location):
            self.bring(sidecar, location, None)

    def export(self, record: Record, description: Description) -> None:
        location = self.places.location(record)
        check_same_photo(location, record)
        asked = self._asked(record, location)
        lacking = self.bring(asked, location, description)
        for sidecar in self._ours(location):
            if sidecar != asked:
                self.bring(sidecar, location, description)
        if lacking:
            self.done.kept_words += 1
            self.done.notes.append((record.path, f"kept another's caption ({', '.join(lacking)})"))

    def bring(self, sidecar: str, location: str, description: Description | None) -> list[str]:
        """Bring one sidecar up to date; name the languages in which another's caption stays."""
        existing, before = read_sidecar(sidecar)
        if before is not None and (before.st_dev, before.st_ino) in self._taken:
            raise NoPlaceError("its sidecar's name is another photo's on this disk")
        ending = _ending(location) if sidecar == self.places.without_ending(location) else ""
        data = merge_xmp(existing, description, replaces=self.replaces, ending=ending)
        if data == existing:
            self.done.unchanged += 1
        elif not data:
            remove_sidecar(sidecar, before)
            self.done.removed += 1
        else:
            self._make_room(sidecar)
            replace_sidecar(sidecar, data, before)
            self.done.written += 1
        if not data or description is None:
            return []
        now = os.lstat(sidecar)
        self._taken.add((now.st_dev, now.st_ino))
        return read_xmp(data).lacks(description)

    def _asked(self, record: Record, location: str) -> str:
        """Give the place of a photo's sidecar under the naming that was asked for."""
        full, short = self.places.with_ending(location), self.places.without_ending(location)
        if self.naming is Naming.WITH_ENDING:
            return full
        if not self.places.is_contested(short, location) and not self._is_anothers(short, location):
            return short
        self.done.other_name += 1
        name = os.fsencode(os.path.basename(short)).decode("utf-8", "backslashreplace")
        self.done.notes.append((record.path, f"{name} may be another's"))
        return full

    def _is_anothers(self, sidecar: str, location: str) -> bool:
        """Tell whether a sidecar says that it is of a file with another ending."""
        existing, _ = read_sidecar(sidecar)
        endings = () if existing is None else read_xmp(existing).endings
        return bool(endings) and _ending(location).lower() not in endings

    def _ours(self, location: str) -> list[str]:
        """Name the sidecars of a photo in which words of ours stand."""
        full, short = self.places.with_ending(location), self.places.without_ending(location)
        found = [full] if _is_marked(full) else []
        if _is_marked(short):
            existing, _ = read_sidecar(short)
            if existing and _ending(location).lower() in read_xmp(existing).endings:
                found.append(short)
        return found

    def _make_room(self, sidecar: str) -> None:
        folder, root = os.path.dirname(sidecar), self.places.to
        if root is None:
            return
        os.makedirs(folder, exist_ok=True)
        if not is_within(folder, root):
            raise NoPlaceError("a link leads out of the folder for sidecars")


def _is_marked(sidecar: str) -> bool:
    try:
        existing, _ = read_sidecar(sidecar)
    except (OSError, NoPlaceError):
        return False
    return existing is not None and NAMESPACE.encode() in existing


def _ending(location: str) -> str:
    return os.path.splitext(location)[1].removeprefix(".")
