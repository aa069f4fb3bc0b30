"""What may leave of a row, as XMP has it: words, and where each comes from."""

from batch.leaving import Words, languages_leaving, machines_words, words_in
from manifests.interchange import by_person
from manifests.record import Record
from manifests.sidecar import MACHINE, Description, Mark, Said


def description_of(record: Record, *, include_machine: bool = False) -> Description | None:
    """Give what people have approved or written of a photo, that of the row's own language first.

    A machine's captions come with it only where they are asked for, and never where a person has
    rejected them. None where there is nothing to say.
    """
    languages = languages_leaving(record, include_machine=include_machine)
    found = (words_in(record, each, include_machine=include_machine) for each in languages)
    said = tuple(_said(record, words) for words in found if words is not None)
    return Description(said) if said else None


def _said(record: Record, words: Words) -> Said:
    if not by_person(words.source):
        return Said(words.caption, Mark(words.language, MACHINE, *_credit(words)))
    machine = machines_words(record, words.language)
    credit = _credit(machine) if machine and machine.caption == words.caption else ("", "")
    review = record.review_in(words.language) or record.review
    who = {"reviewer": review.reviewer, "at": review.at}
    return Said(words.caption, Mark(words.language, review.status.value, *credit, **who))


def _credit(words: Words) -> tuple[str, str]:
    """Tell whose a machine's caption is, and its confidence."""
    return words.source, "" if words.confidence is None else f"{words.confidence:.3f}"
