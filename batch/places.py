"""The places that a command is given, which may be in object storage: DIR=, OUT= and FEATURES=.

Every command comes through here. Those that know folders alone get one for the URL of their
results; a URL where only a path can be is refused, before it becomes the name of a folder.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from batch.config import keep_out_of
from batch.errors import ArchiveError
from batch.stores import is_below, is_url, tidy

PLACES = ("archive", "out", "features")
# Commands whose OUT= is no folder of results.
_OTHERS = ("train", "evaluate", "attention", "structure", "import_checkpoint")
_AS_THEY_ARE = ("cron",)  # what it prints is for later
_FREE = ("url", "include", "exclude", "scheduler")  # these name no place of files


@contextmanager
def reached(options: argparse.Namespace, tell: Callable[[str], None]) -> Iterator[None]:
    """Have a command's places in reach while it runs; `tell` is told what a person should know.

    Raises ArchiveError where a URL cannot be a place, and the errors of
    `batch.stored_results.at_hand`.
    """
    for name in PLACES:
        given = getattr(options, name, None)
        if given is not None:
            setattr(options, name, tidy(given))
    command = options.command.__name__
    _check(options, command)
    url = None if command in _OTHERS else _results(options)
    if url is None or command in _AS_THEY_ARE:
        yield
        return
    from batch.stored_results import at_hand

    quiet = getattr(options, "quiet", False)
    with at_hand(url, tell, writes=_writes(options, command), quiet=quiet) as options.out:
        yield


def _check(options: argparse.Namespace, command: str) -> None:
    for name, given in vars(options).items():
        may_be = name in PLACES and not (name == "out" and command in _OTHERS)
        if isinstance(given, str) and is_url(given) and name not in _FREE and not may_be:
            raise ArchiveError(
                f"{given} is no place on this machine: of {command.replace('_', '-')}, only the "
                "archive, its results and the features may be in a store; copy it here first"
            )


def _results(options: argparse.Namespace) -> str | None:
    """Give the URL of a command's results, if it has one, by their copy's path too.

    Raises ArchiveError where they are not apart from photos and features: all below their URL is
    theirs, and kept as the copy is.
    """
    out = getattr(options, "out", None)
    if out is None:
        return None
    from batch.stored_results import copied_from

    url = copied_from(out)
    if not is_url(url):
        return None
    for name, given in (("DIR", "archive"), ("FEATURES", "features")):
        place = getattr(options, given, None)
        if place is None or not is_url(place):
            continue
        if given == "archive":
            keep_out_of(place, {"OUT": url})
        if is_below(place, url):
            raise ArchiveError(
                f"{name} is {place!r}, inside {url!r}, all of which is fetched as results; give "
                "OUT= a folder of its own"
            )
    return url


def _writes(options: argparse.Namespace, command: str) -> bool:
    """Tell whether a command changes anything of its results."""
    if command == "prune":
        return bool(options.yes)
    if command == "verify":
        return bool(options.repair)
    return command != "status" and not getattr(options, "dry_run", False)
