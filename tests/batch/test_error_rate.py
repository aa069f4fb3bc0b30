"""What people decided on a sample, and the error rate that it tells."""

from dataclasses import replace

import numpy as np
import pytest

from batch.error_rate import Verdict, error_rate
from batch.sample import draw_sample
from manifests.record import LanguageCaption, Record, Status
from manifests.review import Review, ReviewStatus
from tests.manifests.examples import record

APPROVED, EDITED, REJECTED = (
    ReviewStatus.APPROVED,
    ReviewStatus.EDITED,
    ReviewStatus.REJECTED,
)


def archive(photos: int, **changes: object) -> list[Record]:
    """Return captioned photos, the surest last."""
    return [
        record(
            b"%05d.jpg" % number,
            photo_id=f"{number:064x}",
            caption=f"a photo of {number}",
            confidence=(number + 1) / (photos + 1),
            language="en",
            **changes,
        )
        for number in range(photos)
    ]


def decided(
    row: Record, status: ReviewStatus, caption: str | None = None, like: str = ""
) -> Record:
    """Give a row that a person has decided on; approved as it is, if nothing else is said."""
    words = row.caption if status is APPROVED and caption is None else caption
    return replace(row, reviews=(Review("en", status, words, like=like),))


def verdict(change: "callable") -> Verdict:
    """Draw the one photo there is, change its row, and judge."""
    rows = archive(1)
    sample = draw_sample(rows, 1, 1)
    return error_rate(sample, change(rows[0])).verdicts[0]


def test_approved_as_it_was_is_right():
    assert verdict(lambda row: [decided(row, APPROVED)]) is Verdict.RIGHT


@pytest.mark.parametrize(
    ("status", "caption"),
    [(EDITED, "two dogs"), (REJECTED, None), (APPROVED, "two dogs")],
)
def test_edited_rejected_and_approved_with_other_words_are_wrong(status, caption):
    assert verdict(lambda row: [decided(row, status, caption)]) is Verdict.WRONG


def test_what_was_filled_in_from_another_photo_was_not_looked_at():
    assert verdict(lambda row: [decided(row, APPROVED, like="other.jpg")]) is Verdict.WAITING
    assert verdict(lambda row: [decided(row, EDITED, "dogs", "other.jpg")]) is Verdict.WAITING


def test_who_only_wrote_a_note_has_not_decided():
    assert verdict(lambda row: [decided(row, ReviewStatus.UNREVIEWED)]) is Verdict.WAITING


def test_a_caption_that_the_machine_has_taken_back_tells_nothing():
    new = "a photo of something else"
    assert verdict(lambda row: [replace(row, caption=new)]) is Verdict.CHANGED
    rejected = lambda row: [decided(replace(row, caption=new), REJECTED)]  # noqa: E731
    assert verdict(rejected) is Verdict.CHANGED


def test_words_that_were_approved_stay_right_whatever_the_machine_says_later():
    def change(row: Record) -> list[Record]:
        return [replace(decided(row, APPROVED), caption="other words")]

    assert verdict(change) is Verdict.RIGHT


def test_a_photo_that_is_gone_is_not_waited_for():
    assert verdict(lambda row: []) is Verdict.GONE
    assert verdict(lambda row: [replace(row, status=Status.MISSING)]) is Verdict.GONE


def test_what_was_decided_counts_though_the_photo_is_gone():
    def change(row: Record) -> list[Record]:
        return [replace(decided(row, REJECTED), status=Status.MISSING)]

    assert verdict(change) is Verdict.WRONG


def test_a_moved_photo_is_found_again():
    def change(row: Record) -> list[Record]:
        return [decided(replace(row, raw_path=b"new/place.jpg"), EDITED, "dogs")]

    assert verdict(change) is Verdict.WRONG


def test_of_copies_the_one_that_was_drawn_is_asked():
    def change(row: Record) -> list[Record]:
        return [decided(replace(row, raw_path=b"copy.jpg"), REJECTED), decided(row, APPROVED)]

    assert verdict(change) is Verdict.RIGHT


