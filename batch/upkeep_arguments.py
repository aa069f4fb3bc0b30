"""The arguments of the commands that look after an archive."""

import argparse
import math
from typing import Any

from batch.config import OUTPUTS


def add_max_hours(parser: Any) -> None:
    """For runs that are to stop in time."""
    text = "stop at a shard's end after so long; the next run goes on"
    parser.add_argument("--max-hours", type=_hours, metavar="H", help=text)


def add_status(parser: Any) -> None:
    """For `status`."""
    add = parser.add_argument
    add("archive", metavar="DIR", nargs="?", help="the folder of photos, or the list of URLs")
    add("--out", help=f"the folder of its results; {OUTPUTS}/<name of DIR> by default")
    add("--features", help="where the feature cache is kept; where the last run kept it by default")


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not 0 < hours < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours above 0")
    return hours
