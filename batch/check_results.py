"""Look through a results' folder: manifest, copy, CSV, note, parts, and what people have said."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from batch.captioned import with_languages
from batch.findings import Findings, Kind
from batch.written import COPY
from manifests.attach import attach
from manifests.corrections import read_corrections
from manifests.csv_view import csv_sha256
from manifests.durable import sha256_file
from manifests.errors import ManifestError
from manifests.formers import former_files, read_former
from manifests.groups import APART_FILE, GROUPS_FILE, read_apart, read_groups
from manifests.journal import FOLDER, Journal, read_deed
from manifests.manifest import is_as_written, read_records
from manifests.record import Record, Status, sort_key
from manifests.samples import read_sample
from manifests.seal import is_sealed

_IDENTITY: Final = re.compile("[0-9a-f]{64}")
REPAIR: Final = "REPAIR=1 mends it"
BACKUP: Final = "Put back a copy from your backups"


def check_results(out: Path, findings: Findings) -> list[Record]:
    """Check everything in a results' folder; give the manifest's rows, as far as they are there."""
    note = _check_note(out / "last_run.json", findings)
    records = _check_manifest(out, note, findings)
    for part in sorted((out / ".parts").glob("*/[0-9]*.parquet")):
        _check_rows(Kind.PART, part, None, findings)
    _check_beside(out, findings)
    whole = _check_journal(out, findings)
    if records is not None:
        findings.photos = len(records)
        _check_csv(out / "captions.csv", records, note, findings)
        if whole:
            _check_shown(out, records, findings)
    return records or []


def _check_note(path: Path, findings: Findings) -> Mapping[str, Any]:
    with findings.looking(Kind.NOTE, path, f"{REPAIR}: it tells of the last run, and no more"):
        found = json.loads(findings.read(path))
        if not isinstance(found, dict):
            raise ValueError("no object")
        if is_sealed(found) is False:
            raise ValueError("it is not what was written")
        return found
    return {}


def _check_manifest(out: Path, note: Mapping[str, Any], findings: Findings) -> list[Record] | None:
    path, copy = out / "captions.parquet", out / COPY
    if not path.exists():
        if copy.exists() or (out / "captions.csv").exists():
            findings.tell(Kind.MANIFEST, path, "it is not there", REPAIR)
        return None
    records = _check_rows(Kind.MANIFEST, path, note.get("manifest_sha256"), findings)
    if copy.exists():
        expected = sha256_file(path) if records is not None else None
        _check_rows(Kind.COPY, copy, expected, findings)
    for problem in problems_of(records or []):
        remedy = f"Caption it again: make caption EXISTING=overwrite. Or: {BACKUP}"
        findings.tell(Kind.ROWS, path, problem, remedy)
    return records


def _check_rows(
    kind: Kind, path: Path, expected: object, findings: Findings
) -> list[Record] | None:
    """Decode every page of a file of rows, and hold its bytes against what is known of them.

    Of a copy nobody asks for the rows.
    """
    with findings.looking(kind, path, REPAIR):
        findings.count(path.stat().st_size)
        is_as_expected = expected == sha256_file(path)
        if is_as_expected and kind is Kind.COPY:
            return None  # the very bytes of the manifest, which were looked at
        records = read_records(path)
        if is_as_expected:
            return records
        as_written = is_as_written(path, records)
        if as_written is False or (as_written is None and expected):
            raise ValueError("its bytes are not those that its rows were written as")
        if as_written and expected:
            copy = "of other rows than the manifest; the next run that writes makes it anew"
            what = copy if kind is Kind.COPY else "not of the last run; was it put back?"
            findings.notes.append(f"{path}: whole, but {what}")
        findings.unsealed += as_written is None
        return records
    return None


def problems_of(records: Sequence[Record]) -> Iterator[str]:
    """Tell of rows that are not one a photo, in order, each in keeping with its status."""
    for before, after in pairwise(records):
        if sort_key(before) >= sort_key(after):
            yield f"the row of {after.path!r} is not in its place, or there twice"
    for record in records:
        if not _agrees(record):
            yield f"the row of {record.path!r} does not go with its status {record.status}"


def _agrees(record: Record) -> bool:
    if record.photo_id is not None and not _IDENTITY.fullmatch(record.photo_id):
        return False
    match record.status:
        case Status.CAPTIONED:
            return record.caption is not None and record.captioner is not None
        case Status.NOT_A_SCENE:
            return record.caption is None and record.captioner is not None
    return bool(record.error)


def _check_csv(
    path: Path, records: Sequence[Record], note: Mapping[str, Any], findings: Findings
) -> None:
    if not path.exists():
        findings.tell(Kind.CSV, path, "it is not there", REPAIR)
        return
    with findings.looking(Kind.CSV, path, REPAIR):
        findings.count(path.stat().st_size)
        found = sha256_file(path)
        if found == csv_sha256(records):
            return
        if found in (note.get("csv_sha256") or ()):
            findings.notes.append(f"{path}: of the rows before; the next run writes it anew")
            return
        read_corrections(path)  # which knows how spreadsheets save such a file
        findings.notes.append(
            f"{path}: it was edited (or changed by the disk: nothing tells which); "
            "make merge-review FROM= it takes the words in, and a run keeps it under another name"
        )


def _check_journal(out: Path, findings: Findings) -> bool:
    """Check each file of the journal, and that none is missing; tell whether all is well."""
    before = len(findings.broken)
    journal = Journal(out)
    for path in journal.paths():
        remedy = "REPAIR=1 keeps what can be read, and says what cannot"
        with findings.looking(Kind.JOURNAL, path, remedy):
            findings.count(path.stat().st_size)
            read_deed(path)
    if len(findings.broken) > before:
        return False
    try:
        journal.deeds()
    except ManifestError as error:
        remedy = f"{BACKUP}; REPAIR=1 goes on with what is there and in the manifest"
        findings.tell(Kind.JOURNAL, error.path, error.problem, remedy)
        return False
    return True


def _check_shown(out: Path, records: Iterable[Record], findings: Findings) -> None:
    rows = with_languages(records)
    shown = attach(rows, Journal(out).read())
    behind = sum(one != other for one, other in zip(rows, shown, strict=True))
    findings.note(behind, "rows do not show yet what people said: the next command shows it")


def _check_beside(out: Path, findings: Findings) -> None:
    """Check what lies beside the journal, and the key of the gallery."""
    reviews = out / FOLDER
    for path in former_files(out):
        with findings.looking(Kind.REVIEWS, path, REPAIR):
            findings.count(path.stat().st_size)
            read_former(path)
    for name, read in ((APART_FILE, read_apart), (GROUPS_FILE, read_groups)):
        if (reviews / name).exists():
            with findings.looking(Kind.REVIEWS, reviews / name, _remedy(name)):
                findings.count((reviews / name).stat().st_size)
                read(reviews)
    for path in sorted(reviews.glob("sample-[0-9]*.json")):
        with findings.looking(Kind.REVIEWS, path, BACKUP):
            findings.count(path.stat().st_size)
            read_sample(path)
    key, page = out / ".gallery-key", out / "gallery" / "head.js"
    with findings.looking(Kind.KEY, key, REPAIR):
        text = findings.read(key)
        if not re.fullmatch(b"[0-9a-f]{16}\n", text):
            raise ValueError("no key")
        if page.exists() and text.strip() not in page.read_bytes():
            raise ValueError("it is not the key that the gallery has")


def _remedy(name: str) -> str:
    return BACKUP if name == APART_FILE else "REPAIR=1: the next make review makes it anew"
