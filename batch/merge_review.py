"""Corrections in: a person's file, merged with what stands here; nothing of it is dropped."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from batch.amounts import counted
from batch.captioned import with_languages
from batch.errors import ArchiveError
from batch.merging import Merging, has_captions, taken_back
from batch.results import Results, reopened
from batch.similar import take_apart
from manifests.corrections import read_corrections
from manifests.errors import ManifestError
from manifests.groups import read_apart, read_groups
from manifests.journal import FOLDER, MERGE, RUN, UNDO, Said, last_merge
from manifests.matching import Rows
from manifests.merge_report import MergeReport, write_report
from manifests.record import Record


def merge_review(out: str, file: str, *, dry_run: bool = False) -> MergeReport:
    """Merge a person's file into the results' folder; with `dry_run` only tell what it would do.

    Raises ManifestError where the file, the manifest or the journal cannot be used; ArchiveError,
    LockedError.
    """
    corrections = read_corrections(Path(file))
    with reopened(out) as (results, records):
        merging = Merging(results, records, os.path.basename(file))
        merging.report.lacks_captions = not any(map(has_captions, corrections))
        for correction in corrections:
            merging.take(correction)
        merging.fill_in(read_groups(Path(out, FOLDER)))
        report = merging.report
        if not dry_run and merging.entries:
            path = results.journal.append(MERGE, merging.entries, source=merging.source)
            report.written = str(write_report(report, path.parent, path.stem))
            report.set_aside = results.recommit(records)
        kept = {} if dry_run else kept_edits(results, records)
        report.taken_in = [path.name for path, is_in in kept.items() if is_in]
    return report


def kept_edits(results: Results, committed: Iterable[Record]) -> dict[Path, bool]:
    """Tell of each spreadsheet that was kept since a person had edited it whether all is taken in.

    Merging it would change nothing then. committed: the manifest's rows. Nothing is written.
    """
    kept = sorted(results.csv.parent.glob("captions.edited-*.csv"))
    records = with_languages(committed) if kept else []
    return {path: _is_taken_in(results, records, path) for path in kept}


def _is_taken_in(results: Results, records: Sequence[Record], path: Path) -> bool:
    merging = Merging(results, records, path.name)
    try:
        for correction in read_corrections(path):
            merging.take(correction)
    except ManifestError:
        return False
    return not merging.entries and not merging.report.of("not matched", "problem")


def undo_merge(out: str) -> str:
    """Undo the last merge that was not undone; returns a line that says so.

    What it said stays in the journal; merging the same file again brings it back. One that was
    undone before a run was killed is not undone twice.
    """
    with reopened(out) as (results, records):
        deeds = results.journal.deeds()
        last = last_merge(deeds)
        if results.caught_up and deeds and deeds[-1].kind == UNDO:
            last = next(deed for deed in deeds if deed.number == deeds[-1].undoes)
        elif last is not None:
            results.journal.append(UNDO, [], undoes=last.number)
            results.recommit(records)
    if last is None:
        return "there is no merge to undo"
    said = sum(isinstance(entry, Said) for entry in last.entries)
    return f"undone: {counted(said, 'decision')} of {last.source}, merged at {last.at[:19]} UTC"


def ungroup(out: str, path: str) -> str:
    """Take the near-duplicates of a photo apart, for good; returns a line that says so.

    What was filled in from one of them to the others is undecided again. Raises ArchiveError where
    the photo is in no group.
    """
    folder = Path(out, FOLDER)
    with reopened(out) as (results, records):
        record = Rows(records).match({"path": path}).record
        if record is None:
            raise ArchiveError(f"{path!r} is no photo of {out}; give PHOTO= as captions.csv has it")
        photo_id = record.photo_id or ""
        apart = {photo_id, *read_groups(folder).group(photo_id)}
        apart |= {each for group in read_apart(folder) if photo_id in group for each in group}
        entries = [
            Said(place, taken_back(review))
            for place, said in results.journal.read().decided.items()
            for review in said.values()
            if place.photo_id in apart and review.like
        ]
        if len(apart) == 1 and not entries:
            raise ArchiveError(f"{path!r} is in no group of near-duplicates")
        # In this order: a run that is killed in between does all of it again the next time.
        if entries:
            results.journal.append(RUN, entries)
            results.recommit(records)
        if len(apart) > 1:
            take_apart(out, [photo_id])
    return f"{counted(len(apart), 'photo')} apart, {len(entries):,} of them undecided again"
