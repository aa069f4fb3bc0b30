"""What a run is asked to do."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batch.errors import ArchiveError

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PRETRAINED = os.path.join(_HOME, "models", "pretrained")
PRESET = os.path.join(_HOME, "recipes", "flickr8k-en.json")
CAPTIONER = "flickr8k-en"
OUTPUTS = "outputs"
FEATURES = os.path.join(OUTPUTS, "features")


@dataclass(frozen=True)
class Config:
    """A run over an archive: which photos, by which captioner, to which folders."""

    archive: str
    out: str
    features: str
    captioner: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: int | None = None
    overwrite: bool = False  # caption again what has a caption
    retry_failed: bool = False  # load again what cannot be read, though its bytes are the same
    moved: bool = False  # the archive of this OUT has another place now
    search: dict[str, Any] = field(default_factory=dict)  # settings of SearchConfig to change

    def check(self, *, writes_out: bool = True) -> None:
        """Raise ArchiveError where results would land among the photos, or names mean nothing."""
        if not os.path.isdir(self.archive):
            raise ArchiveError(f"{self.archive!r} is not a folder; give DIR= the folder of photos")
        places = {"FEATURES": self.features} | ({"OUT": self.out} if writes_out else {})
        keep_out_of(self.archive, places)
        if not os.path.isdir(self.captioner):
            raise ArchiveError(
                f"no captioner {self.captioner!r}; give the name of one in {PRETRAINED!r} "
                "or the path of a folder"
            )


def keep_out_of(photos: str, places: Mapping[str, str]) -> None:
    """Raise ArchiveError where a place that is written to, by its name, is among the photos."""
    for name, place in places.items():
        if is_within(place, photos):
            raise ArchiveError(
                f"{name} is {place!r}, inside the photo folder, which is never written to; "
                f"give {name}= another place"
            )


def is_within(path: str, folder: str) -> bool:
    """Tell whether a path lies in a folder, or is it; links and disks that ignore case included."""
    place = os.path.realpath(path)
    while True:
        if os.path.exists(place) and os.path.samefile(place, folder):
            return True
        above = os.path.dirname(place)
        if above == place:
            return False
        place = above


def default_out(archive: str) -> str:
    """Name the results' folder after the archive's."""
    return os.path.join(OUTPUTS, os.path.basename(os.path.realpath(archive)) or "root")


def captioner_folder(name: str) -> str:
    """Find a captioner: the name of one that ships, or the path of a folder."""
    shipped = os.path.join(PRETRAINED, name)
    return shipped if os.path.basename(name) == name and _has_config(shipped) else name


def _has_config(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "config.json"))
