"""A photo that captions are written into: what it says of itself, and what its copy says then."""

import json
import os
from dataclasses import dataclass, field, replace

from batch import formats
from batch.damage import explained
from batch.exiftool import ExifTool, ExifToolError
from batch.fields import EXIF, IPTC, check_encoding
from batch.frames import seen
from batch.sidecar_places import NoPlaceError
from manifests.rdf import DECLARATION
from manifests.review import digest
from manifests.sidecar import read_xmp

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

EXTENDED = b"http://ns.adobe.com/xmp/extension/"


@dataclass(frozen=True)
class Original:
    """A photo as it was read, and what it says of itself."""

    location: str
    data: bytes
    stat: os.stat_result
    ending: str
    fields: tuple[str, ...]
    xmp: bytes | None = None
    texts: dict[str, str] = field(default_factory=dict)  # of `fields`


def opened(location: str, data: bytes, found: os.stat_result) -> Original:
    """Take a photo that can be written to. Raises NoPlaceError, PhotoError."""
    with explained(data, location):
        image = formats.open_picture(data)
    if image.format not in FORMATS or formats.is_raw(image, location):
        raise NoPlaceError(f"a {image.format} picture, which is not written to")
    if EXTENDED in data:
        raise NoPlaceError("has XMP in several parts, which are not taken apart")
    return Original(location, data, found, *FORMATS[image.format])


def look(tool: ExifTool, original: Original) -> Original:
    """Read what a photo says of itself now."""
    path = tool.put(f"in.{original.ending}", original.data)
    xmp = tool.ask("-b", "-XMP", path) or None
    asked = [f"-{name}" for name in original.fields]
    charset = ["-IPTC:CodedCharacterSet", "-IPTC:all"] if IPTC in original.fields else []
    printed = tool.ask("-j", "-G0", *asked, *charset, path)
    [found] = json.loads(printed, parse_float=str, parse_int=str)
    texts = {name: str(found.get(name, "")) for name in original.fields}
    check_encoding(found)
    return replace(original, xmp=xmp, texts=texts)


def write(tool: ExifTool, original: Original, xmp: bytes, texts: dict[str, str]) -> bytes:
    """Give the photo's bytes with these fields in them. Raises ExifToolError."""
    name = f"out.{original.ending}"
    path = os.path.join(tool.scratch, name)
    arguments = [f"-XMP<={tool.put('xmp', xmp.removeprefix(DECLARATION))}" if xmp else "-XMP:all="]
    for number, (tag, text) in enumerate(texts.items()):
        file = tool.put(f"text{number}", text.encode())
        arguments.append(f"-{tag}<={file}" if text else f"-{tag}=")
    if texts.get(IPTC):
        arguments += ["-IPTC:CodedCharacterSet=UTF8"]
    source = os.path.join(tool.scratch, f"in.{original.ending}")
    tool.ask(*arguments, "-o", path, source)
    return tool.take(name)


def check(
    tool: ExifTool, original: Original, written: bytes, merged: bytes, texts: dict[str, str]
) -> None:
    """Raise ExifToolError unless the new bytes say what they should, and show the same."""
    now = look(tool, replace(original, data=written))
    same_xmp = read_xmp(now.xmp) == read_xmp(merged) if now.xmp and merged else not merged
    if not same_xmp or any(digest(now.texts[name]) != digest(texts[name]) for name in texts):
        raise ExifToolError("the captions did not come out as they went in")
    if seen(original.data) != seen(written):
        raise ExifToolError("its pixels would have changed")
