"""The run of a training: steps, checkpoints, and the best captioner kept.

All state is saved now and then, and what a step sees follows from its number: a training that was
interrupted goes on to the same result.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tqdm import tqdm

from batch.config import lasting
from batch.encode import batched, encode_into_cache, encode_photos
from batch.errors import ArchiveError
from batch.features import SHARD_PHOTOS, FeatureCache, open_cache
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
from models.captioner import (
    DECODER_FILE,
    ENCODER_FILE,
    Captioner,
    CaptionerConfig,
    weights_fingerprint,
)
from models.checkpoint import load_state, load_variables, read_progress, save_state
from models.encoder import load_encoder_weights, tune
from models.metrics import Scores, score, splitter
from models.search import SearchConfig
from models.self_critical import SelfCritic
from models.training import CaptionTrainer, averaged, make_optimizer, take_average, warmed_cosine

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
    encoder: Any  # a keras.Model; None where no phase tunes it and all features are cached
    cache: FeatureCache
    train: Sequence[TrainingPhoto]
    dev: Sequence[TrainingPhoto]
    references: Mapping[str, Sequence[str]]  # dev photo's location -> its captions
    out: str
    progress: Progress = field(default_factory=Progress)
    _logs: Any = None
    _cached: Look | None = None
    _own_encoder: bool = False  # it was tuned, and goes into the captioner's folder

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
        phase, earlier = self.recipe.phases[index], self.recipe.phases[:index]
        if not phase.encoder_rate and any(before.encoder_rate for before in earlier):
            self._settle(decoder=not resume and earlier[-1].encoder_rate > 0)
        steps = phase.passes * steps_a_pass(self.train, self.recipe, index)
        trainer = self._trainer(phase, steps)
        if resume:
            load_state(_state(trainer), self.state_file)
        else:
            self.progress.phase, self.progress.step = index, 0
        if self.progress.step < steps:
            self._take_steps(trainer, index, range(self.progress.step, steps))
        take_average(trainer)

    def _settle(self, *, decoder: bool) -> None:
        """Go on from the encoder that was kept, or the `decoder` too; see photos through it."""
        kept = CaptionerConfig.read(self.out)
        weights = kept.encoder_weights(self.out)
        load_encoder_weights(self.encoder, weights)
        self._own_encoder = kept.encoder == ENCODER_FILE
        if decoder:
            load_variables(self.captioner.decoder.weights, os.path.join(self.out, DECODER_FILE))
        root = os.path.dirname(self.cache.folder)
        self.cache = open_cache(root, weights_fingerprint(weights), self.recipe.architecture)
        paths = [photo.location for photo in (*self.train, *self.dev)]
        # A photo that cannot be read any more has no features: the first step that needs it tells.
        encode_into_cache(paths, "", self.cache, self.encoder.predict_on_batch, lambda _: None)
        self._cached = None

    def _take_steps(self, trainer: CaptionTrainer, index: int, steps: range) -> None:
        pass_steps = steps_a_pass(self.train, self.recipe, index)
        bar = tqdm(total=steps.stop, initial=steps.start, desc=f"phase {index + 1}", disable=None)
        for batch in self._batches(index, steps):
            loss = float(trainer.train_on_batch(*batch))
            self.progress.step += 1
            self.progress.loss += loss
            bar.update()
            bar.set_postfix(loss=f"{loss:.3f}")
            self._log({"loss": loss})
            if self.progress.step % pass_steps == 0:
                with averaged(trainer):
                    self._end_pass(self.progress.loss / pass_steps)
                self.progress.loss = 0.0
            if self.progress.step % STEPS_A_CHECKPOINT == 0 or self.progress.step == steps.stop:
                self._save(trainer)
        bar.close()

    def _batches(self, index: int, steps: range) -> Iterator[tuple[Any, ...]]:
        """Give what each step learns from: inputs, targets, and weights where they differ."""
        phase = self.recipe.phases[index]
        batches = feed(self.train, self._look(phase), self.recipe, index, steps)
        if not phase.self_critical:
            yield from batches
            return
        longest, penalty = self.recipe.max_length, self.recipe.search.length_penalty
        critic = SelfCritic(
            self.captioner.decoder,
            [photo.tokens for photo in self.train],
            SearchConfig(phase.beams, longest, penalty, no_repeat_ngram=0),
            self.captioner.vocabulary.unsayable,
            share=phase.self_critical,
        )
        for inputs, targets in batches:
            yield critic.criticise(inputs, targets)
            self._log({"reward": critic.reward})

    def _look(self, phase: Phase) -> Look:
        """Say how a phase sees photos; what is cached is read once for several phases."""
        if phase.encoder_rate:
            return from_files(phase.smallest_crop, phase.colour, mirrored=phase.mirrored)
        if self._cached is None:
            merge = self.recipe.architecture == "merge"
            read = partial(from_memory, pooled=True) if merge else from_cache
            self._cached = read(self.cache, self.train)
        return self._cached

    def _trainer(self, phase: Phase, steps: int) -> CaptionTrainer:
        tuned = self.encoder if phase.encoder_rate else None
        if tuned is not None:
            tune(tuned, phase.tuned_after)
        trainer = CaptionTrainer(
            self.captioner.decoder,
            tuned,
            label_smoothing=0.0 if phase.self_critical else self.recipe.label_smoothing,
            attention_weight=self.recipe.attention_weight,
        )
        optimizer = make_optimizer(
            phase.rate if phase.constant else warmed_cosine(phase.rate, steps),
            weight_decay=self.recipe.weight_decay,
            averaging=phase.averaging,
            encoder_variables=tuple(tuned.trainable_variables) if tuned else (),
            encoder_scale=phase.encoder_rate / phase.rate,
        )
        optimizer.build(trainer.trainable_variables)
        trainer.compile(optimizer=optimizer)
        return trainer

    def _end_pass(self, loss: float) -> None:
        """Caption the dev photos, score, note it, and keep the captioner where it is the best."""
        scores = self.validate()
        row = {"phase": self.progress.phase + 1, "step": self.progress.step, "loss": round(loss, 4)}
        row |= {name: round(value, 2) for name, value in scores.as_dict().items()}
        self.progress.history.append(row)
        self._log(scores.as_dict())
        tqdm.write(" ".join(f"{name}={value}" for name, value in row.items()))
        if self.recipe.keep_passes:
            self._keep(os.path.join(self.out, f"pass-{len(self.progress.history):02d}"))
        if scores.cider > self.progress.best:
            self.progress.best = scores.cider
            self._keep(self.out)

    @property
    def _tunes(self) -> bool:
        """Whether the phase that runs trains the encoder."""
        return self.recipe.phases[self.progress.phase].encoder_rate > 0

    def _keep(self, folder: str) -> None:
        """Save the captioner as it is now; an encoder that was tuned goes into its folder."""
        config = self.captioner.config
        own = self._tunes or self._own_encoder
        if own:
            config = replace(config, encoder=ENCODER_FILE, seen_through="")
        else:
            config = replace(config, encoder=lasting(config.encoder_weights(self.out), folder))
        captioner = Captioner(config, self.captioner.vocabulary, self.captioner.decoder)
        captioner.save(folder, self.encoder if own else None)

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

    def validate(self) -> Scores:
        """Caption the dev photos as a user would and score them."""
        split = splitter(self.recipe.language).split
        return score(self._captions(), self.references, split)

    def _captions(self) -> dict[str, str]:
        """Caption the dev photos: from the cache, or through the encoder as it is now."""
        captions: dict[str, str] = {}
        for chunk in batched(self.dev, SHARD_PHOTOS):
            if self._tunes:
                photos = [Photo(*os.path.split(photo.location), 0, 0) for photo in chunk]
                features = encode_photos(photos, self.encoder.predict_on_batch)
            else:
                features = read_all(self.cache, chunk)
            texts = self.captioner.caption([features[photo.photo_id] for photo in chunk])
            captions |= {p.location: c.text for p, c in zip(chunk, texts, strict=True)}
        return captions

    def _save(self, trainer: CaptionTrainer) -> None:
        save_state(_state(trainer), self.state_file, json.dumps(vars(self.progress)))


def _state(trainer: CaptionTrainer) -> list[Any]:
    """Give all the variables that a training goes on from."""
    return [*trainer.variables, *trainer.optimizer.variables]
