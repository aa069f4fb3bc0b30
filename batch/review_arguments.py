"""The arguments of the commands for reviewing."""

import argparse
from typing import Any

from batch.config import CAPTIONER, FEATURES, OUTPUTS


def whole_number(text: str) -> int:
    """Read a number from 1 on; raises argparse.ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def add_results(parser: Any) -> None:
    """Add what names the results of an archive."""
    add = parser.add_argument
    add("archive", metavar="DIR", nargs="?", help="the folder of photos that was captioned")
    add("--out", help=f"the folder of its results; {OUTPUTS}/<name of DIR> by default")


def _add_language(parser: Any) -> None:
    text = "of captions in several languages, these; each row's own by default"
    parser.add_argument("--language", default="", metavar="TAG", help=text)


def _add_features(parser: Any) -> None:
    parser.add_argument("--features", default=FEATURES, help="where the feature cache is kept")


def _add_dry_run(parser: Any) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only tell what it would do")


def add_review(parser: Any) -> None:
    """For `review`."""
    add_results(parser)
    _add_language(parser)
    _add_features(parser)
    add = parser.add_argument
    add("--limit", type=whole_number, metavar="N", help="only the N most doubtful rows")
    add("--ungrouped", action="store_true", help="a row for each near-duplicate too")


def add_merge_review(parser: Any) -> None:
    """For `merge-review`."""
    add = parser.add_argument
    add("source", metavar="FROM", help="the file that a person brings back: XLSX, CSV or ODS")
    add("--dir", dest="archive", help="the folder of photos that was captioned")
    add("--out", help="the folder of its results; the one that has these photos by default")
    _add_dry_run(parser)


def add_undo_merge(parser: Any) -> None:
    """For `undo-merge`."""
    add_results(parser)


def add_sample(parser: Any) -> None:
    """For `sample`."""
    add_results(parser)
    _add_language(parser)
    add = parser.add_argument
    add("--count", "--n", type=whole_number, metavar="N", help="so many captions; 200 at first")


def add_ungroup(parser: Any) -> None:
    """For `ungroup`."""
    add_results(parser)
    text = "one of the near-duplicates, its path as in captions.csv"
    parser.add_argument("--photo", required=True, metavar="PATH", help=text)


def add_recaption(parser: Any) -> None:
    """For `recaption`; the search's own arguments come from the caller."""
    add_results(parser)
    _add_features(parser)
    _add_dry_run(parser)
    parser.add_argument("--captioner", required=True, help="one that ships, or a folder")


def add_gallery(parser: Any) -> None:
    """For `gallery`."""
    add_results(parser)
    _add_language(parser)
    _add_features(parser)
    add = parser.add_argument
    add("--captioner", help="whose attention to show; the one that wrote the captions by default")
    text = "what each word was made from, with the photo in the page"
    add("--attention", action=argparse.BooleanOptionalAction, default=True, help=text)


def add_export(parser: Any) -> None:
    """For `export`."""
    add_results(parser)
    _add_language(parser)
    _add_features(parser)
    add = parser.add_argument
    add("--to", required=True, help="xmp, iptc, txt, coco, imagefolder, imagefolder-csv or jsonl")
    add("--into", metavar="FOLDER", help="a folder for the files, instead of the usual place")
    add("--beside", action="store_true", help="txt: beside the photos")
    add("--machine", action="store_true", help="captions that nobody has reviewed, too")
    add("--naming", default="photo.ext.xmp", choices=("photo.ext.xmp", "photo.xmp"), help="xmp")
    add("--replace", action="store_true", help="xmp: in place of captions by others, too")
    add("--embed", action="store_true", help="xmp, iptc: into the photos themselves")


def add_import_captions(parser: Any) -> None:
    """For `import-captions`."""
    add = parser.add_argument
    add("source", metavar="FROM", help="CSV, XLSX, JSON, JSONL, or a folder of .txt or .xmp")
    add("--name", required=True, help="of the captioner that wrote them")
    add("--dir", dest="archive", help="the folder of photos")
    add("--out", help=f"where results go; {OUTPUTS}/<name of DIR> by default")
    _add_language(parser)
    _add_dry_run(parser)
    add("--path-column", metavar="NAME", help="the column of a table that names the photo")
    add("--caption-column", metavar="NAME", help="the column that holds the caption")
    add("--root", metavar="FOLDER", help="the folder that its paths begin at")
    add("--images", metavar="JSON", help="for COCO results: the file that lists the images")


def add_learn(parser: Any) -> None:
    """For `learn`."""
    add_results(parser)
    _add_features(parser)
    add = parser.add_argument
    add("--captioner", default=CAPTIONER, help="the one to go on from: that ships, or a folder")
    add("--to", metavar="FOLDER", help="of the new captioner; models/trained/<name> by default")
