"""How probably a caption is acceptable, by its CIDEr: `models.confidence.ACCEPTABLE`, fitted.

python -m benchmarks.acceptable --captions Flickr8k.token.txt --photos images \
    --dev-list Flickr_8k.devImages.txt

benchmarks/judged.csv has 240 captions of dev photos by `flickr8k-en` of version 0.2, judged by eye
twice: good (nothing in it is wrong), partly (the main subject is right), wrong. CIDEr is each
caption's among all the dev photos' references. compared.csv has captions of 96 more by that version
and by 0.3, judged side by side without knowing which was which; judged_ko.csv 72 Korean captions.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

import numpy as np

from batch.quiet import start_tensorflow
from benchmarks.scored_on import add_photos, read_photos

JUDGED, COMPARED, KOREAN = (
    Path(__file__).with_name(name) for name in ("judged.csv", "compared.csv", "judged_ko.csv")
)
GOOD = "good"
_FREE = 1e-6  # two numbers from 480 verdicts: no penalty


def main() -> None:
    """Fit and print."""
    options = _options()
    start_tensorflow()
    from models.logistic import fit_logistic
    from models.metrics import Consensus
    from models.tokens import tokenize

    photos = read_photos(options, "en")
    references = {photo.path: [tokenize(caption) for caption in photo.captions] for photo in photos}
    consensus = Consensus(list(references.values()))
    rows = _read(JUDGED)
    cider = [
        100 * consensus.score(tokenize(row["caption"]), references[row["path"]]) for row in rows
    ]
    first, second = ([row[judge] for row in rows] for judge in ("first", "second"))
    good = np.array([float(verdict == GOOD) for verdict in (*first, *second)])
    hundreds = np.array([*cider, *cider])[:, None] / 100
    (slope,), intercept = fit_logistic(hundreds, good, _FREE)
    print(f"midpoint {-100 * intercept / slope:.1f}, slope {slope / 100:.4f}")
    print(_shares(first + second))
    print(
        f"kappa {_kappa(first, second):.2f}, of good and the rest "
        f"{_kappa([v == GOOD for v in first], [v == GOOD for v in second]):.2f}"
    )
    for when in ("before", "now"):
        print(f"compared, {when}: {_shares([row[f'verdict_{when}'] for row in _read(COMPARED)])}")
    print(f"Korean: {_shares([row['verdict'] for row in _read(KOREAN)])}")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _shares(verdicts: list[str]) -> str:
    return ", ".join(f"{v} {n / len(verdicts):.1%}" for v, n in Counter(verdicts).most_common())


def _kappa(first: list[str] | list[bool], second: list[str] | list[bool]) -> float:
    """Return Cohen's kappa: agreement beyond chance, 1 where it is whole."""
    agreed = np.mean([one == other for one, other in zip(first, second, strict=True)])
    one, other = Counter(first), Counter(second)
    chance = sum(one[verdict] * other[verdict] for verdict in one) / len(first) ** 2
    return float((agreed - chance) / (1 - chance))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_photos(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
