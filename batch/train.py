"""Train a captioner: first the decoder on cached features, then encoder and decoder together.

All state is saved now and then, and what a step sees follows from its number: a training that was
interrupted goes on to the same result.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from batch.corpora.corpus import CaptionedPhoto, Corpus
from batch.curves import write_curves
from batch.device import has_bfloat16
from batch.encode import batched, encode_into_cache, load_and_encode
from batch.features import SHARD_PHOTOS, FeatureCache
from batch.feeds import TrainingPhoto, feed, from_cache, from_files, steps_a_pass, tokens_of
from batch.lock import locked
from batch.recipe import Phase, Recipe
from batch.scan import Photo
from models.attention_decoder import AttentionDecoder, DecoderConfig
from models.captioner import ENCODER_FILE, Captioner, CaptionerConfig, weights_fingerprint
from models.checkpoint import load_state, read_progress, save_state
from models.encoder import build_encoder, load_encoder_weights, tune
from models.metrics import Scores, score
from models.training import CaptionTrainer, make_optimizer
from models.vocabulary import Vocabulary

STEPS_A_CHECKPOINT = 100


@dataclass
class Progress:
    """How far a training is: what a resumed one must know beside the weights."""

    phase: int = 0
    step: int = 0
    best: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Training:
    """A captioner being made, and all that makes it."""

    recipe: Recipe
    captioner: Captioner
    encoder: keras.Model
    cache: FeatureCache
    train: Sequence[TrainingPhoto]
    dev: Sequence[TrainingPhoto]
    references: Mapping[str, Sequence[str]]  # dev photo's location -> its captions
    out: str
    progress: Progress = field(default_factory=Progress)
    _logs: Any = None

    @property
    def state_file(self) -> str:
        """Where the state of an unfinished training is kept."""
        return os.path.join(self.out, "state.h5")

    def run(self) -> None:
        """Train all phases, going on from the saved state where there is one."""
        saved = os.path.exists(self.state_file)
        if saved:
            self.progress = Progress(**json.loads(read_progress(self.state_file)))
        for index in range(self.progress.phase, len(self.recipe.phases)):
            self._run_phase(index, resume=saved and index == self.progress.phase)

    def _run_phase(self, index: int, *, resume: bool) -> None:
        phase = self.recipe.phases[index]
        pass_steps = steps_a_pass(self.train, self.recipe)
        trainer = self._trainer(phase, phase.passes * pass_steps)
        variables = [*trainer.variables, *trainer.optimizer.variables]
        if resume:
            load_state(variables, self.state_file)
        else:
            self.progress.phase, self.progress.step = index, 0
        steps = range(self.progress.step, phase.passes * pass_steps)
        if not steps:
            return
        tuned = phase.encoder_rate > 0
        look = from_files(self.recipe.smallest_crop) if tuned else from_cache(self.cache)
        bar = tqdm(total=steps.stop, initial=steps.start, desc=f"phase {index + 1}", disable=None)
        for inputs, targets in feed(self.train, look, self.recipe, index, steps):
            loss = float(trainer.train_on_batch(inputs, targets))
            self.progress.step += 1
            bar.update()
            bar.set_postfix(loss=f"{loss:.3f}")
            self._log({"loss": loss})
            if self.progress.step % pass_steps == 0:
                self._end_pass(loss, tuned)
                trainer.reset_metrics()
            if self.progress.step % STEPS_A_CHECKPOINT == 0 or self.progress.step == steps.stop:
                self._save(variables)
        bar.close()

    def _trainer(self, phase: Phase, steps: int) -> CaptionTrainer:
        tuned = self.encoder if phase.encoder_rate else None
        tune(self.encoder, phase.tuned_after)
        trainer = CaptionTrainer(
            self.captioner.decoder,
            tuned,
            label_smoothing=self.recipe.label_smoothing,
            attention_weight=self.recipe.attention_weight,
        )
        optimizer = make_optimizer(
            phase.rate,
            steps,
            encoder_variables=tuple(tuned.trainable_variables) if tuned else (),
            encoder_rate=phase.encoder_rate,
        )
        optimizer.build(trainer.trainable_variables)
        trainer.compile(optimizer=optimizer)
        return trainer

    def _end_pass(self, loss: float, tuned: bool) -> None:
        """Caption the dev photos, score, note it, and keep the captioner where it is the best."""
        scores = self.validate(tuned)
        row = {"phase": self.progress.phase + 1, "step": self.progress.step, "loss": round(loss, 4)}
        row |= {name: round(value, 2) for name, value in scores.as_dict().items()}
        self.progress.history.append(row)
        self._log(scores.as_dict())
        tqdm.write(" ".join(f"{name}={value}" for name, value in row.items()))
        if scores.cider > self.progress.best:
            self.progress.best = scores.cider
            self._keep(tuned)

    def _keep(self, tuned: bool) -> None:
        """Save the captioner as it is now; a tuned encoder goes into its folder."""
        if tuned:
            self.captioner.config = replace(self.captioner.config, encoder=ENCODER_FILE)
        self.captioner.save(self.out, self.encoder if tuned else None)

    def _log(self, values: Mapping[str, float]) -> None:
        """Add points to the TensorBoard logs, by the step since the training began."""
        import tensorflow as tf

        if self._logs is None:
            self._logs = tf.summary.create_file_writer(os.path.join(self.out, "logs"))
        earlier = self.recipe.phases[: self.progress.phase]
        step = sum(phase.passes for phase in earlier) * steps_a_pass(self.train, self.recipe)
        with self._logs.as_default(step=step + self.progress.step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def validate(self, tuned: bool) -> Scores:
        """Caption the dev photos as a user would and score them."""
        return score(caption_photos(self, tuned), self.references)

    def _save(self, variables: Sequence[Any]) -> None:
        temporary = f"{self.state_file}.new"
        save_state(variables, temporary, json.dumps(vars(self.progress)))
        os.replace(temporary, self.state_file)


def train_captioner(
    recipe: Recipe, corpus: Corpus, photos: str, encoder: str, features: str, out: str
) -> str:
    """Train a captioner into the folder `out`, or go on where that was interrupted.

    photos: the corpus' folder; encoder: weights to start from; features: root of the cache.
    Beside the captioner the folder gets its card, curve.csv and curve.png, and TensorBoard logs.
    Returns a line on what came out. Raises ArchiveError or CheckpointError.
    """
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


def caption_photos(training: Training, tuned: bool) -> dict[str, str]:
    """Caption the dev photos: from the cache, or through the encoder as it is now."""
    captions: dict[str, str] = {}
    for chunk in batched(training.dev, SHARD_PHOTOS):
        if tuned:
            photos = [_photo(*os.path.split(photo.location)) for photo in chunk]
            features: dict[str, np.ndarray] = {}
            for _, new in load_and_encode(photos, (), training.encoder.predict_on_batch):
                features |= new
        else:
            features = training.cache.read(photo.photo_id for photo in chunk)
        grids = np.stack([features[photo.photo_id] for photo in chunk])
        texts = training.captioner.caption(grids)
        captions |= {p.location: c.text for p, c in zip(chunk, texts, strict=True)}
    return captions


def _photo(root: str, relative: str) -> Photo:
    return Photo(root, relative, 0, 0)


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
        recipe.name, recipe.language, decoder.config, recipe.search, encoder=encoder_weights
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
    )
