"""Learn from reviews: a captioner taught with an archive's approved and edited captions.

A part of the photos is held out. The new captioner is offered only where it leaves a reviewer less
to do there than the old one, by more than chance; the old one stays as it is. No photo is opened:
features come from the cache and the encoder is left as it is, so that the cache stays right for the
new captioner too.
"""

import os
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from batch.captioned import open_captioned
from batch.config import keep_out_of
from batch.errors import ArchiveError
from batch.features import open_cache
from batch.lessons import (
    LEARNT_FILE,
    Lesson,
    Split,
    followed,
    learnt_after,
    read_learnt,
    read_lessons,
    split,
    unknown_words,
)
from batch.lock import locked
from batch.outcome import Outcome, card
from batch.stores import is_there
from batch.teach import compare, teach
from manifests.durable import atomic_write, sync_folder, write_json
from manifests.journal import Journal
from models.captioner import (
    CONFIG_FILE,
    DECODER_FILE,
    VOCABULARY_FILE,
    Captioner,
    CaptionerConfig,
    encoder_fingerprint,
)
from models.scene import SCENE_FILE

TRAINED = os.path.join("models", "trained")
FEWEST = 100  # photos that people looked at; a quarter of them tells two captioners apart
FEWEST_HELD_OUT = 15  # near-duplicates count once
_FILES = (CONFIG_FILE, VOCABULARY_FILE, DECODER_FILE)  # of a training's folder, what is offered


def learn(
    out: str,
    captioner: str,
    features: str,
    to: str | None = None,
    groups: Mapping[str, str] | None = None,
) -> Outcome:
    """Teach a captioner what people let stand in a run's folder; keep what is better than it.

    captioner: the folder of the one to start from; features: the root of the caches; to: the new
    one's folder, which must not be there yet; groups: near-duplicates, one photo's identity by
    another's. Raises ArchiveError where there is too little to learn from, LockedError,
    ManifestError or CheckpointError.
    """
    found = open_captioned(out)
    place = to or _new_place(captioner, found.name)
    if os.path.exists(place):
        raise ArchiveError(f"{place} is there already; give TO= another folder")
    if is_there(found.archive):
        keep_out_of(found.archive, {"TO": place, "FEATURES": features})
    config = CaptionerConfig.read(captioner)
    cache = open_cache(features, encoder_fingerprint(captioner), config.architecture)
    reviews = Journal(out).read()
    renamed = {old: reviews.names(old) for old in reviews.renamed}
    learnt = followed(read_learnt(captioner), renamed)
    lessons = read_lessons(found.records, config.language, groups or {})
    cached = [lesson for lesson in lessons if lesson.photo_id in cache]
    parts = split(cached, learnt)
    _check_enough(cached, parts, len(lessons) - len(cached), config.language)
    with _workshop(place) as work:
        name = os.path.basename(os.path.abspath(place)).encode("utf-8", "backslashreplace").decode()
        new = teach(captioner, parts, cache, work, name)
        outcome = Outcome(
            captioner,
            place,
            config.language,
            parts,
            len(lessons) - len(cached),
            _unknown(new, parts.train),
            compare(Captioner.load(captioner), new, parts.held_out, cache),
        )
        if outcome.offered:
            write_json(Path(work, LEARNT_FILE), learnt_after(learnt, parts))
            _offer(outcome, work)
    return outcome


def _new_place(captioner: str, archive: str) -> str:
    """Name a folder that is not there yet after a captioner and an archive."""
    plain = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", archive)).strip("-") or "archive"
    name = os.path.join(TRAINED, f"{os.path.basename(os.path.normpath(captioner))}-{plain}")
    number, place = 1, name
    while os.path.exists(place):
        number += 1
        place = f"{name}-{number}"
    return place


def _check_enough(lessons: Sequence[Lesson], parts: Split, uncached: int, language: str) -> None:
    seen = sum(lesson.seen for lesson in lessons)
    held_out = len({lesson.group for lesson in parts.held_out})
    enough = seen >= FEWEST and held_out >= FEWEST_HELD_OUT
    if not (enough and parts.train and parts.chosen_on):
        lacking = f", {uncached:,} more have no cached features" if uncached else ""
        raise ArchiveError(
            f"{seen:,} photos have an approved or edited caption in {language}{lacking}, "
            f"{held_out:,} of them to compare captioners on, where near-duplicates count once; at "
            f"least {FEWEST} and {FEWEST_HELD_OUT} are needed: review more, then learn"
        )


@contextmanager
def _workshop(place: str) -> Iterator[str]:
    """Give an empty folder beside a captioner's to be, which is gone afterwards."""
    home, name = os.path.split(os.path.abspath(place))
    work = os.path.join(home, f".learning-{name}")
    with locked(work):
        try:
            for left in Path(work).iterdir():  # by a learning that was killed
                if left.is_dir():
                    shutil.rmtree(left)
                elif left.name != ".lock":
                    left.unlink()
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _unknown(captioner: Captioner, lessons: Sequence[Lesson]) -> Counter[str]:
    split = captioner.vocabulary.tokenizer.split
    captions = (split(caption) for lesson in lessons for caption in lesson.captions)
    return unknown_words(captions, set(captioner.vocabulary.words))


def _offer(outcome: Outcome, work: str) -> None:
    """Make a training's folder a captioner's, and give it its name."""
    scene = os.path.join(outcome.captioner, SCENE_FILE)
    if os.path.exists(scene):  # it is of the encoder, which is the same
        shutil.copyfile(scene, os.path.join(work, SCENE_FILE))
    with atomic_write(Path(work, "card.md")) as file:
        file.write(card(outcome).encode("utf-8", "backslashreplace"))
    for path in Path(work).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in (*_FILES, SCENE_FILE, LEARNT_FILE, "card.md"):
            path.unlink()
    os.rename(work, outcome.place)
    sync_folder(Path(outcome.place).absolute().parent)
