"""Sheets to review in: an archive's rows as a person is to see them, doubt first."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from joblib import Parallel, delayed
from tqdm import tqdm

from batch.amounts import counted
from batch.captioned import Captioned
from batch.damage import PhotoError
from batch.encode import THREADS
from batch.errors import ArchiveError
from batch.lock import locked
from batch.sample import doubt_first
from manifests.durable import write_json
from manifests.groups import read_groups
from manifests.journal import FOLDER
from manifests.leaders import find_leaders, is_told_apart
from manifests.record import Record
from manifests.review import ReviewStatus, SheetRow, suggested
from manifests.spreadsheet import write_workbooks
from manifests.workbook import Picture

PICTURE_PIXELS = 256  # the longest side of a picture: sharp on screens of twice the dots
SHEETS = "sheets"
"""The folder of the sheets, within that of the results."""


@dataclass(frozen=True)
class Sheets:
    """The sheets that were written, and what became of older ones that a person has edited."""

    paths: tuple[str, ...]
    rows: int
    decided: int  # of the rows
    bare: int  # of the rows: undecided, and without a caption to decide on
    set_aside: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {len(self.paths) - 1} more" if self.paths[1:] else ""
        kept = f"; edited sheets are kept as {', '.join(self.set_aside)}" if self.set_aside else ""
        return f"{self._counted()}: {self.paths[0]}{more}{kept}"

    def _counted(self) -> str:
        rows, left = counted(self.rows, "row"), self.rows - self.decided - self.bare
        others = [(self.decided, "decided"), (self.bare, "without a caption")]
        told = [f"{number:,} {what}" for number, what in others if number]
        return (
            f"{rows}, {', '.join([f'{left:,} to review', *told])}" if told else f"{rows} to review"
        )


def sheet_rows(found: Captioned, language: str = "") -> list[SheetRow]:
    """Give an archive's rows to review captions of one language in: conflicts, then doubt first.

    language: as BCP 47; without one, each row's own. Photos that are gone are left out; of
    near-duplicates and copies all are given, `leading` leaves out those for which another stands.
    Raises ArchiveError where no row has a caption in the language, ManifestError where the groups
    of near-duplicates are damaged.
    """
    known = {each for record in found.records for each in _languages(record)} - {""}
    if language and language not in known:
        raise ArchiveError(
            f"{found.out} has no captions in {language!r}; it has {', '.join(sorted(known))}"
        )
    there = list(found.there)
    leaders = find_leaders(there, read_groups(Path(found.out, FOLDER)))
    rows = [
        _row(record, language or record.language or "", leaders.get(record.raw_path))
        for record in there
    ]
    return sorted(doubt_first(rows), key=lambda row: "conflict: " not in row.suggestion)


def _languages(record: Record) -> set[str]:
    said = {each.language for each in record.languages}
    return said | {each.language for each in record.reviews} | {record.language or ""}


def leading(rows: Iterable[SheetRow]) -> list[SheetRow]:
    """Leave out rows that follow what is decided of another one, which stands in the sheet.

    A row that nobody has decided though the other one is (a photo that came later, or is like one
    that was rejected) follows nothing any more.
    """
    every = list(rows)
    undecided = {row.path for row in every if row.review_status is ReviewStatus.UNREVIEWED}
    return [
        row
        for row in every
        if row.group in ("", row.path) or not {row.group, row.path} <= undecided
    ]


def _row(record: Record, language: str, leader: Record | None) -> SheetRow:
    review, offers = record.review_in(language), record.offers_in(language)
    machine = record.said_in(language) or ""
    own = language == record.language
    undecided = review is None or review.status is ReviewStatus.UNREVIEWED
    if leader is not record and undecided and is_told_apart(record, language):
        leader = None
    said = next((each for each in record.languages if each.language == language), None)
    return SheetRow(
        path=record.path,
        photo_id=record.photo_id or "",
        language=language,
        caption=(review and review.caption) or (offers[0].caption if offers else machine),
        machine=machine,
        suggestion=suggested(review, offers),
        alternatives=record.alternatives if own else (),
        confidence=said.confidence if said else record.confidence if own else None,
        review_status=review.status if review else ReviewStatus.UNREVIEWED,
        reviewer=review.reviewer if review else "",
        notes=review.notes if review else "",
        status=str(record.status),
        group=leader.path if leader else "",
    )


def write_sheets(found: Captioned, rows: Sequence[SheetRow], name: str = "review") -> Sheets:
    """Write rows as workbooks with pictures into the folder `sheets` of the results.

    Sheets of the same name are replaced; one that a person has edited is kept under another name.
    Raises LockedError.
    """
    folder = Path(found.out, SHEETS)
    with locked(found.out):
        folder.mkdir(exist_ok=True)
        known = _known(folder)
        written = write_workbooks(folder, name, rows, _pictures(found, rows), known)
        write_json(folder / "written.json", sorted({*known, *(each.sha256 for each in written)}))
    aside = tuple(each.set_aside for each in written if each.set_aside)
    undecided = [row for row in rows if row.review_status is ReviewStatus.UNREVIEWED]
    bare = sum(not row.caption for row in undecided)
    paths = tuple(str(each.path) for each in written)
    return Sheets(paths, len(rows), len(rows) - len(undecided), bare, aside)


def _known(folder: Path) -> list[str]:
    """Read the digests of the sheets that were written before."""
    try:
        return list(json.loads((folder / "written.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return []  # then every sheet counts as edited, and is kept


def _pictures(found: Captioned, rows: Sequence[SheetRow]) -> Picture:
    """Give what gives each row's picture, in the order of the rows; they are made ahead."""
    records = {(record.path, record.photo_id or ""): record for record in found.records}

    def made(row: SheetRow) -> tuple[SheetRow, bytes | None]:
        try:
            return row, found.picture(records[row.path, row.photo_id], PICTURE_PIXELS)
        except PhotoError:
            return row, None

    ahead: Iterator[tuple[SheetRow, bytes | None]] = iter(
        tqdm(
            Parallel(THREADS, backend="threading", return_as="generator")(
                delayed(made)(row) for row in rows
            ),
            total=len(rows),
            desc="pictures",
            unit="photo",
            disable=None,
        )
    )

    def picture(row: SheetRow) -> bytes | None:
        theirs, jpeg = next(ahead)
        if theirs is not row:
            raise ValueError(f"{row.path}: its picture was asked for out of turn")
        return jpeg

    return picture
