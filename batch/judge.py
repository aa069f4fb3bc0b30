"""Judge captions: scores against what people wrote, and how much the captions repeat each other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from batch.corpora.corpus import CaptionedPhoto
from manifests.record import Record
from models.captioner import Captioner
from models.characters import character_scores
from models.meteor import meteor
from models.metrics import is_language, score, splitter
from models.vocabulary import Vocabulary


@dataclass(frozen=True)
class Judged:
    """A photo's caption beside what people wrote of it; `cider` is times 100."""

    path: str
    caption: str
    confidence: float
    cider: float
    references: tuple[str, ...]


@dataclass(frozen=True)
class Variety:
    """How much captions repeat each other: a captioner may score well and say little."""

    distinct: float  # captions that differ, as a share of all
    most_frequent: str
    most_frequent_share: float
    words_used: int
    words_known: int


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found; scores are times 100, METEOR None where it cannot be had."""

    captioner: str
    fingerprint: str
    language: str
    search: str
    splitter: str
    scores: Mapping[str, float | None]
    variety: Variety
    photos: tuple[Judged, ...] = field(repr=False)

    def shown_scores(self) -> dict[str, str]:
        """Give the scores as text; a dash where there is none."""
        return {k: "-" if v is None else f"{v:.1f}" for k, v in self.scores.items()}

    def facts(self) -> dict[str, str]:
        """Tell what was scored and how, as text by name."""
        v = self.variety
        return {
            "Captioner": f"{self.captioner} ({self.fingerprint})",
            "Search": self.search,
            "Words split by": self.splitter,
            "Photos": f"{len(self.photos):,}",
            "Distinct captions": f"{v.distinct:.1%}",
            "Most frequent": f"{v.most_frequent} ({v.most_frequent_share:.1%} of the photos)",
            "Words used": f"{v.words_used:,} of {v.words_known:,} known",
        }

    def __str__(self) -> str:
        """Write a short table for a terminal."""
        scores = self.shown_scores()
        names = "  ".join(f"{name:>6}" for name in scores)
        values = "  ".join(f"{value:>{max(6, len(name))}}" for name, value in scores.items())
        facts = [f"{name:<18}{value}" for name, value in self.facts().items()]
        return "\n".join([names, values, "", *facts])

    def as_json(self) -> dict[str, Any]:
        """Give all but the photos as scores.json holds it."""
        return {
            "captioner": self.captioner,
            "fingerprint": self.fingerprint,
            "language": self.language,
            "search": self.search,
            "tokenizer": self.splitter,
            "photos": len(self.photos),
            "scores": {k: v if v is None else round(v, 2) for k, v in self.scores.items()},
            "variety": asdict(self.variety),
        }


def judge(
    captioner: Captioner,
    fingerprint: str,
    photos: Sequence[CaptionedPhoto],
    captions: Mapping[str, Record],
) -> Evaluation:
    """Score captions, rows by path, against what people wrote."""
    config = captioner.config
    references = {photo.path: photo.captions for photo in photos}
    texts = {path: captions[path].caption or "" for path in references}
    split = splitter(config.language)
    found = score(texts, references, split.split)
    return Evaluation(
        captioner=config.name,
        fingerprint=fingerprint,
        language=config.language,
        search=str(config.search),
        splitter=split.name,
        scores=found.as_dict() | _own_scores(config.language, texts, references),
        variety=variety(list(texts.values()), captioner.vocabulary),
        photos=tuple(
            Judged(
                path, texts[path], captions[path].confidence or 0.0, 100 * cider, references[path]
            )
            for path, cider in found.cider_by_photo.items()
        ),
    )


def _own_scores(
    language: str, texts: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> dict[str, float | None]:
    """Give the scores that are a language's own, times 100."""
    if is_language(language, "ko"):
        return dict(character_scores(texts, references))
    if is_language(language, "en"):  # METEOR's stems and synonyms are English
        synonyms = meteor(texts, references)
        return {"METEOR": None if synonyms is None else 100 * synonyms}
    return {}


def variety(captions: Sequence[str], vocabulary: Vocabulary) -> Variety:
    """Tell how much captions repeat each other."""
    counts = Counter(captions)
    [(most_frequent, times)] = counts.most_common(1)
    return Variety(
        distinct=len(counts) / len(captions),
        most_frequent=most_frequent,
        most_frequent_share=times / len(captions),
        words_used=len(
            {word for caption in counts for word in vocabulary.tokenizer.split(caption)}
        ),
        words_known=len(vocabulary) - vocabulary.specials,
    )
