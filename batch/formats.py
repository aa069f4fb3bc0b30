"""From a file's bytes to its header and its first picture, upright and in RGB."""

import io
import os
import re
import threading
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, Image, ImageCms, JpegImagePlugin, TiffImagePlugin

# Pillow opens these and no others: EPS would start Ghostscript, and PDF, WMF, MPEG, HDF5, GRIB,
# BUFR and FITS hold no photo that Pillow decodes by itself. JPEG (and MPO, its kind of several
# pictures) passes by this list, see `open_picture`. TGA has no magic number, so it stands last.
DECODED = (
    "PNG", "HEIF", "AVIF", "TIFF", "WEBP", "GIF", "BMP", "DIB", "JPEG2000", "PPM", "PSD", "QOI",
    "ICO", "ICNS", "CUR", "DDS", "PCX", "DCX", "SGI", "SUN", "MSP", "XBM", "XPM", "PCD", "BLP",
    "FTEX", "FLI", "GBR", "IM", "PIXAR", "TGA",
)  # fmt: skip
# Photos and pictures that nothing here decodes: each gets its row, which says what to do with it.
RAW = frozenset({
    ".3fr", ".ari", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff",
    ".gpr", ".iiq", ".k25", ".kdc", ".mdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef",
    ".ptx", ".raf", ".raw", ".rw2", ".rwl", ".rwz", ".sr2", ".srf", ".srw", ".x3f",
})  # fmt: skip
OTHER_PICTURES = frozenset({
    ".svg", ".svgz", ".psb", ".jxl", ".jxr", ".wdp", ".hdp", ".exr", ".hdr", ".xcf",
})  # fmt: skip

MAX_PIXELS = 178_956_970  # Pillow's own limit; a picture decodes to 3 or 4 bytes a pixel
MAX_JPEG_PIXELS = 500_000_000  # a baseline JPEG is scaled down while it is decoded
MAX_SCANNED = 20_000_000_000  # pixels times scans: ten seconds; a hostile file could take hours
LARGE_PIXELS = 50_000_000  # above this one picture is decoded at a time
ORIENTATION, DATE_TIME, EXIF_IFD, DATE_TIME_ORIGINAL, DNG_VERSION = 274, 306, 34665, 36867, 50706

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Set once, when this module is imported: threads that load photos share Pillow's settings.
pillow_heif.register_heif_opener(decode_threads=1)  # the threads that load photos are enough
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
Image.init()
warnings.filterwarnings("ignore", module=r"PIL\.")  # what is wrong with a photo, its row says
_large_turn = threading.Semaphore(1)


@dataclass(frozen=True)
class Header:
    """What a photo says of itself before a pixel is decoded; width and height are upright."""

    format: str
    width: int
    height: int
    frames: int
    taken_at: str | None


def extensions() -> frozenset[str]:
    """Every file name ending, lower case with its dot, that makes a file a photo of the archive."""
    known = Image.registered_extensions()
    decoded = {ending for ending, name in known.items() if name in {*DECODED, "JPEG"}}
    return frozenset(decoded | {".mpo"} | RAW | OTHER_PICTURES)


def open_picture(data: bytes) -> Image.Image:
    """Read the header; the pixels are decoded by the picture's own `load`."""
    if not data.startswith(b"\xff\xd8\xff"):
        return Image.open(io.BytesIO(data), formats=DECODED)
    # Not by Image.open, whose limit would refuse the large JPEGs that draft mode makes light.
    try:
        image: Image.Image = JpegImagePlugin.jpeg_factory(io.BytesIO(data))
    except (AssertionError, LookupError, ValueError):  # a damaged list of further pictures (MPO)
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    pixels = image.width * image.height
    # The decoder keeps a progressive JPEG whole, and goes through all of it for each of its scans.
    scans = data.count(b"\xff\xda") if image.info.get("progressive") else 0
    if pixels > (MAX_PIXELS if scans else MAX_JPEG_PIXELS) or pixels * scans > MAX_SCANNED:
        raise Image.DecompressionBombError(f"{image.width}x{image.height} pixels, {scans} scans")
    return image


