"""The error rate of a batch of captions, as far as a sample of them tells."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from batch.interval import finite_interval
from manifests.record import Record, Status
from manifests.review import Review, ReviewStatus, digest
from manifests.samples import Drawn, Sample


class Verdict(StrEnum):
    """What has become of a caption that was drawn."""

    RIGHT = "right"
    WRONG = "wrong"
    WAITING = "waiting"  # nobody has looked at it
    CHANGED = "changed"  # the machine says something else by now, and nobody approved what it said
    GONE = "gone"  # nobody has looked at it, and its photo is not there


@dataclass(frozen=True)
class Third:
    """A third of the decided captions, by their confidence."""

    least: float
    most: float
    wrong: int
    decided: int

    def __str__(self) -> str:
        share = f"{self.wrong} of {self.decided} wrong ({self.wrong / self.decided:.1%})"
        return f"confidence {self.least:.2f} to {self.most:.2f}: {share}"


@dataclass(frozen=True)
class SampleResult:
    """What people have decided on a sample, and what that tells of all captions."""

    sample: Sample
    verdicts: Sequence[Verdict]  # one for each that was drawn

    def count(self, verdict: Verdict) -> int:
        """Count the captions of which this has become."""
        return self.verdicts.count(verdict)

    @property
    def decided(self) -> int:
        """How many captions tell the rate."""
        return self.count(Verdict.RIGHT) + self.count(Verdict.WRONG)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to look at."""
        return Verdict.WAITING not in self.verdicts

    @property
    def rate(self) -> float | None:
        """The share of captions that is wrong, of those decided; None where none is."""
        return self.count(Verdict.WRONG) / self.decided if self.decided else None

    @property
    def wrong_in_all(self) -> tuple[int, int]:
        """How many of all captions are wrong: the 95% interval."""
        return finite_interval(self.count(Verdict.WRONG), self.decided, self.sample.population)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the share of all captions that is wrong."""
        low, high = self.wrong_in_all
        return low / self.sample.population, high / self.sample.population

    @property
    def thirds(self) -> list[Third]:
        """The decided captions by confidence, the least sure third first; none of fewer than 3."""
        known = sorted(self._known())
        if len(known) < 3:
            return []
        parts = [known[len(known) * i // 3 : len(known) * (i + 1) // 3] for i in range(3)]
        return [
            Third(part[0][0], part[-1][0], sum(not right for _, right in part), len(part))
            for part in parts
        ]

    @property
    def promised(self) -> tuple[float, float] | None:
        """The mean confidence of decided captions, and the share of these that is right."""
        known = self._known()
        if not known:
            return None
        confidences, rights = zip(*known, strict=True)
        return sum(confidences) / len(known), sum(rights) / len(known)

    def _known(self) -> list[tuple[float, bool]]:
        """Give the confidence of each decided caption that has one, and whether it is right."""
        return [
            (drawn.confidence, verdict is Verdict.RIGHT)
            for drawn, verdict in zip(self.sample.drawn, self.verdicts, strict=True)
            if drawn.confidence is not None and verdict in (Verdict.RIGHT, Verdict.WRONG)
        ]

    def __str__(self) -> str:
        return "\n".join([*_drawn_lines(self), *_rate_lines(self), *_confidence_lines(self)])


def error_rate(sample: Sample, records: Iterable[Record]) -> SampleResult:
    """Tell the error rate by what people have decided on the captions that were drawn.

    Approved as it was drawn is right; edited, rejected, or approved with other words is wrong. What
    was filled in from another photo of the group has not been looked at.
    """
    drawn = {each.photo_id for each in sample.drawn}
    rows: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.photo_id in drawn:
            rows[str(record.photo_id)].append(record)
    return SampleResult(sample, [_verdict(each, rows[each.photo_id]) for each in sample.drawn])


def _verdict(drawn: Drawn, rows: Sequence[Record]) -> Verdict:
    """Judge a drawn caption by the row of its photo, or where that was moved, by another one."""
    own = [row for row in rows if row.raw_path == drawn.raw_path]
    there = [row for row in own or rows if row.status != Status.MISSING]
    row = next(iter(there or own or rows), None)
    if row is None:
        return Verdict.GONE
    said = row.said_in(drawn.language)
    if said is None and row.language is None:  # an older version did not write it down
        said = row.caption
    said = said or ""
    review = row.review_in(drawn.language)
    if review and (review.like or review.status == ReviewStatus.UNREVIEWED):
        review = None
    if review and _approves(review, said) == drawn.said:
        return Verdict.RIGHT
    if digest(said) != drawn.said:
        return Verdict.CHANGED
    if review:
        return Verdict.WRONG
    return Verdict.WAITING if there else Verdict.GONE


def _approves(review: Review, said: str) -> str:
    """Give the digest of the words that a review approved; empty where it approved none."""
    if review.status != ReviewStatus.APPROVED:
        return ""
    return digest(said if review.caption is None else review.caption)


def _drawn_lines(result: SampleResult) -> list[str]:
    sample = result.sample
    counts = Counter(result.verdicts)
    head = [
        f"Sample {sample.number}: {len(sample.drawn):,} of {sample.population:,} captions, drawn "
        f"at random on {sample.drawn_at[:10]}.",
        f"Decided: {result.decided:,}. Still to look at: {counts[Verdict.WAITING]:,}.",
    ]
    left_out = [text.format(counts[each]) for each, text in _LEFT_OUT.items() if counts[each]]
    return [*head, *left_out]


_LEFT_OUT: Mapping[Verdict, str] = {
    Verdict.CHANGED: "Left out: {:,}, of which the machine says something else by now.",
    Verdict.GONE: "Left out: {:,}, whose photos are not there any more.",
}


def _rate_lines(result: SampleResult) -> list[str]:
    if result.rate is None:
        return ["Nothing is known of the error rate before some are decided."]
    low, high = result.interval
    fewest, most = result.wrong_in_all
    so_far = "" if result.finished else " so far"
    lines = [
        f"Wrong{so_far}: {result.count(Verdict.WRONG):,} of {result.decided:,}, {result.rate:.1%}.",
        f"Of all {result.sample.population:,} captions, {low:.1%} to {high:.1%} are wrong "
        f"(95% sure): {fewest:,} to {most:,}.",
    ]
    left = len(result.verdicts) - result.decided
    if left:
        lines.append(
            f"That holds if the {left:,} undecided ones are like the others; they may be harder. "
            "Decide them all to be sure."
        )
    return lines


def _confidence_lines(result: SampleResult) -> list[str]:
    if result.promised is None:
        return []
    promised, right = result.promised
    thirds = [f"  {third}" for third in result.thirds]
    return [
        *(["By the machine's confidence, the least sure third first:", *thirds] if thirds else []),
        f"Confidence promised {promised:.1%} right on average; {right:.1%} were.",
    ]
