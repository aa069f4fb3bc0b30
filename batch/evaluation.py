"""What an evaluation found: scores, also by kind of photo, and what is wrong with captions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from batch.reliability import Reliability
from batch.tables import Table
from batch.variety import Variety
from models.degenerate import Fault

FAULTS = {
    Fault.REPEATED_WORD: "A word twice",
    Fault.REPEATED_RUN: "Words over again",
    Fault.DANGLING_END: "Dangling end",
    Fault.FREQUENT: "Same for over 2%",
    Fault.CUT: "As long as allowed",
}
"""How each fault is called where people read of it."""


@dataclass(frozen=True)
class Judged:
    """A photo's caption beside what people wrote of it; `cider` is times 100.

    The caption is empty where the captioner holds the photo for no scene.
    """

    path: str
    caption: str
    confidence: float
    cider: float
    references: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    faults: frozenset[Fault] = frozenset()


@dataclass(frozen=True)
class KindScores:
    """How captions of one kind of photo do; scores are times 100.

    `cider` is the mean of what these photos have in the whole set: CIDEr by themselves would weigh
    words in another way.
    """

    kind: str
    photos: int
    cider: float
    bleu_4: float
    confidence: float
    acceptable: float

    def shown(self) -> tuple[str, ...]:
        """Give the row as text."""
        scores = (f"{self.cider:.1f}", f"{self.bleu_4:.1f}")
        shares = (f"{self.confidence:.2f}", f"{self.acceptable:.0%}")
        return (self.kind, f"{self.photos:,}", *scores, *shares)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found; scores are times 100, METEOR None where it cannot be had.

    Beside what holds of the captions stands the same of people's, one a photo: `people`, and the
    second share of each of `faults`. `reliability` is None where no photo has a caption.
    """

    captioner: str
    fingerprint: str
    language: str
    search: str
    splitter: str
    scores: Mapping[str, float | None]
    variety: Variety
    people: Variety
    faults: Mapping[Fault, tuple[float, float]]
    kinds: Sequence[KindScores]
    reliability: Reliability | None
    photos: tuple[Judged, ...] = field(repr=False)

    def shown_scores(self) -> dict[str, str]:
        """Give the scores as text; a dash where there is none."""
        return {k: "-" if v is None else f"{v:.1f}" for k, v in self.scores.items()}

    def facts(self) -> dict[str, str]:
        """Tell what was scored and how, as text by name."""
        v = self.variety
        refused = sum(not photo.caption for photo in self.photos)
        frequent = v.frequent or {v.most_frequent: v.most_frequent_share}
        told = [f"{caption} ({share:.1%} of the photos)" for caption, share in frequent.items()]
        return {
            "Captioner": f"{self.captioner} ({self.fingerprint})",
            "Search": self.search,
            "Words split by": self.splitter,
            "Photos": f"{len(self.photos):,}",
            "Taken for no scene": f"{refused:,}, scored as empty captions" if refused else "none",
            "Most frequent": "; ".join(told),
        }

    def tables(self) -> Iterator[Table]:
        """Give what was found as tables, the scores first."""
        yield Table("Scores, times 100", tuple(self.shown_scores().items()), numbers=True)
        yield Table("What was scored", tuple(self.facts().items()))
        if self.reliability:
            yield Table("Confidence", tuple(self.reliability.shown().items()))
        yield Table(
            "Degenerate captions", self._habits(), ("", "captioner", "people"), numbers=True
        )
        if self.kinds:
            header = ("", "photos", "CIDEr", "BLEU-4", "confidence", "acceptable")
            yield Table(
                "By kind of photo, as people name it",
                [row.shown() for row in self.kinds],
                header,
                numbers=True,
            )

    def _habits(self) -> list[tuple[str, str, str]]:
        own, people = self.variety, self.people
        faults = [(FAULTS[k], f"{a:.1%}", f"{b:.1%}") for k, (a, b) in self.faults.items()]
        return [
            *faults,
            ("Distinct captions", f"{own.distinct:.1%}", f"{people.distinct:.1%}"),
            (f"Words, of {own.words_known:,}", f"{own.words_used:,}", f"{people.words_used:,}"),
        ]

    def __str__(self) -> str:
        """Write short tables for a terminal."""
        _, *tables = self.tables()
        scores = self.shown_scores()
        line = Table("", [list(scores.values())], list(scores), numbers=True)
        return "\n\n".join(table.as_text() for table in (line, *tables))

    def as_json(self) -> dict[str, Any]:
        """Give all but the photos as scores.json holds it."""
        return {
            "captioner": self.captioner,
            "fingerprint": self.fingerprint,
            "language": self.language,
            "search": self.search,
            "tokenizer": self.splitter,
            "photos": len(self.photos),
            "no_scene": sum(not photo.caption for photo in self.photos),
            "scores": {k: v if v is None else round(v, 2) for k, v in self.scores.items()},
            "variety": asdict(self.variety),
            "variety_of_people": asdict(self.people),
            "degenerate": {k: own for k, (own, _) in self.faults.items()},
            "degenerate_of_people": {k: people for k, (_, people) in self.faults.items()},
            "confidence": self.reliability and self.reliability.as_json(),
            "kinds": [asdict(row) for row in self.kinds],
        }
