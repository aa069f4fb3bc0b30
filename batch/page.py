"""An archive's captions as a page: its photos beside what was written of them."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from batch.config import captioner_folder, keep_out_of, language_of
from batch.damage import PhotoError
from batch.errors import ArchiveError
from batch.pages import Card, captions_page, picture_of
from batch.photos import read_bytes
from manifests.durable import atomic_write
from manifests.manifest import read_archive, read_records
from manifests.record import Record

SHOWN = 200  # photos, about 15 KB of the page each
_WEB = (b"http://", b"https://")
_HANGUL = re.compile("[가-힣]")


def write_page(out: str, limit: int = SHOWN) -> str:
    """Write the first photos of a run's folder with their captions; return the page's path.

    A photo that cannot be read now has no picture; what is on the web is not fetched. Raises
    ArchiveError where the folder holds no manifest or is among the photos, ManifestError where the
    manifest is damaged.
    """
    manifest = Path(out, "captions.parquet")
    if not manifest.is_file():
        raise ArchiveError(f"{out!r} holds no captions.parquet; give OUT= the folder of a run")
    records, archive = read_records(manifest), read_archive(manifest)
    folder = _on_disk(archive)
    if os.path.isdir(folder):
        keep_out_of(folder, {"OUT": out})
    cards = (_card(record, folder) for record in records[:limit])
    title = f"Captions of {os.path.basename(archive) or archive}"
    page = captions_page(title, _facts(archive, records, limit), cards)
    path = Path(out, "captions.html")
    with atomic_write(path) as file:
        file.write(page.encode())
    return str(path)


def _on_disk(archive: str) -> str:
    r"""Give the archive's path; the manifest has `\xff` for bytes that are no text."""
    if os.path.exists(archive):
        return archive
    code = re.compile(rb"\\x([0-9a-f]{2})")
    return os.fsdecode(code.sub(lambda found: bytes.fromhex(found[1].decode()), archive.encode()))


def _facts(archive: str, records: Sequence[Record], limit: int) -> dict[str, str]:
    counts = Counter(record.status.value for record in records)
    captioners = {record.captioner for record in records if record.captioner}
    captioners |= {each.captioner for record in records for each in record.languages}
    return {
        "Archive": archive,
        "Photos": f"{min(limit, len(records)):,} of {len(records):,}",
        "Captioned by": ", ".join(sorted(captioners)) or "-",
    } | {status: f"{count:,}" for status, count in sorted(counts.items())}


def _card(record: Record, folder: str) -> Card:
    picture, problem = _picture(record, folder)
    confidence = "" if record.confidence is None else f"{record.confidence:.2f}"
    figures = {"confidence": confidence} if confidence else {}
    return Card(
        record.path,
        picture,
        record.caption or "",
        figures | {"status": record.status.value},
        alternatives=record.alternatives,
        problem=record.error or problem,
        language=_language(record),
        also=[
            (each.language, each.caption)
            for each in record.languages
            if each.captioner != record.captioner
        ],
    )


def _picture(record: Record, folder: str) -> tuple[str, str]:
    """Give a photo's picture, or why there is none."""
    if record.raw_path.startswith(_WEB):
        return "", "on the web: not shown here"
    if os.path.isabs(record.raw_path) or b".." in record.raw_path.split(b"/"):
        return "", "is not a path within the archive"
    try:
        data = read_bytes(os.path.join(folder, os.fsdecode(record.raw_path)))
        if record.photo_id not in (None, sha256(data).hexdigest()):
            return "", "has changed since: run again"
        return picture_of(data), ""
    except PhotoError as error:
        return "", str(error)


def _language(record: Record) -> str:
    """Tell a caption's language by its captioner, or by its letters; empty where neither tells."""
    name = (record.captioner or "").rpartition("@")[0]
    korean = "ko" if _HANGUL.search(record.caption or "") else ""
    return _language_of(name) or korean


@cache
def _language_of(captioner: str) -> str:
    """Read the language of a captioner that ships, without the seconds that TensorFlow takes."""
    try:
        return language_of(captioner_folder(captioner))
    except ArchiveError:
        return ""
