"""The files of results, as a store may hold them: which there are, and which go in what order."""

import os
from contextlib import suppress
from pathlib import Path

from batch.run_log import LOG_FILE
from batch.store_lock import NAME
from manifests.durable import leftovers

VIEW = "captions.csv"
# Brought after all else, in this order. The view is away meanwhile: where it is not there, the next
# run makes it anew, and one that the note does not know would be taken for a person's.
LAST = (".captions-copy.parquet", "captions.parquet", "last_run.json", VIEW)
PARTS = ".parts/"
GROWING = (".parts", "reviews")  # what a shard changes, beside the files at the top
RESULTS = (PARTS, "reviews/", *LAST[:-1], LOG_FILE)  # of these a folder of results has some
MADE_AGAIN = (PARTS, "last_run.json", LOG_FILE, "gallery/")  # by any run
Sign = tuple[int, int]
"""A file's size and mtime_ns."""


def files_below(folder: str, only: tuple[str, ...] = ()) -> dict[str, Sign]:
    """Find the files of results by their names from the folder; of folders those of `only`, if any.

    Locks and files in the making are none. Raises OSError where a folder cannot be listed, whose
    files are not gone.
    """
    found = {}
    for place, folders, names in os.walk(folder, onerror=_unless_gone):
        if only and place == folder:
            folders[:] = [name for name in folders if name in only]
        making = {path.name for path in leftovers(Path(place))}
        for name in names:
            path = os.path.join(place, name)
            if name != ".lock" and name not in making and not os.path.islink(path):
                with suppress(FileNotFoundError):
                    found[os.path.relpath(path, folder)] = sign_of(path)
    return found


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def sign_of(path: str | Path) -> Sign:
    """Give what tells whether a file has changed. Raises OSError."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def can_be_key(name: str) -> bool:
    """Tell whether an object can have a name: it is text in UTF-8."""
    try:
        return len(name.encode()) < 900
    except UnicodeEncodeError:
        return False


def can_be_file(name: str) -> bool:
    """Tell whether a file below the copy can have an object's name, and nothing outside of it."""
    parts = name.split("/")
    odd = name.startswith(NAME) or "\0" in name or any(len(os.fsencode(p)) > 255 for p in parts)
    return not odd and not {"", ".", ".."} & set(parts)
