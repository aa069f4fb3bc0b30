"""Captions out to XMP sidecars, beside the photos or in a tree of folders like theirs.

This and `batch/embed.py` alone write under the photos' folder, and only where the user asks. What
may leave are captions that people have approved or written; a rerun takes back what no longer may.
The photos themselves are read, never written.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from batch.captioned import Captioned
from batch.config import is_within, keep_out_of, refuse_store
from batch.leaving import why_nothing
from batch.said import description_of
from batch.sidecar_files import (
    check_same_photo,
    explain,
    read_sidecar,
    remove_sidecar,
    replace_sidecar,
)
from batch.sidecar_places import Naming, NoPlaceError, Places
from batch.sidecar_report import SidecarReport
from manifests.durable import remove_leftovers
from manifests.rdf import XmpError
from manifests.record import Record
from manifests.sidecar import NAMESPACE, Description, merge_xmp, read_xmp


def export_sidecars(
    found: Captioned,
    naming: Naming = Naming.WITH_ENDING,
    *,
    include_machine: bool = False,
    replaces: bool = False,
    to: str | None = None,
) -> SidecarReport:
    """Bring the sidecars of an archive's photos to what people have said of them.

    `naming` is for new sidecars; those of either name that hold our words are brought up to date.
    `replaces` lets a reviewed caption take the place of one by others. `to` is a folder for a tree
    of sidecars like that of the photos; None: beside the photos. What stands in the way of one
    photo is noted, and the others go on. Raises ArchiveError where `to` is among the photos or the
    archive is not there.
    """
    if to is None:
        refuse_store(found.archive, "give INTO= a folder for the sidecars")
    keep_out_of(found.archive, {} if to is None else {"TO": to})
    work = _Export(Places(found, to), naming, replaces)
    for record in found.there:
        description = description_of(record, include_machine=include_machine)
        if description is None:
            work.done.without[why_nothing(record, include_machine=include_machine)] += 1
        work.photo(record, description)
    return work.done


@dataclass
class _Export:
    places: Places
    naming: Naming
    replaces: bool
    done: SidecarReport = field(default_factory=lambda: SidecarReport("sidecar"))
    _cleared: str = ""  # the folder that was last rid of what killed runs left in it
    _taken: set[tuple[int, int]] = field(default_factory=set)  # sidecars of this run, by inode

    def photo(self, record: Record, description: Description | None) -> None:
        self.done.photos += 1
        try:
            if description is None:
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
        else:
            self._write(sidecar, data, before)
            self.done.written += description is not None
            self.done.taken_back += description is None
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
            endings = () if existing is None else read_xmp(existing).endings
            is_free = not endings and not self.places.is_contested(short, location)
            if is_free or _ending(location).lower() in endings:
                found.append(short)
        return found

    def _write(self, sidecar: str, data: bytes, before: os.stat_result | None) -> None:
        self._make_room(os.path.dirname(sidecar))
        if data:
            replace_sidecar(sidecar, data, before)
        else:
            remove_sidecar(sidecar, before)

    def _make_room(self, folder: str) -> None:
        if folder == self._cleared:
            return
        root = self.places.to
        if root is not None:
            os.makedirs(folder, exist_ok=True)
            if not is_within(folder, root):
                raise NoPlaceError("a link leads out of the folder for sidecars")
        remove_leftovers(Path(folder), older_than=3600)
        self._cleared = folder


def _is_marked(sidecar: str) -> bool:
    try:
        existing, _ = read_sidecar(sidecar)
    except (OSError, NoPlaceError):
        return False
    return existing is not None and NAMESPACE.encode() in existing


def _ending(location: str) -> str:
    return os.path.splitext(location)[1].removeprefix(".")
