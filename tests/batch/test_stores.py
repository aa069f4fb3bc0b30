"""Object storage, spoken with over a real server of S3 on this machine."""

import sys
import threading

import pytest

from batch.damage import PhotoError
from batch.errors import ArchiveError
from batch.scan import scan
from batch.stored_photos import LISTED_AHEAD, gone_from_store, read_object
from batch.stores import (
    check_driver,
    entry_of,
    is_below,
    is_url,
    listing,
    objects_below,
    read,
    rename,
    tidy,
    write,
)
from models.errors import MissingExtraError

ODD = [
    "a.png",
    "a-b/x.png",
    "a/x.png",
    "a.png/y.png",
    "바다.png",
    "\u1107\u1161\u1103\u1161.png",
    "z::s3.png",
]
ODD += ['é"+=1<script>?#%41 *.png', " a .png", "=1+1.png", "😀.png", "'$(x)`.png", "%2e%2e.png"]


@pytest.mark.parametrize(
    ("place", "is_one"),
    [
        ("s3://bucket/folder", True),
        ("GS://bucket", True),
        ("memory://x", True),
        ("https://example.org/a.jpg", False),
        ("HTTP://example.org/a.jpg", False),
        ("/photos/s3://x", False),
        ("s3:/bucket", False),
        ("photos", False),
    ],
)
def test_a_url_of_a_store_is_told_from_paths_and_pages(place, is_one):
    assert is_url(place) == is_one


def test_a_place_has_one_name():
    assert tidy("s3://bucket/folder//") == "s3://bucket/folder"
    assert tidy("file:///photos/a b") == "/photos/a b"
    assert tidy("photos/") == "photos/"
    assert tidy("S3://Bucket/Folder/") == "s3://Bucket/Folder"
    assert tidy("s3://") == "s3://"
    assert is_below("s3://b/photos/out", "s3://b/photos/")
    assert not is_below("s3://b/photos2", "s3://b/photos")


def test_a_store_that_nothing_here_speaks_with_is_told_with_the_remedy(monkeypatch):
    with pytest.raises(ArchiveError, match="no store is known by zz"):
        check_driver("zz://bucket")
    with pytest.raises(MissingExtraError, match=r"gcsfs is not installed; run \.venv/bin/pip"):
        check_driver("gs://bucket")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match="s3fs is not installed; run make storage"):
        check_driver("s3://bucket")


def test_photos_of_a_store_come_in_the_order_of_a_disk_whatever_their_names(bucket, tmp_path):
    for number, name in enumerate([*ODD, "notes.txt", ".hidden/x.png", "@eaDir/x.png"]):
        bucket.put(f"photos/{name}", b"x" * number)
    found = list(scan(f"{bucket.url}/photos"))
    assert {photo.relative for photo in found} == set(ODD)
    paths = [photo.raw_path.split(b"/") for photo in found]
    assert paths == sorted(paths)
    assert [len(photo.fetch()) for photo in found] == [photo.size for photo in found]


def test_globs_choose_as_on_a_disk_and_left_out_folders_are_not_asked_for(bucket):
    for name in ("a.png", "b.jpg", "c/a.png", "d/e/f.png"):
        bucket.put(f"photos/{name}", b"x")
    chosen = scan(f"{bucket.url}/photos", include=["*.png"], exclude=["c", "d/e"])
    assert [photo.relative for photo in chosen] == ["a.png"]


def test_folders_are_listed_ahead_a_few_at_a_time_and_those_left_out_not_at_all(
    bucket, monkeypatch
):
    """A store takes its time for each; memory is to hold a few."""
    for number in range(30):
        bucket.put(f"photos/{number:02}/a/x.png", b"x")
    bucket.put("photos/not/b.png", b"x")
    listed, most, together = [], [0], threading.Barrier(2)

    def slow(url):
        listed.append(url)
        if url.endswith(("/00", "/01")):
            together.wait(20)  # each waits for the other: one after the other, they never came
        return listing(url)

    monkeypatch.setattr("batch.stored_photos.listing", slow)
    for given, photo in enumerate(scan(f"{bucket.url}/photos", exclude=["not"]), 1):
        most[0] = max(most[0], len(listed) - 2 * given)
        assert photo.relative == f"{given - 1:02}/a/x.png"
    assert len(listed) == 1 + 2 * 30 and most[0] <= 1 + LISTED_AHEAD


