"""The commands and their exit codes; `make help` shows the same from the outside."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from batch import commands
from batch.config import CAPTIONER, FEATURES, OUTPUTS, PRESET
from batch.errors import ArchiveError, LockedError
from batch.summary import COMPLETE, FATAL, INTERRUPTED, LOCKED, USAGE, WITH_FAILURES
from manifests.errors import ManifestError
from models.errors import CheckpointError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its errors reach us as exceptions too
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

PLAIN = (ArchiveError, CheckpointError, ManifestError, OSError)
"""Errors that say what to do; any other is a fault of this program and keeps its traceback."""
EXIT_CODES = (
    f"exit codes: {COMPLETE} complete, {WITH_FAILURES} complete with failed photos, {USAGE} usage, "
    f"{FATAL} fatal, {LOCKED} another run holds the folder, {INTERRUPTED} interrupted"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code, and prints errors as one line."""
    signal.signal(signal.SIGTERM, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names may hold bytes that are no text
        sys.stdout.reconfigure(errors="backslashreplace")
    options = make_parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except LockedError as error:
        print(f"locked: {error}", file=sys.stderr)
        return LOCKED
    except PLAIN as error:
        print(f"error: {error}", file=sys.stderr)
        return FATAL


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def make_parser() -> argparse.ArgumentParser:
    """Describe the commands and their arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m batch", description="Caption photo archives.", epilog=EXIT_CODES
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_caption(_command(subparsers, commands.caption))
    _add_archive(_command(subparsers, commands.features))
    _add_train(_command(subparsers, commands.train))
    _add_evaluate(_command(subparsers, commands.evaluate))
    return parser


def _command(subparsers: Any, function: Callable[[argparse.Namespace], int]) -> Any:
    text = (function.__doc__ or "").splitlines()[0]
    parser = subparsers.add_parser(
        function.__name__,
        help=text,
        description=text,
        epilog=EXIT_CODES,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(command=function)
    return parser


def _add_archive(parser: Any) -> None:
    add = parser.add_argument
    add("archive", metavar="DIR", help="the folder of photos; never written to")
    add("--captioner", default=CAPTIONER, help="one that ships, or a folder")
    add("--features", default=FEATURES, help="where the feature cache is kept")
    add("--include", action="append", default=[], metavar="GLOB", help="only photos like this")
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="no photos or folders like this",
    )
    add("--limit", type=_count, metavar="N", help="only the first N photos")


def _add_caption(parser: Any) -> None:
    _add_archive(parser)
    add = parser.add_argument
    add("--out", help=f"where results go; {OUTPUTS}/<name of DIR> by default")
    add("--dry-run", action="store_true", help="only tell what there is to do")
    add(
        "--existing",
        choices=("skip", "overwrite"),
        default="skip",
        help="what to do with captions made before",
    )
    add("--retry-failed", action="store_true", help="try again what could not be read")
    add("--moved", action="store_true", help="OUT is this archive's, which was elsewhere then")
    add("--show", type=_count, nargs="?", const=20, metavar="N", help="print N captions at the end")
    _add_search(parser)


def _add_search(parser: Any) -> None:
    add = parser.add_argument
    add("--num-beams", type=_count, metavar="K", help="captions kept while searching; 1 is greedy")
    add("--max-length", type=_count, metavar="WORDS", help="the longest caption")


def _add_corpus(parser: Any) -> None:
    add = parser.add_argument
    add("--captions", required=True, help="Flickr8k's token file: name#number, a tab, a caption")
    add("--photos", required=True, help="the folder of its photos")
    add("--dev-list", required=True, help="names of the photos to score on, one a line")
    add("--features", default=FEATURES, help="where the feature cache is kept")


def _add_train(parser: Any) -> None:
    _add_corpus(parser)
    add = parser.add_argument
    add("--train-list", required=True, help="names of the photos to learn from, one a line")
    add("--preset", default=PRESET, help="sizes, rates and passes, as JSON")
    add("--encoder", default="imagenet", help="weights to start from: imagenet, or a file")
    add("--out", required=True, help="the captioner's folder")


def _add_evaluate(parser: Any) -> None:
    _add_corpus(parser)
    add = parser.add_argument
    add("--captioner", default=CAPTIONER, help="one that ships, or a folder")
    add("--out", default=f"{OUTPUTS}/evaluation", help="where scores and page go")
    _add_search(parser)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
