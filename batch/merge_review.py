"""Corrections in: a person's file, merged with what stands here; nothing of it is dropped.

Nothing in the file is a path to open or a thing to run: rows are found through the manifest, and
texts stay texts.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from batch.errors import ArchiveError
from batch.results import Results, reopened
from batch.similar import take_apart
from manifests.attach import place_of
from manifests.corrections import read_corrections
from manifests.formers import read_formers
from manifests.groups import read_groups
from manifests.journal import FOLDER, MERGE, RUN, UNDO, Entry, Offered, Place, Said, last_merge, now
from manifests.matching import Match, Rows
from manifests.merge_report import Line, MergeReport, write_report
from manifests.record import Record, said_of
from manifests.review import Correction, Offer, Review, ReviewStatus
from manifests.three_way import Base, Merged, Outcome, Standing, Theirs, contest, merge, read_status

Others = Callable[[str], Iterable[str]]
"""The identities of a photo's near-duplicates, by its own."""


def merge_review(out: str, file: str, *, dry_run: bool = False) -> MergeReport:
    """Merge a person's file into the results' folder; with `dry_run` only tell what it would do.

    Raises ManifestError where the file, the manifest or the journal cannot be used; ArchiveError,
    LockedError.
    """
    corrections = read_corrections(Path(file))
    with reopened(out) as (results, records):
        merging = _Merging(results, records, os.path.basename(file))
        for correction in corrections:
            merging.take(correction)
        merging.fill_in(read_groups(Path(out, FOLDER)).others)
        if not dry_run:
            _write(results, records, merging)
    return merging.report


def undo_merge(out: str) -> str:
    """Undo the last merge that was not undone; returns a line that says so.

    What it said stays in the journal; merging the same file again brings it back.
    """
    with reopened(out) as (results, records):
        last = last_merge(results.journal.deeds())
        if last is None:
            return "there is no merge to undo"
        results.journal.append(UNDO, [], undoes=last.number)
        results.recommit(records)
    said = sum(isinstance(entry, Said) for entry in last.entries)
    return f"undone: {said:,} decisions of {last.source}, merged at {last.at[:19]} UTC"


def ungroup(out: str, path: str) -> str:
    """Take the near-duplicates of a photo apart, for good; returns a line that says so.

    What was filled in from one of them to the others is undecided again. Raises ArchiveError where
    the photo is in no group.
    """
    with reopened(out) as (results, records):
        record = Rows(records).match({"path": path}).record
        if record is None:
            raise ArchiveError(
                f"{path!r} is no photo of {out}; give PHOTO= a path as captions.csv has it"
            )
        groups = take_apart(out, [record.photo_id or ""])
        apart = {photo_id for group in groups for photo_id in group}
        reviews = results.journal.read()
        entries = [
            Said(place, Review(language, ReviewStatus.UNREVIEWED, None, at=now()))
            for place, said in reviews.decided.items()
            for language, review in said.items()
            if place.photo_id in apart and review.like
        ]
        if entries:
            results.journal.append(RUN, entries)
            results.recommit(records)
    return f"{len(apart):,} photos apart, {len(entries):,} of them undecided again"


def _write(results: Results, records: Sequence[Record], merging: "_Merging") -> None:
    """Write down what was said, then show it in the manifest."""
    if merging.entries:
        path = results.journal.append(MERGE, merging.entries, source=merging.source)
        merging.report.written = str(write_report(merging.report, path.parent, path.stem))
        results.recommit(records)


