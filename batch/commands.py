"""The commands: from parsed arguments to what is printed and the exit code."""

import argparse
import os
import sys
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from batch.config import (
    PRESETS,
    Config,
    captioner_folder,
    captioner_folders,
    default_out,
    keep_out_of,
    language_of,
)
from batch.corpora.corpus import Corpus, Problem, stop
from batch.errors import ArchiveError, LockedError
from batch.quiet import start_tensorflow
from batch.summary import COMPLETE, LOCKED
from batch.text import printable
from batch.whereabouts import results_of

if TYPE_CHECKING:
    from batch.corpora.corpus import Tell
    from batch.corpora.read import CorpusFiles
    from batch.recipe import Recipe
    from batch.summary import Summary

PROBLEMS_SHOWN = 20  # of a corpus; the rest are counted

# Modules that need TensorFlow, Parquet or plots are imported by the command that needs them:
# `--help` and wrong arguments are answered at once.


def caption(options: argparse.Namespace) -> int:
    """Caption an archive, or with --dry-run tell what that would do."""
    config = config_of(options)
    if options.dry_run:
        from batch.preflight import describe

        print(describe(config))
        return COMPLETE
    from batch.run_log import is_alive
    from batch.show import table

    try:
        summary = _run(config)
    except LockedError:
        if options.quiet and is_alive(config.out):
            return LOCKED
        raise
    if options.show:
        print(table(config.out, options.show))
    _tell_run(summary, quiet=options.quiet)
    if options.review:
        from batch.review_commands import write_review

        written = write_review(config.out, config.features)
        if not options.quiet:
            print(written)
    return summary.exit_code


def _run(config: Config) -> "Summary":
    """Run, and say of an error of the disk which run it was."""
    from batch.pipeline import run

    try:
        return run(config)
    except OSError as error:
        if error.filename is not None:
            raise
        raise ArchiveError(f"the run to {config.out} failed: {error}") from error


def _tell_run(summary: "Summary", *, quiet: bool) -> None:
    if not quiet:
        _tell_summary(summary)
    elif news := summary.news():
        print(printable(news), file=sys.stderr)


def features(options: argparse.Namespace) -> int:
    """Encode an archive's photos into the feature cache, and no more."""
    from batch.pipeline import encode_archive

    summary = encode_archive(config_of(options))
    _tell_summary(summary)
    return summary.exit_code


def train(options: argparse.Namespace) -> int:
    """Train a captioner on people's captions; a training that was interrupted goes on."""
    start_tensorflow()
    from batch.train import Sources, train_captioner

    recipe = _recipe(options)
    recipe = replace(recipe, seed=options.seed or recipe.seed)
    corpus = _corpus(options, recipe.language)
    start = options.start and captioner_folder(options.start)
    encoder = options.encoder or _own_encoder(start)
    sources = Sources(corpus, options.photos, encoder, options.glove, _teller(options), start)
    print(train_captioner(recipe, sources, options.features, options.out))
    return COMPLETE


def _own_encoder(captioner: str | None) -> str:
    """Give the encoder of a captioner to go on from; that of ImageNet without one.

    Raises CheckpointError where it is not the one that the captioner was taught with.
    """
    from models.captioner import IMAGENET, CaptionerConfig, encoder_fingerprint

    if captioner is None:
        return IMAGENET
    encoder_fingerprint(captioner)
    return CaptionerConfig.read(captioner).encoder_weights(captioner)


def corpus(options: argparse.Namespace) -> int:
    """Count what a caption corpus holds, and write its cleaned captions where asked."""
    if options.photos is not None and options.descriptions:
        keep_out_of(options.photos, {"DESCRIPTIONS": options.descriptions})
    start_tensorflow()
    from batch.corpora.descriptions import write_descriptions
    from batch.corpora.read import all_captions
    from batch.corpora.survey import survey
    from models.tokenizers import find_tokenizer

    recipe = _recipe(options)
    tokenizer = find_tokenizer(recipe.tokenizer)
    found = _corpus(options, recipe.language)
    captions = all_captions(_corpus_files(options), found)
    print(survey(captions, found.train, tokenizer, recipe.min_count, unknown=recipe.unknown))
    if options.descriptions:
        lines = write_descriptions(captions, tokenizer, options.descriptions)
        print(f"{lines:,} lines: {printable(options.descriptions)}")
    return COMPLETE


