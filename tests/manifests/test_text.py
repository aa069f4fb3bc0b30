"""Texts in the cells of a CSV file."""

import pytest
from hypothesis import given

from manifests.text import escape_cell, escape_typed, unescape_cell
from tests.manifests.sheets import SHEET_TEXTS as TEXTS


@given(TEXTS)
def test_any_text_comes_back(text):
    assert unescape_cell(escape_cell(text)) == text


@given(TEXTS)
def test_an_escaped_text_can_be_escaped_again(text):
    twice = escape_cell(escape_cell(text))
    assert unescape_cell(unescape_cell(twice)) == text


@given(TEXTS)
def test_any_text_comes_back_from_a_typed_cell_however_it_was_saved(text):
    assert unescape_cell(escape_typed(text)) == text


@given(TEXTS)
def test_a_typed_cell_holds_only_what_xml_has_a_place_for(text):
    cell = escape_typed(text)
    assert not [c for c in cell if c < " " and c != "\n"]
    assert not set("\x7f\ufffe\uffff") & set(cell)
    cell.encode("utf-8")


def test_whatever_cannot_be_seen_is_written_out():
    unseen = [chr(c) for c in (*range(9), *range(11, 32), 127, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF)]
    for each in unseen:
        for cell in (escape_cell(f"a{each}"), escape_typed(f"a{each}")):
            assert cell.startswith("a\\"), repr(each)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "=1+1"),
        ("-dog.jpg", "-dog.jpg"),
        ("'=1+1", "''=1+1"),
        ("'tis a dog", "'tis a dog"),
        ("a\tb", r"a\x09b"),
        ("caf\udce9", r"caf\udce9"),
        (r"caf\udce9", r"caf\x5cudce9"),
    ],
)
def test_what_a_typed_cell_looks_like(text, cell):
    assert escape_typed(text) == cell
    assert unescape_cell(cell) == text


@given(TEXTS)
def test_no_cell_begins_like_a_formula_or_holds_a_control_character(text):
    cell = escape_cell(text)
    assert not cell.startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
    assert not [c for c in cell if c not in "\t\n" and (ord(c) < 32 or ord(c) == 127)]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a dog = a friend", "a dog = a friend"),
        ("바다 🌊", "바다 🌊"),
        ("=1+1", "'=1+1"),
        ("'=1+1", "''=1+1"),
        ("'tis a dog", "'tis a dog"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\t=1+1", "'\t=1+1"),
        ("\r=1+1", r"\x0d=1+1"),
        ("a\x00b\x7f", r"a\x00b\x7f"),
        (r"a\x00b", r"a\x5cx00b"),
        (r"caf\xe9.jpg", r"caf\xe9.jpg"),
        ("caf\udce9.jpg", r"caf\udce9.jpg"),
        (r"\ufffe", r"\x5cufffe"),
        ("C:\\photos", "C:\\photos"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_what_a_cell_looks_like(text, cell):
    assert escape_cell(text) == cell
    assert unescape_cell(cell) == text
