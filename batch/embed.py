"""Captions into the photos themselves: XMP, IPTC and EXIF together, pixels proven unchanged.

Only where the user asks for it by name: a photo's bytes change with it, and so does its identity.
A photo is copied, ExifTool writes into the copy, all its frames are decoded again and must be the
same; only then does the copy take the photo's place, with its mode, owner, times and attributes.

One field alone would leave stale words in the others (Metadata Working Group, Guidelines 2.0,
section 5.4): so XMP is merged as in a sidecar, and the leading caption goes to EXIF's
ImageDescription, and in JPEG and TIFF to IPTC's Caption-Abstract in UTF-8 as well.
"""

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from PIL import Image, ImageSequence

from batch import exiftool, formats
from batch.captioned import Captioned
from batch.damage import PhotoError, explained
from batch.exiftool import ExifTool, ExifToolError
from batch.exported import Exported
from batch.photos import read_bytes
from batch.said import description_of
from batch.sidecar_files import check_untouched, explain
from batch.sidecar_places import NoPlaceError, Places
from manifests.durable import atomic_write, sync
from manifests.rdf import DEFAULT, XmpError
from manifests.record import Record
from manifests.review import digest
from manifests.sidecar import NAMESPACE, Description, Xmp, merge_xmp, read_xmp

IPTC, EXIF = "IPTC:Caption-Abstract", "EXIF:ImageDescription"
FORMATS = {
    "JPEG": ("jpg", (IPTC, EXIF)),
    "MPO": ("jpg", (IPTC, EXIF)),
    "TIFF": ("tif", (IPTC, EXIF)),
    "PNG": ("png", (EXIF,)),
    "WEBP": ("webp", (EXIF,)),
    "HEIF": ("heic", (EXIF,)),
    "AVIF": ("avif", (EXIF,)),
}
"""What is written to: the ending that tells ExifTool what it is, and the fields beside XMP."""

MAX_IPTC = 2000  # bytes of a Caption-Abstract (IPTC-IIM 4.2, dataset 2:120)
EXTENDED = b"http://ns.adobe.com/xmp/extension/"
# What cameras put where a caption belongs.
CAMERAS = frozenset({
    "olympus digital camera", "sony dsc", "samsung", "digital camera", "minolta digital camera",
    "kodak digital still camera", "exif_jpeg_picture", "dcim\\100gopro", "default", "untitled",
})  # fmt: skip


@dataclass(frozen=True)
class Embedded:
    """A photo whose bytes have changed: what its row, its features and its review go by now."""

    raw_path: bytes
    old_id: str
    new_id: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class _Original:
    """A photo as it was read, and what it says of itself."""

    location: str
    data: bytes
    stat: os.stat_result
    ending: str
    fields: tuple[str, ...]
    xmp: bytes | None = None
    texts: dict[str, str] = field(default_factory=dict)  # of `fields`


def embed_captions(
    found: Captioned,
    replacing: Callable[[Embedded], None],
    *,
    include_machine: bool = False,
    replaces: bool = False,
) -> Exported:
    """Write what people have said of photos into the photos.

    `replacing` is told of each photo right before its new bytes take the old ones' place, so that
    the change can be noted where it lasts: a photo that is found with `new_id` later is the one
    that had `old_id`. What is embedded and no longer stands is taken out again. `replaces` lets a
    reviewed caption take the place of one by others. Photos with several names (hard links) and
    links are left alone. Raises ArchiveError where ExifTool is missing.
    """
    with exiftool.running() as tool:
        work = _Embedding(Places(found), tool, replacing, replaces)
        for record in found.records:
            work.photo(record, description_of(record, include_machine=include_machine))
    return work.done


