"""The record of one photo: a row of the manifest."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Final, Self

from manifests.review import Offer, Review, ReviewStatus


class Status(StrEnum):
    """What became of a photo. The list is closed: a manifest holds no other status."""

    CAPTIONED = "captioned"
    NOT_A_SCENE = "not_a_scene"
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    UNSTABLE = "unstable"
    VANISHED = "vanished"
    DENIED = "denied"
    IO = "io"
    MISSING = "missing"


FINAL: Final = frozenset(
    {Status.UNREADABLE, Status.TRUNCATED, Status.TOO_LARGE, Status.UNSUPPORTED}
)
"""The failures that stay as they are until the photo's bytes change: no need to try again."""

NO_SCENE: Final = "looks like a page, a blank or a test chart, not a scene"
"""What the row of a photo without a scene says, in place of a caption."""


@dataclass(frozen=True, slots=True)
class LanguageCaption:
    """A photo's caption in one of the languages that were asked for together."""

    language: str  # BCP 47
    caption: str
    confidence: float | None  # kept as float32; None: another captioner did not tell
    captioner: str


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the manifest, the columns a reviewer looks at first.

    The photo is known by `photo_id`, and found by `raw_path`. `path` is only what people read:
    two photos may show the same one. Where several languages were asked for, `caption` is that of
    the first, and `languages` has each of them. `caption` and `languages` are the machine's words,
    `reviews` are people's: the two never overwrite each other.
    """

    path: str
    caption: str | None
    status: Status
    confidence: float | None  # kept as float32
    alternatives: tuple[str, ...]
    log_prob: float | None  # kept as float32
    photo_id: str | None  # SHA-256 of the file's bytes, in hexadecimal
    captioner: str | None
    decode: str | None
    width: int | None
    height: int | None
    format: str | None
    frames: int | None
    taken_at: str | None
    error: str | None
    raw_path: bytes  # from the archive's root, POSIX, the true bytes
    size: int
    mtime_ns: int
    languages: tuple[LanguageCaption, ...] = ()  # in the order of their names
    language: str | None = None  # of `caption`, as BCP 47; None where an older version wrote it
    reviews: tuple[Review, ...] = ()  # one a language at most, in the order of their names
    offers: tuple[Offer, ...] = ()  # in the order of their languages

    @property
    def failed(self) -> bool:
        """Whether the photo is there, and no captioner could see it this time."""
        return self.status not in (Status.CAPTIONED, Status.NOT_A_SCENE, Status.MISSING)

    @property
    def answered(self) -> bool:
        """Whether a captioner has seen the photo: it has a caption, or was found to be no scene."""
        return self.captioner is not None

    def said_in(self, language: str) -> str | None:
        """Give the machine's caption in a language; `languages` leads, as far as it has it."""
        for each in self.languages:
            if each.language == language:
                return each.caption
        return self.caption if language in ("", self.language) else None

    @property
    def review(self) -> Review:
        """What a person has decided on the row's own caption."""
        return self.review_in(self.language) or _nothing_said(self.language or "")

    def review_in(self, language: str | None) -> Review | None:
        """Give what a person has said of the caption in a language."""
        return said_of(self.reviews, language)

    def offers_in(self, language: str | None) -> tuple[Offer, ...]:
        """Give the words that are offered in a language."""
        return tuple(each for each in self.offers if each.language in ("", language or ""))

    def as_answered(self) -> Self:
        """Give the row as the captioner left it, whatever has become of its photo since."""
        if self.caption is None:
            return replace(self, status=Status.NOT_A_SCENE, error=NO_SCENE)
        return replace(self, status=Status.CAPTIONED, error=None)


@cache
def _nothing_said(language: str) -> Review:
    return Review(language, ReviewStatus.UNREVIEWED, None)


def said_of(said: Collection[Review], language: str | None) -> Review | None:
    """Give what was said in a language, or else where nobody could tell in which."""
    if not said:
        return None
    by_language = {each.language: each for each in said}
    unsure = by_language.get("") if language else next(iter(by_language.values()), None)
    return by_language.get(language or "", unsure)


def languages_of(records: Iterable[Record]) -> tuple[str, ...]:
    """Give the languages that records have captions in beside each other, in order."""
    return tuple(sorted({each.language for record in records for each in record.languages}))


def sort_key(record: Record) -> bytes:
    """Order records folder by folder: `a/z` comes before `a.jpg`, as in a walk of the tree."""
    return record.raw_path.replace(b"/", b"\0")  # which no name has
