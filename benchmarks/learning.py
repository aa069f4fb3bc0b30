"""What `make learn` gives: a captioner taught by a reviewer who is simulated, before and after.

python -m benchmarks.learning --captions Flickr8k.token.txt --photos images \
    --dev-list Flickr_8k.devImages.txt [--reviewed 400] [--reviewer nearest|style] [CAPTIONER]

Some of the photos are reviewed. The reviewer `nearest` writes over each caption the one of five
people's that is nearest to it; `style` keeps the caption and writes person for man and woman, child
for boy and girl. The captioner learns from these as `make learn` does and is judged by its gate.
Then both are scored on the other photos against all five captions, whether it was offered or not;
of `style` these, and the captions to compare with, are rewritten the same way.
"""

import argparse
import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from batch.config import CAPTIONER, FEATURES, captioner_folder, language_of
from batch.quiet import start_tensorflow
from batch.tables import Table
from benchmarks.scored_on import add_photos, read_photos

if TYPE_CHECKING:
    from batch.corpora.corpus import CaptionedPhoto
    from batch.features import FeatureCache
    from batch.lessons import Lesson
    from models.captioner import Captioner

STYLE = {
    **dict.fromkeys(("man", "woman"), "person"),
    **dict.fromkeys(("men", "women"), "people"),
    **dict.fromkeys(("boy", "girl"), "child"),
    **dict.fromkeys(("boys", "girls"), "children"),
}
SEED = 1


def main() -> None:
    """Review, learn, score and print."""
    options = _options()
    start_tensorflow()
    from batch.features import open_cache
    from batch.lessons import split
    from batch.teach import compare, teach
    from models.captioner import Captioner, encoder_fingerprint

    folder = captioner_folder(options.captioner)
    cache = open_cache(options.features, encoder_fingerprint(folder), "attention")
    photos = _cached(options, language_of(folder), cache)
    old = Captioner.load(folder)
    restyle = _style if options.reviewer == "style" else str
    reviewed, others = _shuffled(photos, options.reviewed)
    parts = split(_review(old, reviewed, cache, options.reviewer), frozenset())
    with tempfile.TemporaryDirectory(prefix="learning-") as out:
        new = teach(folder, parts, cache, f"{out}/new", "new")
        trial = compare(old, new, parts.held_out, cache)
        print(f"{len(parts.train)} learnt from, {len(parts.chosen_on)} chosen on")
        print(f"{trial.table().as_markdown()}\n\n{trial}; offered: {trial.better}\n")
        rows = [_scores(each, others, cache, restyle) for each in (old, new)]
    print(f"On {len(others)} other photos, five captions each\n")
    print(Table("", rows, ("", "BLEU-4", "ROUGE-L", "CIDEr"), numbers=True).as_markdown())


def _cached(
    options: argparse.Namespace, language: str, cache: "FeatureCache"
) -> "dict[str, CaptionedPhoto]":
    """Give the photos to use by their identities; `make features` caches what is not."""
    photos = read_photos(options, language)
    named = {
        hashlib.sha256(Path(options.photos, photo.path).read_bytes()).hexdigest(): photo
        for photo in photos
    }
    return {photo_id: photo for photo_id, photo in named.items() if photo_id in cache}


def _shuffled(
    photos: "Mapping[str, CaptionedPhoto]", number: int
) -> "tuple[dict[str, CaptionedPhoto], dict[str, CaptionedPhoto]]":
    import numpy as np

    items = sorted(photos.items())
    order = np.random.default_rng(SEED).permutation(len(items))
    shuffled = [items[place] for place in order]
    return dict(shuffled[:number]), dict(shuffled[number:])


def _review(
    captioner: "Captioner",
    photos: "Mapping[str, CaptionedPhoto]",
    cache: "FeatureCache",
    reviewer: str,
) -> "list[Lesson]":
    """Give what a reviewer lets stand of a captioner's captions."""
    from batch.lessons import Lesson
    from batch.teach import captions_of
    from models.edits import word_edits

    split = captioner.vocabulary.tokenizer.split
    blank = [Lesson(photo_id, (), photo_id, seen=True, edited=False) for photo_id in photos]
    said = captions_of(captioner, blank, cache)

    def stands(photo_id: str) -> str:
        if reviewer == "style":
            return _style(said[photo_id])
        words = split(said[photo_id])
        return min(photos[photo_id].captions, key=lambda each: word_edits(words, split(each)))

    kept = {photo_id: stands(photo_id) for photo_id in photos}
    return [
        Lesson(photo_id, (text,), photo_id, seen=True, edited=split(text) != split(said[photo_id]))
        for photo_id, text in kept.items()
    ]


def _style(caption: str) -> str:
    words = (STYLE.get(word, word) for word in caption.lower().rstrip(" .").split())
    return f"{' '.join(words).capitalize()}."


def _scores(
    captioner: "Captioner",
    photos: "Mapping[str, CaptionedPhoto]",
    cache: "FeatureCache",
    restyle: Callable[[str], str],
) -> Sequence[str]:
    from batch.lessons import Lesson
    from batch.teach import captions_of
    from models.metrics import score, splitter

    blank = [Lesson(photo_id, (), photo_id, seen=True, edited=False) for photo_id in photos]
    said = captions_of(captioner, blank, cache)
    references = {each: tuple(map(restyle, photo.captions)) for each, photo in photos.items()}
    found = score(said, references, splitter(captioner.config.language).split).as_dict()
    return [captioner.config.name, *(f"{found[n]:.1f}" for n in ("BLEU-4", "ROUGE-L", "CIDEr"))]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("captioner", nargs="?", default=CAPTIONER)
    add_photos(parser)
    add("--features", default=FEATURES, help="where the photos' features are, by make features")
    add("--reviewed", type=int, default=400, help="so many of the photos")
    add("--reviewer", choices=("nearest", "style"), default="nearest")
    return parser.parse_args()


if __name__ == "__main__":
    main()
