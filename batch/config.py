"""What a run is asked to do."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import Any

from batch.device import OPENVINO, asked_backend
from batch.errors import ArchiveError
from batch.stores import absolute, check_driver, is_below, is_page, is_there, is_url, real
from models.errors import MissingExtraError
from models.small_files import read_json

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PRETRAINED = os.path.join(HOME, "models", "pretrained")
PRESETS = {
    "attention": os.path.join(HOME, "recipes", "flickr8k-en.json"),
    "merge": os.path.join(HOME, "recipes", "flickr8k-merge.json"),
}
CAPTIONER = "flickr8k-en"
OUTPUTS = "outputs"
FEATURES = os.path.join(OUTPUTS, "features")
SETTINGS = ("PRECISION", "ENCODER_BACKEND")  # of the environment, which change what captions say


@dataclass(frozen=True)
class Config:
    """A run over an archive: which photos, by which captioner, to which folders."""

    archive: str
    out: str
    features: str
    captioner: str
    others: tuple[str, ...] = ()  # captioners for more languages, beside the first
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: int | None = None
    overwrite: bool = False  # caption again what has a caption
    retry_failed: bool = False  # load again what cannot be read, though its bytes are the same
    moved: bool = False  # the archive of this OUT has another place now
    search: dict[str, Any] = field(default_factory=dict)  # settings of SearchConfig to change
    urls: tuple[str, ...] | None = None  # photos to fetch; `archive` is then their list's path
    urls_are_all: bool = True  # what is not among the URLs is gone; not where they were only named
    cache_limit: int | None = None  # bytes that all caches under `features` may take
    allow_private: bool = False  # fetch from this machine and the local network too
    max_hours: float | None = None  # then it stops at a shard's end, and the next run goes on
    quiet: bool = False  # no bar on a terminal either
    scheduler: str | None = None  # address of a Dask scheduler, whose workers caption the shards
    workers: int | None = None  # or so many processes on this machine do

    @property
    def is_spread(self) -> bool:
        """Whether other processes caption the shards."""
        return self.scheduler is not None or self.workers is not None

    @property
    def captioners(self) -> tuple[str, ...]:
        """The folders of all captioners."""
        return (self.captioner, *self.others)

    @property
    def captioner_name(self) -> str:
        """The first captioner's name, as its signature begins."""
        return setting_of(self.captioner, "name")

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that every photo is to have captions in, where there are several."""
        return tuple(map(language_of, self.captioners)) if self.others else ()

    @property
    def asked(self) -> dict[str, Any]:
        """What a run is asked, for its note and its log: URLs are counted, they are in the rows."""
        found = asdict(self) | {"languages": self.languages}
        found["urls"] = None if self.urls is None else len(self.urls)
        return found | {name: absolute(found[name]) for name in ("out", "features")}

    def check(self, *, writes_out: bool = True) -> None:
        """Raise ArchiveError where results would land among the photos, or names mean nothing.

        MissingExtraError where Dask or OpenVINO are asked for and not installed.
        """
        for place in filter(is_url, (self.archive, self.features)):
            check_driver(place)
        if self.urls is None:
            self._check_folder(writes_out=writes_out)
        elif find_spec("httpx") is None:
            raise ArchiveError(
                "photos by URL need a few packages more; `make caption URLS=…` installs them, and "
                "so does `.venv/bin/pip install -r requirements-urls.txt`"
            )
        if self.cache_limit and is_url(self.features):
            raise ArchiveError(
                f"CACHE_LIMIT= is for caches on this machine; {self.features} is let grow, until a "
                "rule of its bucket removes what is old"
            )
        if self.overwrite and self.max_hours is not None:
            raise ArchiveError(
                "EXISTING=overwrite begins with the first photo each time, so with MAX_HOURS= it "
                "might never come to the last: leave one of the two out"
            )
        for captioner in self.captioners:
            _check_captioner(captioner)
        backend = asked_backend()
        if self.is_spread:
            self._check_cluster()
        elif backend == "openvino" and find_spec("openvino") is None:
            raise MissingExtraError(*OPENVINO)

    def _check_cluster(self) -> None:
        if self.scheduler is not None and not re.fullmatch(r"(tcp|tls)://\S+", self.scheduler):
            raise ArchiveError(
                f"{self.scheduler!r} is no address of a Dask scheduler; give one like "
                "SCHEDULER=tcp://host:8786, or tls://host:8786"
            )
        if find_spec("distributed") is None:
            raise MissingExtraError("SCHEDULER= and WORKERS=", "distributed", "make cluster")

    def _check_folder(self, *, writes_out: bool) -> None:
        if is_page(self.archive):
            raise ArchiveError(
                f"{self.archive!r} is on the web: give URLS= a list of the photos' own URLs, one a "
                "line, instead of DIR="
            )
        if not is_there(self.archive):
            raise ArchiveError(f"{self.archive!r} is not a folder; give DIR= the folder of photos")
        places = {"FEATURES": self.features} | ({"OUT": self.out} if writes_out else {})
        keep_out_of(self.archive, places)


def version() -> str | None:
    """Tell this program's version; None where its pyproject.toml is not there."""
    try:
        with open(os.path.join(HOME, "pyproject.toml"), "rb") as file:
            return str(tomllib.load(file)["project"]["version"])
    except (OSError, ValueError, LookupError):
        return None


