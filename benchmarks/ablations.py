"""Changes to a training, each alone: a row of dev scores for each and seed.

python -m benchmarks.ablations --captions Flickr8k.token.txt --photos images \
    --train-list Flickr_8k.trainImages.txt --dev-list Flickr_8k.devImages.txt \
    --encoder models/pretrained/flickr8k-en/encoder.weights.h5 [--only NAME...] [--seeds 1 2]
python -m benchmarks.ablations --series encoder --start CAPTIONER --photos-used 1500 …

The series `decoder` trains small decoders on cached features. The series `encoder` tunes a
captioner that was trained on `--encoder` as it is, and that encoder, on some of the photos. What
was done before, each row hours of work, is kept beside this file and not done again: a later call
adds seeds and changes. The score is that of the last pass: no pass is chosen on what it is scored
on.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from batch.config import FEATURES
from batch.quiet import start_tensorflow
from batch.recipe import Phase, Recipe

if TYPE_CHECKING:
    from batch.training import Training

# Half the sizes of what ships: a quarter of its time, and small changes still show.
SMALL = Recipe(
    "small",
    max_length=16,
    embedding=128,
    projection=256,
    attention=128,
    units=256,
    phases=(Phase(6, 1e-3),),
)
SCORES = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr")


@dataclass(frozen=True)
class Change:
    """What an experiment changes: settings of the recipe, its decoder, its word vectors."""

    settings: dict[str, Any] = field(default_factory=dict)
    decoder: str = ""  # a class of benchmarks.variants
    glove: bool = False


def _rate(rate: float) -> Change:
    return Change({"phases": (Phase(6, rate),)})


def _critical(share: float) -> Change:
    return Change({"phases": (Phase(6, 1e-3), Phase(2, 2e-4, self_critical=share))})


def _tuned(**settings: Any) -> Change:
    """Two passes that tune the encoder's upper blocks too, but for some settings."""
    tuned = {"encoder_rate": 5e-4, "tuned_after": "mixed5"} | settings
    return Change({"phases": (Phase(2, 5e-4, **tuned),)})


TUNING = {
    "upper blocks, after mixed5": _tuned(),
    "the encoder left as it is": _tuned(encoder_rate=0.0, tuned_after=""),
    "the whole encoder": _tuned(tuned_after=""),
    "the last blocks, after mixed8": _tuned(tuned_after="mixed8"),
    "the encoder at 1e-4": _tuned(encoder_rate=1e-4),
    "the encoder at 2e-3": _tuned(encoder_rate=2e-3),
    "neither flips nor crops": _tuned(mirrored=False, smallest_crop=1.0),
    "flips alone": _tuned(smallest_crop=1.0),
    "crops from 50% on": _tuned(smallest_crop=0.5),
    "colour by up to 20%": _tuned(colour=0.2),
    "average of weights 0.98": _tuned(averaging=0.98),
}
DECODING = {
    "as it is": Change(),
    "rate 2e-4": _rate(2e-4),
    "rate 5e-4": _rate(5e-4),
    "rate 2e-3": _rate(2e-3),
    "average of weights 0.99": Change({"phases": (Phase(6, 1e-3, averaging=0.99),)}),
    "average of weights 0.998": Change({"phases": (Phase(6, 1e-3, averaging=0.998),)}),
    "dropout 0.3": Change({"dropout": 0.3}),
    "dropout 0.6": Change({"dropout": 0.6}),
    "no label smoothing": Change({"label_smoothing": 0.0}),
    "label smoothing 0.2": Change({"label_smoothing": 0.2}),
    "one caption a photo, five times the passes": Change(
        {"captions_a_photo": 1, "photos_a_step": 160, "phases": (Phase(30, 1e-3),)}
    ),
    "16 photos a step": Change({"photos_a_step": 16}),
    "no doubly stochastic term": Change({"attention_weight": 0.0}),
    "doubly stochastic weight 1": Change({"attention_weight": 1.0}),
    "words from 3 times on": Change({"min_count": 3}),
    "words from 10 times on": Change({"min_count": 10}),
    "output tied to the embedding": Change(decoder="TiedDecoder"),
    "LSTM": Change(decoder="LstmDecoder"),
    "transformer": Change(decoder="TransformerDecoder"),
    "LSTM, then looks": Change(decoder="LateDecoder"),
    "embedding 200": Change({"embedding": 200}),
    "GloVe 200": Change({"embedding": 200, "tune_vectors": True}, glove=True),
    "two passes more": Change({"phases": (Phase(6, 1e-3), Phase(2, 2e-4))}),
    "self-critical 0.5": _critical(0.5),
    "self-critical 0.9": _critical(0.9),
    "self-critical 0.98": _critical(0.98),
}
SERIES = {"decoder": (SMALL, DECODING), "encoder": (Recipe("tuned"), TUNING)}