def test_a_folder_without_a_name_is_told_and_not_passed_over_in_silence(bucket):
    bucket.put("photos//a.png", b"x")
    bucket.put("photos/b.png", b"x")
    told = []
    found = scan(f"{bucket.url}/photos", on_error=lambda folder, error: told.append(str(error)))
    assert [photo.relative for photo in found] == ["b.png"]
    assert len(told) == 1 and "without a name" in told[0]


def test_a_bucket_or_folder_that_is_not_there_is_told_at_once(bucket):
    for url in ("s3://no-such-bucket-anywhere/photos", f"{bucket.url}/photos"):
        with pytest.raises(ArchiveError, match="there is nothing at"):
            scan(url)


def test_what_is_gone_is_told_from_what_cannot_be_asked(bucket, s3):
    bucket.put("photos/a/b.png", b"x")
    bucket.put("photos/바다.png", b"x")
    is_gone = gone_from_store(f"{bucket.url}/photos")
    assert not is_gone(b"a/b.png") and not is_gone("바다.png".encode())
    assert is_gone(b"a/c.png") and is_gone(b"z/c.png") and is_gone(b"a")
    s3.end()
    try:
        assert not gone_from_store(f"{bucket.url}/photos")(b"a/c.png")
    finally:
        s3.begin()


def test_a_photo_that_was_replaced_since_it_was_listed_is_read_whole(bucket):
    bucket.put("a.png", b"new and longer")
    assert read_object(f"{bucket.url}/a.png", 3) == b"new and longer"
    assert read_object(f"{bucket.url}/a.png") == b"new and longer"
    bucket.put("empty.png", b"")
    assert read_object(f"{bucket.url}/empty.png", 0) == b""


def test_what_is_wrong_with_an_object_is_said_as_of_a_file(bucket, s3, monkeypatch):
    monkeypatch.setattr("batch.stored_photos.MAX_BYTES", 10)
    bucket.put("large.png", b"x" * 11)
    assert wrong(bucket, "large.png") == "too_large"
    assert wrong(bucket, "none.png") == "vanished"
    s3.end()
    try:
        assert wrong(bucket, "large.png") == "io"
    finally:
        s3.begin()


def wrong(bucket, name):
    with pytest.raises(PhotoError) as error:
        read_object(f"{bucket.url}/{name}")
    assert "again" in str(error.value) or "smaller" in str(error.value)
    return error.value.status


def test_of_several_who_write_what_is_to_be_new_one_succeeds(bucket):
    write(f"{bucket.url}/lock", b"first", new=True)
    with pytest.raises(FileExistsError):
        write(f"{bucket.url}/lock", b"second", new=True)
    assert bucket.read("lock") == b"first"
    rename(f"{bucket.url}/lock", f"{bucket.url}/other")
    assert bucket.keys() == ["other"] and entry_of(f"{bucket.url}/other").size == 5


def test_a_store_is_never_remembered(bucket):
    """Other machines write there, too."""
    bucket.put("a/one.png", b"1")
    assert len(listing(f"{bucket.url}/a")) == len(objects_below(bucket.url)) == 1
    bucket.put("a/two.png", b"2")
    assert len(listing(f"{bucket.url}/a")) == len(objects_below(bucket.url)) == 2
    bucket.put("a/one.png", b"other")
    assert entry_of(f"{bucket.url}/a/one.png").size == 5
    assert read(f"{bucket.url}/a/one.png") == b"other"