def keep_out_of(photos: str, places: Mapping[str, str]) -> None:
    """Raise ArchiveError where a place that is written to, by its name, is among the photos."""
    if not is_url(photos) and not os.path.exists(photos):
        raise ArchiveError(f"there is no {photos!r}; give the folder of the photos")
    for name, place in places.items():
        if is_within(place, photos):
            raise ArchiveError(
                f"{name} is {place!r}, inside the photo folder, which is never written to; "
                f"give {name}= another place"
            )


def refuse_store(photos: str, remedy: str) -> None:
    """Raise ArchiveError where photos to be written to, or beside, are in object storage."""
    if is_url(photos):
        raise ArchiveError(f"{photos} is a store of photos, which is only read: {remedy}")


def is_within(path: str, folder: str) -> bool:
    """Tell whether a path lies in a folder, or is it; links and disks that ignore case included."""
    if is_url(path) or is_url(folder):
        return is_below(path, folder)
    place = os.path.realpath(path)
    while True:
        if os.path.exists(place) and os.path.samefile(place, folder):
            return True
        above = os.path.dirname(place)
        if above == place:
            return False
        place = above


def lasting(encoder_weights: str, out: str) -> str:
    """Name weights so that they are found from any folder.

    Those of a captioner beside the one to be made are named from there: the two go together.
    """
    if not os.path.isfile(encoder_weights):
        return encoder_weights
    path, home = os.path.abspath(encoder_weights), os.path.abspath(out)
    beside = os.path.dirname(os.path.dirname(path)) == os.path.dirname(home)
    return os.path.relpath(path, home) if beside else path


def default_out(archive: str, *, is_list: bool = False) -> str:
    """Name the results' folder after the archive's, or after a list without its ending."""
    name = os.path.basename(real(archive)) or "root"
    return os.path.join(OUTPUTS, os.path.splitext(name)[0] if is_list else name)


def captioner_folder(name: str) -> str:
    """Find a captioner: the name of one that ships, or the path of a folder."""
    ours = os.path.join(PRETRAINED, name)
    return ours if os.path.basename(name) == name and _has_config(ours) else name


def named_captioner(folder: str) -> str:
    """Name a captioner to find it from any folder: by its name, if it ships, or by its path."""
    parent, name = os.path.split(folder)
    return name if parent == PRETRAINED else os.path.abspath(folder)


def shipped() -> list[str]:
    """Name the captioners that ship."""
    return sorted(name for name in os.listdir(PRETRAINED) if _has_config(f"{PRETRAINED}/{name}"))


def captioner_folders(names: str) -> list[str]:
    """Find captioners, one or several with commas between."""
    whole = captioner_folder(names)
    return (
        [whole]
        if _has_config(whole)
        else [captioner_folder(name.strip()) for name in names.split(",")]
    )


def language_of(captioner: str) -> str:
    """Read a captioner's language; no model is loaded. Raises ArchiveError where it has none."""
    return setting_of(captioner, "language")


def _check_captioner(captioner: str) -> None:
    if not os.path.isdir(captioner):
        raise ArchiveError(
            f"no captioner {captioner!r}; give {' or '.join(shipped())}, or the path of a "
            "captioner's folder"
        )


def setting_of(captioner: str, name: str) -> str:
    """Read one setting of a captioner; no model is loaded. Raises ArchiveError."""
    _check_captioner(captioner)
    path = os.path.join(captioner, "config.json")
    try:
        return str(read_json(path)[name])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArchiveError(f"{path}: not a captioner's configuration ({error!r})") from error


def _has_config(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "config.json"))
