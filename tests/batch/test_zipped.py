"""Photos in zip files are read as they are, by many threads, and damage is told in plain words."""

import os
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch import photos, zipped
from batch.damage import PhotoError
from batch.photos import load, read_bytes
from batch.scan import Photo, scan
from tests.pictures import encoded, noise, upright

LIMIT = 1 << 20


@pytest.fixture
def put(tmp_path):
    """Make a zip file of some members; give its path."""

    def put(name: str, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> str:
        with zipfile.ZipFile(tmp_path / name, "w", method) as file:
            for member, data in members.items():
                file.writestr(member, data)
        return str(tmp_path / name)

    return put


def damaged(path: str, old: bytes, new: bytes) -> None:
    """Replace some bytes of a file, wherever they are, by as many others."""
    data = Path(path).read_bytes()
    assert old in data
    assert len(old) == len(new)
    Path(path).write_bytes(data.replace(old, new))


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
def test_a_photo_in_a_zip_is_loaded_like_the_file_it_would_be(put, tmp_path, method):
    data = encoded(upright())
    path = put("train2014.zip", {"train2014/a.jpg": data}, method)
    (tmp_path / "a.jpg").write_bytes(data)
    found = load(Photo(str(tmp_path), "train2014.zip/train2014/a.jpg", 0, 0))
    plain = load(Photo(str(tmp_path), "a.jpg", 0, 0))
    assert (found.status, found.photo_id) == ("ok", plain.photo_id)
    assert (found.pixels == plain.pixels).all()
    assert found.size == len(data)
    assert found.mtime_ns == (tmp_path / "train2014.zip").stat().st_mtime_ns
    assert read_bytes(f"{path}/train2014/a.jpg") == data


def test_a_zip_can_itself_be_the_root(put):
    path = put("val.ZIP", {"a.jpg": encoded(upright())})
    assert load(Photo(path, "a.jpg", 0, 0)).status == "ok"


@given(data=st.binary(max_size=3000), method=st.sampled_from(METHODS))
def test_what_goes_into_a_zip_comes_out(tmp_path_factory, data, method):
    path = tmp_path_factory.mktemp("zips") / "a.zip"
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("b/c.jpg", data)
    assert zipped.read_member(f"{path}/b/c.jpg", LIMIT) == (data, path.stat().st_mtime_ns)


@pytest.mark.parametrize("name", ["a.zip/no.jpg", "a.zip/b", "no.zip/a.jpg", "text.jpg/a.jpg"])
def test_what_is_not_in_a_zip_is_no_longer_there(put, tmp_path, name):
    put("a.zip", {"b/a.jpg": b"1"})
    (tmp_path / "text.jpg").write_bytes(b"no zip")
    found = load(Photo(str(tmp_path), name, 0, 0))
    assert (found.status, found.error) == (
        "vanished",
        "is no longer there, or a link to nowhere: run again",
    )


def test_a_folder_that_is_named_like_a_zip_is_a_folder(tmp_path):
    (tmp_path / "album.zip").mkdir()
    (tmp_path / "album.zip" / "a.jpg").write_bytes(encoded(upright()))
    assert load(Photo(str(tmp_path), "album.zip/a.jpg", 0, 0)).status == "ok"
    missing = load(Photo(str(tmp_path), "album.zip/b.jpg", 0, 0))
    assert missing.status == "vanished"


def test_the_zips_of_an_archive_are_not_looked_into(put, tmp_path):
    put("more.zip", {"b.jpg": encoded(upright())})
    (tmp_path / "a.jpg").write_bytes(encoded(upright()))
    assert [photo.relative for photo in scan(tmp_path)] == ["a.jpg"]


def test_photos_that_are_files_never_ask_for_zips(tmp_path, monkeypatch):
    monkeypatch.setattr(zipped, "read_member", None)
    (tmp_path / "a.jpg").write_bytes(encoded(upright()))
    assert load(Photo(str(tmp_path), "a.jpg", 0, 0)).status == "ok"
    assert load(Photo(str(tmp_path), "gone.jpg", 0, 0)).status == "vanished"


def test_many_threads_read_the_members_of_one_zip_and_its_list_is_read_once(put, monkeypatch):
    members = {f"{number}.png": encoded(noise(seed=number), "PNG") for number in range(40)}
    path = put("many.zip", members, zipfile.ZIP_DEFLATED)
    opened = []
    real = zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda path: opened.append(path) or real(path))
    with ThreadPoolExecutor(12) as threads:
        names = list(members) * 5
        read = list(threads.map(lambda name: read_bytes(f"{path}/{name}"), names))
    assert read == [members[name] for name in names]
    assert opened == [path]


def test_a_zip_that_was_replaced_is_read_anew(put):
    path = put("a.zip", {"a.jpg": b"old"})
    assert read_bytes(f"{path}/a.jpg") == b"old"
    put("a.zip", {"a.jpg": b"newer"})
    assert read_bytes(f"{path}/a.jpg") == b"newer"


