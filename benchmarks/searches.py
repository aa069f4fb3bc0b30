"""Dev scores of one captioner by search settings, or of several that are put together, as Markdown.

python -m benchmarks.searches --captions Flickr8k.token.txt --photos images \
    --dev-list Flickr_8k.devImages.txt CAPTIONER...

Of one captioner each setting of its search is changed alone. Several, of one vocabulary and one
encoder, are searched each alone, then as an ensemble, and then as the mean of their weights.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from batch.config import FEATURES, captioner_folder, language_of
from batch.quiet import start_tensorflow
from batch.tables import Table
from benchmarks.scored_on import add_photos, read_photos

if TYPE_CHECKING:
    from models.captioner import Captioner
    from models.metrics import Scores

SEARCHES: dict[str, Sequence[float]] = {
    "num_beams": (1, 2, 3, 4, 5, 8),
    "length_penalty": (0.0, 0.4, 0.7, 1.0, 1.2, 1.4, 1.7),
    "no_repeat_ngram": (0, 2, 3),
    "no_repeat_within": (0, 1, 2),
}


def main() -> None:
    """Search, score and print."""
    options = _options()
    start_tensorflow()
    dev = _Dev(options)
    rows = []
    for name, captioner in _varied(options.captioner):
        scores = dev.score(captioner)
        rows.append([name, *(f"{value:.1f}" for value in scores.as_dict().values())])
        print(*rows[-1], flush=True)
    print(Table("", rows, ("", *scores.as_dict())).as_markdown())


class _Dev:
    """The photos to score on, seen through one encoder."""

    def __init__(self, options: argparse.Namespace) -> None:
        from batch.encode import encode_into_cache
        from batch.features import open_cache
        from models.captioner import encoder_fingerprint, load_encoder

        folder = captioner_folder(options.captioner[0])
        self.language = language_of(folder)
        dev = read_photos(options, self.language)
        cache = open_cache(options.features, encoder_fingerprint(folder), "attention")
        encode = load_encoder(folder).predict_on_batch
        paths = [photo.path for photo in dev]
        found = encode_into_cache(paths, options.photos, cache, encode, lambda _: None)
        features = cache.read(set(found.values()))
        self.features = {path: features[photo_id] for path, photo_id in found.items()}
        self.references = {photo.path: photo.captions for photo in dev if photo.path in found}

    def score(self, captioner: "Captioner") -> "Scores":
        """Caption and score."""
        from models.metrics import score, splitter

        captions = captioner.caption(list(self.features.values()))
        texts = {path: c.text for path, c in zip(self.features, captions, strict=True)}
        return score(texts, self.references, splitter(self.language).split)


def _varied(names: Sequence[str]) -> Iterator[tuple[str, "Captioner"]]:
    """Give what there is to score, by what it is called."""
    from benchmarks.variants import Ensemble
    from models.captioner import Captioner
    from recipes.average import average

    folders = [captioner_folder(name) for name in names]
    first = Captioner.load(folders[0])
    if len(folders) == 1:
        yield "as it is", first
        for setting, values in SEARCHES.items():
            for value in values:
                if value != getattr(first.config.search, setting):
                    yield f"{setting} {value:g}", Captioner.load(folders[0], **{setting: value})
        return
    captioners = [Captioner.load(folder) for folder in folders]
    yield from zip(names, captioners, strict=True)
    decoders: list[Any] = [captioner.decoder for captioner in captioners]
    yield "the ensemble", Captioner(first.config, first.vocabulary, Ensemble(decoders))
    averaged = Captioner(first.config, first.vocabulary, average(decoders))
    yield "the mean of their weights", averaged


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("captioner", nargs="+", help="names of captioners that ship, or folders")
    add_photos(parser)
    add("--features", default=FEATURES)
    return parser.parse_args()


if __name__ == "__main__":
    main()