def is_raw(image: Image.Image, name: str) -> bool:
    """Tell a camera's raw file, which is a TIFF whose first picture is a thumbnail, from a TIFF."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return os.path.splitext(name)[1].lower() in RAW or DNG_VERSION in image.tag_v2


def read_header(image: Image.Image, data: bytes) -> tuple[Header, int]:
    """Say what the opened picture is, and the orientation (1 to 8) `decode` has to undo.

    Damaged EXIF counts as none.
    """
    try:
        orientation, taken_at = _read_exif(image, data)
    except Exception:  # noqa: BLE001 - damaged EXIF raises anything, and is no reason to lose a photo
        orientation, taken_at = 1, None
    width, height = image.size
    size_is_turned = False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # Pillow turns a TIFF by itself: its size as it opens it, its pixels as it loads it.
        size_is_turned = image.tag_v2.get(ORIENTATION) in (5, 6, 7, 8)
    if orientation >= 5 and not size_is_turned:
        width, height = height, width
    header = Header(str(image.format), width, height, _frames(image), taken_at)
    return header, 1 if image.format == "TIFF" else orientation


def _read_exif(image: Image.Image, data: bytes) -> tuple[int, str | None]:
    late = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
    if image.format == "PNG" and not any(mark in data for mark in late):
        return 1, None  # getexif() would decode all pixels to look for EXIF behind them
    exif = image.getexif()
    turn = exif.get(ORIENTATION)
    orientation = turn if isinstance(turn, int) and 1 <= turn <= 8 else 1
    taken = exif.get_ifd(EXIF_IFD).get(DATE_TIME_ORIGINAL)
    return orientation, _as_iso(taken) or _as_iso(exif.get(DATE_TIME))


def _as_iso(text: object) -> str | None:
    """Give `2019-05-04T12:33:10` for EXIF's `2019:05:04 12:33:10`, None for what is no moment."""
    pattern = r"\s*(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)"
    match = re.match(pattern, text, re.ASCII) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        moment = datetime(*(int(part) for part in match.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
    return moment.isoformat() if moment.year >= 1826 else None  # the year of the first photograph


def _frames(image: Image.Image) -> int:
    if image.format == "PSD":
        return 1  # what Pillow counts there are layers; what it shows is all of them together
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 - a damaged later frame is no reason to lose the first
        return 1


def decode(image: Image.Image, orientation: int, min_size: int) -> Image.Image:
    """Decode an opened picture's first frame into upright RGB.

    A JPEG is scaled down by 2, 4 or 8 while it is decoded, both sides staying at `min_size` or more
    where the photo has as much.
    """
    pixels = image.width * image.height
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        image.draft(None, (min_size, min_size))
        if not image.info.get("progressive"):
            pixels = image.width * image.height
    with turn_of(pixels):
        image.load()
        rgb = to_rgb(image)
        return rgb.transpose(TURNS[orientation]) if orientation in TURNS else rgb


def turn_of(pixels: int) -> AbstractContextManager[object]:
    """Give what lets large pictures take turns; `batch.worker` takes those of its run instead."""
    return _large_turn if pixels > LARGE_PIXELS else nullcontext()


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any loaded picture to RGB: inks by profile, greys scaled, alpha over white."""
    if image.mode.startswith("I") or image.mode == "F":
        return _grey(image).convert("RGB")
    if image.mode in ("CMYK", "LAB"):
        return _by_profile(image)
    if image.has_transparency_data:
        return _over_white(image if image.mode == "RGBA" else image.convert("RGBA"))
    return image.convert("RGB")


def _over_white(rgba: Image.Image) -> Image.Image:
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba)
    return white


def _grey(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float greys to 8 bits, where Pillow's own conversion would clip.

    16 bits are scaled by their full range. 32 bits and floats do not say what white is: it is the
    first of 1 (floats alone), 255 and 65535 that the picture does not exceed, else its brightest
    value, and black is its darkest value where that is below 0.
    """
    pixels = np.asarray(image)
    if pixels.dtype.kind == "u":
        table = np.round(np.arange(65536) / 257).astype(np.uint8)
        return Image.fromarray(table[pixels])
    values = pixels.astype(np.float32)
    del pixels  # from here on in place: a large picture's values are 700 MB
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    black, brightest = min(float(values.min()), 0.0), float(values.max())
    whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    white = next((white for white in whites if brightest <= white), brightest)
    values -= black
    values *= 255.0 / max(white - black, 1e-30)
    np.round(values, out=values)
    return Image.fromarray(values.clip(0, 255, out=values).astype(np.uint8))


def _by_profile(image: Image.Image) -> Image.Image:
    """Convert CMYK through its embedded profile where that is sound, and Lab by definition."""
    srgb = ImageCms.createProfile("sRGB")
    try:
        if image.mode == "LAB":
            own = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            own = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        converted = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
    except (KeyError, TypeError, OSError, ImageCms.PyCMSError):
        return image.convert("RGB")  # no profile, or none that this picture can pass through
    return converted if converted is not None else image.convert("RGB")
