"""The arguments of the commands that look after what was written."""

from typing import Any

from batch.config import FEATURES, OUTPUTS


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
    text = "of rows to be made anew, where they are lost; the ones that wrote them by default"
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
