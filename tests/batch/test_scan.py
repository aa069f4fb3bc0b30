"""Scanning finds every photo once, in one order, and opens nothing."""

import inspect
import os
import socket
import sys
from pathlib import Path
from unicodedata import normalize

import pytest

from batch import formats, scan
from batch.errors import ArchiveError
from batch.scan import Photo


def put(root: Path, *names: str | bytes) -> None:
    for name in names:
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"photo")


def names(root: Path, **options) -> list[str]:
    return [photo.relative for photo in scan.scan(root, **options)]


def test_photos_of_all_folders_are_found_whatever_the_case_of_their_ending(tmp_path):
    put(tmp_path, "a.JPG", "b/c.jpeg", "b/d/e.HeIc", "b/d/notes.txt", "f.avif", "noending", "g.mpo")
    assert names(tmp_path) == ["a.JPG", "b/c.jpeg", "b/d/e.HeIc", "f.avif", "g.mpo"]


def test_a_photo_carries_its_size_time_and_place(tmp_path):
    put(tmp_path, "b/c.jpg")
    os.utime(tmp_path / "b/c.jpg", ns=(5, 1_234_567_891))
    (photo,) = scan.scan(str(tmp_path))
    assert photo == Photo(str(tmp_path), "b/c.jpg", 5, 1_234_567_891)
    assert photo.location == str(tmp_path / "b/c.jpg")
    assert (photo.path, photo.raw_path) == ("b/c.jpg", b"b/c.jpg")


def test_photos_that_cannot_be_decoded_are_found_all_the_same(tmp_path):
    put(tmp_path, "a.NEF", "b.cr3", "c.dng", "d.svg", "e.psb", "f.jxl")
    assert len(names(tmp_path)) == 6


def test_documents_and_films_are_no_photos(tmp_path):
    put(tmp_path, "a.pdf", "b.eps", "c.ps", "d.mpg", "e.mp4", "f.wmf", "g.h5", "h.fits", "i.grib")
    assert names(tmp_path) == []


def test_every_format_that_is_decoded_has_its_endings_scanned():
    known = formats.extensions()
    assert {".jpg", ".jpe", ".jfif", ".tif", ".tiff", ".heif", ".webp", ".gif", ".jp2"} <= known
    assert known.isdisjoint(
        {".eps", ".ps", ".pdf", ".wmf", ".emf", ".mpg", ".hdf", ".bufr", ".fit"}
    )


def test_what_systems_keep_beside_photos_is_left_out(tmp_path):
    hidden = [".hidden.jpg", "._a.jpg", ".Trash-1000/a.jpg", "@eaDir/a.jpg", "$RECYCLE.BIN/a.jpg"]
    put(tmp_path, *hidden, "System Volume Information/a.jpg", "lost+found/a.jpg", "Thumbs.db")
    put(tmp_path, "sub/@eaDir/b.jpg/SYNOPHOTO_THUMB_M.jpg", "sub/b.jpg")
    assert names(tmp_path) == ["sub/b.jpg"]


def test_an_archive_whose_own_name_is_hidden_is_scanned(tmp_path):
    put(tmp_path, ".photos/a.jpg")
    assert names(tmp_path / ".photos") == ["a.jpg"]


def test_the_order_is_that_of_the_bytes_of_the_names_folder_by_folder(tmp_path):
    put(
        tmp_path,
        "b.jpg",
        "a-1.jpg",
        "a/z.jpg",
        "a.jpg",
        "B.jpg",
        "a/é.jpg",
        b"a/\xff.jpg",
        "10.jpg",
    )
    found = [photo.raw_path for photo in scan.scan(tmp_path)]
    assert found == sorted(found, key=lambda path: path.split(b"/"))
    assert len(found) == 8
    assert found == [photo.raw_path for photo in scan.scan(tmp_path)]


HOSTILE = [
    b"new\nline.jpg",
    b"quo\"te'.jpg",
    b"=1+1.jpg",
    b"\xff\xfe.jpg",
    normalize("NFC", "각.jpg").encode(),  # Hangul in one character
    normalize("NFD", "각.jpg").encode(),  # the same to the eye, in three
    b"x" * 251 + b".jpg",
    b" .jpg",
    b"-rf.jpg",
    b"\\..\\up.jpg",
]


def test_names_keep_their_true_bytes(tmp_path):
    put(tmp_path, *HOSTILE)
    found = list(scan.scan(tmp_path))
    assert sorted(photo.raw_path for photo in found) == sorted(HOSTILE)
    assert len({photo.path for photo in found}) == len(HOSTILE)
    for photo in found:
        photo.path.encode("utf-8")  # text that any file can hold
        assert Path(photo.location).read_bytes() == b"photo"


def test_bytes_that_are_no_text_are_shown_escaped(tmp_path):
    assert Photo("/", os.fsdecode(b"a\xff.jpg"), 0, 0).path == "a\\xff.jpg"


