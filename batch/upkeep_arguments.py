"""The arguments of the commands that look after an archive."""

import argparse
import math
from typing import Any

from batch.config import CAPTIONER, FEATURES, OUTPUTS
from batch.review_arguments import whole_number


def add_max_hours(parser: Any) -> None:
    """For runs that are to stop in time."""
    text = "stop at a shard's end after so long; the next run goes on"
    parser.add_argument("--max-hours", type=_hours, metavar="H", help=text)


def add_cluster(parser: Any) -> None:
    """For runs that other processes do the work of."""
    which = parser.add_mutually_exclusive_group()
    add = which.add_argument
    add("--scheduler", metavar="URL", help="a Dask scheduler whose workers do it: tcp://host:8786")
    add("--workers", type=whole_number, metavar="N", help="so many processes on this machine do it")


def add_status(parser: Any) -> None:
    """For `status`."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("archive", metavar="DIR", nargs="?", help="the folder of photos")
    source.add_argument("--urls", metavar="LIST", help="the list of URLs")
    add = parser.add_argument
    add("--out", help=f"the folder of its results; {OUTPUTS}/<name of DIR or LIST> by default")
    add("--features", help="where the feature cache is kept; where the last run kept it by default")


def _add_places(parser: Any) -> None:
    add = parser.add_argument
    add("archive", metavar="DIR", nargs="?", help="the folder of photos that was captioned")
    add("--out", help=f"the folder of its results; {OUTPUTS}/<name of DIR> by default")
    add("--features", default=FEATURES, help="where the feature cache is kept")


def add_verify(parser: Any) -> None:
    """For `verify`."""
    _add_places(parser)
    add = parser.add_argument
    add("--deep", action="store_true", help="read every photo too, and compare it with its row")
    add("--repair", action="store_true", help="put aside what is broken, and make it anew")
    text = f"captions rows anew that are lost; {CAPTIONER} by default"
    add("--captioner", help=text)
    add("--include", action="append", default=[], metavar="GLOB", help="as for caption")
    add("--exclude", action="append", default=[], metavar="GLOB", help="as for caption")


def add_prune(parser: Any) -> None:
    """For `prune`."""
    _add_places(parser)
    add = parser.add_argument
    text = "whole caches, too, of encoders that no captioner here has"
    add("--other-encoders", action="store_true", help=text)
    add("--yes", action="store_true", help="do it; without it is only told what would go")


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not 0 < hours < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours above 0")
    return hours