def main() -> None:
    """Run what was not run before; print the table."""
    options = _options()
    _, changes = SERIES[options.series]
    log = Path(__file__).with_name(f"{options.series}-ablations.jsonl")
    start_tensorflow()
    of = _told_apart(options)
    done = [row for row in _read(log) if row.get("of") == of]
    experiments = _Experiments(options)
    for seed in options.seeds:
        for name in options.only or changes:
            if (name, seed) not in {(row["change"], row["seed"]) for row in done}:
                done.append(experiments.run(name, seed) | {"of": of})
                with log.open("a", encoding="utf-8") as file:
                    file.write(f"{json.dumps(done[-1])}\n")
    print("\n".join(_table(done)))


class _Experiments:
    """Trains and scores; features are read once for all."""

    def __init__(self, options: argparse.Namespace) -> None:
        from batch.corpora.corpus import stop
        from batch.corpora.read import CorpusFiles, read_corpus

        self.options = options
        self.base, self.changes = SERIES[options.series]
        lists = {"train_list": options.train_list, "dev_list": options.dev_list}
        files = CorpusFiles(options.captions, options.photos, **lists)
        corpus = read_corpus(files, self.base.language, stop)
        self.corpus = replace(corpus, train=corpus.train[: options.photos_used])
        self.seen: Any = None

    def run(self, name: str, seed: int) -> dict[str, Any]:
        """Train once; give the scores after the last pass."""
        change = self.changes[name]
        recipe = replace(self.base, name="ablation", seed=seed, **change.settings)
        with tempfile.TemporaryDirectory(prefix="ablation-") as out:
            training = self._prepare(change, recipe, out)
            start = time.perf_counter()
            training.run()
        self.seen = training._cached
        scores = training.progress.history[-1]
        row: dict[str, Any] = {"change": name, "seed": seed}
        row |= {score: scores[score] for score in SCORES}
        row["minutes"] = round((time.perf_counter() - start) / 60, 1)
        print(*(f"{key}={value}" for key, value in row.items()), flush=True)
        return row | {"recipe": asdict(recipe)}

    def _prepare(self, change: Change, recipe: Recipe, out: str) -> "Training":
        """Make a training that scores after the last pass alone."""
        from batch.features import open_cache
        from batch.feeds import steps_a_pass
        from batch.train import Sources, prepare
        from batch.training import Training
        from models.captioner import weights_fingerprint

        class AtTheEnd(Training):
            def _end_pass(self, loss: float) -> None:
                last = len(self.recipe.phases) - 1
                passes = self.recipe.phases[last].passes
                steps = passes * steps_a_pass(self.train, self.recipe, last)
                if (self.progress.phase, self.progress.step) == (last, steps):
                    super()._end_pass(loss)

        o = self.options
        glove = o.glove if change.glove else None
        sources = Sources(self.corpus, o.photos, o.encoder, glove, start=o.start)
        cache = open_cache(o.features, weights_fingerprint(o.encoder), recipe.architecture)
        made = prepare(recipe, sources, cache, out)
        training = AtTheEnd(**{key: value for key, value in vars(made).items() if key[0] != "_"})
        if change.decoder:
            from benchmarks import variants

            config = training.captioner.config.decoder
            training.captioner.decoder = getattr(variants, change.decoder)(config)
        training._cached = self.seen
        return training


def _told_apart(options: argparse.Namespace) -> str:
    """Tell runs on other data, encoders or starts apart: their rows do not compare."""
    from models.captioner import DECODER_FILE, fingerprint, weights_fingerprint

    files = [options.captions, options.train_list, options.dev_list]
    if options.start:
        files.append(Path(options.start, DECODER_FILE))
    base = repr(SERIES[options.series][0])
    encoder = weights_fingerprint(options.encoder)
    return fingerprint(
        [Path(file) for file in files if file], encoder, base, str(options.photos_used)
    )


def _read(log: Path) -> list[dict[str, Any]]:
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Give the mean over seeds of each change, in the order of their first run."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        runs[row["change"]].append(row)
    yield f"| change | seeds | {' | '.join(SCORES)} | CIDEr from, to | minutes |"
    yield f"| --- |{' --- |' * (len(SCORES) + 3)}"
    for change, same in runs.items():
        means = " | ".join(f"{fmean(row[score] for row in same):.1f}" for score in SCORES)
        ciders = [row["CIDEr"] for row in same]
        spread = f"{min(ciders):.1f}, {max(ciders):.1f}"
        minutes = f"{fmean(row['minutes'] for row in same):.1f}"
        yield f"| {change} | {len(same)} | {means} | {spread} | {minutes} |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--captions", required=True, help="a token file, or JSON of COCO or AI Hub")
    add("--photos", required=True)
    add("--train-list")
    add("--dev-list")
    add("--encoder", required=True, help="weights that the features are seen through")
    add("--features", default=FEATURES)
    add("--glove", help="word vectors of 200 numbers, for what is tried with them")
    add("--series", choices=SERIES, default="decoder")
    add("--start", help="the encoder series: a captioner's folder to go on from")
    add("--photos-used", type=int, help="so many of the photos to learn from")
    add("--only", nargs="+", metavar="NAME", help="some of the changes")
    add("--seeds", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    unknown = set(options.only or ()) - set(SERIES[options.series][1])
    if unknown:
        parser.error(f"not of the series {options.series}: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
