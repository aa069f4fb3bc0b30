"""Texts that a program has broken are known again, and no others are taken for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.misread import is_korean_reading, is_wide, meant_by

KOREAN = [
    "개",
    "바닷가를 달리는 개",
    "두 소녀가 \u2013 café",
    "b/바다.png",
    "친구와 책을 읽는 아이들",
]


@given(st.text(), st.sampled_from(["latin-1", "mac_roman"]))
def test_any_text_is_known_again_from_a_western_reading(text, encoding):
    broken = text.encode("utf-8", "ignore").decode(encoding)
    assert text.isascii() or text in meant_by(broken)


def test_so_it_is_from_what_libreoffice_shows_for_bytes_without_a_letter():
    broken = "ë\u2018\uf190"  # the last byte has no letter in Windows-1252
    assert [*meant_by(broken)] == ["두"]


@pytest.mark.parametrize(
    "text", ["a café", "개", "«CAFÉ»", "\u201ca dog\u2019s bed\u201d", "naïve Ü", "5 °C", "日本"]
)
def test_texts_that_are_whole_mean_themselves_alone(text):
    assert not [*meant_by(text)]


def test_two_letters_may_be_whole_and_three_are_not():
    assert not any(map(is_wide, meant_by("VOILÀ\u2026")))
    assert any(map(is_wide, meant_by("donâ\u20ac\u2122t")))


@pytest.mark.parametrize(
    "text",
    [
        "un caf\u00e9\u00a0\u2013 la rue",
        "de Zo\u00e9\u00a0\u00a9 2019",
        "Nestl\u00e9\u00ae\u2122",
        "l\u00e0\u00a0\u2013 bas",
    ],
)
def test_an_accent_at_the_end_of_a_word_and_signs_behind_it_are_whole(text):
    assert any(meant_by(text))
    assert not any(map(is_wide, meant_by(text)))


@pytest.mark.parametrize("known", KOREAN)
@pytest.mark.parametrize("errors", ["replace", "ignore"])
def test_korean_is_known_again_from_korean_windows_reading(known, errors):
    assert is_korean_reading(known.encode().decode("cp949", errors), known)


@pytest.mark.parametrize("known", KOREAN)
@pytest.mark.parametrize("text", [*KOREAN, "개가 달린다", "a dog\u2019s", "金 씨가 쓴 글", ""])
def test_what_a_person_writes_is_no_reading_of_what_stood_there(text, known):
    assert not is_korean_reading(text, known)
