"""The commands for reviewing: from parsed arguments to what is printed and the exit code."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from batch.amounts import counted
from batch.config import captioner_folder, captioner_folders, keep_out_of
from batch.lock import locked
from batch.stores import is_there
from batch.summary import COMPLETE, WITH_FAILURES
from batch.text import printable
from batch.whereabouts import captioners_of, found_by, out_of, results_of, results_of_file

if TYPE_CHECKING:
    from batch.attended import Attended
    from batch.captioned import Captioned
    from batch.merge_report import Line

LINES_SHOWN = 20  # of a merge's report; all of them are in its file
PHOTOS_TRIED = 100  # to find the encoder that has seen an archive


def review(options: argparse.Namespace) -> int:
    """Write sheets to review in, the most doubtful captions first, a picture in each row."""
    print(
        write_review(
            results_of(options),
            options.features,
            options.language,
            options.limit,
            ungrouped=options.ungrouped,
        )
    )
    return COMPLETE


def write_review(
    out: str,
    features: str,
    language: str = "",
    limit: int | None = None,
    *,
    ungrouped: bool = False,
) -> str:
    """Write the sheets of an archive, of near-duplicates the first alone; say what was written."""
    from batch.captioned import open_captioned
    from batch.review import leading, sheet_rows, write_sheets

    found = open_captioned(out)
    if not ungrouped:
        _group(found, features)
    every = sheet_rows(found, language)
    rows = every if ungrouped else leading(every)
    name = f"review-{language}" if language else "review"
    written = str(write_sheets(found, rows[:limit], name))
    return printable(written + _left_out(len(every) - len(rows)))


def _left_out(photos: int) -> str:
    """Say how many photos are not in a sheet, since they follow another one."""
    if not photos:
        return ""
    left = counted(photos, "copy or near-duplicate", "copies and near-duplicates")
    return f"; {left} left out, filled in from these"


def _group(found: "Captioned", features: str) -> None:
    """Group near-duplicates, as far as the features of an encoder are kept."""
    from batch.similar import update_groups

    if is_there(found.archive):
        keep_out_of(found.archive, {"FEATURES": features})
    encoder = _encoder(found, features)
    if encoder:
        with locked(found.out):
            update_groups(found, features, encoder)


def _encoder(found: "Captioned", features: str) -> str | None:
    """Tell an encoder that has seen the photos: a captioner's that ships, or another's."""
    from batch.features import FeatureCache
    from batch.shards import encoders_in
    from models.fingerprints import encoder_fingerprint

    there = encoders_in(features)
    names = [encoder_fingerprint(folder) for folder in captioners_of(found)]
    some = [record.photo_id for record in found.records if record.photo_id][:PHOTOS_TRIED]
    for name in dict.fromkeys([*(each for each in names if each in there), *there]):
        cache = FeatureCache(os.path.join(features, name))
        if any(photo_id in cache for photo_id in some):
            return name
    return None


def merge_review(options: argparse.Namespace) -> int:
    """Merge a sheet, or any file with corrections, that a person brings back."""
    from batch.merge_review import merge_review as merge

    out = out_of(options)
    if out is None:
        out = results_of_file(options.source)
        print(printable(f"merging into {out}"))
    report = merge(out, options.source, dry_run=options.dry_run)
    odd = report.of("conflict", "not matched", "problem", "of a photo that has changed since")
    for line in odd[:LINES_SHOWN]:
        print(printable(_told(line)), file=sys.stderr)
    if len(odd) > LINES_SHOWN:
        print(f"and {len(odd) - LINES_SHOWN:,} more", file=sys.stderr)
    if report.lacks_captions:
        print("the file has no column `caption`: no words were read from it", file=sys.stderr)
    if report.written:
        print(f"each change: {printable(report.written)}")
    if report.set_aside:
        print(f"your edited spreadsheet is kept as {printable(report.set_aside)}")
    for name in report.taken_in:
        print(f"all of {printable(name)} is taken in: it can be deleted")
    print(printable(f"{'would be: ' if options.dry_run else ''}{report}"))
    return WITH_FAILURES if odd else COMPLETE


def _told(line: "Line") -> str:
    """Say what became of a row that needs a look, and what to do where that is not plain."""
    words = f": {line.after!r}" if line.after else ""
    why = f" ({line.why})" if line.why else ""
    stands = ""
    if line.what == "conflict":
        stands = f"; {line.before!r} stands until somebody who has seen both decides"
    return f"line {line.line}, {line.path}: {line.what}{why}{words}{stands}"


def undo_merge(options: argparse.Namespace) -> int:
    """Undo the last merge of corrections."""
    from batch.merge_review import undo_merge as undo

    print(printable(undo(results_of(options))))
    return COMPLETE


def sample(options: argparse.Namespace) -> int:
    """Draw captions to check, and tell the error rate of all by those that were."""
    from batch.review import sheet_rows, write_sheets
    from batch.sample import SAMPLED, current_sample, last_result

    found = found_by(options)
    result = last_result(found, options.language)
    if result is not None:
        print(result)
    if result is None or not result.finished or options.count:
        with locked(found.out):
            drawn = current_sample(found, options.count or SAMPLED, options.language)
        chosen = {(each.photo_id, each.raw_path) for each in drawn.drawn}
        paths = {
            (record.path, record.photo_id or "")
            for record in found.records
            if (record.photo_id, record.raw_path) in chosen
        }
        rows = sheet_rows(found, options.language)
        rows = [row for row in rows if (row.path, row.photo_id) in paths]
        print(printable(str(write_sheets(found, rows, "sample"))))
    return COMPLETE


def ungroup(options: argparse.Namespace) -> int:
    """Take the near-duplicates of a photo apart again, for good."""
    from batch.merge_review import ungroup as take_apart

    print(printable(take_apart(results_of(options), options.photo)))
    return COMPLETE


def recaption(options: argparse.Namespace) -> int:
    """Caption anew from cached features alone what no person has decided; photos may be away."""
    from batch.quiet import start_tensorflow

    out = results_of(options)
    start_tensorflow()
    from batch.commands import search_of
    from batch.recaption import recaption as caption_anew

    captioners = captioner_folders(options.captioner)
    search = search_of(options)
    summary = caption_anew(out, captioners, options.features, search, dry_run=options.dry_run)
    print(printable(str(summary)))
    return summary.exit_code


def gallery(options: argparse.Namespace) -> int:
    """Write pages to look through an archive and correct its captions, to open from disk."""
    from batch.gallery import write_gallery
    from batch.review import sheet_rows

    found = found_by(options)
    _group(found, options.features)
    rows = sheet_rows(found, options.language)
    attention = _attention(found, options) if options.attention else None
    with locked(found.out):
        page = write_gallery(found, rows, attention)
    print(printable(f"{counted(len(rows), 'photo')}: {page}"))
    return COMPLETE


def _attention(found: "Captioned", options: argparse.Namespace) -> "Attended":
    from batch.attended import Attended

    captioners = captioner_folders(options.captioner) if options.captioner else captioners_of(found)
    return Attended.load(captioners, options.features)


def learn(options: argparse.Namespace) -> int:
    """Teach a captioner what people approved and wrote; keep it where it does better."""
    from batch.quiet import start_tensorflow

    out = results_of(options)
    start_tensorflow()
    from batch.learn import learn as teach
    from manifests.groups import read_groups
    from manifests.journal import FOLDER

    groups = read_groups(Path(out, FOLDER))
    near = {photo_id: group[0] for group in groups.members for photo_id in group}
    captioner = captioner_folder(options.captioner)
    print(printable(str(teach(out, captioner, options.features, options.to, near))))
    return COMPLETE
