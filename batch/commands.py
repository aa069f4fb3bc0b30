"""The commands: from parsed arguments to what is printed and the exit code."""

import argparse
import sys

from batch.config import Config, captioner_folder, default_out
from batch.corpora.corpus import Corpus
from batch.quiet import start_tensorflow
from batch.summary import COMPLETE
from batch.text import printable

# Modules that need TensorFlow, Parquet or plots are imported by the command that needs them:
# `--help` and wrong arguments are answered at once.


def caption(options: argparse.Namespace) -> int:
    """Caption an archive, or with --dry-run tell what that would do."""
    config = _config(options)
    if options.dry_run:
        from batch.preflight import describe

        print(describe(config))
        return COMPLETE
    from batch.pipeline import run
    from batch.show import table

    summary = run(config)
    if options.show:
        print(table(config.out, options.show))
    _tell_unlisted(summary.unlisted)
    print(summary)
    return summary.exit_code


def features(options: argparse.Namespace) -> int:
    """Encode an archive's photos into the feature cache, and no more."""
    from batch.pipeline import encode_archive

    summary = encode_archive(_config(options))
    _tell_unlisted(summary.unlisted)
    print(summary)
    return summary.exit_code


def train(options: argparse.Namespace) -> int:
    """Train a captioner on people's captions; a training that was interrupted goes on."""
    start_tensorflow()
    from batch.recipe import Recipe
    from batch.train import train_captioner

    recipe = Recipe.read(options.preset)
    corpus = _corpus(options)
    print(
        train_captioner(
            recipe, corpus, options.photos, options.encoder, options.features, options.out
        )
    )
    return COMPLETE


def evaluate(options: argparse.Namespace) -> int:
    """Score a captioner on photos that people have captioned."""
    start_tensorflow()
    from batch.evaluate import evaluate as score_captioner

    folder = captioner_folder(options.captioner)
    print(
        score_captioner(
            folder,
            _corpus(options).dev,
            options.photos,
            options.features,
            options.out,
            _search(options),
        )
    )
    return COMPLETE


def _config(options: argparse.Namespace) -> Config:
    return Config(
        archive=options.archive,
        out=getattr(options, "out", None) or default_out(options.archive),
        features=options.features,
        captioner=captioner_folder(options.captioner),
        include=tuple(options.include),
        exclude=tuple(options.exclude),
        limit=options.limit,
        overwrite=getattr(options, "existing", "skip") == "overwrite",
        retry_failed=getattr(options, "retry_failed", False),
        moved=getattr(options, "moved", False),
        search=_search(options),
    )


def _search(options: argparse.Namespace) -> dict[str, object]:
    names = ("num_beams", "max_length")
    given = {name: getattr(options, name, None) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def _corpus(options: argparse.Namespace) -> Corpus:
    from batch.corpora.flickr8k import read_flickr8k

    return read_flickr8k(options.captions, getattr(options, "train_list", None), options.dev_list)


def _tell_unlisted(folders: list[str]) -> None:
    for folder in folders:
        print(f"cannot list the folder {printable(folder)}", file=sys.stderr)
