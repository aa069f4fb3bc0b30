"""What people say of captions: a review of a photo's caption, and the rows they review in."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ReviewStatus(StrEnum):
    """What a person has decided. The list is closed: a review sheet offers no other status."""

    UNREVIEWED = "unreviewed"
    APPROVED = "approved"
    EDITED = "edited"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Review:
    """What a person has said of a photo's caption in one language.

    `caption` are the words that stand by this decision: those approved, or the person's own; None
    where the caption was rejected or nothing is decided yet.
    """

    language: str  # BCP 47
    status: ReviewStatus
    caption: str | None
    reviewer: str = ""
    notes: str = ""
    like: str = ""  # the photo of its group that the person looked at; empty: at this one
    at: str = ""  # UTC, ISO 8601: when it came in

    @property
    def stands(self) -> bool:
        """Whether the caption may leave the archive as a person's word."""
        return self.status in (ReviewStatus.APPROVED, ReviewStatus.EDITED)


COPY_OF: Final = "copy of "


@dataclass(frozen=True, slots=True)
class Offer:
    """Words for a photo that a person has not accepted for it, and where they come from."""

    language: str
    caption: str
    why: str  # "copy of a/b.jpg", "said of the file before it changed", "conflict: Kim wrote"

    def __str__(self) -> str:
        return f"{self.caption} ({self.why})"

    @property
    def is_of_copy(self) -> bool:
        """Whether they are a copy's; else a person has said them of this very file."""
        return self.why.startswith(COPY_OF)


def suggested(review: Review | None, offers: Iterable[Offer]) -> str:
    """Say what a sheet tells beside a caption: what is offered, or where its own words are from."""
    filled_in = f"filled in like {review.like}" if review and review.like else ""
    return "; ".join(filter(None, (*map(str, offers), filled_in)))


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row of a review sheet, as a person is to see it."""

    path: str
    photo_id: str
    language: str
    caption: (
        str  # to edit: a person's words where there are some, else an offer, else the machine's
    )
    machine: str
    suggestion: str  # `suggested`
    alternatives: tuple[str, ...]
    confidence: float | None
    review_status: ReviewStatus
    reviewer: str
    notes: str
    status: str  # of the photo
    group: str  # the first photo of its near-duplicates; empty where it has none

    @property
    def base(self) -> str:
        """What the row looked like when it went out; it comes back with the person's words."""
        return base_of(self.language, self.review_status, self.caption, self.notes, self.reviewer)


@dataclass(frozen=True, slots=True)
class Correction:
    """One row of a file that a person brought back: its texts under their columns' names."""

    line: int  # as the spreadsheet numbers it
    cells: Mapping[str, str]  # names in small letters, without spaces around; texts unescaped


_OF_NOTHING: Final = hashlib.sha256().hexdigest()[:12]


def base_of(language: str, status: ReviewStatus, caption: str, notes: str, reviewer: str) -> str:
    """Name the state of a row, so that it is known whether a person has changed it since.

    A digest of each text, not the text: `en.unreviewed.1f0c9a3e5b7d.e3b0c44298fc.e3b0c44298fc`.
    """
    return ".".join([language, status, *map(digest, (caption, notes, reviewer))])


def digest(text: str) -> str:
    """Give a short digest of a text, as in `base_of`; spaces around and line ends do not count."""
    if not text:
        return _OF_NOTHING
    plain = " ".join(text.split())
    return hashlib.sha256(plain.encode("utf-8", "backslashreplace")).hexdigest()[:12]
