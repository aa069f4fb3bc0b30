"""Captions inside the photos: in every field that programs read, and nothing else changed."""

import io
import json
import os
import shutil
import subprocess
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from batch import exiftool, original
from batch.captioned import Captioned
from batch.embed import embed_captions
from batch.errors import ArchiveError
from batch.photos import open_upright
from manifests import durable
from manifests.review import Review, ReviewStatus
from tests.batch.archives import draw, state_of
from tests.manifests.examples import names, record
from tests.pictures import encoded, exif, noise, upright

pillow_heif.register_heif_opener()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed"),
]
WORDS = 'a dog & a <cat>\n"둘" 🐕'
XMP = ("XMP-dc:Description", "XMP-dc:Description-en", "XMP-iptcCore:AltTextAccessibility")


@pytest.fixture
def photos(tmp_path):
    """Make an empty folder of photos."""
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def two(form, **options):
    """Encode a picture of two frames."""
    return encoded(noise(), form, save_all=True, append_images=[noise(seed=1)], **options)


PICTURES = {
    "a.jpg": lambda: encoded(noise(), exif=exif(6, taken="2019:05:04 12:33:10")),
    "cmyk.jpg": lambda: encoded(noise().convert("CMYK")),
    "two.jpg": lambda: two("MPO"),
    "a.png": lambda: encoded(noise(), "PNG"),
    "alpha.png": lambda: encoded(noise().convert("RGBA"), "PNG"),
    "a.tif": lambda: encoded(noise(), "TIFF", compression="tiff_lzw"),
    "pages.tif": lambda: two("TIFF"),
    "a.heic": lambda: encoded(noise(), "HEIF"),
    "a.avif": lambda: encoded(noise(), "AVIF"),
    "a.webp": lambda: encoded(noise(), "WEBP", lossless=True),
    "named wrong.jpg": lambda: encoded(noise(), "PNG"),
}


def put(photos, name, data=None, caption=WORDS, **changes):
    """Save a photo and give its row, with a caption that a person wrote."""
    path = photos / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded(noise()) if data is None else data)
    return row_of(photos, name, caption, **changes)


def row_of(photos, name, caption=WORDS, **changes):
    """Give the row of a photo that is there."""
    path = photos / os.fsdecode(name)
    photo_id = sha256(path.read_bytes()).hexdigest()
    review = Review("en", ReviewStatus.EDITED, caption, "Kim")
    known = {"photo_id": photo_id, "language": "en", "reviews": (review,)}
    return record(os.fsencode(name), **known | changes)


def embed(photos, *rows, replacing=lambda _: None, **options):
    """Embed the captions of rows."""
    return embed_captions(Captioned("", str(photos), rows), replacing, **options)


def read(path):
    """Give what exiftool reads in a file."""
    command = ["exiftool", "-j", "-a", "-G1", "-struct", path]
    [found] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def tell(path, *arguments):
    """Let exiftool write something into a photo, as other programs do."""
    command = ["exiftool", "-q", "-overwrite_original", *arguments, path]
    subprocess.run(command, check=True, capture_output=True)


def frames(data):
    """Give the pixels of all frames."""
    image = Image.open(io.BytesIO(data))
    found = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        found.append(np.asarray(image).copy())
    return found


@pytest.mark.parametrize("name", PICTURES)
def test_each_format_holds_the_caption_and_shows_the_same_pixels(photos, name):
    data = PICTURES[name]()
    row = put(photos, name, data)
    done = embed(photos, row)
    if name.endswith("webp") and "RIFF" in dict(done.notes).get(name, ""):
        pytest.skip("this exiftool is too old for WebP")
    assert done.notes == []
    found = read(photos / name)
    assert {found[field] for field in XMP} == {WORDS}
    assert found["IFD0:ImageDescription"] == WORDS
    assert found["XMP-photoshop:CaptionWriter"] == "Kim"
    if name.endswith((".jpg", ".tif")) and name != "named wrong.jpg":
        assert found["IPTC:Caption-Abstract"] == WORDS
        assert found["IPTC:CodedCharacterSet"] == "UTF8"
    after = (photos / name).read_bytes()
    assert after != data
    for old, new in zip(frames(data), frames(after), strict=True):
        assert np.array_equal(old, new)
    seen = [np.asarray(open_upright(each, 299)) for each in (data, after)]
    assert np.array_equal(*seen)


def test_all_else_that_a_photo_says_of_itself_stays(photos):
    path = photos / "a.jpg"
    put(photos, "a.jpg", encoded(noise(), exif=exif(6, taken="2019:05:04 12:33:10")))
    said = ["-XMP:Rating=4", "-XMP-dc:Subject=개", "-IPTC:City=Seoul", "-IPTC:Keywords=dog"]
    tell(
        path, *said, "-XMP-dc:Creator=이", "-GPSLatitude=37.5", "-Comment=hello", "-EXIF:Artist=Lee"
    )
    before = read(path)
    assert embed(photos, row_of(photos, "a.jpg")).written == 1
    after = read(path)
    lost = {
        name
        for name, text in before.items()
        if after.get(name) != text and not name.startswith(("System:", "ExifTool:"))
    }
    assert lost <= {"File:CurrentIPTCDigest", "XMP-x:XMPToolkit"}


