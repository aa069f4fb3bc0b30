"""Where a photo's sidecar stands: two photos never share one, nor one with a camera's raw file.

Programs follow two conventions. digiKam, darktable and Immich look for `photo.jpg.xmp`, which can
only be that photo's. Adobe's look for `photo.xmp`, which may as well be that of `photo.CR2`: it is
taken only where no other picture or video of that name is in the folder, and where what stands in
it does not say that it is another's (`photoshop:SidecarForExtension`, `crs:RawFileName`).
"""

import os
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

from batch.captioned import Captioned
from batch.config import is_within
from batch.formats import extensions
from batch.stores import is_url, listing
from manifests.record import Record

ENDING = ".xmp"
VIDEOS = frozenset({".mov", ".mp4", ".m4v", ".avi", ".mts", ".m2ts", ".3gp", ".mkv", ".mpg"})


class Naming(StrEnum):
    """What a new sidecar is called."""

    WITH_ENDING = "photo.ext.xmp"
    WITHOUT_ENDING = "photo.xmp"


class NoPlaceError(Exception):
    """A photo can have no sidecar here; the text says why."""


@dataclass
class Places:
    """The places of an archive's sidecars: beside the photos, or in a tree of folders like theirs.

    Raises NoPlaceError where a photo is on the web, in a zip, or reached by a link out of the
    archive. Folders are looked at once, as long as the photos come folder by folder.
    """

    found: Captioned
    to: str | None = None
    _folder: str = ""
    _within: bool = False
    _of_stem: dict[str, set[str]] = field(default_factory=dict)

    def location(self, record: Record) -> str:
        """Give the path of a photo that lies in the archive, links considered."""
        location = self.found.location(record)
        if location is None:
            on_web = record.raw_path.startswith((b"http://", b"https://"))
            raise NoPlaceError("on the web" if on_web else "no path within the archive")
        self._look_at(os.path.dirname(location))
        if not self._within:
            raise NoPlaceError("in a folder that a link leads to, outside the archive")
        return location

    def with_ending(self, location: str) -> str:
        """Name a photo's sidecar as digiKam does."""
        return self._at(location + ENDING)

    def without_ending(self, location: str) -> str:
        """Name a photo's sidecar as Adobe does."""
        return self._at(os.path.splitext(location)[0] + ENDING)

    def is_contested(self, sidecar: str, location: str) -> bool:
        """Tell whether the name of a sidecar is as much that of another picture in the folder.

        `a.xmp` may be that of any `a.*`, and `a.jpg.xmp` that of `a.jpg.tif` as well.
        """
        self._look_at(os.path.dirname(location))
        stem = _folded(os.path.splitext(os.path.basename(sidecar))[0])
        return bool(self._of_stem.get(stem, set()) - {os.path.basename(location)})

    def _at(self, beside: str) -> str:
        if self.to is None:
            return beside
        return os.path.join(self.to, os.path.relpath(beside, self.found.archive))

    def _look_at(self, folder: str) -> None:
        if folder == self._folder:
            return
        self._folder, self._of_stem = folder, {}
        self._within = is_within(folder, self.found.archive)
        for name in _pictures(folder):
            for stem in (name, os.path.splitext(name)[0]):
                self._of_stem.setdefault(_folded(stem), set()).add(name)


def _pictures(folder: str) -> list[str]:
    try:
        names = [each.name for each in listing(folder)] if is_url(folder) else os.listdir(folder)
    except OSError:
        return []  # what is wrong with it shows when its photos are looked at
    known = extensions() | VIDEOS
    return [name for name in names if os.path.splitext(name)[1].lower() in known]


def _folded(name: str) -> str:
    """Give what disks that ignore case and the forms of Unicode take for the same name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
