"""What to look at: a sample that tells the whole batch's error rate, or the most doubtful first."""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from batch.captioned import Captioned, language_of_record
from batch.error_rate import SampleResult, error_rate
from batch.errors import ArchiveError
from manifests.journal import FOLDER
from manifests.record import Record, Status, sort_key
from manifests.review import ReviewStatus, SheetRow, digest
from manifests.samples import Drawn, Sample, last_sample, write_sample

SAMPLED = 200  # captions: an error rate of 20% is known to about 6% to either side


def current_sample(found: Captioned, n: int = SAMPLED, language: str = "") -> Sample:
    """Give the sample to check, and keep it in OUT: the last one until all of it is decided.

    A larger `n` draws it anew in the same order, from the captions that there are by now: it holds
    what was drawn before, but for photos that others, which have come since, push out; else those
    of before would be likelier than the others. What people said of these stays. Once a sample is
    decided, the next one is drawn in another order. `language` asks for captions in one of several
    languages, else each photo's own is taken. The caller holds the lock of OUT.
    Raises ArchiveError where there is no caption to draw, ManifestError where a sample is damaged.
    """
    folder = Path(found.out, FOLDER)
    latest, last = last_sample(folder, None), last_sample(folder, language)
    if last and error_rate(last, found.records).finished:
        last = None
    if last and len(last.drawn) >= n:
        return last
    sample = draw_sample(found.records, n, _seed(last, latest), language)
    if last:
        sample = _as_before(sample, last)
        if (sample.drawn, sample.population) == (last.drawn, last.population):
            return last  # there is no more to draw
    folder.mkdir(exist_ok=True)
    write_sample(folder, sample)
    return sample


def _seed(last: Sample | None, latest: Sample | None) -> int:
    if last:
        return last.seed
    return 1 + (latest.number if latest else 0)


def _as_before(sample: Sample, last: Sample) -> Sample:
    """Keep the number of a sample that is extended, and what was drawn as the machine said it."""
    before = {each.photo_id: each for each in last.drawn}
    drawn = (before.get(each.photo_id, each) for each in sample.drawn)
    return replace(sample, number=last.number, drawn=tuple(sorted(drawn, key=_by_path)))


def last_result(found: Captioned, language: str = "") -> SampleResult | None:
    """Tell the error rate by the last sample, as far as it is decided; None: none was drawn."""
    sample = last_sample(Path(found.out, FOLDER), language)
    return error_rate(sample, found.records) if sample else None


def draw_sample(records: Iterable[Record], n: int, seed: int, language: str = "") -> Sample:
    """Draw `n` of the machine's captions, each as likely as any other; fewer where there are fewer.

    Photos of equal bytes count once; those without a caption, or missing, not at all. The seed puts
    all photos into an order, and the first are drawn: of the same photos a larger sample holds the
    smaller one, and the order of `records` is of no account. The sample's number is the seed.
    Raises ArchiveError where there is nothing to draw or to ask for.
    """
    if n < 1:
        raise ArchiveError(f"a sample of {n} tells nothing; give N= the captions to check")
    population = _population(records, language)
    if not population:
        asked = f" in {language!r}" if language else ""
        raise ArchiveError(f"there is no caption{asked} to draw; caption the photos first")
    first = heapq.nsmallest(n, population, key=lambda photo_id: _place(seed, photo_id))
    drawn = sorted((population[photo_id] for photo_id in first), key=_by_path)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Sample(seed, seed, now, language, len(population), tuple(drawn))


def _population(records: Iterable[Record], language: str) -> dict[str, Drawn]:
    """Give all that could be drawn, by photo identity: the first by path of equal photos."""
    found: dict[str, Drawn] = {}
    for record in sorted(records, key=sort_key):
        drawn = _drawn(record, language) if record.status == Status.CAPTIONED else None
        if drawn:
            found.setdefault(drawn.photo_id, drawn)
    return found


def _drawn(record: Record, language: str) -> Drawn | None:
    """Give a photo's caption as it would be drawn; None where it has none."""
    own = language_of_record(record)
    each = next((each for each in record.languages if each.language == (language or own)), None)
    said = each or (record if language in ("", own) else None)
    if record.photo_id is None or said is None or said.caption is None:
        return None
    where, words = (record.photo_id, record.raw_path), digest(said.caption)
    return Drawn(*where, language or own, words, said.captioner or "", said.confidence)


def _place(seed: int, photo_id: str) -> bytes:
    """Give a photo's place in the order that a seed puts all photos into."""
    return hashlib.sha256(f"{seed} {photo_id}".encode()).digest()


def _by_path(drawn: Drawn) -> list[bytes]:
    return drawn.raw_path.split(b"/")


def doubt_first(rows: Iterable[SheetRow]) -> list[SheetRow]:
    """Order the rows of a review: what is undecided first, and of that the most doubtful.

    No confidence is the greatest doubt; what has no caption at all comes behind. The rows of a
    group, in one language, stand together, its leader first, where the most doubtful of its
    undecided rows would stand.
    """
    blocks: dict[tuple[str, str, str], list[SheetRow]] = defaultdict(list)
    for row in rows:
        alone = "" if row.group else f"{row.path}\0{row.photo_id}"
        blocks[row.language, row.group, alone].append(row)
    ordered = sorted(blocks.values(), key=_doubt)
    return [row for block in ordered for row in sorted(block, key=_leader_first)]


def _doubt(block: Sequence[SheetRow]) -> tuple[bool, bool, float, list[str], str]:
    open_rows = [row for row in block if row.review_status is ReviewStatus.UNREVIEWED]
    says_nothing = not any(row.caption for row in open_rows or block)
    confidences = (row.confidence for row in open_rows or block)
    least = min(-1.0 if each is None else each for each in confidences)
    return (
        not open_rows,
        says_nothing,
        least,
        min(row.path.split("/") for row in block),
        block[0].language,
    )


def _leader_first(row: SheetRow) -> tuple[bool, list[str]]:
    return row.path != row.group, row.path.split("/")
