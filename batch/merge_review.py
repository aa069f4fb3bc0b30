"""Corrections in: a person's file, merged with what stands here; nothing of it is dropped."""

from pathlib import Path

from batch.amounts import counted
from batch.errors import ArchiveError
from batch.merge_report import MergeReport, write_report
from batch.merging import Merging, has_captions, taken_back
from batch.results import Results, reopened
from batch.similar import take_apart
from manifests.corrections import read_corrections
from manifests.durable import sha256_file
from manifests.groups import read_apart, read_groups
from manifests.journal import FOLDER, MERGE, RUN, UNDO, Said, last_merge
from manifests.matching import Rows


def merge_review(out: str, file: str, *, dry_run: bool = False) -> MergeReport:
    """Merge a person's file into the results' folder; with `dry_run` only tell what it would do.

    Raises ManifestError where the file, the manifest or the journal cannot be used; ArchiveError,
    LockedError.
    """
    # Beforehand: who types into the file meanwhile has another one than was noted.
    digest = sha256_file(Path(file)) if Path(file).is_file() else ""
    corrections = read_corrections(Path(file))
    with reopened(out) as (results, records):
        merging = Merging(results, records, Path(file))
        merging.report.lacks_captions = not any(map(has_captions, corrections))
        for correction in corrections:
            merging.take(correction)
        merging.fill_in(read_groups(Path(out, FOLDER)))
        report = merging.report
        if not dry_run and merging.entries:
            path = results.journal.append(MERGE, merging.entries, source=merging.source)
            report.written = str(write_report(report, path.parent, path.stem))
            report.set_aside = results.recommit(records)
        if not dry_run and digest and not report.of("not matched", "problem"):
            report.taken_in = _note_taken_in(results, digest)
    return report


def _note_taken_in(results: Results, digest: str) -> list[str]:
    """Note down that all of a file is taken in; give the names of kept spreadsheets that it is."""
    kept = {path.name: sha256_file(path) for path in results.kept_edits()}
    same = [name for name, each in kept.items() if each == digest]
    if same:
        results.written.note_taken_in(kept.values(), digest)
    return same


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

    What was filled in from one of them to the others is undecided again; copies of the same bytes
    stay together. Raises ArchiveError where the photo is in no group.
    """
    folder = Path(out, FOLDER)
    with reopened(out) as (results, records):
        record = Rows(records).match({"path": path}).record
        if record is None:
            raise ArchiveError(f"{path!r} is no photo of {out}; give PHOTO= as captions.csv has it")
        photo_id = record.photo_id or ""
        apart = {photo_id, *read_groups(folder).group(photo_id)}
        apart |= {each for group in read_apart(folder) if photo_id in group for each in group}
        copied = {(each.path, each.photo_id) for each in records}
        entries = [
            Said(place, taken_back(review))
            for place, said in results.journal.read().decided.items()
            for review in said.values()
            if place.photo_id in apart and review.like
            if (review.like, place.photo_id) not in copied
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