def test_mode_and_times_stay_and_the_identity_is_told_before_it_changes(photos):
    row = put(photos, "a.jpg")
    path = photos / "a.jpg"
    path.chmod(0o640)
    os.utime(path, ns=(5, 1_500_000_000_123_456_789))
    seen = []

    def replacing(embedded):
        assert sha256(path.read_bytes()).hexdigest() == embedded.old_id == row.photo_id
        seen.append(embedded)

    embed(photos, row, replacing=replacing)
    [embedded] = seen
    stat = path.stat()
    assert (stat.st_size, stat.st_mtime_ns) == (embedded.size, embedded.mtime_ns)
    assert (stat.st_mtime_ns, stat.st_mode & 0o777) == (1_500_000_000_123_456_789, 0o640)
    assert sha256(path.read_bytes()).hexdigest() == embedded.new_id
    assert embedded.raw_path == b"a.jpg"
    assert names(photos) == ["a.jpg"]


def test_new_bytes_of_the_same_size_have_another_time(photos):
    embed(photos, put(photos, "a.jpg", caption="a dog"))
    before = (photos / "a.jpg").stat()
    assert embed(photos, row_of(photos, "a.jpg", "a cat")).written == 1
    after = (photos / "a.jpg").stat()
    assert after.st_size == before.st_size
    assert after.st_mtime_ns > before.st_mtime_ns


def test_a_second_time_touches_nothing(photos):
    rows = [put(photos, name, make()) for name, make in PICTURES.items() if "webp" not in name]
    embed(photos, *rows)
    before = state_of(photos)
    done = embed(photos, *(row_of(photos, row.path) for row in rows))
    assert (done.unchanged, done.written) == (len(rows), 0)
    assert state_of(photos) == before


def test_new_words_reach_every_field_and_what_no_longer_stands_leaves_them(photos):
    embed(photos, put(photos, "a.jpg"), put(photos, "b.jpg"))
    done = embed(photos, row_of(photos, "a.jpg", "new"), row_of(photos, "b.jpg", reviews=()))
    assert (done.written, done.taken_back) == (1, 1)
    changed, bare = read(photos / "a.jpg"), read(photos / "b.jpg")
    fields = (*XMP, "IFD0:ImageDescription", "IPTC:Caption-Abstract")
    assert {changed[field] for field in fields} == {"new"}
    assert not set(bare) & set(fields)
    assert not [name for name in bare if name.startswith("XMP")]


@pytest.mark.parametrize(
    "field", ["EXIF:ImageDescription", "IPTC:Caption-Abstract", "XMP-dc:Description"]
)
def test_a_caption_by_others_is_kept_in_whichever_field_unless_it_is_to_be_replaced(photos, field):
    put(photos, "a.jpg")
    tell(photos / "a.jpg", f"-{field}=Grandma in her garden")
    row = row_of(photos, "a.jpg")
    before = state_of(photos)
    done = embed(photos, row)
    assert state_of(photos) == before
    assert (done.exit_code, dict(done.notes)["a.jpg"]) == (
        3,
        "has a caption by others, which was kept",
    )
    assert embed(photos, row, replaces=True).written == 1
    assert "Grandma" not in json.dumps(read(photos / "a.jpg"))


def test_what_a_camera_calls_itself_is_no_caption(photos):
    put(photos, "a.jpg")
    tell(photos / "a.jpg", "-EXIF:ImageDescription=OLYMPUS DIGITAL CAMERA         ")
    assert embed(photos, row_of(photos, "a.jpg")).written == 1
    assert read(photos / "a.jpg")["IFD0:ImageDescription"] == WORDS


def test_iptc_fields_in_an_old_encoding_are_not_made_unreadable(photos):
    put(photos, "a.jpg")
    tell(photos / "a.jpg", "-charset", "iptc=latin1", "-IPTC:City=Zürich")
    before = state_of(photos)
    done = embed(photos, row_of(photos, "a.jpg"), replaces=True)
    assert state_of(photos) == before
    assert "old encoding" in dict(done.notes)["a.jpg"]


def test_links_and_photos_with_two_names_are_left_alone(photos, tmp_path):
    draw(tmp_path / "elsewhere.png")
    (photos / "link.png").symlink_to(tmp_path / "elsewhere.png")
    put(photos, "one.jpg")
    os.link(photos / "one.jpg", photos / "other.jpg")
    (tmp_path / "folder").mkdir()
    (photos / "x").symlink_to(tmp_path / "folder")
    put(photos, "x/a.jpg")
    before = state_of(tmp_path)
    done = embed(photos, *(row_of(photos, n) for n in ("link.png", "one.jpg", "x/a.jpg")))
    assert state_of(tmp_path) == before
    assert len(done.notes) == 3


