"""Train a captioner from a corpus: its vocabulary, its models, its card."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras

from batch.config import keep_out_of
from batch.corpora.corpus import CaptionedPhoto, Corpus
from batch.curves import write_curves
from batch.device import has_bfloat16
from batch.encode import encode_into_cache
from batch.features import FeatureCache
from batch.feeds import TrainingPhoto, tokens_of
from batch.lock import locked
from batch.recipe import Recipe
from batch.training import Progress, Training
from models.attention_decoder import AttentionDecoder, DecoderConfig
from models.captioner import Captioner, CaptionerConfig, weights_fingerprint
from models.encoder import build_encoder, load_encoder_weights
from models.vocabulary import Vocabulary


def train_captioner(
    recipe: Recipe, corpus: Corpus, photos: str, encoder: str, features: str, out: str
) -> str:
    """Train a captioner into the folder `out`, or go on where that was interrupted.

    photos: the corpus' folder; encoder: weights to start from; features: root of the cache.
    Beside the captioner the folder gets its card, curve.csv and curve.png, and TensorBoard logs.
    Returns a line on what came out. Raises ArchiveError or CheckpointError.
    """
    keep_out_of(photos, {"OUT": out, "FEATURES": features})
    cache = FeatureCache(os.path.join(features, weights_fingerprint(encoder)))
    training = prepare(recipe, corpus, photos, encoder, cache, out)
    with locked(out):
        training.run()
        write_curves(training.progress.history, out)
        Path(out, "card.md").write_text(card(training, encoder), encoding="utf-8")
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


def prepare(
    recipe: Recipe, corpus: Corpus, photos: str, encoder_weights: str, cache: FeatureCache, out: str
) -> Training:
    """Read the photos' features, make the vocabulary from the training split, build the models."""
    keras.utils.set_random_seed(recipe.seed)
    os.makedirs(out, exist_ok=True)
    encoder = build_encoder(bfloat16=has_bfloat16())
    load_encoder_weights(encoder, encoder_weights)
    vocabulary = Vocabulary.from_captions(corpus.captions(), recipe.min_count)
    decoder = AttentionDecoder(
        DecoderConfig(
            len(vocabulary),
            recipe.embedding,
            recipe.projection,
            recipe.attention,
            recipe.units,
            recipe.dropout,
        )
    )
    config = CaptionerConfig(
        recipe.name,
        recipe.language,
        decoder.config,
        recipe.search,
        encoder=_lasting(encoder_weights),
    )
    paths = [photo.path for photo in (*corpus.train, *corpus.dev)]
    identities = encode_into_cache(paths, photos, cache, encoder.predict_on_batch)

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
        Progress(made_of=_made_of(recipe, corpus, encoder_weights)),
    )


def _made_of(recipe: Recipe, corpus: Corpus, encoder_weights: str) -> str:
    parts = (repr(recipe), repr(corpus), weights_fingerprint(encoder_weights))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _lasting(encoder_weights: str) -> str:
    """Name weights so that they are found from any folder."""
    is_file = os.path.isfile(encoder_weights)
    return os.path.abspath(encoder_weights) if is_file else encoder_weights
