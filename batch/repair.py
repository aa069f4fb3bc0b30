"""Repair: put what is broken aside, never away, and make it anew.

OUT/.damaged/      what was broken of the results
<shard>.damaged    what was broken of a cache, beside the others
"""

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from batch.errors import ArchiveError
from batch.findings import Broken, Findings, Kind
from batch.lock import locked
from batch.repair_journal import mend_journal, put_aside
from batch.results import Results
from batch.run_note import read_note
from batch.shards import DAMAGED
from batch.stores import is_there
from batch.verify import Place, archive_of, verify
from batch.written import COPY
from manifests.csv_view import csv_sha256, write_csv
from manifests.durable import atomic_write, copy_file, sha256_file, write_json
from manifests.errors import ManifestError, NewerError
from manifests.manifest import read_archive, read_records
from manifests.seal import sealed

_ORDER: Final = (Kind.JOURNAL, Kind.MANIFEST, Kind.COPY, Kind.PART, Kind.NOTE, Kind.CSV)


def repair(
    place: Place,
    tell: Callable[[str], None],
    caption: Callable[[str], None],
    *,
    deep: bool = False,
) -> Findings:
    """Mend what is broken of ours, and give what a look afterwards still finds.

    Photos, captioners and files of a newer version are not touched. `tell` is told what was done,
    a line each, and all that could not be had back. `caption` runs over the archive, given by its
    folder, where rows were lost. Raises ArchiveError, LockedError, and what `caption` raises.
    """
    archive = archive_of(place)
    with locked(place.out):
        found = verify(place)
        for broken in found.broken:
            tell(str(broken))
        ours = [broken for broken in found.broken if broken.kind in _MENDING]
        rank = {kind: number for number, kind in enumerate(_ORDER)}
        for broken in sorted(ours, key=lambda each: rank.get(each.kind, len(rank))):
            _MENDING[broken.kind](broken, Path(place.out), tell)
        if ours:
            _show_what_people_said(place, tell)
    kinds = {broken.kind for broken in ours}
    if Kind.PART in kinds or not Path(place.out, "captions.parquet").exists():
        if is_there(archive):
            caption(archive)
        else:
            tell("rows were lost: run make caption again when the photos are at hand")
    return verify(place, deep=deep)


def _mend_manifest(broken: Broken, out: Path, tell: Callable[[str], None]) -> None:
    """Go back to the copy; without one the rows are made anew by the next run.

    Raises ArchiveError where there is one that cannot be had now.
    """
    copy = out / COPY
    try:
        rows = len(read_records(copy))
    except (ManifestError, OSError) as error:
        if _may_be_whole(error):
            text = f"{copy} cannot be read now, and may be whole ({error}): nothing is made anew"
            raise ArchiveError(text) from error
        for path in filter(Path.exists, (broken.path, copy)):
            put_aside(path, out)
        _keep_last_view(out, tell)
        return
    if broken.path.exists():
        put_aside(broken.path, out)
    copy_file(copy, broken.path)
    tell(f"{broken.path}: taken from its copy, {rows:,} rows")


def _may_be_whole(error: Exception) -> bool:
    """Tell a file of a newer version, or one that the disk did not give, from a damaged one."""
    failed = isinstance(error, OSError) and error.errno not in (None, errno.ENOENT)
    return failed or isinstance(error, NewerError)


def _keep_last_view(out: Path, tell: Callable[[str], None]) -> None:
    view = out / "captions.csv"
    tell(
        f"{out / 'captions.parquet'}: it had no whole copy, so its rows are made anew, from the "
        "photos and the cache; what people said comes from the journal"
    )
    if view.exists():
        kept = put_aside(view, out)
        tell(
            f"rows of photos that are gone, and captions of other programs, are in {kept}: "
            f"make import-captions FROM={kept} NAME=… takes them in"
        )


def _mend_copy(broken: Broken, out: Path, tell: Callable[[str], None]) -> None:
    if not broken.path.exists():  # the manifest was not whole either, and both are aside
        return
    put_aside(broken.path, out)
    manifest = out / "captions.parquet"
    if manifest.exists():
        copy_file(manifest, broken.path)
        tell(f"{broken.path}: made anew from the manifest")


def _mend_csv(broken: Broken, out: Path, tell: Callable[[str], None]) -> None:
    manifest = out / "captions.parquet"
    if manifest.exists():
        if broken.path.exists():
            put_aside(broken.path, out)
        write_csv(broken.path, read_records(manifest), None)
        _write_note(out, read_note(out / "last_run.json"))
        tell(f"{broken.path}: made anew from the manifest")


def _mend_note(broken: Broken, out: Path, tell: Callable[[str], None]) -> None:
    put_aside(broken.path, out)
    if (out / "captions.parquet").exists():
        _write_note(out, {})
    tell(f"{broken.path}: how the last run went is forgotten; the next one tells of itself")


def _write_note(out: Path, note: dict[str, Any]) -> None:
    """Note down what the manifest and its view are by now; an edited view stays an edited one."""
    manifest = out / "captions.parquet"
    hashes = {
        "csv_sha256": [csv_sha256(read_records(manifest))],
        "manifest_sha256": sha256_file(manifest),
    }
    write_json(out / "last_run.json", sealed({**note, **hashes}))


def _mend_shard(broken: Broken, out: Path, tell: Callable[[str], None]) -> None:  # noqa: ARG001
    aside = broken.path.with_name(broken.path.name + DAMAGED)
    broken.path.replace(aside)
    tell(f"{broken.path}: out of the way; its photos are encoded again when they are needed")


def _put_aside(broken: Broken, out: Path, tell: Callable[[str], None]) -> None:
    tell(f"{broken.path}: out of the way, {put_aside(broken.path, out)}. {broken.remedy}")


def _mend_key(broken: Broken, out: Path, tell: Callable[[str], None]) -> None:
    from batch.gallery import key_in, key_of

    put_aside(broken.path, out)
    known = key_in(out)
    if known:
        with atomic_write(broken.path) as file:
            file.write(f"{known}\n".encode("ascii"))
    key_of(out)
    lost = "taken from the gallery" if known else "made anew: unsaved decisions in browsers are not"
    tell(f"{broken.path}: {lost}")


_MENDING: Final = {
    Kind.MANIFEST: _mend_manifest,
    Kind.COPY: _mend_copy,
    Kind.CSV: _mend_csv,
    Kind.NOTE: _mend_note,
    Kind.KEY: _mend_key,
    Kind.JOURNAL: mend_journal,
    Kind.REVIEWS: _put_aside,
    Kind.PART: _put_aside,
    Kind.SHARD: _mend_shard,
}
"""What is done about each kind; the others are nothing to be touched here."""


def _show_what_people_said(place: Place, tell: Callable[[str], None]) -> None:
    """Bring into the journal what only the manifest shows, and the other way round."""
    results = Results(place.out, "")
    if not results.manifest.exists():
        return
    try:
        results.archive = read_archive(results.manifest)
        before = len(results.journal.deeds())
        results.recommit(results.read_committed())
    except ManifestError as error:
        raise ArchiveError(str(error)) from error
    added: Sequence[object] = results.journal.deeds()[before:]
    if added:
        tell("what the manifest shows of people's words is in the journal again")
