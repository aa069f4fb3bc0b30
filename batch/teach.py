"""Teach a captioner's decoder with people's words, from cached features; compare two captioners."""

from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from batch.config import lasting
from batch.encode import batched
from batch.errors import ArchiveError
from batch.features import SHARD_PHOTOS, FeatureCache
from batch.feeds import TrainingPhoto, read_all, tokens_of
from batch.lessons import Lesson, Split
from batch.recipe import Phase, Recipe
from batch.training import Training
from batch.trial import Figures, Trial, figures
from models.captioner import Captioner, CaptionerConfig, encoder_fingerprint
from models.metrics import splitter
from models.vocabulary import Vocabulary

# Few passes at a low rate, mostly self-critical: of what benchmarks.learning tried this changed
# least what people had approved. Imitation alone unlearns what self-critical training taught.
PHASES = (Phase(3, 2e-5, self_critical=0.9),)
SEED = 1


def teach(captioner: str, parts: Split, cache: FeatureCache, out: str, name: str) -> Captioner:
    """Go on training a captioner's decoder on lessons, and keep the pass that is best on some.

    Returns the captioner as it was saved in the folder `out`. Raises ArchiveError where it is of a
    kind that is not trained.
    """
    keras.utils.set_random_seed(SEED)
    old, recipe = Captioner.load(captioner), _recipe(captioner)
    splitter(recipe.language)  # what the passes are scored by is there, or is told of now
    config = replace(
        old.config,
        name=name,
        encoder=lasting(old.config.encoder_weights(captioner), out),
        seen_through=encoder_fingerprint(captioner),
    )

    training = Training(
        recipe,
        Captioner(config, old.vocabulary, old.decoder),
        None,
        cache,
        _ready(parts.train, old.vocabulary, recipe),
        _ready(parts.chosen_on, old.vocabulary, recipe),
        {each.photo_id: each.captions for each in parts.chosen_on},
        out,
    )
    training.run()
    return Captioner.load(out)


def _ready(
    lessons: Sequence[Lesson], vocabulary: Vocabulary, recipe: Recipe
) -> list[TrainingPhoto]:
    """Give lessons as a training takes them; a photo is known by its identity alone."""
    return [
        TrainingPhoto(
            each.photo_id, each.photo_id, tokens_of(each.captions, vocabulary, recipe.max_length)
        )
        for each in lessons
    ]


def _recipe(captioner: str) -> Recipe:
    config = CaptionerConfig.read(captioner)
    try:
        return Recipe(
            config.name,
            config.language,
            config.architecture,  # type: ignore[arg-type]  # one that is not trained is refused
            config.tokenizer,
            max_length=config.search.max_length,
            photos_a_step=16,
            captions_a_photo=1,
            seed=SEED,
            phases=PHASES,
            search=config.search,
        )
    except ValueError as error:
        raise ArchiveError(f"{captioner} cannot learn: {error}") from error


def compare(
    old: Captioner, new: Captioner, lessons: Sequence[Lesson], cache: FeatureCache
) -> Trial:
    """Let two captioners caption the same photos, each as it is configured, and compare."""
    words = old.vocabulary.tokenizer.split

    def measured(captioner: Captioner) -> Figures:
        said = captions_of(captioner, lessons, cache)
        return figures(captioner.config.name, said, lessons, words)

    edited = np.array([lesson.edited for lesson in lessons])
    groups = np.array([lesson.group for lesson in lessons])
    return Trial(measured(old), measured(new), edited, groups)


def captions_of(
    captioner: Captioner, lessons: Sequence[Lesson], cache: FeatureCache
) -> dict[str, str]:
    """Caption photos from the cache, by their identities. Raises ArchiveError where one is lost."""
    said: dict[str, str] = {}
    for chunk in batched(lessons, SHARD_PHOTOS):
        features = read_all(cache, chunk)
        captions = captioner.caption([features[each.photo_id] for each in chunk])
        said |= {each.photo_id: c.text for each, c in zip(chunk, captions, strict=True)}
    return said
