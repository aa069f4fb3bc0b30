"""The kinds of a photo follow from what several people wrote of it."""

import pytest

from batch.kinds import photo_kinds


@pytest.mark.parametrize(
    ("captions", "kinds"),
    [
        (["A man surfs.", "A surfer on a wave.", "Sunset."], {"people", "sport", "water"}),
        (["Two dogs run.", "Puppies in a field.", "Fun.", "Play.", "Go."], {"animals"}),
        (["A dog runs.", "Fun.", "Play.", "Go.", "Hot."], {"other"}),  # one of five names it
        (["Mountains under a cloudy sky.", "A valley."], {"landscape"}),
        (["A hiker in the mountains.", "A valley."], {"people"}),
        (["A couch and a bed in a room."], {"indoor"}),
        (["Cars and a bus on a street.", "A truck."], {"vehicles", "landscape"}),
    ],
)
def test_kinds_of_photos_with_english_captions(captions, kinds):
    assert set(photo_kinds(captions, "en-GB")) == kinds


@pytest.mark.parametrize(
    ("captions", "kinds"),
    [
        (["개가 공을 물고 있다.", "강아지 한 마리가 있다."], {"animals"}),  # 물다 is no water
        (["소년이 공을 차고 있다.", "한 소년이 뛰고 있다."], {"people"}),  # 차다 is no car
        (["서퍼가 파도를 타고 있다."], {"people", "sport", "water"}),
        (["산과 계곡이 보인다.", "구름 낀 하늘."], {"landscape"}),
        (["소파가 있는 거실이다."], {"indoor"}),
    ],
)
def test_kinds_of_photos_with_korean_captions(captions, kinds):
    assert set(photo_kinds(captions, "ko")) == kinds


def test_a_language_without_words_has_no_kinds():
    assert photo_kinds(["ein hund"], "de") == ()
