"""What is wrong with a caption is seen in its words, in English and in Korean."""

import json

import pytest

from models.degenerate import Fault, content_words, find_faults, has_rules
from tests.data import shared


def faults(caption, language="en"):
    return {fault.value for fault in find_faults(caption, language)}


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("A brown dog is running through the grass.", set()),
        ("A man in a red hat and a hat.", {"repeated_word", "repeated_run"}),
        ("A man is on a bench bench.", {"repeated_word", "repeated_run"}),
        ("A dog runs in the the grass.", {"repeated_run"}),
        ("A brown and brown dog.", {"repeated_word", "repeated_run"}),
        ("A boy in a red shirt is standing in front of a boy.", {"repeated_word"}),
        ("A man is on top of a wave on top of a wave.", {"repeated_word", "repeated_run"}),
        ("A dog is on a beach on the left of a man.", set()),
        ("A man in the snow with a", {"dangling_end"}),
        ("Two children play with.", {"dangling_end"}),
        ("A man is wearing.", {"dangling_end"}),
        ("Two children play outside.", set()),
        ("A woman looks behind her.", set()),
        ("", set()),
    ],
)
def test_faults_of_english_captions(caption, found):
    assert faults(caption) == found


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("개 두 마리가 풀밭을 달리고 있다.", set()),
        ("한 남자와 한 여자가 서 있다.", set()),
        ("여자와 여자가 사진을 찍고 있다.", {"repeated_word", "repeated_run"}),
        ("검은 개가 나무 막대기를 물고 물에서 나오고 있다.", set()),  # to bite, and water
        ("빨간색 옷을 입은 남자가 벽에", {"dangling_end"}),
        ("개가 프리스비를 향해 달리고.", {"dangling_end"}),
        ("빨간 셔츠와 흰.", {"dangling_end"}),
        ("바다 위의 배", set()),
    ],
)
def test_faults_of_korean_captions(caption, found):
    assert faults(caption, "ko-KR") == found


def test_of_other_languages_only_repeated_runs_are_found():
    assert not has_rules("de")
    assert faults("ein hund und ein hund mit", "de") == set()
    assert faults("ein hund hund", "de") == {"repeated_run"}


def test_content_words_are_told_as_a_dictionary_has_them():
    assert content_words("A dog is running on the beach.", "en") == {"dog", "running", "beach"}
    assert {"개", "공", "물다"} <= content_words("개가 공을 물고 있다.", "ko")


@pytest.mark.parametrize(("language", "key"), [("en", "captions"), ("ko", "caption_ko")])
def test_hardly_any_caption_by_people_ends_in_the_middle(language, key):
    entries = json.loads(shared("flickr8k/korean.json").read_text(encoding="utf-8"))[::10]
    captions = [caption for entry in entries for caption in entry[key]]
    dangling = [c for c in captions if Fault.DANGLING_END in find_faults(c, language)]
    assert len(dangling) <= 0.01 * len(captions)