def test_include_and_exclude_match_the_path_or_the_bare_name(tmp_path):
    put(tmp_path, "2019/a.jpg", "2019/b.png", "2020/a.jpg", "raw/a.nef", "2020/raw/b.nef")
    assert names(tmp_path, include=["*.png", "2020/a*"]) == ["2019/b.png", "2020/a.jpg"]
    assert names(tmp_path, exclude=["raw", "b.*"]) == ["2019/a.jpg", "2020/a.jpg"]
    assert names(tmp_path, include=["*.jpg"], exclude=["2019/*"]) == ["2020/a.jpg"]
    assert names(tmp_path, include=["*.JPG"]) == ["2019/a.jpg", "2020/a.jpg"]


def test_an_excluded_folder_is_not_walked(tmp_path, monkeypatch):
    put(tmp_path, "a/b.jpg", "private/c.jpg")
    listed = watch_listing(monkeypatch)
    assert names(tmp_path, exclude=["private"]) == ["a/b.jpg"]
    assert not any(path.endswith("private") for path in listed)


def watch_listing(monkeypatch) -> list[str]:
    listed: list[str] = []
    real = os.scandir

    def watched(path):
        listed.append(str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", watched)
    return listed


def test_folders_are_listed_only_as_the_walk_reaches_them(tmp_path, monkeypatch):
    put(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    listed = watch_listing(monkeypatch)
    assert next(scan.scan(tmp_path)).relative == "a/1.jpg"
    assert not any(path.endswith(("b", "c")) for path in listed)


def test_linked_photos_are_found_from_inside_and_outside(tmp_path):
    put(tmp_path, "archive/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "archive/inside.jpg").symlink_to("a.jpg")
    (tmp_path / "archive/outside.jpg").symlink_to(tmp_path / "elsewhere/b.jpg")
    found = list(scan.scan(tmp_path / "archive"))
    assert [photo.relative for photo in found] == ["a.jpg", "inside.jpg", "outside.jpg"]
    assert {photo.size for photo in found} == {5}


def test_links_to_nowhere_and_in_circles_are_found_for_their_row_to_say_so(tmp_path):
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    assert [(photo.relative, photo.size) for photo in scan.scan(tmp_path)] == [
        ("gone.jpg", 0),
        ("self.jpg", 0),
    ]


def test_linked_folders_in_circles_give_each_photo_once(tmp_path):
    put(tmp_path, "archive/a/b.jpg", "archive/z.jpg", "elsewhere/c.jpg")
    (tmp_path / "archive/a/up").symlink_to("..")
    (tmp_path / "archive/a/self").symlink_to("self")
    (tmp_path / "archive/above").symlink_to(tmp_path)
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "archive")
    (tmp_path / "elsewhere/again").symlink_to(".")
    assert names(tmp_path / "archive") == ["a/b.jpg", "above/elsewhere/c.jpg", "z.jpg"]


def test_a_linked_folder_of_the_archive_is_walked_under_its_own_name(tmp_path):
    put(tmp_path, "z/a.jpg", ".kept/b.jpg")
    (tmp_path / "best").symlink_to("z")
    (tmp_path / "shown").symlink_to(".kept")
    assert names(tmp_path) == ["shown/b.jpg", "z/a.jpg"]


def test_an_archive_given_as_a_link_is_walked(tmp_path):
    put(tmp_path, "real/a.jpg", "real/b/c.jpg")
    (tmp_path / "link").symlink_to("real")
    assert names(tmp_path / "link") == ["a.jpg", "b/c.jpg"]


def test_pipes_and_sockets_are_listed_without_being_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
        found = list(scan.scan(tmp_path))
    assert [(photo.relative, photo.size) for photo in found] == [
        ("pipe.jpg", 0),
        ("s.jpg", 0),
        ("zero.jpg", 0),
    ]


def test_a_folder_that_cannot_be_listed_is_told_and_passed_over(tmp_path, monkeypatch):
    put(tmp_path, "a.jpg", "locked/b.jpg", "z.jpg")
    real = os.scandir

    def failing(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", failing)
    told: list[tuple[str, OSError]] = []
    found = names(tmp_path, on_error=lambda relative, error: told.append((relative, error)))
    assert found == ["a.jpg", "z.jpg"]
    assert [(relative, error.errno) for relative, error in told] == [("locked", 13)]


def test_without_a_listener_a_folder_that_cannot_be_listed_is_logged(tmp_path, caplog):
    scan.log_error("locked", PermissionError(13, "Permission denied"))
    assert "locked" in caplog.text
    assert "Permission denied" in caplog.text


def test_folders_nested_deeper_than_calls_may_be_are_walked(tmp_path, monkeypatch):
    put(tmp_path, "d/" * 300 + "deep.jpg")
    walk = scan.scan(tmp_path)
    allowed = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        found = [photo.relative for photo in walk]
    finally:
        sys.setrecursionlimit(allowed)
    assert found == ["d/" * 300 + "deep.jpg"]


def test_an_archive_that_is_not_there_or_no_folder_is_refused_at_once(tmp_path, monkeypatch):
    put(tmp_path, "a.jpg")
    with pytest.raises(ArchiveError, match="does not exist"):
        scan.scan(tmp_path / "nowhere")
    with pytest.raises(ArchiveError, match="not a folder"):
        scan.scan(tmp_path / "a.jpg")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ArchiveError, match="Permission denied"):
        scan.scan(tmp_path)


def test_an_empty_archive_has_no_photos(tmp_path):
    assert names(tmp_path) == []
