"""Keep what a person has typed: a file that was edited is set aside before it is replaced."""

import os
from collections.abc import Container
from contextlib import suppress
from itertools import count
from pathlib import Path

from manifests.durable import copy_file, sha256_file, sync_folder


def keep_edits(path: Path, known: Container[str | None]) -> str | None:
    """Set the file at `path` aside, unless its SHA-256 is among the `known` ones.

    Returns the name it has now beside `path`, `captions.edited-1.csv` for `captions.csv`; None
    where there was nothing to keep. The file stays at `path` as well, for the caller to replace.
    """
    try:
        found = sha256_file(path)
    except FileNotFoundError:
        return None
    return None if found in known else _set_aside(path, found)


def _set_aside(path: Path, sha256: str) -> str:
    for number in count(1):
        aside = path.with_name(f"{path.stem}.edited-{number}{path.suffix}")
        # A run that was killed right after it set the file aside has already done the work.
        if aside.is_file() and sha256_file(aside) == sha256:
            return aside.name
        if not os.path.lexists(aside):
            with suppress(FileExistsError):
                _link_or_copy(path, aside)
                return aside.name
    raise AssertionError("there is always a next number")


def _link_or_copy(path: Path, aside: Path) -> None:
    """Give the file a second name, or, where the file system has no hard links, a copy.

    A link keeps even what is typed between this moment and the replacement.
    """
    try:
        aside.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError:
        copy_file(path, aside)
    else:
        sync_folder(aside.parent)
