"""Which words of a row may leave the archive, and whose they are."""

from collections.abc import Iterator
from dataclasses import dataclass

from batch.captioned import language_of_record
from manifests.interchange import HUMAN, HUMAN_LIKE
from manifests.record import Record
from manifests.review import Review, ReviewStatus

_UNDECIDED = "no caption that was approved or edited"


@dataclass(frozen=True)
class Words:
    """A caption that may leave; `source` is `HUMAN`, `HUMAN_LIKE` or a captioner's signature."""

    caption: str
    language: str
    source: str
    confidence: float | None = None


def words_in(record: Record, language: str, *, include_machine: bool) -> Words | None:
    """Give what a person let stand in a language, or the machine's where none has decided."""
    own = language == language_of_record(record)
    review = record.review_in(language) or (record.review_in("") if own else None)
    if review is not None and review.status is not ReviewStatus.UNREVIEWED:
        return _by_person(review, language)
    return machines_words(record, language) if include_machine else None


def languages_leaving(record: Record, *, include_machine: bool) -> Iterator[str]:
    """Give the languages in which a row has words that may leave."""
    machine = (each.language for each in record.languages)
    people = (each.language for each in record.reviews if each.language)
    for language in dict.fromkeys([language_of_record(record), *machine, *people]):
        if words_in(record, language, include_machine=include_machine):
            yield language


def why_nothing(record: Record, *, include_machine: bool) -> str:
    """Say of a row with no words that may leave why there are none, as a report counts it."""
    if not (record.caption or record.languages):
        return f"with no caption ({record.status})"
    return f"with {'a caption that was rejected' if include_machine else _UNDECIDED}"


def _by_person(review: Review, language: str) -> Words | None:
    stands = review.stands and (review.caption or "").strip()
    source = HUMAN_LIKE if review.like else HUMAN
    return Words(review.caption or "", language, source) if stands else None


def machines_words(record: Record, language: str) -> Words | None:
    """Give the machine's caption in a language."""
    for each in record.languages:
        if each.language == language and each.caption.strip():
            return Words(each.caption, language, each.captioner, each.confidence)
    if language != language_of_record(record) or not (record.caption or "").strip():
        return None
    return Words(record.caption or "", language, record.captioner or "machine", record.confidence)
