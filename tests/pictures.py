"""Photos drawn by code, for the tests: four fields that tell which way is up, in any format."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()
RED, GREEN, BLUE, GREY = (220, 40, 40), (40, 200, 60), (40, 60, 220), (128, 128, 128)

# For each EXIF orientation, what a camera does to the upright picture before it stores it.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def upright(width: int = 96, height: int = 64) -> Image.Image:
    """Draw four fields: red top left, green top right, blue bottom left, grey bottom right."""
    picture = Image.new("RGB", (width, height), GREY)
    picture.paste(RED, (0, 0, width // 2, height // 2))
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    return picture


def noise(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """Draw noise, which no compression makes small."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def encoded(picture: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    """Encode a picture into the bytes of a file."""
    if form == "JPEG":
        options = {"quality": 95, "subsampling": 0} | options
    if form == "HEIF":
        options = {"quality": 95, "chroma": 444} | options
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def exif(orientation: object = None, taken: str | None = None, changed: str | None = None) -> bytes:
    """Make an EXIF block: orientation, DateTimeOriginal and DateTime."""
    block = Image.Exif()
    if orientation is not None:
        block[274] = orientation
    if changed is not None:
        block[306] = changed
    if taken is not None:
        block.get_ifd(34665)[36867] = taken
    return block.tobytes()


def exif_orientation(kind: int, value: bytes) -> bytes:
    """Make an EXIF block whose orientation is of any of TIFF's types, 3 being the right one."""
    if len(value) > 4:  # it stands behind the directory
        value, behind = struct.pack(">I", 26), value
    else:
        value, behind = value.ljust(4, b"\0"), b""
    entry = struct.pack(">HHHI", 1, 274, kind, 1) + value + bytes(4)
    return b"Exif\0\0MM\0*\0\0\0\x08" + entry + behind


def turned(orientation: int, form: str = "JPEG", **options: Any) -> bytes:
    """Store the upright picture as a camera held another way does, and say so in EXIF."""
    method = STORED_AS[orientation]
    stored = upright() if method is None else upright().transpose(method)
    return encoded(stored, form, exif=exif(orientation), **options)


def chunk(kind: bytes, body: bytes) -> bytes:
    """Make one chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    """Make a PNG that claims a size and holds no more than a few bytes of it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def grey16(values: np.ndarray) -> Image.Image:
    """Make a 16-bit grey picture."""
    return Image.fromarray(values.astype(np.uint16))


def ink_profile() -> bytes:
    """Make an ICC profile of a press whose cyan ink is green and whose other inks are clear."""
    curve = bytes(range(256))
    white, green = bytes([255, 128, 128]), bytes([150, 60, 190])  # L x 2.55, a + 128, b + 128
    corners = white * 8 + green * 8  # the first ink changes slowest
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1\0\0\0\0\4\3\2\0" + identity + curve * 4 + corners + curve * 3
    tags = [
        (b"desc", b"desc\0\0\0\0" + struct.pack(">I", 5) + b"inks\0" + bytes(79)),
        (b"cprt", b"text\0\0\0\0none\0"),
        (b"wtpt", b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)),
        (b"A2B0", table),
    ]
    offset, directory, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags:
        directory += name + struct.pack(">II", offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    light = struct.pack(">3i", 63190, 65536, 54061)
    head = bytes(4) + b"\x02\x40\0\0prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28) + light
    size = struct.pack(">I", offset + len(body))
    return size + b"none" + (head + bytes(128))[4:124] + directory + body