@pytest.mark.parametrize(
    "data",
    [
        encoded(upright(), "GIF"),
        encoded(upright(), "BMP"),
        encoded(upright())[:-400],
        b"<svg/>",
        b"",
        encoded(upright()) + b"http://ns.adobe.com/xmp/extension/",
    ],
    ids=["gif", "bmp", "cut short", "svg", "empty", "extended XMP"],
)
def test_what_cannot_be_written_to_safely_is_left_alone(photos, data):
    row = put(photos, "a.jpg", data)
    before = state_of(photos)
    done = embed(photos, row)
    assert state_of(photos) == before
    assert (done.written, done.exit_code, len(done.notes)) == (0, 3, 1)


def test_a_photo_that_has_changed_since_is_left_alone(photos):
    row = put(photos, "a.jpg")
    (photos / "a.jpg").write_bytes(encoded(upright()))
    before = state_of(photos)
    assert "caption it again" in embed(photos, row).notes[0][1]
    assert state_of(photos) == before


def test_pixels_that_would_change_are_never_written(photos, monkeypatch):
    row = put(photos, "a.jpg")
    monkeypatch.setattr(original, "seen", lambda data: data)
    before = state_of(photos)
    assert "pixels" in embed(photos, row).notes[0][1]
    assert state_of(photos) == before


@pytest.mark.parametrize("code", [13, 28])
def test_a_disk_that_fails_leaves_the_photo_whole(photos, monkeypatch, code):
    row = put(photos, "a.jpg")
    before = state_of(photos)

    def fail(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(durable, "sync", fail)
    assert embed(photos, row).exit_code == 3
    assert {k: v for k, v in state_of(photos).items() if k.endswith(".jpg")} == {
        k: v for k, v in before.items() if k.endswith(".jpg")
    }
    assert names(photos) == ["a.jpg"]


@pytest.mark.parametrize(
    "name", [b"caf\xe9.jpg", b"a\nb.jpg", b"-o.jpg", "바다.jpg".encode(), b"a|.jpg"]
)
def test_no_name_is_taken_for_anything_else(photos, name):
    assert embed(photos, put(photos, name)).written == 1
    assert names(photos) == [os.fsdecode(name)]


@pytest.mark.parametrize(
    "words", ["-o /tmp/x", "=1+1", "#[HEADER]", "1.50", "ok\r\n{ready}\n", "가" * 1500]
)
def test_no_words_are_taken_for_anything_else(photos, words):
    row = put(photos, "a.jpg", caption=words)
    assert embed(photos, row).written == 1
    image = Image.open(photos / "a.jpg")
    assert image.getexif()[270].encode("latin-1").decode() == words
    assert embed(photos, row_of(photos, "a.jpg", words)).unchanged == 1


def test_the_configuration_of_the_user_is_not_run(photos, tmp_path, monkeypatch):
    (tmp_path / ".ExifTool_config").write_text("die 'it ran';", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert embed(photos, put(photos, "a.jpg")).written == 1


def test_without_exiftool_it_is_said_what_to_do(photos, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ArchiveError, match="install"):
        embed(photos, put(photos, "a.jpg"))


def test_an_exiftool_that_ends_halfway_costs_no_photo(photos, monkeypatch):
    rows = [put(photos, "a.jpg"), put(photos, "b.jpg", encoded(upright()))]
    before = state_of(photos)
    monkeypatch.setattr(exiftool, "_COMMAND", ("exiftool", "-config", "", "-ver"))
    done = embed(photos, *rows)
    assert state_of(photos) == before
    assert len(done.notes) == 2


def test_a_photo_that_keeps_exiftool_too_long_does_not_hold_up_the_others(photos, monkeypatch):
    rows = [put(photos, "a.jpg"), put(photos, "b.jpg")]
    asked = exiftool._answer
    commands = []

    def answer(program, command):
        commands.append(command)
        return asked(program, "" if len(commands) == 1 else command)

    monkeypatch.setattr(exiftool, "_answer", answer)
    monkeypatch.setattr(exiftool, "LONGEST", 5)
    done = embed(photos, *rows)
    assert (done.written, list(dict(done.notes))) == (1, ["a.jpg"])


def test_rows_without_a_review_are_not_rewritten(photos):
    row = replace(put(photos, "a.jpg"), reviews=())
    before = state_of(photos)
    assert embed(photos, row).exit_code == 0
    assert state_of(photos) == before
    assert embed(photos, row, include_machine=True).written == 1
    assert read(photos / "a.jpg")["XMP-photoshop:CaptionWriter"] == "flickr8k@12ab (machine)"
