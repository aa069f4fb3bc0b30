"""One file of corrections on its way in: row by row, found, merged, and told.

Nothing in the file is a path to open or a thing to run: rows are found through the manifest, and
texts stay texts.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from batch.letters import Letters
from batch.merge_report import FILLED_IN, NOT_FILLED_IN, PROBLEM, Line, MergeReport
from batch.results import Results
from manifests.attach import place_of
from manifests.formers import read_formers
from manifests.groups import Groups
from manifests.journal import Entry, Offered, Place, Said, now
from manifests.leaders import find_leaders, is_told_apart
from manifests.matching import Match, Rows
from manifests.record import Record, said_of
from manifests.review import Correction, Offer, Review, ReviewStatus, digest
from manifests.three_way import Base, Merged, Outcome, Standing, Theirs, contest, merge, read_status


@dataclass
class Merging:
    """One merge, as it goes through a file row by row."""

    results: Results
    records: Sequence[Record]
    file: Path
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source = self.file.name
        self.report = MergeReport(self.source)
        self.reviews = self.results.journal.read()
        self.formers = read_formers(self.results.manifest.parent)
        for photo_id in [*self.formers]:  # what was said before this program wrote into a photo
            for name in self.reviews.names(photo_id):
                self.formers[name] |= self.formers[photo_id]
        self.rows = Rows(self.records)
        self.letters = Letters(self.file, self.rows, self.reviews, self.formers)
        self.languages = _languages(self.records)
        self.known = {*self.formers, *(place.photo_id for place in self.reviews.heard)}
        self.mine: dict[tuple[Place, str], tuple[Record, Review]] = {}  # decided by this file
        self.at = now()

    def take(self, correction: Correction) -> None:
        """Take one row of the file. Raises ManifestError where the file's letters are broken."""
        self.report.rows += 1
        before = len(self.report.lines)
        if self._is_taken(correction):
            self.report.count(self.report.lines[before:])
        else:
            self.report.elsewhere += 1

    def _is_taken(self, correction: Correction) -> bool:
        """Take one row; tell whether it says something, or is of a photo of this archive."""
        photo_id, match = self._find(correction)
        self.letters.check(correction, match.record)
        if match.record is None:
            if _is_untouched(correction):
                return False
            self._tell(correction, "not matched", after=_words(correction), why=match.problem)
            return True
        place = place_of(match.record)
        if match.changed:
            place = Place(match.record.raw_path, photo_id)
        for language, ending in self._spoken(correction, match.record):
            self._take_one(correction, place, match.record, language, ending)
        return True

    def _find(self, correction: Correction) -> tuple[str, Match]:
        """Find what a row's photo goes by now, and its row here.

        Copies may have other words in them by now, or none: then the one at the path is meant.
        """
        photo_id = correction.cells.get("photo_id", "").strip().lower()
        names, path = self.reviews.names(photo_id), correction.cells.get("path", "")
        here = [name for name in names if self.rows.has(name, path)]
        known = here[:1] or [name for name in names if self.rows.knows(name)]
        if len(known) > 1:
            return photo_id, Match(problem="copies of this photo, none of them at this path")
        photo_id = (known or names)[-1]
        match = self.rows.match({**correction.cells, "photo_id": photo_id})
        if match.changed and photo_id not in self.known:
            match = Match(problem="another photo than the one at this path")
        return photo_id, match

    def _spoken(self, correction: Correction, record: Record) -> Iterator[tuple[str, str]]:
        """Give the languages that a row of the file speaks, and what their columns end in.

        `caption` and `caption_human` are in the row's own language, `caption_ko` and so on in
        theirs.
        """
        cells = correction.cells
        for language in sorted(self.languages):
            ending = f"_{language}".lower()
            if _texts(cells, ending):
                yield language, ending
        base = Base.read(cells.get("base"))
        known = {each.casefold(): each for each in self.languages}
        typed = known.get(cells.get("language", "").strip().casefold(), "")
        yield (base.language if base else "") or typed or record.language or "", ""

    def _take_one(
        self, correction: Correction, place: Place, record: Record, language: str, ending: str
    ) -> None:
        """Take what a row of the file says in one language."""
        ours = self._standing(place, record, language)
        try:
            merged = merge(self._theirs(correction, ending), ours)
        except ValueError as error:
            self._tell(correction, PROBLEM, after=_words(correction), why=str(error))
            return
        if (place, ours.review.language) in self.mine and merged.review:
            merged = contest(merged.review, ours.review)
        if merged.review:
            self._keep(place, merged, record, ours, saw=ours.is_base(_base(correction, ending)))
            before = ours.review.caption or ours.machine
            what = _what(merged, changed=place != place_of(record))
            self._tell(correction, what, before, merged.review.caption or "")

    def _theirs(self, correction: Correction, ending: str) -> Theirs:
        """Read what a row of the file says; a status that is none is told, the rest is taken."""
        cells = correction.cells
        try:
            status = read_status(cells.get(f"review_status{ending}", ""))
        except ValueError as error:
            self._tell(correction, PROBLEM, after=_words(correction), why=str(error))
            status = None
        return Theirs(
            _spoken_texts(correction, ending),
            status,
            cells.get("reviewer", "").strip(),
            None if ending else cells.get("notes"),
            _base(correction, ending),
            None if ending else cells.get("machine"),
            self.source,
        )

    def _standing(self, place: Place, record: Record, language: str) -> Standing:
        review = said_of(self.reviews.decided[place].values(), language)
        review = review or Review(language, ReviewStatus.UNREVIEWED, None)
        machine = record.said_in(language) or "" if place == place_of(record) else ""
        offers = record.offers_in(language)
        said = self.reviews.history[place]
        return Standing(
            review,
            machine,
            self.formers.get(place.photo_id, frozenset()),
            [each for each in said if each.language == review.language],
            self.reviews.sources[place].get(review.language, ""),
            review.caption or (offers[0].caption if offers else machine),
        )

    def _keep(
        self, place: Place, merged: Merged, record: Record, ours: Standing, *, saw: bool
    ) -> None:
        """Note down what came of a row; who has not seen what others offered leaves it there."""
        review = merged.review or ours.review
        if merged.outcome is Outcome.TAKEN:
            offers = [] if saw else list(self.reviews.offered[place])
            self._say(place, review)
            for offer in offers:
                self._add(Offered(place, offer))
            self.mine[place, review.language] = record, review
        else:
            who = review.reviewer or self.source
            notes = f" ({review.notes})" if review.notes else ""
            why = f"conflict: {who} {_verbs(review)}{notes}"
            offered = Offered(place, Offer(review.language, review.caption or "", why))
            if offered.offer not in self.reviews.offered[place]:
                self._add(offered)

    def _say(self, place: Place, review: Review) -> None:
        self._add(Said(place, replace(review, at=self.at)))

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.reviews.take(entry, self.source)

    def fill_in(self, groups: Groups) -> None:
        """Say of near-duplicates and copies what this file says of the first of them."""
        leaders = find_leaders(self.records, groups)
        followers: dict[Place, list[Record]] = defaultdict(list)
        for record in self.records:
            leader = leaders.get(record.raw_path)
            if leader is not None and leader is not record:
                followers[place_of(leader)].append(record)
        mine = list(self.mine.items())
        spoken = {(record.raw_path, review.language) for _, (record, review) in mine}
        for (place, _), (record, review) in mine:
            for like in followers[place]:
                if (like.raw_path, review.language) not in spoken:
                    self._fill(like, replace(review, like=record.path))

    def _fill(self, record: Record, review: Review) -> None:
        place, leader = place_of(record), review.like
        own = self.reviews.decided[place].get(review.language)
        undecided = own is None or own.status is ReviewStatus.UNREVIEWED
        followed = own is not None and own.like == review.like
        if not followed and not (undecided and not is_told_apart(record, review.language)):
            return
        if not review.stands:  # what is wrong of one photo may be right of the next
            if not followed:
                return
            review = taken_back(review)
        self._say(place, replace(review, notes=own.notes if own else ""))
        what = FILLED_IN if review.like else NOT_FILLED_IN
        why = f"like {leader}"
        self.report.lines.append(Line(0, record.path, what, "", review.caption or "", why))

    def _tell(
        self, correction: Correction, what: str, before: str = "", after: str = "", why: str = ""
    ) -> None:
        path = correction.cells.get("path", "")
        self.report.lines.append(Line(correction.line, path, what, before, after, why))


