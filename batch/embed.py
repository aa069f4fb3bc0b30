"""Captions into the photos themselves: XMP, IPTC and EXIF together, pixels proven unchanged.

Only where the user asks for it by name: a photo's bytes change with it, and so does its identity.
A photo is copied, ExifTool writes into the copy, all its frames are decoded again and must be the
same; only then does the copy take the photo's place, with its mode, owner, times and attributes.

One field alone would leave stale words in the others (Metadata Working Group, Guidelines 2.0,
section 5.4): so XMP is merged as in a sidecar, and the leading caption goes to EXIF's
ImageDescription, and in JPEG and TIFF to IPTC's Caption-Abstract in UTF-8 as well.
"""

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from batch import exiftool
from batch.captioned import Captioned
from batch.damage import PhotoError
from batch.embedded import Embedded
from batch.exiftool import ExifTool, ExifToolError
from batch.fields import plain_texts
from batch.leaving import why_nothing
from batch.original import Original, check, look, opened, write
from batch.photos import read_bytes
from batch.said import description_of
from batch.sidecar_files import check_untouched, explain
from batch.sidecar_places import NoPlaceError, Places
from batch.sidecar_report import SidecarReport
from manifests.durable import atomic_write, sync
from manifests.rdf import DEFAULT, EMBEDDED, XmpError
from manifests.record import Record
from manifests.sidecar import NAMESPACE, Description, Xmp, merge_xmp, read_xmp


def embed_captions(
    found: Captioned,
    replacing: Callable[[Embedded], None],
    *,
    include_machine: bool = False,
    replaces: bool = False,
) -> SidecarReport:
    """Write what people have said of photos into the photos.

    `replacing` is told of each photo right before its new bytes take the old ones' place, so that
    the change can be noted where it lasts: a photo that is found with `new_id` later is the one
    that had `old_id`. What is embedded and no longer stands is taken out again. `replaces` lets a
    reviewed caption take the place of one by others. Photos with several names (hard links) and
    links are left alone. Raises ArchiveError where ExifTool is missing.
    """
    with exiftool.running() as tool:
        work = _Embedding(Places(found), tool, replacing, replaces)
        for record in found.there:
            description = description_of(record, include_machine=include_machine)
            if description is None:
                work.done.without[why_nothing(record, include_machine=include_machine)] += 1
            work.photo(record, description)
    return work.done


@dataclass
class _Embedding:
    places: Places
    tool: ExifTool
    replacing: Callable[[Embedded], None]
    replaces: bool
    done: SidecarReport = field(default_factory=lambda: SidecarReport("photo"))

    def photo(self, record: Record, description: Description | None) -> None:
        self.done.photos += 1
        try:
            self._embed(record, description)
        except (NoPlaceError, PhotoError) as error:
            self._leave(record, description, str(error))
        except (ExifToolError, XmpError) as error:
            self._leave(record, description, f"cannot be written to: {error}")
        except OSError as error:
            self._leave(record, description, explain(error))

    def _leave(self, record: Record, description: Description | None, why: str) -> None:
        """Note why a photo was left alone, where there was something to write into it."""
        if description is not None:
            self.done.leave(record, why)

    def _embed(self, record: Record, description: Description | None) -> None:
        location = self.places.location(record)
        before = os.lstat(location)
        _check_alone(before)
        data = read_bytes(location)
        if description is None and NAMESPACE.encode() not in data:
            return
        if sha256(data).hexdigest() != record.photo_id:
            raise NoPlaceError("changed since it was captioned: caption it again first")
        original = look(self.tool, opened(location, data, before))
        written = self._written(original, description)
        if written is None:
            self.done.unchanged += 1
            return
        self._replace(record, original, written)
        self.done.written += description is not None
        self.done.taken_back += description is None

    def _written(self, original: Original, description: Description | None) -> bytes | None:
        """Give the photo's bytes with the description in them; None where they have it."""
        merged = merge_xmp(original.xmp or EMBEDDED, description, replaces=self.replaces)
        before = Xmp({}, {}, "", ()) if original.xmp is None else read_xmp(original.xmp)
        lead = "" if description is None else description.captions[DEFAULT]
        texts = plain_texts(original.texts, before, lead, keeps=not self._may_replace(description))
        if merged:
            lacking = [] if description is None else read_xmp(merged).lacks(description)
            if DEFAULT in lacking:
                raise NoPlaceError("has a caption by others, which was kept")
        if merged == (original.xmp or b"") and texts == original.texts:
            return None
        written = write(self.tool, original, merged, texts)
        check(self.tool, original, written, merged, texts)
        return written

    def _may_replace(self, description: Description | None) -> bool:
        return self.replaces and description is not None and DEFAULT in description.by_people

    def _replace(self, record: Record, original: Original, written: bytes) -> None:
        path, old = original.location, original.stat
        with atomic_write(Path(path)) as file:
            file.write(written)
            sync(file)  # what is written later would change the time again
            mtime_ns = _keep_all_but_bytes(path, file.name, old, len(written))
            check_untouched(path, old)
            ids = sha256(original.data).hexdigest(), sha256(written).hexdigest()
            self.replacing(Embedded(record.raw_path, *ids, len(written), mtime_ns))


def _check_alone(found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise NoPlaceError("a link, whose photo is elsewhere")
    if found.st_nlink > 1:
        raise NoPlaceError("has more than one name (hard links)")


def _keep_all_but_bytes(path: str, new: str, old: os.stat_result, size: int) -> int:
    """Give a new file the old one's mode, owner, times and attributes; return its mtime_ns.

    Where its size is the same, its time moves on by a thousandth of a second: else nobody who goes
    by size and time, as backups do, could know that it has changed.
    """
    shutil.copystat(path, new)
    now = os.stat(new)
    if (now.st_uid, now.st_gid) != (old.st_uid, old.st_gid):
        os.chown(new, old.st_uid, old.st_gid)
        os.chmod(new, stat.S_IMODE(old.st_mode))  # chown takes set-id bits away
    if size == old.st_size:
        os.utime(new, ns=(old.st_atime_ns, old.st_mtime_ns + 1_000_000))
    return os.stat(new).st_mtime_ns
