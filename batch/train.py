"""Train a captioner from a corpus: its vocabulary, its models, its card."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
from tqdm import tqdm

from batch.calibrate import FEWEST, calibrate, table
from batch.config import keep_out_of, lasting
from batch.corpora.corpus import CaptionedPhoto, Corpus, CorpusError, Problem, Tell, stop
from batch.curves import write_curves
from batch.device import has_bfloat16
from batch.encode import encode_into_cache
from batch.errors import ArchiveError
from batch.features import FeatureCache, open_cache
from batch.feeds import TrainingPhoto, tokens_of
from batch.lock import locked
from batch.recipe import Recipe
from batch.scene import end_training
from batch.training import Progress, Training
from models.captioner import (
    DECODER_FILE,
    VOCABULARY_FILE,
    Captioner,
    CaptionerConfig,
    fingerprint,
    make_decoder,
    weights_fingerprint,
)
from models.checkpoint import load_variables
from models.encoder import build_encoder, load_encoder_weights, tune
from models.glove import read_glove
from models.metrics import splitter
from models.tokenizers import find_tokenizer
from models.vocabulary import Vocabulary


@dataclass(frozen=True)
class Sources:
    """What a training is made of, beside its recipe."""

    corpus: Corpus
    photos: str  # the folder of the corpus' photos
    encoder: str = "imagenet"  # weights to start from
    glove: str | None = None  # a file of word vectors to start from
    tell: Tell = stop  # told of photos that cannot be learnt from
    start: str | None = None  # a captioner's folder, whose words and decoder to go on from


def train_captioner(recipe: Recipe, sources: Sources, features: str, out: str) -> str:
    """Train a captioner into the folder `out`, or go on where that was interrupted.

    features: root of the cache.
    Beside the captioner the folder gets its card, curve.csv and curve.png, and TensorBoard logs.
    Returns a line on what came out. Raises ArchiveError or CheckpointError.
    """
    keep_out_of(sources.photos, {"OUT": out, "FEATURES": features})
    cache = open_cache(features, weights_fingerprint(sources.encoder), recipe.architecture)
    training = prepare(recipe, sources, cache, out)
    with locked(out):
        training.run()
        write_curves(training.progress.history, out, recipe.name)
        Path(out, "card.md").write_text(card(training, sources.encoder), encoding="utf-8")
        end_training(out, training.train, training.dev, features)
        if len(training.dev) >= FEWEST:
            found = calibrate(out, sources.corpus.dev, sources.photos, features, sources.tell)
            tqdm.write(table(found))
    best = max(training.progress.history, key=lambda row: row["CIDEr"])
    return f"{recipe.name}: CIDEr {best['CIDEr']}, BLEU-4 {best['BLEU-4']} on dev: {out}"


def card(training: Training, encoder: str) -> str:
    """Write what people should know of a captioner; the parts on data and licence are theirs."""
    best = max(training.progress.history, key=lambda row: row["CIDEr"])
    rows = "\n".join(f"| {name} | {value} |" for name, value in best.items())
    settings = json.dumps(asdict(training.recipe), indent=2)
    return (
        f"# {training.recipe.name}\n\n"
        f"Language: {training.recipe.language}. Trained on {len(training.train):,} photos, "
        f"chosen on {len(training.dev):,} others. "
        f"Encoder from `{os.path.basename(encoder)}`.\n\n"
        f"## The pass that was kept\n\n| | dev |\n| --- | --- |\n{rows}\n\n"
        f"## Recipe\n\n```json\n{settings}\n```\n"
    )


def prepare(recipe: Recipe, sources: Sources, cache: FeatureCache, out: str) -> Training:
    """Read the photos' features, make the vocabulary from the training split, build the models."""
    keras.utils.set_random_seed(recipe.seed)
    os.makedirs(out, exist_ok=True)
    encoder = build_encoder(bfloat16=has_bfloat16())
    load_encoder_weights(encoder, sources.encoder)
    _check_phases(recipe, encoder)
    splitter(recipe.language)  # what the passes are scored by is there, or is told of now
    if sources.start:
        _check_start(recipe, sources.start)
    photos, identities = sources.photos, _identify(sources, cache, encoder)
    corpus = _sound(sources, identities)
    vocabulary = _vocabulary(recipe, sources, corpus)
    config = CaptionerConfig(
        recipe.name,
        recipe.language,
        recipe.decoder_config(len(vocabulary)),
        recipe.search,
        recipe.architecture,
        recipe.tokenizer,
        encoder=lasting(sources.encoder, out),
        seen_through=weights_fingerprint(sources.encoder),
    )
    decoder = make_decoder(config)
    if sources.start:
        load_variables(decoder.weights, Path(sources.start, DECODER_FILE))
    if sources.glove:
        _start_from(sources.glove, vocabulary, decoder.embedding, tuned=recipe.tune_vectors)

    def ready(split: Sequence[CaptionedPhoto]) -> list[TrainingPhoto]:
        return [
            TrainingPhoto(
                os.path.join(photos, photo.path),
                identities[photo.path],
                tokens_of(photo.captions, vocabulary, recipe.max_length),
            )
            for photo in split
        ]

    references = {os.path.join(photos, photo.path): photo.captions for photo in corpus.dev}
    return Training(
        recipe,
        Captioner(config, vocabulary, decoder),
        encoder,
        cache,
        ready(corpus.train),
        ready(corpus.dev),
        references,
        out,
        Progress(made_of=_made_of(recipe, sources, corpus, identities)),
    )


