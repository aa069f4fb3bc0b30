"""Scores of several captioners on the same photos, in one run: a table, one row each.

python -m benchmarks.captioners --captions Flickr8k.token.txt --dev-list Flickr_8k.devImages.txt \
    --photos images CAPTIONER... [--beams 1 4]
"""

import argparse
from pathlib import Path

from batch.config import FEATURES, OUTPUTS, captioner_folder, language_of
from batch.quiet import start_tensorflow


def main() -> None:
    """Score and print."""
    options = _options()
    start_tensorflow()
    from batch.corpora.corpus import stop
    from batch.corpora.read import CorpusFiles, read_corpus
    from batch.evaluate import Places, evaluate

    files = CorpusFiles(options.captions, options.photos, dev_list=options.dev_list)
    heading = ""
    for name in options.captioner:
        folder = captioner_folder(name)
        photos = read_corpus(files, language_of(folder), stop, training=False).dev
        for beams in options.beams:
            out = Path(OUTPUTS, "benchmarks", f"{Path(folder).name}-beam{beams}")
            places = Places(options.photos, options.features, str(out))
            found = evaluate(folder, photos, places, {"num_beams": beams})
            names = "".join(f" {score} |" for score in found.scores)
            if names != heading:
                heading = names
                print(f"| captioner | beams |{names} distinct |")
                print(f"| --- | --- |{' --- |' * (len(found.scores) + 1)}")
            scores = "".join(f" {value} |" for value in found.shown_scores().values())
            distinct = f"{found.variety.distinct:.1%}"
            print(f"| {Path(folder).name} | {beams} |{scores} {distinct} |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("captioner", nargs="+", help="names of captioners that ship, or folders")
    add("--captions", required=True, help="a token file, or JSON of COCO or AI Hub")
    add("--photos", required=True)
    add("--dev-list")
    add("--features", default=FEATURES)
    add("--beams", type=int, nargs="+", default=[1, 4])
    return parser.parse_args()


if __name__ == "__main__":
    main()