def scene(options: argparse.Namespace) -> int:
    """Teach a captioner to give pages, blanks and test charts no caption."""
    start_tensorflow()
    from batch.scene import teach_scenes

    folder = captioner_folder(options.captioner)
    keep_out_of(options.photos, {"FEATURES": options.features, "CAPTIONER": folder})
    found = _corpus(options, language_of(folder))
    train, dev = (
        [os.path.join(options.photos, photo.path) for photo in split]
        for split in (found.train, found.dev)
    )
    print(teach_scenes(folder, train, dev, options.features, _teller(options)))
    return COMPLETE


def ranges(options: argparse.Namespace) -> int:
    """Measure on photos what PRECISION=int8 needs to know of a captioner's encoder."""
    start_tensorflow()
    from batch.ranges import measure_ranges

    print(measure_ranges(captioner_folder(options.captioner), options.archive))
    return COMPLETE


def evaluate(options: argparse.Namespace) -> int:
    """Score a captioner on photos that people have captioned."""
    start_tensorflow()
    from batch.evaluate import Places
    from batch.evaluate import evaluate as score_captioner

    folder = captioner_folder(options.captioner)
    photos = _corpus(options, language_of(folder)).dev
    places = Places(options.photos, options.features, options.out)
    print(score_captioner(folder, photos, places, search_of(options), _teller(options)))
    print(f"\n{printable(options.out)}/index.html shows them, scored.csv has a row a photo")
    return COMPLETE


def calibrate(options: argparse.Namespace) -> int:
    """Fit a captioner's confidence to photos that people have captioned."""
    start_tensorflow()
    from batch.calibrate import calibrate as fit_confidence
    from batch.calibrate import table

    folder = captioner_folder(options.captioner)
    photos = _corpus(options, language_of(folder)).dev
    found = fit_confidence(folder, photos, options.photos, options.features, _teller(options))
    print(f"{table(found)}\n\n{printable(folder)}/confidence.json")
    return COMPLETE


def attention(options: argparse.Namespace) -> int:
    """Draw where a captioner looks in a photo: the photo once a word, as PNG."""
    start_tensorflow()
    from batch.attention import draw_attention
    from batch.figures import default_picture

    out = options.out or default_picture("attention", options.photo)
    folder = captioner_folder(options.captioner)
    said = draw_attention(options.photo, folder, options.features, out, search_of(options))
    print(f"{said}\n{printable(out)}")
    return COMPLETE


def structure(options: argparse.Namespace) -> int:
    """Print the layers of a captioner's model, and draw them as PNG."""
    start_tensorflow()
    from batch.figures import default_picture
    from batch.structure import draw_structure

    out = options.out or default_picture("structure", options.model or options.captioner)
    folder = None if options.model else captioner_folder(options.captioner)
    print(f"{draw_structure(folder, out)}\n{printable(out)}")
    return COMPLETE


def page(options: argparse.Namespace) -> int:
    """Write captions.html into a run's folder: its photos beside their captions."""
    from batch.page import write_page

    print(printable(write_page(results_of(options), options.limit)))
    return COMPLETE


def import_checkpoint(options: argparse.Namespace) -> int:
    """Make a captioner of what the TensorFlow tutorial or the 2017 post left."""
    start_tensorflow()
    from batch.imports import Origin, import_captioner

    origin = Origin(options.source, options.encoder, options.captions, options.train_list)
    print(import_captioner(origin, options.out))
    return COMPLETE


def import_features(options: argparse.Namespace) -> int:
    """Put a pickle of photo vectors, as the 2017 post keeps them, into the feature cache."""
    start_tensorflow()
    from batch.imports import import_features as read_features

    found = read_features(options.source, options.photos, options.features, options.encoder)
    for line in found.told():
        print(line, file=sys.stderr)
    print(found)
    return COMPLETE


