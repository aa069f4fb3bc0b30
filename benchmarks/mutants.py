"""Pictures of every common kind, made by code, and seeded damage to them."""

import random
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from tests import pictures
from tests.pictures import chunk, encoded

SIDES = (96, 64)
EDGES = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)


def sources() -> dict[str, bytes]:
    """Draw the pictures, by the names of their kinds."""
    photo = pictures.noise(24, 16).resize(SIDES, Image.Resampling.BICUBIC)
    inks, palette = photo.convert("CMYK"), photo.quantize(64)
    clear = photo.convert("RGBA")
    clear.putalpha(photo.convert("L"))
    values = np.asarray(photo.convert("L"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    srgb = srgb[:24] + bytes(12) + srgb[36:]  # without the moment it was made
    exif = pictures.exif(6, "2019:05:04 12:33:10", "2020:01:01 00:00:00")
    dressed = {"exif": exif, "icc_profile": srgb}
    tiffs = ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg"]
    return {
        "jpeg": encoded(photo, subsampling=2),
        "jpeg-progressive": encoded(photo, progressive=True, restart_marker_rows=1),
        "jpeg-inks": encoded(inks, icc_profile=pictures.ink_profile()),
        "jpeg-exif-icc": encoded(photo, **dressed, comment=b"a comment"),
        "jpeg-grey": encoded(photo.convert("L")),
        "mpo": encoded(photo, "MPO", **_frames()),
        "png": encoded(photo, "PNG", **dressed),
        "png-16": encoded(pictures.grey16(values.astype(np.uint16) * 257), "PNG"),
        "png-palette": encoded(palette, "PNG", transparency=3),
        "png-alpha": encoded(clear, "PNG"),
        "png-interlaced": interlaced(np.asarray(photo)),
        "apng": encoded(photo, "PNG", **_frames()),
        "webp": encoded(photo, "WEBP", **dressed),
        "webp-lossless": encoded(clear, "WEBP", lossless=True),
        "webp-frames": encoded(photo, "WEBP", **_frames()),
        **{f"tiff-{name}": encoded(photo, "TIFF", compression=name) for name in tiffs},
        "tiff-fax": encoded(photo.convert("1"), "TIFF", compression="group4"),
        "tiff-floats": encoded(Image.fromarray(values / np.float32(255)), "TIFF"),
        "tiff-inks": encoded(inks, "TIFF", compression="tiff_lzw"),
        "tiff-pages": encoded(photo.copy(), "TIFF", **_frames()),
        "gif": encoded(palette, "GIF", transparency=3),
        "gif-frames": encoded(photo, "GIF", **_frames()),
        "heic": encoded(photo, "HEIF", exif=exif),
        "heic-frames": encoded(photo, "HEIF", **_frames()),
        "avif": encoded(clear, "AVIF", **dressed),
        "avif-frames": _undated(encoded(photo, "AVIF", **_frames())),
        "jpeg2000": encoded(clear, "JPEG2000"),
        "bmp": encoded(photo, "BMP"),
    }


def _frames() -> dict[str, Any]:
    later = [pictures.noise(*SIDES, seed=seed) for seed in (1, 2)]
    return {"save_all": True, "append_images": later}


def _undated(film: bytes) -> bytes:
    """Give an AVIF of several frames without the moment it was made: the same bytes each time."""
    return re.sub(rb"(?s)(mvhd|tkhd|mdhd)(\x01...).{16}", rb"\1\2" + bytes(16), film)


def interlaced(values: np.ndarray) -> bytes:
    """Write uint8 (height, width, 3) as a PNG in the seven passes of Adam7."""
    height, width = values.shape[:2]
    passes = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]
    rows = [
        b"\0" + row.tobytes()
        for y, x, down, across in passes
        for row in values[y::down, x::across]
        if row.size
    ]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1))
    body = chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def mutants(number: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Give damaged pictures and their kinds, each kind as often; the same for the same seed."""
    sound = sources()
    kinds = [*sound]
    for each in range(number):
        kind = kinds[each % len(kinds)]
        chance = random.Random(f"{seed} {each}")
        data = sound[kind]
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            change = chance.choice(CHANGES)
            data = change(data, chance, sound)
        if data.startswith(b"\x89PNG") and chance.random() < 0.7:
            data = with_sums(data)  # or nearly all would end at a wrong checksum
        yield kind, data


def _flip(data: bytes, chance: random.Random, _: object) -> bytes:
    out = bytearray(data)
    for _each in range(chance.choice((1, 1, 2, 8, 64)) if out else 0):
        out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def _overwrite(data: bytes, chance: random.Random, _: object) -> bytes:
    """Put an extreme number somewhere, more often in the first bytes, where headers are."""
    size, order = chance.choice((1, 2, 4)), chance.choice(("big", "little"))
    at = chance.randrange(min(len(data), chance.choice((64, 512, 1 << 20))) + 1)
    number = chance.choice(EDGES) % (1 << 8 * size)
    return data[:at] + number.to_bytes(size, order) + data[at + size :]


def _resize(data: bytes, chance: random.Random, _: object) -> bytes:
    """Change one of the lengths and counts that the format keeps."""
    found = [*lengths(data)]
    if not found:
        return _flip(data, chance, _)
    at, size, order = chance.choice(found)
    old = int.from_bytes(data[at : at + size], order)
    new = chance.choice((old + 1, old - 1, old * 2, old + 256, chance.getrandbits(31), *EDGES))
    return data[:at] + (new % (1 << 8 * size)).to_bytes(size, order) + data[at + size :]


def _cut(data: bytes, chance: random.Random, _: object) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _splice(data: bytes, chance: random.Random, sound: dict[str, bytes]) -> bytes:
    other = chance.choice([*sound.values()])
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other)) :]


def _repeat(data: bytes, chance: random.Random, _: object) -> bytes:
    start = chance.randrange(len(data) + 1)
    end = start + chance.choice((1, 4, 64, 1024))
    return data[:end] + data[start:end] * chance.choice((1, 2, 50)) + data[end:]


def _remove(data: bytes, chance: random.Random, _: object) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.choice((1, 2, 4, 64, 512)) :]


Change = Callable[[bytes, random.Random, dict[str, bytes]], bytes]
CHANGES: tuple[Change, ...] = (_flip, _overwrite, _resize, _resize, _cut, _splice, _repeat, _remove)


def lengths(data: bytes) -> Iterator[tuple[int, int, str]]:
    """Find where a file keeps lengths and counts: place, bytes and order of each."""
    if data.startswith(b"\x89PNG"):
        yield from _walk(data, 8, 12)
    elif data[4:8] in (b"ftyp", b"jP  "):
        yield from _walk(data, 0, 0)
        yield from ((at - 4, 4, "big") for at in _boxes(data))
    elif data.startswith(b"RIFF"):
        yield from ((at, 4, "little") for at in (4, *_riff(data)))
    elif data[:2] in (b"II", b"MM"):
        yield from _tiff(data)
    elif data.startswith(b"\xff\xd8"):
        yield from _segments(data)
    elif data.startswith((b"GIF8", b"BM")):
        yield from ((at, 2, "little") for at in range(2, min(len(data) - 2, 60)))


def _walk(data: bytes, at: int, extra: int) -> Iterator[tuple[int, int, str]]:
    while at + 8 <= len(data):
        yield at, 4, "big"
        at += max(8, int.from_bytes(data[at : at + 4], "big") + extra)


def _boxes(data: bytes) -> Iterator[int]:
    for name in (
        b"meta",
        b"iinf",
        b"infe",
        b"iloc",
        b"iprp",
        b"ipco",
        b"ispe",
        b"hvcC",
        b"av1C",
        b"iref",
        b"stsz",
        b"stco",
        b"trak",
        b"moov",
        b"ihdr",
        b"jp2c",
        b"pixi",
    ):
        at = data.find(name)
        if at >= 4:
            yield at


def _riff(data: bytes) -> Iterator[int]:
    at = 12
    while at + 8 <= len(data):
        yield at + 4
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")


def _tiff(data: bytes) -> Iterator[tuple[int, int, str]]:
    order = "little" if data.startswith(b"II") else "big"
    yield 4, 4, order
    start = int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
    entries = int.from_bytes(data[start : start + 2], order)  # type: ignore[arg-type]
    if start + 2 <= len(data):
        yield start, 2, order
    for each in range(min(entries, (len(data) - start - 2) // 12)):
        entry = start + 2 + 12 * each
        yield from (
            (entry, 2, order),
            (entry + 2, 2, order),
            (entry + 4, 4, order),
            (entry + 8, 4, order),
        )


def _segments(data: bytes) -> Iterator[tuple[int, int, str]]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        yield at + 2, 2, "big"
        if 0xC0 <= data[at + 1] <= 0xC2:
            yield from ((at + 5, 2, "big"), (at + 7, 2, "big"), (at + 9, 1, "big"))
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def with_sums(data: bytes) -> bytes:
    """Give a PNG whose chunks have the checksums of what they hold now."""
    out, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        out[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(out)
