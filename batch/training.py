"""The run of a training: steps, checkpoints, and the best captioner kept.

All state is saved now and then, and what a step sees follows from its number: a training that was
interrupted goes on to the same result.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import keras
from tqdm import tqdm

from batch.config import lasting
from batch.encode import batched, encode_photos
from batch.errors import ArchiveError
from batch.features import SHARD_PHOTOS, FeatureCache
from batch.feeds import (
    Look,
    TrainingPhoto,
    feed,
    from_cache,
    from_files,
    from_memory,
    read_all,
    steps_a_pass,
)
from batch.recipe import Phase, Recipe
from batch.scan import Photo
from models.captioner import ENCODER_FILE, Captioner
from models.checkpoint import load_state, read_progress, save_state
from models.encoder import tune
from models.metrics import Scores, score, splitter
from models.training import CaptionTrainer, make_optimizer, warmed_cosine

STEPS_A_CHECKPOINT = 100


@dataclass
class Progress:
    """How far a training is: what a resumed one must know beside the weights."""

    made_of: str = ""  # a fingerprint of recipe, corpus and first encoder
    phase: int = 0
    step: int = 0
    loss: float = 0.0  # the sum of this pass so far
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
            self.progress = self._take_up(Progress(**json.loads(read_progress(self.state_file))))
        for index in range(self.progress.phase, len(self.recipe.phases)):
            self._run_phase(index, resume=saved and index == self.progress.phase)

    def _take_up(self, saved: Progress) -> Progress:
        if saved.made_of != self.progress.made_of:
            raise ArchiveError(
                f"{self.out} holds a training of another recipe, corpus or encoder; "
                "give OUT= another folder, or remove this one"
            )
        return saved

    def _run_phase(self, index: int, *, resume: bool) -> None:
        phase = self.recipe.phases[index]
        pass_steps = steps_a_pass(self.train, self.recipe, index)
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
        look = self._look(tuned)
        bar = tqdm(total=steps.stop, initial=steps.start, desc=f"phase {index + 1}", disable=None)
        for inputs, targets in feed(self.train, look, self.recipe, index, steps):
            loss = float(trainer.train_on_batch(inputs, targets))
            self.progress.step += 1
            self.progress.loss += loss
            bar.update()
            bar.set_postfix(loss=f"{loss:.3f}")
            self._log({"loss": loss})
            if self.progress.step % pass_steps == 0:
                self._end_pass(self.progress.loss / pass_steps, tuned)
                self.progress.loss = 0.0
            if self.progress.step % STEPS_A_CHECKPOINT == 0 or self.progress.step == steps.stop:
                self._save(variables)
        bar.close()

    @cached_property
    def _pooled(self) -> Look:
        """What the phases of a merge training see, read once for all of them."""
        return from_memory(self.cache, self.train)

    def _look(self, tuned: bool) -> Look:
        if tuned:
            return from_files(self.recipe.smallest_crop)
        if self.recipe.architecture == "merge":
            return self._pooled
        return from_cache(self.cache)

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
            phase.rate if phase.constant else warmed_cosine(phase.rate, steps),
            weight_decay=self.recipe.weight_decay,
            encoder_variables=tuple(tuned.trainable_variables) if tuned else (),
            encoder_scale=phase.encoder_rate / phase.rate,
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
        if self.recipe.keep_passes:
            self._keep(tuned, os.path.join(self.out, f"pass-{len(self.progress.history):02d}"))
        if scores.cider > self.progress.best:
            self.progress.best = scores.cider
            self._keep(tuned, self.out)

    def _keep(self, tuned: bool, folder: str) -> None:
        """Save the captioner as it is now; a tuned encoder goes into its folder."""
        config = self.captioner.config
        if tuned:
            config = replace(config, encoder=ENCODER_FILE, seen_through="")
        else:
            config = replace(config, encoder=lasting(config.encoder_weights(self.out), folder))
        captioner = Captioner(config, self.captioner.vocabulary, self.captioner.decoder)
        captioner.save(folder, self.encoder if tuned else None)

    def _log(self, values: Mapping[str, float]) -> None:
        """Add points to the TensorBoard logs, by the step since the training began."""
        import tensorflow as tf

        if self._logs is None:
            self._logs = tf.summary.create_file_writer(os.path.join(self.out, "logs"))
        step = sum(
            phase.passes * steps_a_pass(self.train, self.recipe, index)
            for index, phase in enumerate(self.recipe.phases[: self.progress.phase])
        )
        with self._logs.as_default(step=step + self.progress.step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def validate(self, tuned: bool) -> Scores:
        """Caption the dev photos as a user would and score them."""
        split = splitter(self.recipe.language).split
        return score(caption_photos(self, tuned), self.references, split)

    def _save(self, variables: Sequence[Any]) -> None:
        save_state(variables, self.state_file, json.dumps(vars(self.progress)))


def caption_photos(training: Training, tuned: bool) -> dict[str, str]:
    """Caption the dev photos: from the cache, or through the encoder as it is now."""
    captions: dict[str, str] = {}
    for chunk in batched(training.dev, SHARD_PHOTOS):
        if tuned:
            photos = [Photo(*os.path.split(photo.location), 0, 0) for photo in chunk]
            features = encode_photos(photos, training.encoder.predict_on_batch)
        else:
            features = read_all(training.cache, chunk)
        texts = training.captioner.caption([features[photo.photo_id] for photo in chunk])
        captions |= {p.location: c.text for p, c in zip(chunk, texts, strict=True)}
    return captions