def config_of(options: argparse.Namespace) -> Config:
    """Give the run that is asked for."""
    archive, urls = _source(options)
    captioner, *others = captioner_folders(options.captioner)
    return Config(
        archive=archive,
        out=getattr(options, "out", None) or default_out(archive, is_list=urls is not None),
        features=options.features,
        captioner=captioner,
        others=tuple(others),
        include=tuple(options.include),
        exclude=tuple(options.exclude),
        limit=options.limit,
        overwrite=getattr(options, "existing", "skip") == "overwrite",
        retry_failed=getattr(options, "retry_failed", False),
        moved=getattr(options, "moved", False),
        search=search_of(options),
        cache_limit=options.cache_limit,
        urls=urls,
        urls_are_all=not getattr(options, "url", None),
        allow_private=getattr(options, "allow_private", False),
        max_hours=getattr(options, "max_hours", None),
        quiet=getattr(options, "quiet", False),
        scheduler=getattr(options, "scheduler", None),
        workers=getattr(options, "workers", None),
    )


def _source(options: argparse.Namespace) -> tuple[str, tuple[str, ...] | None]:
    """Name the archive, and give the URLs where it is a list of them."""
    if getattr(options, "urls", None) is not None:
        from batch.urls import read_list

        return options.urls, read_list(options.urls)
    if getattr(options, "url", None):
        return "urls", tuple(dict.fromkeys(options.url))
    return options.archive, None


def search_of(options: argparse.Namespace) -> dict[str, object]:
    """Give the settings of a search that were asked for."""
    names = ("num_beams", "max_length", "temperature", "seed")
    given = {name: getattr(options, name, None) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def _corpus(options: argparse.Namespace, language: str) -> Corpus:
    from batch.corpora.read import check_language, read_corpus

    problems: list[Problem] = []
    tell = stop if options.strict else problems.append
    training = hasattr(options, "train_list")
    try:
        found = read_corpus(_corpus_files(options), language, tell, training=training)
    finally:
        _tell_problems(problems)
    check_language(found, language, options.captions)
    return found


def _corpus_files(options: argparse.Namespace) -> "CorpusFiles":
    from batch.corpora.read import CorpusFiles

    return CorpusFiles(
        options.captions,
        options.photos,
        train_list=getattr(options, "train_list", None),
        dev_list=options.dev_list,
        dev_captions=options.dev_captions,
    )


def _recipe(options: argparse.Namespace) -> "Recipe":
    from batch.recipe import Recipe

    recipe = Recipe.read(options.preset or PRESETS[options.model or "attention"])
    if options.model and recipe.architecture != options.model:
        raise ArchiveError(
            f"{options.preset} is of the model {recipe.architecture}; leave out MODEL="
        )
    return recipe


def _tell_problems(problems: list[Problem]) -> None:
    for problem in problems[:PROBLEMS_SHOWN]:
        print(printable(str(problem)), file=sys.stderr)
    if len(problems) > PROBLEMS_SHOWN:
        print(f"and {len(problems) - PROBLEMS_SHOWN:,} more", file=sys.stderr)
    if problems:
        text = f"problems in the corpus: {len(problems):,}; STRICT=1 stops at the first"
        print(text, file=sys.stderr)


def _teller(options: argparse.Namespace) -> "Tell":
    """Give what tells of problems as they come, the first of them one by one."""
    if options.strict:
        return stop
    numbers = count(1)

    def tell(problem: Problem) -> None:
        number = next(numbers)
        if number <= PROBLEMS_SHOWN:
            print(printable(str(problem)), file=sys.stderr)
        elif number == PROBLEMS_SHOWN + 1:
            print("and more are left out; STRICT=1 stops at the first", file=sys.stderr)

    return tell


def _tell_summary(summary: "Summary") -> None:
    for folder in summary.unlisted:
        print(f"cannot list the folder {printable(folder)}", file=sys.stderr)
    for line in summary.told_failed():
        print(printable(line), file=sys.stderr)
    print(printable(str(summary)))
