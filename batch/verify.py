"""Verify: read everything that was written for an archive, and say what is broken."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from batch.captioned import Captioned, photos_folder
from batch.check_cache import cache_folders, check_cache, shards_in
from batch.check_captioners import check_captioners
from batch.check_photos import check_originals, check_photos, originals_of
from batch.check_results import check_results
from batch.errors import ArchiveError
from batch.findings import Findings
from batch.lock import is_held
from batch.run_note import read_note
from batch.shards import caches_in
from batch.stores import is_there, is_url
from batch.whereabouts import captioners_of
from batch.written import COPY
from manifests.errors import ManifestError
from manifests.record import Record
from models.errors import CheckpointError
from models.fingerprints import encoder_fingerprint


@dataclass(frozen=True)
class Place:
    """Where everything is: results, the root of the caches, maybe photos and more captioners."""

    out: str
    features: str
    archive: str | None = None  # None: as the manifest tells
    captioners: tuple[str, ...] = ()


def verify(place: Place, *, deep: bool = False) -> Findings:
    """Check all files of a results' folder and of the caches that go with it; nothing is written.

    With the photos at hand they are accounted for, with `deep` each is read and compared with its
    row. Raises ArchiveError where the folder holds no results.
    """
    findings = Findings()
    if not os.path.isdir(place.out):
        raise ArchiveError(f"there is no {place.out!r}; give OUT= the folder of a run")
    if is_held(place.out):
        findings.notes.append("a run is at work: what it is writing may look broken meanwhile")
    records = check_results(Path(place.out), findings)
    if not findings.files:
        raise ArchiveError(f"{place.out!r} holds no results; give OUT= the folder of a run")
    found = Captioned(place.out, archive_of(place), records)
    at_hand = bool(found.archive) and is_there(found.archive)
    originals = originals_of(found) if deep and at_hand else []
    folders = caches_of(found, place)
    if is_url(place.features):
        text = "is not looked through here; what is read of it is held against its checksums"
        findings.notes.append(f"{place.features} {text}")
    with _bar(findings, folders, originals):
        check_captioners(records, place.captioners, findings)
        for folder in folders:
            check_cache(folder, findings)
        check_originals(originals, findings)
    if at_hand and records:
        check_photos(found, findings)
    elif deep:
        findings.notes.append(f"the photos are not at hand ({found.shown}): none was compared")
    return findings


def caches_of(found: Captioned, place: Place) -> list[str]:
    """Give the folders of the caches of the encoders that have seen an archive, or else of all.

    None of what is in a store.
    """
    if is_url(place.features):
        return []
    encoders = []
    for captioner in [*place.captioners, *captioners_of(found)]:
        try:
            encoders.append(encoder_fingerprint(captioner))
        except CheckpointError:
            continue  # told by the look at the captioners
    folders = cache_folders(place.features, dict.fromkeys(encoders))
    return folders or caches_in(place.features)


def archive_of(place: Place) -> str:
    """Give the folder of the photos, as it was asked for, or as results tell; empty: unknown."""
    if place.archive is not None:
        return place.archive
    for name in ("captions.parquet", COPY):
        with suppress(ManifestError, OSError):
            return photos_folder(Path(place.out, name))
    return str(read_note(Path(place.out, "last_run.json")).get("archive", ""))


@contextmanager
def _bar(
    findings: Findings, folders: Sequence[str], originals: Sequence[tuple[str, Record]]
) -> Iterator[None]:
    """Show a bar over the bytes of what is large."""
    total = sum(path.stat().st_size for folder in folders for path in shards_in(folder))
    total += sum(row.size for _, row in originals)
    with tqdm(total=total, desc="verifying", unit="B", unit_scale=True, disable=None) as bar:
        findings.bar = bar
        yield
    findings.bar = None
