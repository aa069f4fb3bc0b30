"""Scores of several captioners on the same photos, in one run, as Markdown: a table, one row each.

python -m benchmarks.captioners --captions Flickr8k.token.txt --dev-list Flickr_8k.devImages.txt \
    --photos images CAPTIONER... [--beams 1 4] [--mean] [--details]

With --mean the captioners are seeds of one recipe: rows of their mean and spread follow. With
--details each one's degenerate captions, confidence and scores by kind of photo do.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from batch.config import FEATURES, OUTPUTS, captioner_folder, language_of
from batch.quiet import start_tensorflow
from batch.tables import Table
from benchmarks.scored_on import add_photos, read_photos

if TYPE_CHECKING:
    from batch.evaluation import Evaluation


def main() -> None:
    """Score and print."""
    options = _options()
    start_tensorflow()
    languages: dict[str, list[str]] = {}
    for name in options.captioner:
        folder = captioner_folder(name)
        languages.setdefault(language_of(folder), []).append(folder)
    for language, folders in languages.items():
        _compare(options, language, folders)


def _compare(options: argparse.Namespace, language: str, folders: Sequence[str]) -> None:
    """Print what captioners of one language do on the photos."""
    from batch.evaluate import Places, evaluate

    photos = read_photos(options, language)
    found: dict[tuple[str, int], Evaluation] = {}
    for folder in folders:
        for beams in options.beams:
            name = Path(folder).name
            out = Path(OUTPUTS, "benchmarks", f"{name}-beam{beams}")
            places = Places(options.photos, options.features, str(out))
            found[folder, beams] = evaluate(folder, photos, places, {"num_beams": beams})
    figures = {each: _figures(evaluation) for each, evaluation in found.items()}
    rows = [_row(Path(folder).name, beams, figures[folder, beams]) for folder, beams in figures]
    if options.mean and len(set(folders)) > 1:
        rows += _spread(figures, options.beams)
    header = ("captioner", "beams", *next(iter(figures.values())))
    print(Table("", rows, header).as_markdown(), flush=True)
    print(f"\nCIDEr, and what is acceptable by it, weighs words by these {len(photos):,} photos.")
    if options.details:
        for (folder, beams), evaluation in found.items():
            _print_details(f"{Path(folder).name}, beams {beams}", evaluation)


def _figures(evaluation: "Evaluation") -> dict[str, float | None]:
    """Give scores, and shares of captions in percent, by what they are called."""
    faults = {fault.value: 100 * share for fault, (share, _) in evaluation.faults.items()}
    return {
        **evaluation.scores,
        "distinct": 100 * evaluation.variety.distinct,
        **{name.replace("_", " "): share for name, share in faults.items()},
    }


def _row(name: str, beams: int, figures: Mapping[str, float | None]) -> list[str]:
    values = ("-" if value is None else f"{value:.1f}" for value in figures.values())
    return [name, str(beams), *values]


def _spread(
    figures: Mapping[tuple[str, int], Mapping[str, float | None]], all_beams: Sequence[int]
) -> list[list[str]]:
    """Give rows of the mean over captioners and of their standard deviation, by beams."""
    rows = []
    for beams in all_beams:
        columns = list(
            zip(*(f.values() for (_, b), f in figures.items() if b == beams), strict=True)
        )
        for name, of in (("mean", fmean), ("standard deviation", stdev)):
            values = [None if None in column else of(column) for column in columns]
            rows.append(_row(name, beams, dict(enumerate(values))))
    return rows


def _print_details(name: str, evaluation: "Evaluation") -> None:
    _, *tables = evaluation.tables()
    for table in tables:
        print(f"\n{name}: {table.caption}\n\n{table.as_markdown()}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("captioner", nargs="+", help="names of captioners that ship, or folders")
    add_photos(parser)
    add("--features", default=FEATURES)
    add("--beams", type=int, nargs="+", default=[1, 4])
    add("--mean", action="store_true", help="the captioners are seeds of one recipe")
    add("--details", action="store_true", help="degenerate captions, confidence, kinds of photo")
    return parser.parse_args()


if __name__ == "__main__":
    main()