def refusal(location: str) -> tuple[str, str]:
    with pytest.raises(PhotoError) as error:
        read_bytes(location)
    return error.value.status, str(error.value)


@pytest.mark.parametrize("method", METHODS[:2])
def test_a_member_whose_bytes_changed_is_damaged(put, method):
    data = noise().tobytes()
    path = put("a.zip", {"a.jpg": data}, method)
    stored = data if method == zipfile.ZIP_STORED else zlib.compress(data, 6)[2:-4]
    damaged(path, stored[500:520], bytes(20))
    status, text = refusal(f"{path}/a.jpg")
    assert status == "unreadable"
    assert text.startswith("is in a damaged zip (")
    assert text.endswith(f"): copy {path} again")


@pytest.mark.parametrize("cut", [10, 200, 3000])
def test_a_zip_that_was_not_copied_to_its_end_is_damaged(put, cut):
    path = put("a.zip", {"a.jpg": noise().tobytes()})
    os.truncate(path, cut)
    assert refusal(f"{path}/a.jpg") == (
        "unreadable",
        f"is in a damaged zip (File is not a zip file): copy {path} again",
    )


def test_an_encrypted_photo_asks_to_be_unpacked(put):
    path = put("a.zip", {"a.jpg": b"secret"})
    damaged(path, b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
    assert refusal(f"{path}/a.jpg") == (
        "denied",
        f"needs a password: unpack {path} and remove the zip",
    )


def test_a_method_that_is_not_known_is_told(put):
    path = put("a.zip", {"a.jpg": b"packed"})
    damaged(path, b"PK\1\2\x14\3\x14\0\0\0\0\0", b"PK\1\2\x14\3\x14\0\0\0\x62\0")
    status, text = refusal(f"{path}/a.jpg")
    assert status == "unreadable"
    assert "compression" in text


def test_a_member_that_claims_more_than_can_be_held_is_not_read(put, monkeypatch):
    path = put("a.zip", {"a.jpg": bytes(200)}, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(photos, "MAX_BYTES", 100)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    text = "has 200 bytes, more than 100: save a smaller copy"
    assert refusal(f"{path}/a.jpg") == ("too_large", text)


def claims(path: str, size: int, claimed: int) -> None:
    """Let the list of members claim another size."""
    entry = struct.pack("<I", size) + struct.pack("<HHH", len("a.jpg"), 0, 0)
    damaged(path, entry, struct.pack("<I", claimed) + entry[4:])


def test_a_member_that_claims_less_than_it_holds_is_never_inflated_further(put):
    path = put("bomb.zip", {"a.jpg": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    claims(path, 50_000_000, 1000)
    status, text = refusal(f"{path}/a.jpg")
    assert (status, "damaged zip" in text) == ("unreadable", True)


def test_a_member_that_claims_more_than_it_holds_ends_too_early(put):
    path = put("a.zip", {"a.jpg": bytes(1000)}, zipfile.ZIP_DEFLATED)
    claims(path, 1000, 2000)
    assert refusal(f"{path}/a.jpg") == (
        "truncated",
        f"ends too early in its zip: copy {path} again",
    )


def test_folders_and_names_that_lead_elsewhere_are_no_members(put):
    names = ["a/", "a/b.jpg", "../c.jpg", "/d.jpg", "e//f.jpg", "./g.jpg", "사진.jpg"]
    path = put("a.zip", dict.fromkeys(names, b""))
    assert list(zipped.members(path)) == ["a/b.jpg", "사진.jpg"]


def test_crops_and_pages_take_photos_from_zips(put, tmp_path):
    import numpy as np

    from batch.evaluate import _card
    from batch.feeds import TrainingPhoto, from_files
    from batch.judge import Judged

    path = put("train.zip", {"a.jpg": encoded(upright())})
    photo = TrainingPhoto(f"{path}/a.jpg", "id", np.zeros((1, 4), np.int32))
    assert from_files(0.75)([photo], np.random.default_rng(0)).shape == (1, 299, 299, 3)
    card = _card(Judged("train.zip/a.jpg", "a dog", 0.5, 1.0, ("a dog",)), str(tmp_path))
    assert card.picture


def test_a_photo_that_is_gone_from_a_training_is_named(put):
    import numpy as np

    from batch.errors import ArchiveError
    from batch.feeds import TrainingPhoto, from_files

    path = put("train.zip", {"a.jpg": encoded(upright())})
    photo = TrainingPhoto(f"{path}/b.jpg", "id", np.zeros((1, 4), np.int32))
    with pytest.raises(ArchiveError, match=r"train\.zip/b\.jpg: is no longer there"):
        from_files(0.75)([photo], np.random.default_rng(0))