def _check_start(recipe: Recipe, start: str) -> None:
    """Raise ArchiveError where a captioner to go on from is of another kind than the recipe's."""
    found = CaptionerConfig.read(start)
    for setting in ("language", "architecture", "tokenizer"):
        theirs, asked = getattr(found, setting), getattr(recipe, setting)
        if theirs != asked:
            raise ArchiveError(
                f"{start} has the {setting} {theirs}, the preset {asked}; give a PRESET= with "
                f'"{setting}": "{theirs}"'
            )


def _vocabulary(recipe: Recipe, sources: Sources, corpus: Corpus) -> Vocabulary:
    """Take the words of the captioner to start from, or else of the captions to learn from."""
    if sources.start:
        return Captioner.load(sources.start).vocabulary
    tokenizer = find_tokenizer(recipe.tokenizer)
    captions = corpus.captions()
    return Vocabulary.from_captions(captions, recipe.min_count, tokenizer, unknown=recipe.unknown)


def _identify(sources: Sources, cache: FeatureCache, encoder: keras.Model) -> dict[str, str]:
    """Encode the corpus' photos; give each sound one's identity by its path."""
    corpus = sources.corpus
    paths = [photo.path for photo in (*corpus.train, *corpus.dev)]
    encode = encoder.predict_on_batch
    return encode_into_cache(paths, sources.photos, cache, encode, sources.tell)


def _sound(sources: Sources, identities: Mapping[str, str]) -> Corpus:
    """Give the corpus without photos that have no identity, or whose bytes are in both splits."""
    dev = tuple(photo for photo in sources.corpus.dev if photo.path in identities)
    held = {identities[photo.path] for photo in dev}
    train = []
    for photo in sources.corpus.train:
        if identities.get(photo.path) in held:
            wrong = "is the same photo as one to validate on"
            sources.tell(Problem(os.path.join(sources.photos, photo.path), "", wrong))
        elif photo.path in identities:
            train.append(photo)
    if not (train and dev):
        raise CorpusError(
            f"{sources.photos}: too few of the corpus' photos can be read to train; is PHOTOS= the "
            "right folder?"
        )
    return Corpus(tuple(train), dev)


def _start_from(glove: str, vocabulary: Vocabulary, embedding: Any, *, tuned: bool) -> None:
    """Fill the embedding with word vectors and say how many words have one."""
    vectors = read_glove(glove, vocabulary, embedding.output_dim)
    tqdm.write(f"{os.path.basename(glove)}: {vectors}")
    embedding.embeddings.assign(vectors.table)
    embedding.trainable = tuned


def _check_phases(recipe: Recipe, encoder: keras.Model) -> None:
    """Raise ArchiveError where a phase names a layer that the encoder has not."""
    for phase in recipe.phases:
        try:
            tune(encoder, phase.tuned_after)
        except ValueError as error:
            raise ArchiveError(
                f"the recipe's tuned_after {phase.tuned_after!r} is no layer of the encoder; "
                "mixed0 to mixed10 are"
            ) from error


def _made_of(
    recipe: Recipe, sources: Sources, corpus: Corpus, identities: Mapping[str, str]
) -> str:
    """Tell trainings apart: a state goes on only with what it was made of."""
    photos = [(identities[p.path], p.captions) for p in (*corpus.train, *corpus.dev)]
    vectors = fingerprint([Path(sources.glove)]) if sources.glove else ""
    start = sources.start
    names = (VOCABULARY_FILE, DECODER_FILE)  # its heads may be made anew in the meantime
    begun = fingerprint([Path(start, name) for name in names]) if start else ""
    parts = (
        *(repr(recipe), str(len(corpus.train)), repr(photos)),
        *(weights_fingerprint(sources.encoder), vectors, begun),
    )
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
