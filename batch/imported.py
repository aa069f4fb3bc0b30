"""What came of taking in captions of others; and the rows that they become part of."""

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from batch.amounts import counted
from batch.captioned import language_of_record
from batch.corpora.records import tidy
from batch.rows import float32
from batch.summary import COMPLETE, WITH_FAILURES
from batch.text import printable
from manifests.foreign import Said, Unread
from manifests.record import LanguageCaption, Record, Status

SHOWN = 20  # problems that are told one by one
MAX_ALTERNATIVES = 9
_NOT_SEEN = (Status.MISSING, Status.IO, Status.DENIED, Status.VANISHED, Status.UNSTABLE)


@dataclass
class Imported:
    """How an import went."""

    name: str
    result: str
    said: int = 0  # captions in the source
    captioned: int = 0  # photos that have a caption of it now, and had not
    unchanged: int = 0  # photos that had it
    new: int = 0  # photos that had no row before
    reviewed: int = 0  # photos on which a person has decided: that stays
    by: Counter[str] = field(default_factory=Counter)  # captions, by what told their photo
    several: int = 0  # captions that went to the alternatives of a photo's first
    moved: int = 0
    unread: list[Unread] = field(default_factory=list)
    unmatched: list[Unread] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)  # photos, by status
    other_languages: int = 0  # captions in another one than was asked for
    set_aside: str | None = None
    dry_run: bool = False

    def leave(self, said: Said, why: str) -> None:
        """Note a caption that no photo gets."""
        self.unmatched.append(Unread(said.where, f"{said.photo[:200]!r} {why}"))

    @property
    def exit_code(self) -> int:
        """Say whether every caption found its photo."""
        left = self.unread or self.unmatched or self.failed
        return WITH_FAILURES if left else COMPLETE

    def told(self) -> list[str]:
        """Say which parts of the source were left out, and why, a line each."""
        left = [*self.unread, *self.unmatched]
        lines = [printable(f"{each.where}: {each.why}; left out") for each in left[:SHOWN]]
        return lines + ([f"and {len(left) - SHOWN:,} more"] if len(left) > SHOWN else [])

    def __str__(self) -> str:
        done = "would be captioned" if self.dry_run else "captioned"
        photos = [(self.captioned, done), *sorted((n, what) for what, n in self.failed.items())]
        counts = [
            (self.unchanged, "unchanged"),
            (self.new, "new in the archive's list"),
            (self.by["name"], "found by name alone"),
            (self.by["folders"], "found below another folder"),
            (self.several, "more among the alternatives"),
            (self.reviewed, "reviewed before, as they stay"),
            (self.moved, "moved"),
            (self.other_languages, "in other languages"),
            (len(self.unmatched), "without a photo here"),
            (len(self.unread), "not readable"),
        ]
        parts = [f"{counted(self.said, 'caption')} of {self.name}"]
        parts += [f"{counted(number, 'photo')} {what}" for number, what in photos if number]
        parts += [f"{number:,} {what}" for number, what in counts if number]
        if self.set_aside:
            parts.append(f"your edited spreadsheet is kept as {self.set_aside}")
        return f"{', '.join(parts)}: {printable(self.result)}"


@dataclass(frozen=True)
class Credit:
    """Whose captions are taken in, and from where: what their rows say of it."""

    name: str
    source: str

    @property
    def captioner(self) -> str:
        """The signature, in the place of a captioner of ours."""
        return f"{self.name}@imported"

    @property
    def decode(self) -> str:
        """How the caption came about."""
        name = os.path.basename(os.path.normpath(self.source))
        return f"imported from {os.fsencode(name).decode('utf-8', 'backslashreplace')}"


def language_of_words(caption: str) -> str:
    """Tell a caption's language by its letters: Korean, else English; empty for other scripts."""
    if caption.isascii():
        return "en"
    scripts = {unicodedata.name(each, "").partition(" ")[0] for each in caption if each.isalpha()}
    if "HANGUL" in scripts:
        return "ko"
    return "en" if scripts <= {"LATIN"} else ""


def same_language(one: str, other: str) -> bool:
    """Tell whether two tags are of one language, whatever their regions: en and en-GB."""
    return one.partition("-")[0].lower() == other.partition("-")[0].lower()


def with_caption(record: Record, said: Sequence[Said], language: str, credit: Credit) -> Record:
    """Give a row with what a source says of its photo in one language.

    The first caption counts, the others become alternatives, behind the one that was there. Where
    the row has a caption in another language, that leads on, and the new one goes beside it. What
    people have said of the photo stays as it is.
    """
    captions = list(dict.fromkeys(tidy(each) for one in said for each in one.captions))
    captions = [caption for caption in captions if caption]
    told = said[0].confidence
    confidence = None if told is None else float32(told)
    own = language_of_record(record)
    if record.caption is None or own in ("", language):
        return _leading(record, captions, language, confidence, credit)
    return _beside(record, captions[0], language, confidence, credit)


def _leading(
    record: Record,
    captions: Sequence[str],
    language: str,
    confidence: float | None,
    credit: Credit,
) -> Record:
    before = record.said_in(language) or record.caption
    again = record.captioner == credit.captioner and before == captions[0]
    # Another run of the same source finds its own caption there: what was ours is behind it.
    further = record.alternatives if again else tuple(filter(None, (before, *captions[1:])))
    further = tuple(each for each in dict.fromkeys(further) if each != captions[0])
    gone = record.status in _NOT_SEEN
    record = replace(
        record,
        caption=captions[0],
        status=record.status if gone else Status.CAPTIONED,
        confidence=confidence,
        alternatives=further[:MAX_ALTERNATIVES],
        log_prob=None,
        captioner=credit.captioner,
        decode=credit.decode,
        error=record.error if gone else None,
        language=language,
    )
    return _listed(record, language) if record.languages else record


def _beside(
    record: Record, caption: str, language: str, confidence: float | None, credit: Credit
) -> Record:
    said = LanguageCaption(language, caption, confidence, credit.captioner)
    return _put(_listed(record, language_of_record(record)), said)


def _listed(record: Record, language: str) -> Record:
    """List the row's own caption among those by language."""
    own = LanguageCaption(language, record.caption or "", record.confidence, record.captioner or "")
    return _put(record, own)


def _put(record: Record, said: LanguageCaption) -> Record:
    others = [each for each in record.languages if each.language != said.language]
    return replace(record, languages=tuple(sorted([*others, said], key=attrgetter("language"))))