@dataclass
class _Merging:
    """One merge, as it goes through a file row by row."""

    results: Results
    records: Sequence[Record]
    source: str
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        out = self.results.manifest.parent
        self.report = MergeReport(self.source)
        self.reviews = self.results.journal.read()
        self.formers = read_formers(out)
        self.rows = Rows(self.records)
        self.mine: dict[tuple[Place, str], Record] = {}  # decided by this file
        self.at = now()

    def take(self, correction: Correction) -> None:
        """Take one row of the file."""
        self.report.rows += 1
        match = self.rows.match(correction.cells)
        if match.record is None:
            words = " | ".join(
                filter(None, map(correction.cells.get, ("caption_human", "caption")))
            )
            self._tell(correction, "not matched", after=words, why=match.problem)
            return
        try:
            outcomes = [
                self._take_one(correction, match, theirs, language)
                for language, theirs in _theirs(correction, match.record, self.source)
            ]
        except ValueError as error:
            self._tell(correction, "problem", why=str(error))
            return
        self.report.unchanged += all(outcome is Outcome.UNCHANGED for outcome in outcomes)

    def _take_one(
        self, correction: Correction, match: Match, theirs: Theirs, language: str
    ) -> Outcome:
        """Take what a row of the file says in one language."""
        record = match.record
        if record is None:
            raise ValueError("no row was found")
        place = place_of(record)
        if match.changed:
            place = Place(record.raw_path, correction.cells["photo_id"].strip().lower())
        ours = self._standing(place, record, language)
        merged = merge(theirs, ours)
        if (place, language) in self.mine and merged.review:
            merged = contest(merged.review, ours.review)
        self._keep(place, language, merged, record)
        if merged.review:
            before = ours.review.caption or ours.machine
            self._tell(correction, _what(merged, changed=match.changed), before, merged.review)
        return merged.outcome

    def _keep(self, place: Place, language: str, merged: Merged, record: Record) -> None:
        """Note down what came of a row."""
        if merged.review is None:
            return
        if merged.outcome is Outcome.TAKEN:
            self._say(place, merged.review)
            self.mine[place, language] = record
            return
        review = merged.review
        who = review.reviewer or self.source
        why = f"conflict: {who} {_verbs(review)}{f' ({review.notes})' if review.notes else ''}"
        offered = Offered(place, Offer(language, review.caption or "", why))
        if self.reviews.offered[place].get(language) != offered.offer:
            self.entries.append(offered)
            self.reviews.take(offered, self.source)

    def _say(self, place: Place, review: Review) -> None:
        said = Said(place, replace(review, at=self.at))
        self.entries.append(said)
        self.reviews.take(said, self.source)

    def _standing(self, place: Place, record: Record, language: str) -> Standing:
        review = said_of(self.reviews.decided[place].values(), language)
        machine = record.said_in(language) or "" if place == place_of(record) else ""
        offer = record.offer_in(language)
        return Standing(
            review or Review(language, ReviewStatus.UNREVIEWED, None),
            machine,
            self.formers.get(place.photo_id, frozenset()),
            self.reviews.sources.get((place, language), ""),
            (review and review.caption) or (offer and offer.caption) or machine,
        )

    def fill_in(self, others: Others) -> None:
        """Say of near-duplicates what this file says of the photo that the person looked at."""
        copies: dict[str, list[Record]] = defaultdict(list)
        for record in self.records:
            copies[record.photo_id or ""].append(record)
        for (place, language), record in list(self.mine.items()):
            review = self.reviews.decided[place][language]
            for photo_id in others(place.photo_id):
                for like in copies[photo_id]:
                    self._fill(like, replace(review, like=record.path))

    def _fill(self, record: Record, review: Review) -> None:
        place = place_of(record)
        own = self.reviews.decided[place].get(review.language)
        undecided = own is None or own.status is ReviewStatus.UNREVIEWED
        followed = own is not None and own.like == review.like
        if (place, review.language) in self.mine or not (undecided or followed):
            return
        if not review.stands:  # what is wrong of one photo may be right of the next
            if not followed:
                return
            review = Review(review.language, ReviewStatus.UNREVIEWED, None)
        self._say(place, review)
        why = f"like {review.like}" if review.like else "no longer approved of its group"
        line = Line(0, record.path, "filled in", "", review.caption or "", why)
        self.report.lines.append(line)

    def _tell(
        self,
        correction: Correction,
        what: str,
        before: str = "",
        after: Review | str = "",
        why: str = "",
    ) -> None:
        words = after if isinstance(after, str) else after.caption or ""
        path = correction.cells.get("path", "")
        self.report.lines.append(Line(correction.line, path, what, before, words, why))


def _what(merged: Merged, *, changed: bool) -> str:
    if merged.outcome is Outcome.CONFLICT:
        return "conflict"
    if changed:
        return "of a photo that has changed since"
    return str(merged.review.status) if merged.review else "unchanged"


def _verbs(review: Review) -> str:
    return {
        ReviewStatus.REJECTED: "rejected it",
        ReviewStatus.UNREVIEWED: "wants it looked at again",
    }.get(review.status, "wrote")


def _theirs(correction: Correction, record: Record, source: str) -> Iterator[tuple[str, Theirs]]:
    """Read what a row of the file says, by language. Raises ValueError where a cell means nothing.

    `caption` and `caption_human` are in the row's own language, `caption_ko` and so on in theirs.
    """
    cells = correction.cells
    base = Base.read(cells.get("base"))
    own = (base and base.language) or cells.get("language", "").strip() or record.language or ""
    reviewer = cells.get("reviewer", "").strip()
    for language in _languages(cells, record):
        texts = _texts(cells, f"_{language}".lower())
        status = read_status(cells.get(f"review_status_{language}".lower(), ""))
        yield language, Theirs(texts, status, reviewer, None, None, None, source)
    status = read_status(cells.get("review_status", ""))
    notes, machine = cells.get("notes"), cells.get("machine")
    yield own, Theirs(_texts(cells, ""), status, reviewer, notes, base, machine, source)


def _texts(cells: Mapping[str, str], ending: str) -> tuple[str, ...]:
    names = (f"caption_human{ending}", f"caption{ending}")
    return tuple(cells[name] for name in names if name in cells)


def _languages(cells: Mapping[str, str], record: Record) -> list[str]:
    known = {each.language for each in record.languages}
    known |= {each.language for each in record.reviews}
    return sorted(each for each in known if _texts(cells, f"_{each}".lower()))
