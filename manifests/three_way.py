"""A three-way merge of one caption: what went out, what stands here now, what a person wrote.

What went out is known by the row's `base` (manifests.review.base_of). Where a file came back
without it, a text counts as a person's unless the machine says it, has said it, or a person has
said it here before.
"""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from manifests.review import Review, ReviewStatus, digest

UNREVIEWED, APPROVED, EDITED, REJECTED = ReviewStatus


class Outcome(StrEnum):
    """What became of a row that a person brought back."""

    UNCHANGED = "unchanged"
    TAKEN = "taken"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Base:
    """What a row looked like when it went out; texts as their digests."""

    language: str
    status: ReviewStatus
    caption: str
    notes: str
    reviewer: str

    @classmethod
    def read(cls, text: str | None) -> "Base | None":
        """Read `base_of`'s text; None where there is none, or a spreadsheet has spoilt it."""
        parts = (text or "").strip().rsplit(".", 4)
        if len(parts) != 5 or parts[1] not in set(ReviewStatus):
            return None
        return cls(parts[0], ReviewStatus(parts[1]), *parts[2:])

    @property
    def stands(self) -> bool:
        """Whether a person's words went out, as `Review.stands` has it."""
        return self.status in (APPROVED, EDITED)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands here now: a person's review, the machine's caption, and what was before them."""

    review: Review
    machine: str
    formers: Container[str]  # digests of what the machine said before
    history: Sequence[Review]  # what people have said so far
    source: str  # the file that the review came with
    shown: str  # what a sheet would show now

    def is_machines(self, text: str) -> bool:
        """Tell whether the machine says a text, now or before."""
        return digest(text) == digest(self.machine) or digest(text) in self.formers

    def was_said(self, text: str) -> bool:
        """Tell whether a person has said a text here."""
        return any(digest(text) == digest(each.caption or "") for each in self.history)

    def is_base(self, base: Base | None) -> bool:
        """Tell whether nobody has decided anything since a row went out."""
        shown = {digest(self.shown), digest(self.review.caption or self.machine)}
        return base is not None and base.status is self.review.status and base.caption in shown


@dataclass(frozen=True, slots=True)
class Theirs:
    """What a person brought back; None where the file has no such column or an empty cell."""

    texts: tuple[str, ...]  # of the cells that may hold the caption; empty: no such column
    status: ReviewStatus | None
    reviewer: str
    notes: str | None
    base: Base | None
    machine: str | None  # what the machine said, as the file has it
    source: str


@dataclass(frozen=True, slots=True)
class Merged:
    """What comes of it: the review to write down, or a person's words to keep apart."""

    outcome: Outcome
    review: Review | None = None


_STATUSES: Final[Mapping[str, ReviewStatus]] = {status.value: status for status in ReviewStatus}


def read_status(text: str) -> ReviewStatus | None:
    """Read a status as a person may have typed it; raises ValueError where it is none."""
    plain = text.strip().casefold()
    if not plain:
        return None
    if plain not in _STATUSES:
        raise ValueError(f"review_status {text.strip()!r} is unknown; give {', '.join(_STATUSES)}")
    return _STATUSES[plain]


def merge(theirs: Theirs, ours: Standing) -> Merged:
    """Merge what a person brought back with what stands here.

    A person's words always win over the machine's. Over another person's they do not: that is a
    conflict, and nothing changes but that both are known. Who goes on with an own decision (the
    same reviewer, or without names the same file) replaces it; what they said before that, and
    comes again in an older file, says nothing new. Raises ValueError where no words are approved,
    and where a person's words are gone and only the machine's are left.
    """
    wish = _wish(theirs, ours)
    if wish is None:
        return Merged(Outcome.UNCHANGED)
    if not ours.is_base(theirs.base):
        if _is_old(wish, theirs, ours):
            return Merged(Outcome.UNCHANGED)
        if _is_anothers(theirs, ours):
            return contest(wish, ours.review)
    return Merged(Outcome.UNCHANGED) if _same(wish, ours.review) else Merged(Outcome.TAKEN, wish)


def contest(wish: Review, review: Review) -> Merged:
    """Hold a decision against another one, which stands."""
    if _differ(wish, review):
        return Merged(Outcome.CONFLICT, wish)
    if wish.notes in review.notes:
        return Merged(Outcome.UNCHANGED)
    both = " / ".join(filter(None, (review.notes, wish.notes)))
    return Merged(Outcome.TAKEN, replace(review, notes=both))


def _wish(theirs: Theirs, ours: Standing) -> Review | None:
    """Tell what the person decided; None where the row is as it went out."""
    typed = next((text for text in theirs.texts if not _as_it_was(text, theirs, ours)), None)
    status = _decided(theirs, ours, typed)
    if typed is None and _is_taken_away(theirs, ours):
        if not any(map(str.strip, theirs.texts)):
            typed = ""
        elif status is None and ours.review.stands and ours.is_base(theirs.base):
            raise ValueError("the words that were here are gone; write others or reject them")
    notes = _noted(theirs, ours)
    reviewer = _reviewer(theirs, ours)
    if typed is None and status is None:
        return None if notes is None else replace(ours.review, reviewer=reviewer, notes=notes)
    if typed is None:
        caption = None if status in (UNREVIEWED, REJECTED) else _untouched(theirs, ours)
    elif not typed.strip():  # the words were taken away, and none put in their place
        status, caption = UNREVIEWED if status is UNREVIEWED else REJECTED, None
    else:
        caption = typed.strip()
        right = APPROVED if digest(caption) == digest(ours.machine) else EDITED
        status = REJECTED if status is REJECTED else right
    kept = ours.review.notes if notes is None else notes
    return Review(ours.review.language, status or EDITED, caption, reviewer, kept)