def test_a_caption_of_an_older_version_without_its_language_is_judged():
    row = replace(archive(1)[0], language=None, captioner="flickr8k-en@12ab")
    sample = draw_sample([row], 1, 1)
    assert sample.drawn[0].language == "en"
    assert error_rate(sample, [row]).verdicts == [Verdict.WAITING]
    assert error_rate(sample, [decided(row, APPROVED)]).verdicts == [Verdict.RIGHT]


def test_a_sample_of_one_language_is_judged_by_the_reviews_of_that_language():
    said = LanguageCaption("ko", "개 한 마리", 0.5, "flickr8k-ko@34cd")
    row = replace(archive(1)[0], languages=(LanguageCaption("en", "a dog", 0.5, "c"), said))
    sample = draw_sample([row], 1, 1, "ko")
    english = Review("en", REJECTED, None)
    korean = Review("ko", APPROVED, "개 한 마리")
    assert error_rate(sample, [replace(row, reviews=(english,))]).verdicts == [Verdict.WAITING]
    both = error_rate(sample, [replace(row, reviews=(english, korean))])
    assert both.verdicts == [Verdict.RIGHT]


def test_the_rate_is_of_those_decided_and_the_interval_wider_while_some_wait():
    rows = archive(1000)
    sample = draw_sample(rows, 100, 1)
    drawn = [each.photo_id for each in sample.drawn]

    def after(looks: int) -> list[Record]:
        wrong = {photo_id: number % 5 == 0 for number, photo_id in enumerate(drawn[:looks])}
        return [
            decided(row, REJECTED if wrong[str(row.photo_id)] else APPROVED)
            if row.photo_id in wrong
            else row
            for row in rows
        ]

    none, half, all_of_them = (error_rate(sample, after(looks)) for looks in (0, 50, 100))
    assert none.rate is None
    assert none.interval == (0, 1)
    assert half.rate == all_of_them.rate == 0.2
    assert not half.finished
    assert all_of_them.finished
    low, high = all_of_them.interval
    assert half.interval[0] < low < 0.2 < high < half.interval[1]
    assert "50 undecided" in str(half)
    assert "may be harder" in str(half)
    assert "undecided" not in str(all_of_them)
    assert "20 of 100" in str(all_of_them)
    assert "Nothing is known" in str(none)


def test_thirds_tell_where_the_errors_are():
    rows = archive(90)
    sample = draw_sample(rows, 90, 1)
    looked = [decided(row, REJECTED if n < 30 else APPROVED) for n, row in enumerate(rows)]
    result = error_rate(sample, looked)
    assert [(third.wrong, third.decided) for third in result.thirds] == [(30, 30), (0, 30), (0, 30)]
    assert result.promised == pytest.approx((0.5, 2 / 3))
    assert result.interval == (1 / 3, 1 / 3)  # all were looked at
    assert "confidence 0.01 to 0.33: 30 of 30 wrong (100.0%)" in str(result)


def test_captions_without_a_confidence_count_for_the_rate_alone():
    rows = [replace(row, confidence=None) for row in archive(5)]
    result = error_rate(draw_sample(rows, 5, 1), [decided(row, APPROVED) for row in rows])
    assert result.rate == 0
    assert result.thirds == []
    assert result.promised is None
    assert "onfidence" not in str(result)


def test_what_is_left_out_is_told():
    rows = archive(4)
    sample = draw_sample(rows, 4, 1)
    now = [decided(rows[0], APPROVED), replace(rows[1], caption="other"), rows[2]]
    shown = str(error_rate(sample, now))
    assert "Left out: 1, of which the machine says something else by now." in shown
    assert "Left out: 1, whose photos are not there any more." in shown
    assert "Still to look at: 1." in shown


def test_seeded_samples_of_an_archive_hold_its_true_rate_95_times_in_100():
    rows = archive(400)
    wrong = set(np.random.default_rng(7).choice(400, 70, replace=False).tolist())
    looked = [decided(row, REJECTED if n in wrong else APPROVED) for n, row in enumerate(rows)]
    held, rates = 0, []
    for seed in range(300):
        result = error_rate(draw_sample(rows, 40, seed), looked)
        low, high = result.interval
        held += low <= 70 / 400 <= high
        rates.append(result.rate)
    assert held >= 0.95 * 300 - 3 * (300 * 0.95 * 0.05) ** 0.5
    assert np.mean(rates) == pytest.approx(70 / 400, abs=0.012)  # drawn fairly: four deviations