def _languages(records: Sequence[Record]) -> set[str]:
    """Tell the languages of an archive, the machine's and people's."""
    found = {record.language or "" for record in records}
    for record in records:
        found.update(each.language for each in record.languages)
        found.update(each.language for each in record.reviews)
    return found - {""}


def _base(correction: Correction, ending: str) -> Base | None:
    return None if ending else Base.read(correction.cells.get("base"))


def _texts(cells: Mapping[str, str], ending: str) -> tuple[str, ...]:
    names = (f"caption_human{ending}", f"caption{ending}")
    return tuple(cells[name] for name in names if name in cells)


def _spoken_texts(correction: Correction, ending: str) -> tuple[str, ...]:
    """Give a row's texts; an empty cell for people's words is none, where none went out."""
    cells, base = correction.cells, _base(correction, ending)
    texts = _texts(cells, ending)
    says_something = f"caption{ending}" in cells or any(map(str.strip, texts))
    return texts if says_something or (base and base.stands) else ()


def has_captions(correction: Correction) -> bool:
    """Tell whether a row has a cell for words at all."""
    return any(name.startswith("caption") for name in correction.cells)


def _is_untouched(correction: Correction) -> bool:
    """Tell whether a row is as it went out, whatever it is of."""
    cells, base = correction.cells, _base(correction, "")
    if base is None:
        return False
    texts = {digest(text) for text in _texts(cells, "") if text.strip()}
    same = digest(cells.get("notes", "")) in (base.notes, digest(""))
    status = cells.get("review_status", "").strip().casefold()
    went_out = {base.caption} - {digest("")}
    kept = texts == went_out if "caption" in cells else texts <= went_out
    return same and kept and status in ("", base.status)


def _words(correction: Correction) -> str:
    """Give all that a person may have written into a row that cannot be taken."""
    names = ("caption", "review_status", "notes", "reviewer")
    written = (text for name, text in correction.cells.items() if name.startswith(names))
    said = dict.fromkeys(map(str.strip, written))
    return " | ".join(each for each in said if each not in ("", ReviewStatus.UNREVIEWED))


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


def taken_back(review: Review) -> Review:
    """Take a decision back; what a person noted stays."""
    unreviewed = ReviewStatus.UNREVIEWED
    return replace(review, status=unreviewed, caption=None, reviewer="", like="", at=now())