def _as_it_was(text: str, theirs: Theirs, ours: Standing) -> bool:
    base, alone = theirs.base, len(theirs.texts) == 1
    if (base and digest(text) == base.caption) or _meant(text, _known(theirs, ours)) is not None:
        return True
    if base and alone:
        # Where people's words went out, their column may have been left out, and the one that is
        # there be the machine's; unless that has another one.
        left_out = base.stands and theirs.machine is None
        return left_out and bool(text.strip()) and ours.is_machines(text)
    # Of two cells one holds what the machine said, and the other may be empty.
    if not text.strip() or (theirs.machine is not None and digest(text) == digest(theirs.machine)):
        return True
    return ours.is_machines(text) or (not base and ours.was_said(text))


def _is_taken_away(theirs: Theirs, ours: Standing) -> bool:
    """Tell whether the words that went out with the row are in neither of two cells any more."""
    base = theirs.base
    if base is None or len(theirs.texts) < 2 or base.caption == digest(""):
        return False
    went_out = [each for each in _known(theirs, ours) if digest(each) == base.caption]
    return not any(digest(text) == base.caption or _meant(text, went_out) for text in theirs.texts)


def _known(theirs: Theirs, ours: Standing) -> list[str]:
    known = (theirs.machine, ours.machine, ours.shown, *(each.caption for each in ours.history))
    return [each for each in known if each]


def _meant(text: str, known: Iterable[str]) -> str | None:
    """Find the text that was saved where its letters have no place: as `?`, one or two for each.

    As Korean in a Western encoding, or emoji in a Korean one.
    """
    if "?" not in text:
        return None
    lost = r"(?:\?|[^\x00-\x7f]{1,2})"
    pattern = re.compile("".join(lost if each == "?" else re.escape(each) for each in text))
    return next((each for each in known if each != text and pattern.fullmatch(each)), None)


def _decided(theirs: Theirs, ours: Standing, typed: str | None) -> ReviewStatus | None:
    """Give the status that the person chose; None where it is as it went out."""
    if theirs.status is None:
        return None
    if theirs.base:
        return None if theirs.status is theirs.base.status else theirs.status
    if theirs.status is REJECTED and typed is not None:
        return REJECTED  # beside words that are new, what was rejected before is told again
    stands = ours.review.stands and theirs.status in (APPROVED, EDITED)
    return None if stands or theirs.status in (UNREVIEWED, ours.review.status) else theirs.status


def _noted(theirs: Theirs, ours: Standing) -> str | None:
    if theirs.notes is None:
        return None
    notes = theirs.notes.strip()
    if _meant(notes, [each.notes for each in ours.history]) is not None:
        return None
    if theirs.base:
        return None if digest(notes) == theirs.base.notes else notes
    return notes if notes and digest(notes) != digest(ours.review.notes) else None


def _reviewer(theirs: Theirs, ours: Standing) -> str:
    """Tell who speaks. A name that went out with the row may be that of somebody before."""
    if _is_signed(theirs) or ours.is_base(theirs.base):
        return theirs.reviewer
    return ours.review.reviewer if theirs.source == ours.source else ""


def _is_signed(theirs: Theirs) -> bool:
    return theirs.base is None or digest(theirs.reviewer) != theirs.base.reviewer


def _untouched(theirs: Theirs, ours: Standing) -> str:
    """Give the words that the person saw and let stand."""
    seen = next((text.strip() for text in theirs.texts if text.strip()), ours.shown)
    words = _meant(seen, _known(theirs, ours)) or seen
    if not words.strip():
        raise ValueError("there is no caption to approve; write one")
    return words


def _is_old(wish: Review, theirs: Theirs, ours: Standing) -> bool:
    """Tell whether somebody's decision is one that they have replaced since, in another file."""
    if theirs.source == ours.source:
        return False
    names = {wish.reviewer, theirs.reviewer}
    return any(each.reviewer in names and not _differ(wish, each) for each in ours.history)


def _is_anothers(theirs: Theirs, ours: Standing) -> bool:
    """Tell whether what stands here is another person's decision, made since the row went out."""
    review = ours.review
    if review.status is UNREVIEWED or review.like:
        return False
    if _is_signed(theirs) and (theirs.reviewer or review.reviewer):
        return theirs.reviewer != review.reviewer
    return theirs.source != ours.source


def _same(wish: Review, review: Review) -> bool:
    rest = (wish.status, wish.like, digest(wish.notes))
    return rest == (review.status, review.like, digest(review.notes)) and not _differ(wish, review)


def _differ(wish: Review, review: Review) -> bool:
    """Tell whether two decisions say different things."""
    words = digest(wish.caption or "") != digest(review.caption or "")
    return words or (wish.status is not review.status and not (wish.stands and review.stands))
