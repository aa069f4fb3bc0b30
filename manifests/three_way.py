"""A three-way merge of one caption: what went out, what stands here now, what a person wrote.

What went out is known by the row's `base` (manifests.review.base_of). Where a file came back
without it, a text counts as a person's unless the machine says it, has said it, or it stands here.
"""

from collections.abc import Container, Mapping
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

    @classmethod
    def read(cls, text: str | None) -> "Base | None":
        """Read `base_of`'s text; None where there is none, or a spreadsheet has spoilt it."""
        parts = (text or "").strip().rsplit(".", 3)
        if len(parts) != 4 or parts[1] not in set(ReviewStatus):
            return None
        return cls(parts[0], ReviewStatus(parts[1]), parts[2], parts[3])


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands here now: a person's review, the machine's caption, and its former ones."""

    review: Review
    machine: str
    formers: Container[str]  # digests
    source: str  # the file that the review came with
    shown: str  # what a sheet would show now

    def is_machines(self, text: str) -> bool:
        """Tell whether the machine says a text, now or before."""
        return digest(text) == digest(self.machine) or digest(text) in self.formers


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
        raise ValueError(f"no review_status: {text.strip()!r}; give {', '.join(_STATUSES)}")
    return _STATUSES[plain]


def merge(theirs: Theirs, ours: Standing) -> Merged:
    """Merge what a person brought back with what stands here.

    A person's words always win over the machine's. Over another person's they do not: that is a
    conflict, and nothing changes but that both are known. Who goes on with an own decision (the
    same reviewer, or without names the same file) replaces it.
    """
    wish = _wish(theirs, ours)
    if wish is None:
        return Merged(Outcome.UNCHANGED)
    if _contested(theirs, ours):
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
    typed = _typed(theirs, ours)
    status = _decided(theirs, ours)
    notes = _noted(theirs, ours)
    if typed is None and status is None:
        return None if notes is None else _with_notes(ours.review, theirs.reviewer, notes)
    if typed is None:
        caption = None if status in (UNREVIEWED, REJECTED) else _untouched(theirs, ours)
    elif not typed.strip():  # the words were taken away, and none put in their place
        status, caption = status or REJECTED, None
        status = REJECTED if status in (APPROVED, EDITED) else status
    else:
        status, caption = REJECTED if status is REJECTED else EDITED, typed.strip()
    kept = ours.review.notes if notes is None else notes
    return Review(ours.review.language, status or EDITED, caption, theirs.reviewer, kept)


def _typed(theirs: Theirs, ours: Standing) -> str | None:
    """Give the text that the person wrote; None where each is as it went out."""
    return next((text for text in theirs.texts if not _as_it_was(text, theirs, ours)), None)


def _as_it_was(text: str, theirs: Theirs, ours: Standing) -> bool:
    base, alone = theirs.base, len(theirs.texts) == 1
    if (base and digest(text) == base.caption) or _is_spoilt(text, theirs, ours):
        return True
    if base and alone:
        return False
    # Of two cells one holds what the machine said, and the other may be empty.
    if not text.strip() or (theirs.machine is not None and digest(text) == digest(theirs.machine)):
        return True
    return ours.is_machines(text) or (
        not base and digest(text) == digest(ours.review.caption or "")
    )


def _is_spoilt(text: str, theirs: Theirs, ours: Standing) -> bool:
    """Tell whether a text is one of ours, saved where emoji, say, have no place: as `?`."""
    if "?" not in text:
        return False
    known = (theirs.machine, ours.machine, ours.shown, ours.review.caption)
    return any(digest(text) == digest(_in_korean_windows(each)) for each in known if each)


def _in_korean_windows(text: str) -> str:
    return text.encode("cp949", "replace").decode("cp949")


def _decided(theirs: Theirs, ours: Standing) -> ReviewStatus | None:
    """Give the status that the person chose; None where it is as it went out."""
    if theirs.status is None:
        return None
    if theirs.base:
        return None if theirs.status is theirs.base.status else theirs.status
    if theirs.status is REJECTED and _typed(theirs, ours) is not None:
        return REJECTED  # beside words that are new, what was rejected before is told again
    stands = ours.review.stands and theirs.status in (APPROVED, EDITED)
    return None if stands or theirs.status in (UNREVIEWED, ours.review.status) else theirs.status


def _noted(theirs: Theirs, ours: Standing) -> str | None:
    if theirs.notes is None:
        return None
    notes = theirs.notes.strip()
    if theirs.base:
        return None if digest(notes) == theirs.base.notes else notes
    return notes if notes and digest(notes) != digest(ours.review.notes) else None


def _with_notes(review: Review, reviewer: str, notes: str) -> Review:
    return replace(review, reviewer=reviewer or review.reviewer, notes=notes)


def _untouched(theirs: Theirs, ours: Standing) -> str:
    """Give the words that the person saw and let stand."""
    return next((text.strip() for text in theirs.texts if text.strip()), ours.shown)


def _contested(theirs: Theirs, ours: Standing) -> bool:
    """Tell whether another person has decided on the row since it went out."""
    review = ours.review
    if review.status is UNREVIEWED or review.like:
        return False
    base = theirs.base
    if base and base.status is review.status and base.caption == digest(review.caption or ""):
        return False
    if theirs.reviewer or review.reviewer:
        return theirs.reviewer != review.reviewer
    return theirs.source != ours.source


def _same(wish: Review, review: Review) -> bool:
    rest = (wish.status, wish.like, digest(wish.notes))
    return rest == (review.status, review.like, digest(review.notes)) and not _differ(wish, review)


def _differ(wish: Review, review: Review) -> bool:
    """Tell whether two decisions say different things."""
    words = digest(wish.caption or "") != digest(review.caption or "")
    return words or (wish.status is not review.status and not (wish.stands and review.stands))
