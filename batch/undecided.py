"""Rows that no person has decided, and what becomes of them when captioners speak anew."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from operator import attrgetter

from batch.caption import in_language, saying
from batch.captioned import language_of_record
from manifests.record import NO_SCENE, LanguageCaption, Record, Status
from manifests.review import ReviewStatus
from models.captioner import Caption, Captioner

Captioners = Mapping[str, Captioner]
"""Captioners by the signatures that go into the rows they write."""


Said = tuple[str, float | None]
"""A caption and its confidence."""


class Standing(Enum):
    """How a row stands to being captioned anew."""

    OPEN = auto()
    DECIDED = auto()  # by a person, in each language that is asked for
    SAME = auto()  # as these captioners say it, found by the same search
    FAILED = auto()  # its photo could not be read


def standing(record: Record, captioners: Captioners) -> Standing:
    """Tell whether a row may say what captioners say now."""
    if record.failed or record.photo_id is None:
        return Standing.FAILED
    spoken = {signature: each for signature, each in captioners.items() if _may_say(record, each)}
    if not spoken or (record.caption is None and _own(record, captioners) not in _of(spoken)):
        return Standing.DECIDED
    same = all(_says(record, signature, each) for signature, each in spoken.items())
    return Standing.SAME if same else Standing.OPEN


def reworded(record: Record, captions: Sequence[Caption], captioners: Captioners) -> Record:
    """Give an open row as captioners say it now; each one's caption, in their order.

    Without captions the photo is no scene. The row keeps the language that leads it: captions in
    others stand beside it. A photo that is missing stays so.
    """
    own = _own(record, captioners)
    if not captions:
        return _without_scene(record, own, captioners)
    pairs = zip(captions, captioners.items(), strict=True)
    said = [(caption, *signed) for caption, signed in pairs if _may_say(record, signed[1])]
    beside = {each.language: each for each in record.languages}
    if not beside and record.caption is not None:
        beside[own] = LanguageCaption(
            own, record.caption, record.confidence, record.captioner or ""
        )
    for caption, signature, captioner in said:
        if captioner.config.language == own:
            record = saying(_captioned(record), caption, signature, captioner)
        beside[captioner.config.language] = in_language(caption, signature, captioner)
    alone = not record.languages and beside.keys() == {own}
    languages = () if alone else tuple(sorted(beside.values(), key=attrgetter("language")))
    return replace(record, languages=languages)


def decided_in(record: Record, language: str) -> bool:
    """Tell whether a person has approved, edited or rejected a row's caption in a language."""
    review = record.review_in(language)
    return review is not None and review.status is not ReviewStatus.UNREVIEWED


def texts(record: Record) -> dict[str, Said]:
    """Give what a row says in each of its languages."""
    said = {each.language: (each.caption, each.confidence) for each in record.languages}
    own = (
        {language_of_record(record): (record.caption, record.confidence)} if record.caption else {}
    )
    return own | said


def _own(record: Record, captioners: Captioners) -> str:
    """Tell a row's own language: where nothing tells, that of the first captioner."""
    first = next(iter(captioners.values()))
    return language_of_record(record) or first.config.language


def _of(captioners: Captioners) -> set[str]:
    return {each.config.language for each in captioners.values()}


def _may_say(record: Record, captioner: Captioner) -> bool:
    return not decided_in(record, captioner.config.language)


def _says(record: Record, signature: str, captioner: Captioner) -> bool:
    """Tell whether a row has a captioner's words already, or its verdict that there is no scene."""
    if record.caption is None or record.captioner == signature:
        searched = (None, str(captioner.config.search))
        return record.captioner == signature and record.decode in searched
    return any(each.captioner == signature for each in record.languages)


def _captioned(record: Record) -> Record:
    if record.status is Status.MISSING:
        return record
    return replace(record, status=Status.CAPTIONED, error=None)


def _without_scene(record: Record, own: str, captioners: Captioners) -> Record:
    """Give a row whose photo is no scene to its own language's captioner.

    Where a person has let a caption stand in some language there is one to them, and it stays.
    """
    stands = any(review.stands for review in record.reviews)
    if stands or own not in _of(captioners) or decided_in(record, own):
        return record
    return replace(
        record,
        caption=None,
        status=record.status if record.status is Status.MISSING else Status.NOT_A_SCENE,
        error=record.error if record.status is Status.MISSING else NO_SCENE,
        confidence=None,
        alternatives=(),
        log_prob=None,
        captioner=next(iter(captioners)),
        decode=None,
        languages=(),
        language=None,
    )
