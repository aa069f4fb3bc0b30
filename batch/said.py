"""What of a row may leave the archive as its photo's captions, and where each comes from."""

from batch.captioned import language_of_record
from manifests.record import Record
from manifests.review import Review, ReviewStatus
from manifests.sidecar import MACHINE, Description, Mark, Said


def description_of(record: Record, *, include_machine: bool = False) -> Description | None:
    """Give what people have approved or written of a photo, that of the row's own language first.

    A machine's captions come with it only where they are asked for, and never where a person has
    rejected them. None where there is nothing to say.
    """
    own = language_of_record(record)
    reviewed = [each.language for each in record.reviews if each.language]
    languages = dict.fromkeys([own, *reviewed, *(each.language for each in record.languages)])
    found = [_said(record, language, own, include_machine) for language in languages]
    said = tuple(each for each in found if each is not None)
    return Description(said) if said else None


def _said(record: Record, language: str, own: str, include_machine: bool) -> Said | None:
    review = record.review_in(language)
    if review is None and language == own:
        review = record.review_in(record.language) or record.review_in("")
    machine = record.said_in(language)
    if machine is None and language == own and record.language is None:
        machine = record.caption
    if review is not None and review.status is not ReviewStatus.UNREVIEWED:
        return _by_person(record, review, machine, language) if review.stands else None
    if include_machine and machine and machine.strip():
        captioner, confidence = _captioner(record, language)
        return Said(machine, Mark(language, MACHINE, captioner, confidence))
    return None


def _by_person(record: Record, review: Review, machine: str | None, language: str) -> Said | None:
    if not (review.caption and review.caption.strip()):
        return None
    is_machines = review.caption == machine
    captioner, confidence = _captioner(record, language) if is_machines else ("", "")
    who = {"reviewer": review.reviewer, "at": review.at}
    return Said(review.caption, Mark(language, review.status.value, captioner, confidence, **who))


def _captioner(record: Record, language: str) -> tuple[str, str]:
    """Tell whose a machine's caption in a language is, and its confidence."""
    for each in record.languages:
        if each.language == language:
            return each.captioner, f"{each.confidence:.3f}"
    confidence = "" if record.confidence is None else f"{record.confidence:.3f}"
    return record.captioner or "", confidence
