"""An archive that was captioned: its manifest's rows, and its photos where they can be reached."""

import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from batch.config import captioner_folder, keep_out_of, language_of
from batch.damage import PhotoError
from batch.errors import ArchiveError
from batch.photos import open_upright, read_bytes
from batch.stores import is_there, is_url
from manifests.manifest import read_archive, read_records
from manifests.record import Record, Status

_WEB = (b"http://", b"https://")
_HANGUL = re.compile("[가-힣]")


@dataclass(frozen=True)
class Captioned:
    """What a run left in its folder `out`; the photos' folder `archive` may be out of reach."""

    out: str
    archive: str
    records: Sequence[Record]

    @property
    def shown(self) -> str:
        r"""The path of the photos' folder as text; bytes that are no text look like `\xff`."""
        return os.fsencode(self.archive).decode("utf-8", "backslashreplace")

    @property
    def name(self) -> str:
        """What to call the archive."""
        return os.path.basename(self.shown) or self.shown

    @property
    def there(self) -> Iterator[Record]:
        """The rows of photos that were not missing when the archive was last scanned."""
        return (record for record in self.records if record.status is not Status.MISSING)

    def location(self, record: Record) -> str | None:
        """Give the path of a photo on this disk; None where it is on the web or outside."""
        if record.raw_path.startswith(_WEB):
            return None
        if os.path.isabs(record.raw_path) or b".." in record.raw_path.split(b"/"):
            return None
        return os.path.join(self.archive, os.fsdecode(record.raw_path))

    def picture(self, record: Record, pixels: int) -> bytes:
        """Make a small upright JPEG of a photo, `pixels` on its longest side.

        Nothing that the file says of its photographer or place goes with it. Raises PhotoError,
        which says why there is none.
        """
        location = self.location(record)
        if location is None:
            on_web = record.raw_path.startswith(_WEB)
            why = "on the web: not shown here" if on_web else "is not a path within the archive"
            raise PhotoError("unsupported", why)
        data = read_bytes(location)
        if record.photo_id not in (None, sha256(data).hexdigest()):
            raise PhotoError("unstable", "has changed since: run again")
        return small_picture(data, pixels)


def open_captioned(out: str) -> Captioned:
    """Read what a run left in its folder.

    Raises ArchiveError where that holds no manifest or lies among the photos, ManifestError where
    the manifest is damaged.
    """
    manifest = manifest_in(out)
    archive = photos_folder(manifest)
    if is_there(archive):
        keep_out_of(archive, {"OUT": out})
    return Captioned(out, archive, with_languages(read_records(manifest)))


def manifest_in(out: str) -> Path:
    """Give the manifest that a run left in its folder. Raises ArchiveError where there is none."""
    manifest = Path(out, "captions.parquet")
    if not manifest.is_file():
        raise ArchiveError(f"{out!r} holds no captions.parquet; give OUT= the folder of a run")
    return manifest


def small_picture(data: bytes, pixels: int) -> bytes:
    """Make a small upright JPEG of a photo's bytes. Raises PhotoError."""
    image = open_upright(data, pixels)
    image.thumbnail((pixels, pixels))
    image.info = {}
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80, optimize=True)
    return file.getvalue()


def photos_folder(manifest: Path) -> str:
    r"""Give the path of an archive; its manifest has `\xff` for bytes that are no text."""
    archive = read_archive(manifest)
    if is_url(archive) or os.path.exists(archive):
        return archive
    code = re.compile(rb"\\x([0-9a-f]{2})")
    return os.fsdecode(code.sub(lambda found: bytes.fromhex(found[1].decode()), archive.encode()))


def with_languages(records: Iterable[Record]) -> list[Record]:
    """Tell the language of each row; one without a caption is to have one in that of the most.

    Empty where nothing tells.
    """
    rows = list(records)
    told = [language_of_record(record) for record in rows]
    most = max(filter(None, told), key=Counter(told).__getitem__, default="")
    return [
        record if record.language else replace(record, language=language or most)
        for record, language in zip(rows, told, strict=True)
    ]


def language_of_record(record: Record) -> str:
    """Tell the language of a row's caption.

    An older version did not write it down: then by its captioner, or else by its letters. Empty
    where nothing tells.
    """
    if record.language:
        return record.language
    name = (record.captioner or "").rpartition("@")[0]
    korean = "ko" if _HANGUL.search(record.caption or "") else ""
    return _language_of_captioner(name) or korean


@cache
def _language_of_captioner(captioner: str) -> str:
    """Read the language of a captioner that ships, without the seconds that TensorFlow takes."""
    try:
        return language_of(captioner_folder(captioner))
    except ArchiveError:
        return ""
