"""Object storage by URL: s3://bucket/folder, gs://, abfs:// and what else fsspec has a driver for.

The one room that knows fsspec. Credentials and endpoints are each driver's business, which takes
them from the environment; they are never in a URL here. A driver tries again by itself what fails
in passing. Whatever it raises, an OSError leaves this room, with an errno, the URL, and words that
say what to do.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from batch.errors import ArchiveError
from models.errors import MissingExtraError

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_WEB = ("http", "https")  # photos behind these are given by URLS=, and results cannot be put there
_FILE = "file://"
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")  # by driver
_TAGS = ("ETag", "etag", "md5Hash")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """An object, or a folder of them; `tag` is another one whenever the object's bytes are."""

    name: str  # below the folder that was listed
    is_folder: bool
    size: int  # bytes
    mtime_ns: int  # 0 where the store does not tell
    tag: str


def is_url(place: str) -> bool:
    """Tell the URL of a store from a path on this machine, and from a page of the web."""
    found = _URL.match(place)
    return found is not None and found[1].lower() not in _WEB


def is_page(place: str) -> bool:
    """Tell a URL of the web."""
    found = _URL.match(place)
    return found is not None and found[1].lower() in _WEB


def tidy(place: str) -> str:
    """Write a place as it is known by: a URL in one way, `file://` as a path."""
    if place.lower().startswith(_FILE):
        return place[len(_FILE) :] or "/"
    found = _URL.match(place) if is_url(place) else None
    return found[0].lower() + place[found.end() :].rstrip("/") if found else place


def absolute(place: str) -> str:
    """Give a place as it is known from any folder."""
    return place if is_url(place) else os.path.abspath(place)


def real(place: str) -> str:
    """Give a place under its one name, links followed."""
    return place if is_url(place) else os.path.realpath(place)


def is_there(folder: str) -> bool:
    """Tell whether a folder is there; of one in a store, which would have to be asked, assume it.

    A store has no folders but those of its objects: what there is, a listing tells.
    """
    return is_url(folder) or os.path.isdir(folder)


def is_below(place: str, folder: str) -> bool:
    """Tell by their names whether the place of a URL lies in another's, or is it."""
    return f"{tidy(place)}/".startswith(f"{tidy(folder)}/")


def check_driver(url: str) -> None:
    """Raise MissingExtraError or ArchiveError where nothing here speaks with such a store."""
    _class_of(url)


def listing(url: str) -> list[Entry]:
    """Give what is directly in a folder, in no order; objects and folders may share a name.

    Raises FileNotFoundError where there is nothing, or another OSError.
    """
    with reaching(url):
        filesystem, path = _at(url)
        filesystem.invalidate_cache()  # others write there, too
        found = [_entry(info, path) for info in filesystem.ls(path, detail=True)]
    # A folder may have an object of its own name, by which programs show it while it is empty.
    return [entry for entry in found if entry.name or entry.is_folder]


def objects_below(url: str) -> dict[str, Entry]:
    """Give all objects below a folder, by their names from there; none where there is nothing.

    Raises FileNotFoundError where there is no such bucket, or another OSError.
    """
    with reaching(url):
        filesystem, path = _at(url)
        filesystem.invalidate_cache()
        found = [_entry(info, path) for info in filesystem.find(path, detail=True).values()]
    return {entry.name: entry for entry in found if entry.name}


def entry_of(url: str) -> Entry:
    """Ask for an object's size and time. Raises FileNotFoundError, or another OSError."""
    with reaching(url):
        filesystem, path = _at(url)
        filesystem.invalidate_cache()
        return _entry(filesystem.info(path), os.path.dirname(path))


def read(url: str, most: int | None = None) -> bytes:
    """Read an object, of a large one no more than `most` bytes, if so asked. Raises OSError."""
    with reaching(url):
        filesystem, path = _at(url)
        part = {} if most is None else {"start": 0, "end": most}
        return bytes(filesystem.cat_file(path, **part))


