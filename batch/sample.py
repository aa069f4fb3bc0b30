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

    A larger `n` extends it: what was drawn stays. Once it is decided, the next one is drawn from
    all captions again. `language` asks for captions in one of several languages, else each photo's
    own is taken. The caller holds the lock of OUT.
    Raises ArchiveError where there is no caption to draw, ManifestError where a sample is damaged.
    """
    folder = Path(found.out, FOLDER)
    latest, last = last_sample(folder, None), last_sample(folder, language)
    if last and error_rate(last, found.records).finished:
        last = None
    if last and len(last.drawn) >= n:
        return last
    number = last.number if last else 1 + (latest.number if latest else 0)
    drawn = draw_sample(found.records, n, number, language, last.drawn if last else ())
    if last and drawn.drawn == last.drawn:
        return last  # there is no more to draw
    sample = replace(drawn, number=number)
    folder.mkdir(exist_ok=True)
    write_sample(folder, sample)
    return sample


def last_result(found: Captioned, language: str = "") -> SampleResult | None:
    """Tell the error rate by the last sample, as far as it is decided; None: none was drawn."""
    sample = last_sample(Path(found.out, FOLDER), language)
    return error_rate(sample, found.records) if sample else None


def draw_sample(
    records: Iterable[Record],
    n: int,
    seed: int,
    language: str = "",
    kept: Sequence[Drawn] = (),
) -> Sample:
    """Draw `n` of the machine's captions, each as likely as any other; fewer where there are fewer.

    Photos of equal bytes count once; those without a caption, or missing, not at all. The seed puts
    all photos into an order, and the first are drawn: a larger sample holds the smaller one, and
    the order of `records` is of no account. `kept` were drawn before, and stay.
    Raises ArchiveError where there is nothing to draw or to ask for.
    """
    if n < 1:
        raise ArchiveError(f"a sample of {n} tells nothing; give N= the captions to check")
    population = _population(records, language)
    if not population:
        asked = f" in {language!r}" if language else ""
        raise ArchiveError(f"there is no caption{asked} to draw; caption the photos first")
    before = {each.photo_id for each in kept}
    new = (photo_id for photo_id in population if photo_id not in before)
    first = heapq.nsmallest(n - len(before), new, key=lambda photo_id: _place(seed, photo_id))
    drawn = sorted([*kept, *(population[photo_id] for photo_id in first)], key=_by_path)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Sample(1, seed, now, language, max(len(population), len(drawn)), tuple(drawn))


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

    No confidence is the greatest doubt. The rows of a group, in one language, stand together, its
    leader first, where the most doubtful of its undecided rows would stand.
    """
    blocks: dict[tuple[str, str, str], list[SheetRow]] = defaultdict(list)
    for row in rows:
        alone = "" if row.group else f"{row.path}\0{row.photo_id}"
        blocks[row.language, row.group, alone].append(row)
    ordered = sorted(blocks.values(), key=_doubt)
    return [row for block in ordered for row in sorted(block, key=_leader_first)]


def _doubt(block: Sequence[SheetRow]) -> tuple[bool, float, list[str], str]:
    open_rows = [row for row in block if row.review_status is ReviewStatus.UNREVIEWED]
    confidences = (row.confidence for row in open_rows or block)
    least = min(-1.0 if each is None else each for each in confidences)
    return not open_rows, least, min(row.path.split("/") for row in block), block[0].language


def _leader_first(row: SheetRow) -> tuple[bool, list[str]]:
    return row.path != row.group, row.path.split("/")
