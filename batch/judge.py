"""Judge captions: scores against what people wrote, also by kind of photo, and their faults."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np

from batch.corpora.corpus import CaptionedPhoto
from batch.evaluation import Evaluation, Judged, KindScores
from batch.kinds import photo_kinds
from batch.reliability import Reliability
from batch.variety import variety
from manifests.record import Record
from models.captioner import Captioner
from models.characters import character_scores
from models.confidence import acceptable
from models.degenerate import Fault, find_faults, has_rules
from models.meteor import meteor
from models.metrics import is_language, score, splitter


def judge(
    captioner: Captioner,
    fingerprint: str,
    photos: Sequence[CaptionedPhoto],
    captions: Mapping[str, Record],
) -> Evaluation:
    """Score captions, rows by path, against what people wrote.

    A photo without a caption, since the captioner holds it for no scene, counts as an empty one.
    """
    config = captioner.config
    references = {photo.path: photo.captions for photo in photos}
    texts = {path: captions[path].caption or "" for path in references}
    split = splitter(config.language)
    found = score(texts, references, split.split)
    faults = _find_faults(texts, captioner)
    judged = tuple(
        Judged(
            path,
            texts[path],
            captions[path].confidence or 0.0,
            100 * cider,
            references[path],
            photo_kinds(references[path], config.language),
            faults[path],
        )
        for path, cider in found.cider_by_photo.items()
    )
    people = {path: first for path, (first, *_) in references.items()}
    return Evaluation(
        captioner=config.name,
        fingerprint=fingerprint,
        language=config.language,
        search=str(config.search),
        splitter=split.name,
        scores=found.as_dict() | _own_scores(config.language, texts, references),
        variety=variety(list(texts.values()), captioner.vocabulary),
        people=variety(list(people.values()), captioner.vocabulary),
        faults=_shares(faults, _find_faults(people, captioner), config.language),
        kinds=_by_kind(judged, config.language),
        reliability=_reliability([photo for photo in judged if photo.caption]),
        photos=judged,
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


def _find_faults(captions: Mapping[str, str], captioner: Captioner) -> dict[str, frozenset[Fault]]:
    """Find what is degenerate in each of a set's captions, by path."""
    frequent = variety(list(captions.values()), captioner.vocabulary).frequent
    split, longest = captioner.vocabulary.tokenizer.split, captioner.config.search.max_length

    def faults(caption: str) -> Iterator[Fault]:
        yield from find_faults(caption, captioner.config.language)
        if caption in frequent:
            yield Fault.FREQUENT
        if len(split(caption)) >= longest:
            yield Fault.CUT

    return {path: frozenset(faults(caption)) for path, caption in captions.items()}


def _shares(
    own: Mapping[str, frozenset[Fault]], people: Mapping[str, frozenset[Fault]], language: str
) -> dict[Fault, tuple[float, float]]:
    """Give the share of captions with each fault, as far as a language has rules, and people's."""
    blind = set() if has_rules(language) else {Fault.REPEATED_WORD, Fault.DANGLING_END}

    def share(found: Mapping[str, frozenset[Fault]], fault: Fault) -> float:
        return fmean(fault in each for each in found.values())

    return {
        fault: (share(own, fault), share(people, fault)) for fault in Fault if fault not in blind
    }


def _by_kind(photos: Sequence[Judged], language: str) -> list[KindScores]:
    """Score the photos of each kind, the most frequent kind first."""
    members: dict[str, list[Judged]] = {}
    for photo in photos:
        for kind in photo.kinds:
            members.setdefault(kind, []).append(photo)
    split = splitter(language).split
    rows = []
    for kind, some in sorted(members.items(), key=lambda item: -len(item[1])):
        texts = {photo.path: photo.caption for photo in some}
        bleu = score(texts, {photo.path: photo.references for photo in some}, split).bleu
        cider = np.array([photo.cider for photo in some])
        confidence = fmean(photo.confidence for photo in some)
        chance = float(acceptable(cider).mean())
        rows.append(
            KindScores(kind, len(some), float(cider.mean()), 100 * bleu[3], confidence, chance)
        )
    return rows


def _reliability(photos: Sequence[Judged]) -> Reliability | None:
    if not photos:
        return None
    confidences = np.array([photo.confidence for photo in photos])
    return Reliability.measure(confidences, np.array([photo.cider for photo in photos]))
