"""Loading gives the picture a person sees, or says what is wrong, and never raises."""

import errno
import os
import signal
import socket
import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from batch import formats, photos
from batch.damage import PhotoError
from batch.photos import LoadedPhoto, load, open_upright
from batch.scan import Photo
from tests import pictures
from tests.pictures import encoded, noise, turned, upright

STATUSES = {
    *("ok", "unreadable", "truncated", "too_large", "unsupported"),
    *("unstable", "vanished", "denied", "io"),
}


@pytest.fixture(autouse=True)
def deadline(monkeypatch):
    """Turn a hang into a failure, and the pauses between tries into none."""
    monkeypatch.setattr(photos, "PAUSE", 0.0)
    signal.alarm(30)
    yield
    signal.alarm(0)


@pytest.fixture
def loaded(tmp_path):
    def put_and_load(data: bytes, name: str = "a.jpg", **options) -> LoadedPhoto:
        (tmp_path / name).write_bytes(data)
        return load(Photo(str(tmp_path), name, len(data), 0), **options)

    return put_and_load


def fields(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Give the colour of each field: top left, top right, bottom left, bottom right."""
    near, far = len(pixels) // 4, 3 * len(pixels) // 4
    return [tuple(pixels[y, x].tolist()) for y in (near, far) for x in (near, far)]


def assert_upright(found: LoadedPhoto, tolerance: int = 10) -> None:
    assert (found.status, found.error) == ("ok", "")
    expected = [pictures.RED, pictures.GREEN, pictures.BLUE, pictures.GREY]
    assert np.abs(np.subtract(fields(found.pixels), expected)).max() <= tolerance


def middle(found: LoadedPhoto) -> tuple[int, ...]:
    assert (found.status, found.error) == ("ok", "")
    return tuple(found.pixels[len(found.pixels) // 2, len(found.pixels) // 2].tolist())


def assert_bad(found: LoadedPhoto, status: str, words: str = "") -> None:
    assert found.status == status, found
    assert words in found.error
    assert found.pixels is None
    assert found.error
    assert "\n" not in found.error


# What is loaded


def test_a_photo_is_loaded_with_all_it_says_of_itself(loaded, tmp_path):
    exif = pictures.exif(taken="2019:05:04 12:33:10")
    data = encoded(upright(), exif=exif)
    found = loaded(data)
    assert_upright(found)
    assert found.photo_id == sha256(data).hexdigest()
    assert (found.pixels.shape, found.pixels.dtype) == ((299, 299, 3), np.uint8)
    assert (found.width, found.height, found.format, found.frames) == (96, 64, "JPEG", 1)
    assert found.taken_at == "2019-05-04T12:33:10"
    on_disk = (tmp_path / "a.jpg").stat()
    assert (found.size, found.mtime_ns) == (on_disk.st_size, on_disk.st_mtime_ns)


def test_pixels_have_the_size_that_is_asked(loaded):
    assert loaded(encoded(upright()), size=224).pixels.shape == (224, 224, 3)


@pytest.mark.parametrize(
    "form",
    ["JPEG", "PNG", "HEIF", "AVIF", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000", "PPM", "TGA", "ICO"],
)
def test_every_common_format_is_told_by_its_bytes_whatever_its_name(loaded, form):
    options = {"WEBP": {"lossless": True}, "ICO": {"sizes": [(96, 64)]}}.get(form, {})
    found = loaded(encoded(upright(), form, **options), name="named like any other.jpg")
    assert_upright(found, tolerance=16)
    assert found.format == form


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF"])
def test_a_turned_photo_is_turned_upright_once(loaded, form, orientation):
    found = loaded(turned(orientation, form))
    assert_upright(found, tolerance=16)
    assert (found.width, found.height) == (96, 64)
    header = loaded(turned(orientation, form), needs_pixels=lambda photo_id: False)
    assert (header.width, header.height) == (96, 64)


def test_exif_of_a_heic_that_is_stored_upright_turns_nothing(loaded):
    one, six = b"\x01\x12\0\x03\0\0\0\1\0\1", b"\x01\x12\0\x03\0\0\0\1\0\6"
    data = encoded(upright(), "HEIF", exif=pictures.exif(1))
    assert data.count(one) == 1
    found = loaded(data.replace(one, six))
    assert_upright(found)
    assert (found.width, found.height) == (96, 64)


SHORT, TEXT, RATIONAL, FLOAT = 3, 2, 5, 11


def test_an_orientation_of_six_turns(loaded):
    found = loaded(encoded(upright(), exif=pictures.exif_orientation(SHORT, b"\0\6")))
    assert (found.width, found.height) == (64, 96)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (SHORT, b"\0\0"),
        (SHORT, b"\0\x09"),
        (SHORT, b"\xff\xff"),
        (TEXT, b"6"),
        (RATIONAL, struct.pack(">II", 6, 1)),
        (FLOAT, struct.pack(">f", 6.0)),
    ],
)
def test_an_orientation_that_is_none_turns_nothing(loaded, kind, value):
    found = loaded(encoded(upright(), exif=pictures.exif_orientation(kind, value)))
    assert_upright(found)
    assert (found.width, found.height) == (96, 64)


@pytest.mark.filterwarnings("ignore")  # pytest resets what the program ignores
def test_damaged_exif_is_no_reason_to_lose_a_photo(loaded):
    block = pictures.exif(6, "2019:05:04 12:33:10")
    for damaged in (
        block[:20],
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        block[:9] + b"\xff" * 40,
    ):
        assert_upright(loaded(encoded(upright(), exif=damaged)))


@pytest.mark.parametrize(
    ("taken", "changed", "expected"),
    [
        ("2019:05:04 12:33:10", "2020:01:01 00:00:00", "2019-05-04T12:33:10"),
        (None, "2020:01:01 00:00:00", "2020-01-01T00:00:00"),
        ("0000:00:00 00:00:00", "2020:01:01 00:00:00", "2020-01-01T00:00:00"),
        ("2019-05-04T12:33:10+02:00", None, "2019-05-04T12:33:10"),
        ("2019:02:30 12:33:10", None, None),
        ("    :  :     :  :  ", None, None),
        ("0001:01:01 00:00:00", None, None),
        ("yesterday", None, None),
        (None, None, None),
    ],
)
def test_the_moment_is_that_of_the_shot_or_none(loaded, taken, changed, expected):
    block = pictures.exif(taken=taken, changed=changed)
    assert loaded(encoded(upright(), exif=block)).taken_at == expected
    assert loaded(encoded(upright(), "PNG", exif=block)).taken_at == expected


def test_a_heic_tells_its_moment(loaded):
    block = pictures.exif(taken="2019:05:04 12:33:10")
    assert loaded(encoded(upright(), "HEIF", exif=block)).taken_at == "2019-05-04T12:33:10"


# Colours


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_inks_without_a_profile_have_their_plain_colours(loaded, form):
    red_ink, black_ink = (0, 255, 255, 0), (0, 0, 0, 255)
    red = loaded(encoded(Image.new("CMYK", (64, 64), red_ink), form))
    assert np.abs(np.subtract(middle(red), (254, 0, 0))).max() <= 4
    assert max(middle(loaded(encoded(Image.new("CMYK", (64, 64), black_ink), form)))) <= 4
    assert min(middle(loaded(encoded(Image.new("CMYK", (64, 64), (0, 0, 0, 0)), form)))) >= 251


def test_inks_have_the_colours_of_their_profile(loaded):
    cyan = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    red, green, blue = middle(loaded(encoded(cyan, icc_profile=pictures.ink_profile())))
    assert green > red + 50
    assert green > blue + 50


def test_inks_kept_as_light_and_colour_have_their_colours(loaded):
    # YCCK, as Photoshop writes it: what is stored is (luma, blue, red) of the inks, and black.
    data = bytearray(encoded(Image.new("CMYK", (64, 64), (76, 84, 254, 0))))
    mark = data.index(b"Adobe")
    assert data[mark + 11] == 0  # how the colours are transformed: not
    data[mark + 11] = 2
    assert np.abs(np.subtract(middle(loaded(bytes(data))), (254, 0, 0))).max() <= 6


@pytest.mark.parametrize("profile", [b"no profile at all", "of RGB"])
def test_inks_with_an_unsound_profile_have_their_plain_colours(loaded, profile):
    if profile == "of RGB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red = encoded(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), icc_profile=profile)
    assert np.abs(np.subtract(middle(loaded(red)), (254, 0, 0))).max() <= 4


def test_lab_pictures_have_their_colours(loaded):
    red, green, blue = middle(loaded(encoded(Image.new("LAB", (64, 64), (138, 209, 199)), "TIFF")))
    assert red > 240
    assert max(green, blue) < 40


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize(("value", "expected"), [(0, 0), (32768, 128), (65000, 253), (65535, 255)])
def test_deep_greys_keep_their_brightness(loaded, form, value, expected):
    picture = pictures.grey16(np.full((40, 40), value))
    assert middle(loaded(encoded(picture, form))) == (expected,) * 3


def test_deep_greys_of_the_other_byte_order_keep_their_brightness(loaded):
    data = b"P5 40 40 65535\n" + np.full((40, 40), 32768, ">u2").tobytes()
    assert middle(loaded(data, "a.pgm")) == (128,) * 3


@pytest.mark.parametrize(
    ("lowest", "highest", "dtype", "expected"),
    [
        (0.0, 1.0, np.float32, (0, 255)),
        (0.0, 0.5, np.float32, (0, 128)),
        (0.0, 255.0, np.float32, (0, 255)),
        (-4.0, 4.0e6, np.float32, (0, 255)),
        (np.nan, 1.0, np.float32, (0, 255)),
        (0, 65535, np.int32, (0, 255)),
        (0, 2_000_000_000, np.int32, (0, 255)),
    ],
)
def test_greys_of_32_bits_and_floats_are_scaled(loaded, lowest, highest, dtype, expected):
    values = np.full((64, 64), lowest, dtype)
    values[:, 32:] = highest
    found = loaded(encoded(Image.fromarray(values), "TIFF"))
    assert (found.pixels[150, 20, 0], found.pixels[150, -20, 0]) == expected


def half_hidden(mode: str) -> Image.Image:
    """Draw red, its right half wholly transparent."""
    picture = Image.new("RGBA", (64, 64), (*pictures.RED, 255))
    picture.paste((*pictures.RED, 0), (32, 0, 64, 64))
    return picture.convert(mode)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_hidden_pixels_are_white(loaded, form):
    found = loaded(encoded(half_hidden("RGBA"), form))
    assert min(found.pixels[150, -20]) >= 250
    assert np.abs(np.subtract(found.pixels[150, 20], pictures.RED)).max() <= 10


def test_hidden_pixels_of_greys_and_palettes_are_white(loaded):
    assert loaded(encoded(half_hidden("LA"), "PNG")).pixels[150, -20].tolist() == [255] * 3
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([*pictures.RED, *pictures.BLUE])
    palette.paste(1, (32, 0, 64, 64))
    for form in ("PNG", "GIF"):
        found = loaded(encoded(palette, form, transparency=1))
        assert found.pixels[150, -20].tolist() == [255] * 3
        assert found.pixels[150, 20].tolist() == list(pictures.RED)
    keyed = loaded(encoded(upright(), "PNG", transparency=pictures.BLUE))
    assert fields(keyed.pixels) == [pictures.RED, pictures.GREEN, (255, 255, 255), pictures.GREY]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_every_plain_kind_of_pixel_becomes_rgb(loaded, mode):
    found = loaded(encoded(Image.new("RGB", (40, 40), "white").convert(mode), "PNG"))
    assert middle(found) == (255, 255, 255)


# Shapes, frames and sizes


def test_the_smallest_and_the_longest_pictures_are_photos(loaded):
    assert middle(loaded(encoded(Image.new("RGB", (1, 1), "white")))) == (255, 255, 255)
    strip = loaded(encoded(Image.new("RGB", (1, 20000), "white")))
    assert (strip.width, strip.height, strip.pixels.shape) == (1, 20000, (299, 299, 3))


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF", "MPO", "HEIF", "AVIF"])
def test_the_first_of_several_frames_is_loaded_and_all_are_counted(loaded, form):
    later = [Image.new("RGB", (96, 64), colour) for colour in ("white", "black")]
    data = encoded(upright(), form, save_all=True, append_images=later)
    found = loaded(data)
    assert_upright(found, tolerance=30)
    assert (found.frames, found.format) == (3, form)
    assert loaded(data, needs_pixels=lambda photo_id: False).frames == 3


@pytest.mark.filterwarnings("ignore")  # pytest resets what the program ignores
def test_a_damaged_list_of_further_pictures_does_not_cost_the_first(loaded):
    data = encoded(upright(), "MPO", save_all=True, append_images=[upright()])
    at = data.index(b"MPF\0")
    assert_upright(loaded(data[:at] + b"MPF\0" + b"\xff" * 40 + data[at + 44 :]))
    assert_upright(loaded(data[: data.rindex(b"\xff\xd8\xff")]))


def test_a_jpeg_is_scaled_down_while_it_is_decoded_but_not_below_what_is_asked():
    data = encoded(Image.new("RGB", (4000, 3000)), exif=pictures.exif(6))
    assert open_upright(data, 598).size == (750, 1000)
    assert open_upright(data, 750).size == (750, 1000)
    assert open_upright(data, 751).size == (1500, 2000)
    assert open_upright(data, 4000).size == (3000, 4000)


def test_loading_asks_for_twice_the_size_it_gives(loaded, monkeypatch):
    asked = []
    real = formats.decode

    def watched(image, orientation, min_size):
        asked.append(min_size)
        return real(image, orientation, min_size)

    monkeypatch.setattr(formats, "decode", watched)
    loaded(encoded(upright()), size=224)
    assert asked == [448]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "HEIF"])
def test_only_the_header_is_read_of_photos_whose_pixels_are_not_needed(loaded, monkeypatch, form):
    data = encoded(upright(), form, exif=pictures.exif(taken="2019:05:04 12:33:10"))
    bare = encoded(upright(), form)
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)  # from here on nothing can be decoded
    asked: list[str] = []
    found = loaded(data, needs_pixels=lambda photo_id: bool(asked.append(photo_id)))
    assert asked == [sha256(data).hexdigest()] == [found.photo_id]
    assert (found.status, found.error, found.pixels) == ("ok", "", None)
    assert (found.width, found.height, found.format, found.frames) == (96, 64, form, 1)
    assert found.taken_at == "2019-05-04T12:33:10"
    assert loaded(bare, needs_pixels=lambda photo_id: False).status == "ok"


def test_a_large_jpeg_is_a_photo(loaded):
    data = encoded(Image.new("L", (16000, 12000), 200), quality=50)
    found = loaded(data)
    assert middle(found) == (200, 200, 200)
    assert (found.width, found.height) == (16000, 12000)


@pytest.mark.parametrize("sides", [(30000, 30000), (13400, 13400), (2**31 - 1, 2**31 - 1)])
def test_a_picture_of_too_many_pixels_is_too_large(loaded, sides):
    assert_bad(loaded(pictures.png_header(*sides)), "too_large", "smaller copy")


def test_a_jpeg_of_too_many_pixels_is_too_large(loaded):
    data = bytearray(encoded(upright()))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff\xff\xff\xff"
    assert_bad(loaded(bytes(data)), "too_large")


def test_a_jpeg_of_endless_scans_is_too_large(loaded):
    data = encoded(Image.new("L", (4000, 4000)), progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert loaded(data).status == "ok"
    assert_bad(loaded(data[:-2] + scan * 1500 + data[-2:]), "too_large")


def test_a_file_of_too_many_bytes_is_not_read(loaded, tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "MAX_BYTES", 100)
    found = loaded(encoded(upright()))
    assert_bad(found, "too_large", "more than 100")
    assert found.photo_id is None


# What is no photo


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", "unreadable", "empty"),
        (bytes(5000), "unreadable", "zero bytes"),
        (b"<!DOCTYPE html><html><body>Sign in", "unreadable", "web page"),
        (b"\n  <html>", "unreadable", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "unreadable", "git lfs pull"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(60), "unreadable", "macOS"),
        (b"Dear Sir,\nhere are the photos.\n", "unreadable", "text"),
        (b"\x13\x37" * 500, "unreadable", "damaged"),
        (b"\xff\xd8\xff\xe0", "truncated", "copy it again"),
        (b"%PDF-1.7\n", "unsupported", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported", "PostScript"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "unsupported", "SVG"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "unsupported", "raw file"),
        (b"\0\0\0\x18ftypmp42\0\0\0\1", "unsupported", "video"),
        (b"FUJIFILMCCD-RAW 0201", "unsupported", "raw file"),
        (b"8BPS\0\2" + bytes(40), "unsupported", "Photoshop"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "unsupported", "JPEG XL"),
    ],
)
def test_a_file_that_is_no_photo_says_what_it_is(loaded, data, status, words):
    found = loaded(data)
    assert_bad(found, status, words)
    assert found.photo_id == sha256(data).hexdigest()


def test_postscript_never_starts_ghostscript(loaded, monkeypatch):
    assert "EPS" not in formats.DECODED
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", None)
    eps = encoded(upright(), "EPS")
    assert_bad(loaded(eps), "unsupported", "PostScript")


@pytest.mark.parametrize("name", ["a.nef", "a.DNG", "a.cr2"])
def test_a_raw_file_is_not_taken_for_its_thumbnail(loaded, name):
    assert_bad(loaded(encoded(upright(), "TIFF"), name), "unsupported", "export it as JPEG or TIFF")
    assert_bad(loaded(b"\x13\x37" * 50, name), "unsupported", "export it as JPEG or TIFF")
    assert_upright(loaded(encoded(upright()), name))  # a JPEG, whatever its name


def test_a_raw_file_named_like_a_tiff_is_not_taken_for_its_thumbnail(loaded):
    data = encoded(upright(), "TIFF", tiffinfo={50706: b"\1\4\0\0"})
    assert_bad(loaded(data, "a.tif"), "unsupported", "raw file")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "HEIF", "AVIF", "JPEG2000"])
def test_a_file_cut_in_half_is_truncated(loaded, form):
    data = encoded(noise(), form)
    assert_bad(loaded(data[: len(data) // 2]), "truncated", "copy it again")


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "TIFF", "HEIF", "AVIF", "BMP"])
def test_a_file_without_its_last_two_bytes_is_truncated(loaded, form):
    assert_bad(loaded(encoded(noise(), form)[:-2]), "truncated")


def test_a_large_jpeg_without_its_last_two_bytes_is_truncated_though_scaled_down(loaded):
    assert_bad(loaded(encoded(noise(1300, 1300))[:-2]), "truncated")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "HEIF", "AVIF", "JPEG2000"])
def test_a_file_of_a_header_alone_is_truncated(loaded, form):
    assert_bad(loaded(encoded(noise(), form)[:40]), "truncated")


def test_bytes_that_changed_inside_a_photo_show_in_it_and_cost_nothing_else(loaded):
    data = bytearray(encoded(upright()))
    data[-60] ^= 4
    found = loaded(bytes(data))
    assert found.status == "ok"
    assert fields(found.pixels)[:2] == fields(loaded(encoded(upright())).pixels)[:2]


def test_a_jpeg_without_the_mark_of_jfif_is_a_photo(loaded):
    data = encoded(upright())
    assert data[2:4] == b"\xff\xe0"
    end = 4 + int.from_bytes(data[4:6], "big")
    assert_upright(loaded(data[:2] + data[end:]))


@pytest.mark.parametrize(
    "bomb",
    [
        pictures.chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9)),
        pictures.chunk(b"iTXt", b"x\0\1\0\0\0" + zlib.compress(bytes(200_000_000), 9)),
        pictures.chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(bytes(200_000_000), 9)),
        pictures.chunk(b"tEXt", b"Comment\0" + bytes(2_000_000)) * 40,
    ],
    ids=["zTXt", "iTXt", "iCCP", "tEXt"],
)
def test_texts_that_unpack_to_hundreds_of_megabytes_are_not_unpacked(loaded, bomb):
    sound = encoded(upright(), "PNG")
    tracemalloc.start()
    found = loaded(sound[:33] + bomb + sound[33:])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_bad(found, "unreadable", "MAX_TEXT")
    assert peak < 16_000_000 + 2 * len(bomb)


FORMS = ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "HEIF", "AVIF", "BMP", "ICO", "TGA"]
SOUND = {form: encoded(noise(40, 30), form) for form in FORMS}


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    form=st.sampled_from(FORMS),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    kept=st.floats(0.2, 1),
)
def test_no_damage_makes_loading_raise(loaded, form, changes, kept):
    data = bytearray(SOUND[form])
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    found = loaded(bytes(data[: int(kept * len(data))]))
    assert found.status in STATUSES
    assert (found.pixels is None) == (found.status != "ok") == bool(found.error)


def test_a_photo_that_needs_more_memory_than_there_is_will_be_tried_again(loaded, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr(formats, "decode", fail)
    assert_bad(loaded(encoded(upright())), "io", "memory")


@pytest.mark.parametrize("error", [ValueError("a\nb"), SyntaxError("x"), KeyError(1)])
def test_whatever_decoding_raises_becomes_a_row(loaded, monkeypatch, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(formats, "decode", fail)
    assert_bad(loaded(encoded(upright())), "unreadable")


def test_open_upright_says_what_is_wrong():
    with pytest.raises(PhotoError, match="empty") as raised:
        open_upright(b"", 598)
    assert raised.value.status == "unreadable"


# Files


def test_the_original_is_left_as_it_was(loaded, tmp_path):
    path = tmp_path / "a.jpg"
    data = encoded(upright())
    path.write_bytes(data)
    path.chmod(0o440)
    os.utime(path, ns=(1_000, 2_000))
    before = path.stat()
    assert_upright(load(Photo(str(tmp_path), "a.jpg", 0, 0)))
    after = path.stat()
    assert path.read_bytes() == data
    for fact in ("st_mtime_ns", "st_ctime_ns", "st_mode", "st_ino", "st_size", "st_nlink"):
        assert getattr(after, fact) == getattr(before, fact)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.jpg"]


@pytest.mark.parametrize(
    "name", [b"new\nline.jpg", b"\xff\xfe.jpg", b"'\".jpg", b"x" * 251 + b".jpg"]
)
def test_a_photo_of_any_name_is_loaded(loaded, name):
    assert_upright(loaded(encoded(upright()), os.fsdecode(name)))


def test_a_link_to_a_photo_is_a_photo(loaded, tmp_path):
    loaded(encoded(upright()))
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    assert_upright(load(Photo(str(tmp_path), "link.jpg", 0, 0)))


def test_pipes_sockets_and_devices_are_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "folder.jpg").mkdir()
    monkeypatch.setattr(os, "open", None)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
        for name in ("pipe.jpg", "zero.jpg", "s.jpg"):
            assert_bad(load(Photo(str(tmp_path), name, 0, 0)), "unsupported", "no file")
        assert_bad(load(Photo(str(tmp_path), "folder.jpg", 0, 0)), "unsupported", "is a folder")


def test_a_file_that_becomes_a_pipe_does_not_block(loaded, tmp_path, monkeypatch):
    loaded(encoded(upright()))
    os.mkfifo(tmp_path / "pipe.jpg")
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, flags: real(tmp_path / "pipe.jpg", flags))
    assert_bad(load(Photo(str(tmp_path), "a.jpg", 0, 0)), "unsupported", "no file")


def test_what_is_gone_has_vanished(tmp_path):
    (tmp_path / "nowhere.jpg").symlink_to("gone")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    for name in ("a.jpg", "folder/a.jpg", "nowhere.jpg", "self.jpg", "nul\0.jpg", "\ud800.jpg"):
        found = load(Photo(str(tmp_path), name, 7, 9))
        assert_bad(found, "vanished")
        assert (found.size, found.mtime_ns, found.photo_id) == (7, 9, None)


def failing_opens(monkeypatch, number: int, times: int) -> list[str]:
    """Make the first opens fail with an error number; gives the list of what was opened."""
    opened: list[str] = []
    real = os.open

    def fail(path, flags):
        opened.append(path)
        if len(opened) <= times:
            raise OSError(number, os.strerror(number))
        return real(path, flags)

    monkeypatch.setattr(os, "open", fail)
    return opened


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_failing_disk_is_tried_three_times(loaded, monkeypatch, number):
    opened = failing_opens(monkeypatch, number, times=2)
    assert_upright(loaded(encoded(upright())))
    assert len(opened) == 3
    opened = failing_opens(monkeypatch, number, times=9)
    assert_bad(loaded(encoded(upright())), "io", os.strerror(number))
    assert len(opened) == 3


def test_a_photo_that_may_not_be_read_is_denied_at_once(loaded, monkeypatch):
    opened = failing_opens(monkeypatch, errno.EACCES, times=9)
    assert_bad(loaded(encoded(upright())), "denied", "permission")
    assert len(opened) == 1


def changing(monkeypatch, path: Path, times: int, change) -> None:
    """Change the file between the first look at it and its reading, this many times."""
    left = [times]
    real = os.fstat

    def look(descriptor):
        found = real(descriptor)
        if left[0] > 0:
            left[0] -= 1
            change(path)
        return found

    monkeypatch.setattr(os, "fstat", look)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def touch(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize("change", [grow, touch, shrink])
def test_a_photo_that_changes_while_it_is_read_is_unstable(loaded, tmp_path, monkeypatch, change):
    changing(monkeypatch, tmp_path / "a.jpg", 99, change)
    found = loaded(encoded(upright()))
    assert_bad(found, "unstable", "run again")
    assert found.photo_id is None


def test_a_photo_that_comes_to_rest_is_loaded(loaded, tmp_path, monkeypatch):
    changing(monkeypatch, tmp_path / "a.jpg", 1, grow)
    found = loaded(encoded(upright()))
    assert_upright(found)
    assert found.photo_id == sha256((tmp_path / "a.jpg").read_bytes()).hexdigest()


def test_many_threads_load_what_one_does(tmp_path):
    forms = ["JPEG", "PNG", "HEIF", "AVIF", "WEBP", "TIFF"]
    for number in range(24):
        data = turned(number % 8 + 1, forms[number % len(forms)])
        (tmp_path / f"{number}.jpg").write_bytes(data)
    (tmp_path / "3.jpg").write_bytes(pictures.png_header(30000, 30000))
    wanted = [Photo(str(tmp_path), f"{number}.jpg", 0, 0) for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(load, wanted))
    for one, other in zip(together, map(load, wanted), strict=True):
        assert one == other
        assert np.array_equal(one.pixels, other.pixels)
    assert [photo.status for photo in together].count("ok") == 23


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
def test_what_the_disk_does_not_give_is_io(tmp_path):
    (tmp_path / "a.jpg").symlink_to("/proc/self/mem")  # whose first byte the kernel refuses: EIO
    found = load(Photo(str(tmp_path), "a.jpg", 0, 0))
    assert found.status == "io"
    assert "check the disk, run again" in found.error
