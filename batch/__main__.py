"""The commands and their exit codes; `make help` shows the same from the outside."""

import argparse
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from batch import (
    by_make,
    commands,
    exchange_commands,
    review_arguments,
    review_commands,
    upkeep_arguments,
    upkeep_commands,
)
from batch.cache_limit import cache_size
from batch.config import CAPTIONER, FEATURES, OUTPUTS, PRESETS
from batch.errors import PLAIN, LockedError
from batch.places import reached
from batch.review_arguments import whole_number
from batch.stopping import hear_again, interrupt
from batch.summary import COMPLETE, FATAL, INTERRUPTED, LOCKED, USAGE, WITH_FAILURES
from batch.text import printable

FOLDER = "the folder of photos; never written to"
EXIT_CODES = (
    f"exit codes: {COMPLETE} complete, {WITH_FAILURES} complete with failed photos, {USAGE} usage, "
    f"{FATAL} fatal, {LOCKED} another run holds the folder, {INTERRUPTED} interrupted"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code, and prints errors as one line."""
    try:
        signal.signal(signal.SIGTERM, interrupt)
        sys.unraisablehook = hear_again
        if isinstance(sys.stdout, io.TextIOWrapper):  # names may hold bytes that are no text
            sys.stdout.reconfigure(errors="backslashreplace")
        options = _read(sys.argv[1:] if arguments is None else arguments)
        with reached(options, _tell):
            code = int(options.command(options))
        return _leave(code) if getattr(options, "max_hours", None) else code
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr, flush=True)
        return _leave(INTERRUPTED)
    except LockedError as error:
        print(printable(f"locked: {error}"), file=sys.stderr)
        return LOCKED
    except BrokenPipeError:  # whoever read what is printed has read enough: `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FATAL
    except PLAIN as error:
        print(printable(f"error: {error}"), file=sys.stderr)
        return FATAL


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the arguments, or for `by-make COMMAND NAME...` the settings with these names."""
    if arguments[:1] == ["by-make"]:
        for function, add in COMMANDS.items():
            if named(function) in arguments[1:2]:
                parser = by_make.Parser()
                parser.set_defaults(command=function)
                add(parser)
                given = by_make.arguments_of(parser, arguments[2:], os.environ)
                return parser.parse_args(given)
    return make_parser().parse_args(arguments)


def _tell(text: str) -> None:
    print(printable(text), file=sys.stderr)


def _leave(code: int) -> int:
    """End the process at once, after a run that may have stopped early.

    Python's own exit would wait for threads that wait for slow servers or disks. All that was kept
    is on the disk, and the lock dies with the process.
    """
    if __name__ == "__main__":
        sys.stdout.flush()
        os._exit(code)
    return code


def make_parser() -> argparse.ArgumentParser:
    """Describe the commands and their arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m batch", description="Caption photo archives.", epilog=EXIT_CODES
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for function, add in COMMANDS.items():
        add(_command(subparsers, function))
    return parser


def _command(subparsers: Any, function: Callable[[argparse.Namespace], int]) -> Any:
    text = (function.__doc__ or "").splitlines()[0]
    parser = subparsers.add_parser(
        named(function),
        help=text,
        description=text,
        epilog=EXIT_CODES,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(command=function)
    return parser


def named(function: Callable[[argparse.Namespace], int]) -> str:
    """Name a command as people type it."""
    return function.__name__.replace("_", "-")


def _add_features(parser: Any) -> None:
    parser.add_argument("archive", metavar="DIR", help=FOLDER)
    _add_archive(parser)
    upkeep_arguments.add_cluster(parser)


def _add_archive(parser: Any) -> None:
    add = parser.add_argument
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
    add("--limit", type=whole_number, metavar="N", help="only the first N photos")
    text = "keep the feature cache under a size: what was used longest ago goes"
    add("--cache-limit", type=cache_size, metavar="50GB", help=text)


def _add_nightly(parser: Any) -> None:
    """Add what may be asked of a run that nobody watches."""
    _add_source(parser.add_mutually_exclusive_group(required=True))
    _add_archive(parser)
    add = parser.add_argument
    add("--allow-private", action="store_true", help="fetch from private addresses as well")
    add("--out", help=f"where results go; {OUTPUTS}/<name of DIR or LIST> by default")
    add("--retry-failed", action="store_true", help="try again what could not be read")
    add("--review", choices=("xlsx",), help="write sheets to review in at the end")
    upkeep_arguments.add_max_hours(parser)
    upkeep_arguments.add_cluster(parser)
    _add_search(parser)


def _add_caption(parser: Any) -> None:
    _add_nightly(parser)
    add = parser.add_argument
    add("--quiet", action="store_true", help="say only what went wrong, for the first time")
    add("--dry-run", action="store_true", help="only tell what there is to do")
    add(
        "--existing",
        choices=("skip", "overwrite"),
        default="skip",
        help="what to do with captions made before",
    )
    add("--moved", action="store_true", help="OUT is this archive's, which was elsewhere then")
    add(
        "--show",
        type=whole_number,
        nargs="?",
        const=20,
        metavar="N",
        help="print N captions at the end",
    )


def _add_source(group: Any) -> None:
    add = group.add_argument
    add("archive", metavar="DIR", nargs="?", help=FOLDER)
    add("--urls", metavar="LIST", help="photos by URL: a text file with one a line")
    add("--url", action="append", metavar="URL", help="a photo by URL; may be repeated")


def _add_search(parser: Any) -> None:
    add = parser.add_argument
    add(
        "--num-beams",
        "--beams",
        type=whole_number,
        metavar="K",
        help="captions kept while searching; 1 is greedy",
    )
    add("--max-length", type=whole_number, metavar="WORDS", help="the longest caption")
    add("--temperature", type=_temperature, metavar="T", help="draw words at random; 1 as probable")
    add("--seed", type=whole_number, metavar="N", help="which random captions, with --temperature")


def _add_corpus(parser: Any, *, photos: bool = True) -> None:
    add = parser.add_argument
    add("--captions", required=True, help="Flickr8k's token file, or JSON of COCO or AI Hub")
    add("--photos", required=photos, help="the folder of its photos, zipped or not, or a zip file")
    add("--dev-list", help="names of the photos to score on, one a line; a token file needs it")
    add("--dev-captions", metavar="JSON", help="COCO's captions of the photos to score on")
    add("--strict", action="store_true", help="stop at the first broken record or missing photo")
    add("--features", default=FEATURES, help="where the feature cache is kept")


def _add_corpus_survey(parser: Any) -> None:
    _add_corpus(parser, photos=False)
    _add_recipe(parser)
    parser.add_argument("--descriptions", metavar="FILE", help="write the cleaned captions there")


def _add_train(parser: Any) -> None:
    _add_corpus(parser)
    _add_recipe(parser)
    add = parser.add_argument
    add("--glove", metavar="FILE", help="word vectors to start from, glove.*.txt")
    add("--from", dest="start", metavar="CAPTIONER", help="go on from one that ships, or a folder")
    add(
        "--encoder", help="weights to start from: imagenet, or a file; CAPTIONER's, if there is one"
    )
    add("--seed", type=whole_number, metavar="N", help="instead of the preset's")
    add("--out", required=True, help="the captioner's folder")


def _add_recipe(parser: Any) -> None:
    add = parser.add_argument
    add("--train-list", help="names of the photos to learn from; a token file needs it")
    add("--model", choices=PRESETS, help="the decoder; without a preset attention")
    add("--preset", help="sizes, rates and passes, as JSON; the model's own by default")


def _add_evaluate(parser: Any) -> None:
    _add_corpus(parser)
    add = parser.add_argument
    add("--captioner", default=CAPTIONER, help="one that ships, or a folder")
    add("--out", default=f"{OUTPUTS}/evaluation", help="where scores and page go")
    _add_search(parser)


def _add_calibrate(parser: Any) -> None:
    _add_corpus(parser)
    parser.add_argument("--captioner", required=True, help="one that ships, or a folder")


def _add_scene(parser: Any) -> None:
    _add_calibrate(parser)
    add = parser.add_argument
    add("--train-list", help="names of the photos it learnt from; a token file needs it")


def _add_ranges(parser: Any) -> None:
    parser.add_argument("archive", metavar="DIR", help=FOLDER)
    parser.add_argument("--captioner", required=True, help="one that ships, or a folder")


def _add_attention(parser: Any) -> None:
    add = parser.add_argument
    add("photo", metavar="PHOTO", help="the photo; nothing is written beside it")
    add("--captioner", default=CAPTIONER, help="one that ships, or a folder")
    add("--features", default=FEATURES, help="where the feature cache is kept")
    add("--out", metavar="PNG", help=f"{OUTPUTS}/attention/<name of PHOTO>.png by default")
    _add_search(parser)


def _add_structure(parser: Any) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--captioner", default=CAPTIONER, help="one that ships, or a folder")
    which.add_argument("--model", choices=("merge",), help="merge in the sizes of the 2017 post")
    parser.add_argument("--out", metavar="PNG", help=f"{OUTPUTS}/structure/<name>.png by default")


def _add_page(parser: Any) -> None:
    review_arguments.add_results(parser)
    parser.add_argument(
        "--limit", type=whole_number, default=200, metavar="N", help="the first N photos"
    )


def _add_import_checkpoint(parser: Any) -> None:
    add = parser.add_argument
    add("source", metavar="FROM", help="a tutorial's folder, or weights of the post's model, .h5")
    add("--out", metavar="FOLDER", help="the captioner's folder; models/imported/<name> by default")
    add("--encoder", default="imagenet", help="weights that it goes with: imagenet, or a file")
    add("--captions", metavar="FILE", help="for an .h5: Flickr8k.token.txt or descriptions.txt")
    add("--train-list", metavar="FILE", help="for an .h5: names of the photos it was taught with")


def _add_import_features(parser: Any) -> None:
    add = parser.add_argument
    add("source", metavar="FROM", help="a pickled dict of file names to vectors of 2048")
    add("--photos", required=True, help="the folder of these photos")
    add("--features", default=FEATURES, help="where the feature cache is kept")
    add("--encoder", default="imagenet", help="weights that made them: imagenet, or a file")


def _temperature(text: str) -> float:
    if not re.fullmatch(r"\d*\.?\d+", text) or not 0 < float(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, up to 100")
    return float(text)


def _add_recaption(parser: Any) -> None:
    review_arguments.add_recaption(parser)
    _add_search(parser)


COMMANDS: Mapping[Callable[[argparse.Namespace], int], Callable[[Any], None]] = {
    commands.caption: _add_caption,
    commands.features: _add_features,
    upkeep_commands.cron: _add_nightly,
    upkeep_commands.status: upkeep_arguments.add_status,
    review_commands.review: review_arguments.add_review,
    review_commands.merge_review: review_arguments.add_merge_review,
    review_commands.undo_merge: review_arguments.add_undo_merge,
    review_commands.sample: review_arguments.add_sample,
    review_commands.ungroup: review_arguments.add_ungroup,
    review_commands.gallery: review_arguments.add_gallery,
    exchange_commands.export: review_arguments.add_export,
    exchange_commands.import_captions: review_arguments.add_import_captions,
    review_commands.recaption: _add_recaption,
    review_commands.learn: review_arguments.add_learn,
    commands.train: _add_train,
    commands.evaluate: _add_evaluate,
    commands.calibrate: _add_calibrate,
    commands.scene: _add_scene,
    commands.ranges: _add_ranges,
    commands.corpus: _add_corpus_survey,
    commands.attention: _add_attention,
    commands.structure: _add_structure,
    commands.page: _add_page,
    commands.import_checkpoint: _add_import_checkpoint,
    commands.import_features: _add_import_features,
    upkeep_commands.verify: upkeep_arguments.add_verify,
    upkeep_commands.prune: upkeep_arguments.add_prune,
}
"""What each command does, and what adds its arguments."""


if __name__ == "__main__":
    sys.exit(main())