@dataclass
class _Embedding:
    places: Places
    tool: ExifTool
    replacing: Callable[[Embedded], None]
    replaces: bool
    done: Exported = field(default_factory=lambda: Exported("photos"))

    def photo(self, record: Record, description: Description | None) -> None:
        self.done.photos += 1
        self.done.not_reviewed += description is None
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
        original = self._look(_opened(location, data, before))
        written = self._written(original, description)
        if written is None:
            self.done.unchanged += 1
            return
        _check_pixels(data, written)
        self._replace(record, original, written)
        self.done.written += description is not None
        self.done.taken_back += description is None

    def _look(self, original: _Original) -> _Original:
        """Read what a photo says of itself now."""
        path = self.tool.put(f"in.{original.ending}", original.data)
        xmp = self.tool.ask("-b", "-XMP", path) or None
        asked = [f"-{name}" for name in original.fields]
        charset = ["-IPTC:CodedCharacterSet", "-IPTC:all"] if IPTC in original.fields else []
        [found] = json.loads(self.tool.ask("-j", "-G0", "-struct", *asked, *charset, path))
        texts = {name: str(found.get(name, "")) for name in original.fields}
        _check_iptc(found)
        return _Original(**{**vars(original), "xmp": xmp, "texts": texts})

    def _written(self, original: _Original, description: Description | None) -> bytes | None:
        """Give the photo's bytes with the description in them; None where they have it."""
        merged = merge_xmp(original.xmp, description, replaces=self.replaces)
        before = Xmp({}, {}, "", ()) if original.xmp is None else read_xmp(original.xmp)
        lead = "" if description is None else description.captions[DEFAULT]
        texts = _texts(original, before, lead, keeps=not self._may_replace(description))
        if merged:
            lacking = [] if description is None else read_xmp(merged).lacks(description)
            if DEFAULT in lacking:
                raise NoPlaceError("has a caption by others, which was kept")
        if merged == (original.xmp or b"") and texts == original.texts:
            return None
        return self._write(original, merged, texts)

    def _may_replace(self, description: Description | None) -> bool:
        return self.replaces and description is not None and DEFAULT in description.by_people

    def _write(self, original: _Original, xmp: bytes, texts: dict[str, str]) -> bytes:
        name = f"out.{original.ending}"
        path = os.path.join(self.tool.scratch, name)
        arguments = [f"-XMP<={self.tool.put('xmp', xmp)}" if xmp else "-XMP:all="]
        for number, (tag, text) in enumerate(texts.items()):
            file = self.tool.put(f"text{number}", text.encode())
            arguments.append(f"-{tag}<={file}" if text else f"-{tag}=")
        if texts.get(IPTC):
            arguments += ["-IPTC:CodedCharacterSet=UTF8"]
        source = os.path.join(self.tool.scratch, f"in.{original.ending}")
        self.tool.ask(*arguments, "-o", path, source)
        return self.tool.take(name)

    def _replace(self, record: Record, original: _Original, written: bytes) -> None:
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


def _opened(location: str, data: bytes, found: os.stat_result) -> _Original:
    with explained(data, location):
        image = formats.open_picture(data)
    if image.format not in FORMATS or formats.is_raw(image, location):
        raise NoPlaceError(f"a {image.format} picture, which is not written to")
    if EXTENDED in data:
        raise NoPlaceError("has XMP in several parts, which are not taken apart")
    return _Original(location, data, found, *FORMATS[image.format])


def _check_iptc(found: dict[str, object]) -> None:
    """Raise NoPlaceError where IPTC fields are in an encoding that is not told.

    To mark the new one as UTF-8 would make the old ones unreadable.
    """
    texts = [str(value) for name, value in found.items() if name.startswith("IPTC:")]
    if found.get("IPTC:CodedCharacterSet") != "UTF8" and not all(map(str.isascii, texts)):
        raise NoPlaceError("has IPTC fields in an old encoding")


def _texts(original: _Original, xmp: Xmp, lead: str, *, keeps: bool) -> dict[str, str]:
    """Give the plain fields as they are to be. Raises NoPlaceError over others' words."""
    ours = {mark.digest for mark in xmp.marks} | {digest(cut) for cut in (lead, _cut(lead))}
    ours |= {digest(_cut(text)) for text in xmp.captions.values() if digest(text) in ours}
    wanted = {}
    for name, now in original.texts.items():
        is_free = not now.strip() or now.strip().lower() in CAMERAS
        is_theirs = not is_free and digest(now) not in ours
        if is_theirs and lead and keeps:
            raise NoPlaceError("has a caption by others, which was kept")
        new = _cut(lead) if name == IPTC else lead
        keeps_now = not lead and (is_theirs or is_free)
        wanted[name] = now if keeps_now or digest(now) == digest(new) else new
    return wanted


def _cut(text: str) -> str:
    """Shorten a text to what an IPTC field holds."""
    data = text.encode()
    if len(data) <= MAX_IPTC:
        return text
    return data[: MAX_IPTC - 3].decode(errors="ignore") + "…"


def _check_pixels(before: bytes, after: bytes) -> None:
    if _seen(before) != _seen(after):
        raise NoPlaceError("its pixels would have changed, so it was left as it is")


def _seen(data: bytes) -> list[tuple[object, ...]]:
    """Tell all that can be seen of a picture: its frames, their colours and which way is up."""
    with explained(data):
        image = formats.open_picture(data)
        turn = formats.read_header(image, data)[1]
        return [_frame(frame, turn) for frame in ImageSequence.Iterator(image)]


def _frame(frame: Image.Image, turn: int) -> tuple[object, ...]:
    profile = sha256(frame.info.get("icc_profile") or b"").digest()
    return frame.mode, frame.size, sha256(frame.tobytes()).digest(), profile, turn


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
