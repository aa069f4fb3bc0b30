"""Rows of a person's file find their photos: by identity and path, never by their place."""

import unicodedata

import pytest

from manifests.matching import Rows
from tests.manifests.examples import record

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
NFC, NFD = (unicodedata.normalize(form, "바다/개.jpg") for form in ("NFC", "NFD"))
ROWS = [
    record(b"x/1.jpg", photo_id=A),
    record(b"x/2.jpg", photo_id=B),
    record(b"y/1.jpg", photo_id=C),
    record(b"copy/1.jpg", photo_id=C),
    record(b"caf\xe9.jpg", photo_id="d" * 64),
    record(NFD.encode(), photo_id="e" * 64),
    record(b"two\nlines.jpg", photo_id=None),
]


def found(photo_id, path):
    return Rows(ROWS).match({"photo_id": photo_id, "path": path})


@pytest.mark.parametrize(
    ("photo_id", "path", "expected"),
    [
        (A, "x/1.jpg", b"x/1.jpg"),
        (C, "copy/1.jpg", b"copy/1.jpg"),
        (A, "moved/elsewhere.jpg", b"x/1.jpg"),
        (A, "", b"x/1.jpg"),
        (A, "x/2.jpg", b"x/1.jpg"),  # the two have swapped names: the bytes tell
        ("", "y/1.jpg", b"y/1.jpg"),
        ("#####", "y/1.jpg", b"y/1.jpg"),
        (f" {'A' * 64} ", "x/1.jpg", b"x/1.jpg"),
        ("", r"caf\xe9.jpg", b"caf\xe9.jpg"),
        ("", NFC, NFD.encode()),
        ("", "two\r\nlines.jpg", b"two\nlines.jpg"),
    ],
)
def test_a_row_is_found_by_what_is_left_of_its_identity(photo_id, path, expected):
    match = found(photo_id, path)
    assert (match.record.raw_path, match.problem, match.changed) == (expected, "", False)


@pytest.mark.parametrize(
    ("photo_id", "path", "why"),
    [
        ("", "1.jpg", "no photo of this archive"),  # a base name is no path
        ("", "X/1.jpg", "no photo of this archive"),
        (C, "elsewhere.jpg", "2 copies of this photo, none of them at this path"),
        ("f" * 64, "gone.jpg", "no photo of this archive"),
        ("", "../../etc/passwd", "no photo of this archive"),
        ("", "/x/1.jpg", "no photo of this archive"),
        ("", "", "neither photo_id nor path"),
    ],
)
def test_what_matches_no_row_or_several_is_told(photo_id, path, why):
    match = found(photo_id, path)
    assert (match.record, match.problem) == (None, why)


def test_another_photo_at_the_path_by_now_is_told():
    match = found("f" * 64, "x/1.jpg")
    assert (match.record.raw_path, match.changed) == (b"x/1.jpg", True)


def test_two_names_that_show_alike_are_told_apart_by_identity_alone():
    alike = [record(b"\xff.jpg", photo_id=A), record(rb"\xff.jpg", photo_id=B)]
    rows = Rows(alike)
    assert rows.match({"photo_id": B, "path": r"\xff.jpg"}).record is alike[1]
    assert "2 photos look like this path" in rows.match({"path": r"\xff.jpg"}).problem


def test_both_forms_of_hangul_side_by_side_are_two_photos():
    both = [record(form.encode(), photo_id=each) for form, each in ((NFC, A), (NFD, B))]
    assert Rows(both).match({"path": NFD}).record is both[1]
    assert Rows(both).match({"path": NFC}).record is both[0]