def write(url: str, data: bytes, *, new: bool = False) -> None:
    """Write an object, whole or not at all. Raises OSError; FileExistsError where it is not `new`.

    Of several who write one that is to be new, one alone succeeds.
    """
    with reaching(url):
        filesystem, path = _at(url)
        filesystem.pipe_file(path, data, mode="create" if new else "overwrite")


def put(source: str, url: str) -> None:
    """Bring a file to a store, whole or not at all. Raises OSError."""
    with reaching(url):
        filesystem, path = _at(url)
        filesystem.put_file(source, path)


def get(url: str, target: str) -> None:
    """Fetch an object into a file, which is whole only when this returns. Raises OSError."""
    with reaching(url):
        filesystem, path = _at(url)
        filesystem.get_file(path, target)


def remove(url: str) -> None:
    """Remove an object, if it is there. Raises OSError."""
    with reaching(url):
        filesystem, path = _at(url)
        try:
            filesystem.rm_file(path)
        except FileNotFoundError:
            return


def rename(url: str, new: str) -> None:
    """Give an object another name in its store. Raises OSError."""
    with reaching(url):
        filesystem, path = _at(url)
        filesystem.cp_file(path, _at(new)[1])
        filesystem.rm_file(path)


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn whatever a driver raises into an OSError that says what to do."""
    try:
        yield
    except (MemoryError, FileExistsError, ArchiveError, MissingExtraError):
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "is not there", url) from error
    except PermissionError as error:
        why = f"may not be used ({_reason(error)}): check the credentials and what they allow"
        raise PermissionError(errno.EACCES, why, url) from error
    except Exception as error:
        why = f"cannot be reached ({_reason(error)}): check network, endpoint and credentials"
        raise OSError(errno.EIO, why, url) from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _class_of(url: str) -> Any:
    found = _URL.match(url)
    scheme = found[1].lower() if found else ""
    try:
        import fsspec

        return fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        raise ArchiveError(f"{url!r}: no store is known by {scheme}://; check the URL") from error
    except ImportError as error:
        package = _driver_named_in(str(error))
        ours = package == "s3fs" or error.name == "fsspec"
        remedy = "make storage" if ours else f".venv/bin/pip install {package}"
        raise MissingExtraError(f"{scheme}://", package, remedy) from error


def _driver_named_in(text: str) -> str:
    """Name the package that fsspec, in its words, asks to install."""
    found = re.search(r"install \W*([\w-]+)", text)
    return found[1] if found else "s3fs"


def _at(url: str) -> tuple[Any, str]:
    """Give the driver of a store, and a URL's path there."""
    driver = _class_of(url)
    settings = tuple(sorted(driver._get_kwargs_from_urls(url).items()))
    # By process: a driver's connections do not outlive a fork.
    return _opened(driver, settings, os.getpid()), str(driver._strip_protocol(url))


@lru_cache(maxsize=16)
def _opened(driver: Any, settings: tuple[tuple[str, Any], ...], _process: int) -> Any:
    # One for all threads, where fsspec would make one for each; listings are never remembered.
    return driver(**dict(settings), skip_instance_cache=True, use_listings_cache=False)


def _entry(info: dict[str, Any], folder: str) -> Entry:
    name = str(info["name"]).removeprefix(folder).removeprefix("/")
    name = name.rstrip("/") if info.get("type") == "directory" else name
    size, mtime_ns = int(info.get("size") or 0), _mtime_ns(info)
    tag = next((str(info[each]) for each in _TAGS if info.get(each)), f"{size}-{mtime_ns}")
    return Entry(name, info.get("type") == "directory", size, mtime_ns, tag)


def _mtime_ns(info: dict[str, Any]) -> int:
    """Read the time of an object's last change, which each driver tells in its own way."""
    time = next((info[each] for each in _TIMES if info.get(each)), None)
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    if isinstance(time, datetime):
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1) * 1000
    return int(time * 10**9) if isinstance(time, (int, float)) else 0
