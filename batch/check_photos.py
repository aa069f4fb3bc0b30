"""Account for every photo: each that is there has its row, each row its photo or is `missing`."""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from joblib import Parallel, delayed

from batch.captioned import Captioned
from batch.damage import PhotoError
from batch.encode import FETCHING, THREADS
from batch.errors import ArchiveError
from batch.findings import Findings, Kind
from batch.photos import read_bytes, shows_no_change
from batch.plan import gone_from
from batch.scan import scan
from batch.stores import is_url
from manifests.record import Record

_REMEDY = "Put it back from your backups; it was only read, and nothing here writes to it"


def check_photos(found: Captioned, findings: Findings) -> None:
    """Tell which photos wait for the next run; the archive's folder is only listed."""
    rows = {record.raw_path: record for record in found.records}
    is_gone = gone_from(found.archive)
    unlisted: list[str] = []
    try:
        photos = scan(found.archive, on_error=lambda folder, _: unlisted.append(folder))
    except ArchiveError as error:
        findings.notes.append(f"the photos are not at hand: {error}")
        return
    new = changed = 0
    there = set()
    for photo in photos:
        there.add(photo.raw_path)
        row = rows.get(photo.raw_path)
        new += row is None
        changed += row is not None and not photo.is_as_it_was(row.size, row.mtime_ns)
    away = [row for row in found.there if row.raw_path not in there and is_gone(row.raw_path)]
    if rows and len(away) == len([*found.there]):
        findings.notes.append(f"none of the photos is in {found.shown}: is its disk there?")
        return
    findings.note(new, "photos have no row yet: the next run makes it, unless it leaves them out")
    findings.note(changed, "photos have changed since: the next run looks at them")
    findings.note(len(away), "photos are gone since: the next run marks them missing")
    findings.note(len(unlisted), "folders of the archive cannot be listed")


def originals_of(found: Captioned) -> list[tuple[str, Record]]:
    """Give the photos whose bytes can be held against their rows, with their places."""
    placed = ((found.location(row), row) for row in found.there if row.photo_id)
    return [(place, row) for place, row in placed if place and _may_be_there(place)]


def _may_be_there(place: str) -> bool:
    return is_url(place) or os.path.isfile(place)


def check_originals(originals: Sequence[tuple[str, Record]], findings: Findings) -> None:
    """Read every photo again and compare its bytes; what has rotted on the disk is told."""
    threads = FETCHING if any(is_url(place) for place, _ in originals[:1]) else THREADS
    with Parallel(n_jobs=threads, prefer="threads", return_as="generator") as parallel:
        identities = parallel(delayed(_identity)(place) for place, _ in originals)
        for (place, row), (photo_id, why) in zip(originals, identities, strict=True):
            findings.count(row.size)
            if why:
                findings.tell(Kind.ORIGINAL, Path(place), f"it {why}", _REMEDY)
            elif photo_id != row.photo_id and _shows_no_change(place, row):
                problem = "its bytes have changed, though its size and time have not"
                findings.tell(Kind.ORIGINAL, Path(place), problem, _REMEDY)


def _identity(place: str) -> tuple[str, str]:
    try:
        return sha256(read_bytes(place)).hexdigest(), ""
    except PhotoError as error:
        is_away = error.status == "vanished"  # which is told of all photos together
        return "", "" if is_away else str(error)


def _shows_no_change(place: str, row: Record) -> bool:
    try:
        return shows_no_change(place, row.size, row.mtime_ns)
    except OSError:
        return False  # it is away, or cannot be asked
