"""What a run is asked to do."""

import os
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

    def check(self) -> None:
        """Raise ArchiveError where results would land among the photos, or names mean nothing."""
        root = os.path.realpath(self.archive)
        if not os.path.isdir(root):
            raise ArchiveError(f"{self.archive!r} is not a folder; give DIR= the folder of photos")
        for what, folder in (("OUT", self.out), ("FEATURES", self.features)):
            if is_within(folder, root):
                raise ArchiveError(
                    f"{what} is {folder!r}, inside the photo folder, which is never written to; "
                    f"give {what}= another place"
                )
        if not os.path.isdir(self.captioner):
            raise ArchiveError(
                f"no captioner {self.captioner!r}; give the name of one in {PRETRAINED!r} "
                "or the path of a folder"
            )


def is_within(path: str, folder: str) -> bool:
    """Tell whether a path lies in a folder, or is it, once links are followed."""
    return os.path.commonpath(
        [os.path.realpath(path), os.path.realpath(folder)]
    ) == os.path.realpath(folder)


def default_out(archive: str) -> str:
    """Name the results' folder after the archive's."""
    return os.path.join(OUTPUTS, os.path.basename(os.path.realpath(archive)) or "root")


def captioner_folder(name: str) -> str:
    """Find a captioner: the name of one that ships, or the path of a folder."""
    shipped = os.path.join(PRETRAINED, name)
    return shipped if os.path.isdir(shipped) else name
