"""What can be learnt is what people let stand; photos held out stay held out."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.errors import ArchiveError
from batch.lessons import (
    FILLED_IN,
    LEARNT_FILE,
    followed,
    learnt_after,
    read_learnt,
    read_lessons,
    split,
    unknown_words,
)
from manifests.review import Review, ReviewStatus
from tests.manifests.examples import record


def identity(number):
    return sha256(str(number).encode()).hexdigest()


def row(number, caption="A dog.", status="approved", photo=None, language="en", like=""):
    """Write a reviewed row; `photo` is the number of its bytes where it is a copy."""
    review = Review(language, ReviewStatus(status), caption, like=like)
    photo_id = identity(number if photo is None else photo)
    return record(f"{number}.jpg".encode(), photo_id=photo_id, reviews=(review,))


def lessons(*rows, groups=None):
    return read_lessons(rows, "en", groups or {})


def ids(part):
    return {lesson.photo_id for lesson in part}


def test_what_people_approved_or_wrote_is_learnt_from_and_nothing_else():
    found = lessons(
        row(1, "A dog runs."),
        row(2, "A cat.", "edited"),
        row(3, None, "rejected"),
        row(4, None, "unreviewed"),
        row(5, "개 한 마리", language="ko"),
        row(6, "  "),
        record(b"7.jpg", photo_id=identity(7)),
        replace(row(8), photo_id=None),
    )
    assert [(each.photo_id, each.captions, each.edited) for each in found] == [
        (identity(1), ("A dog runs.",), False),
        (identity(2), ("A cat.",), True),
    ]


def test_copies_of_a_photo_are_one_lesson_with_all_that_was_said():
    (found,) = lessons(row(1, "A dog."), row(2, "A dog.", photo=1), row(3, "A hound.", photo=1))
    assert found.captions == ("A dog.", "A hound.")


@pytest.mark.parametrize("like", ["1.jpg", identity(1)], ids=["path", "identity"])
def test_a_photo_that_was_filled_in_goes_with_the_one_it_is_like(like):
    first, second = lessons(row(1), row(2, like=like))
    assert first.group == second.group
    assert (first.seen, second.seen) == (True, False)


def test_near_duplicates_that_are_named_go_together_though_each_was_looked_at():
    found = lessons(row(1), row(2), row(3), groups={identity(3): identity(1)})
    assert found[0].group == found[2].group != found[1].group


@settings(deadline=None)  # a busy machine is no fault of the code
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=60),
    st.integers(0, 40),
)
def test_no_group_is_on_two_sides_and_nothing_filled_in_is_held_out(pairs, later):
    rows = [row(number) for number in range(41)]
    rows += [
        row(100 + number, photo=one, like=f"{other}.jpg")
        for number, (one, other) in enumerate(pairs)
    ]
    rows += [row(200 + number, like=f"{number % 41}.jpg") for number in range(20)]
    found = lessons(*rows)
    parts = split(found, frozenset())
    sides = [parts.train, parts.chosen_on, parts.held_out]
    groups = [{lesson.group for lesson in side} for side in sides]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert all(lesson.seen for lesson in (*parts.chosen_on, *parts.held_out))
    # What was learnt from in an earlier learning is not held out in a later one.
    earlier = split(lessons(*rows[:later]), frozenset())
    learnt = learnt_after((), earlier)["photos"]
    again = split(found, frozenset(learnt))
    assert not {photo[:16] for photo in ids(again.held_out)} & set(learnt)


def test_photos_held_out_stay_held_out_when_others_are_reviewed():
    few = split(lessons(*map(row, range(200))), frozenset())
    many = split(lessons(*map(row, range(900))), frozenset())
    assert ids(few.held_out) <= ids(many.held_out)
    assert ids(few.train) <= ids(many.train)
    assert 0.2 < len(many.held_out) / 900 < 0.3
    assert 0.08 < len(many.chosen_on) / 900 < 0.17


def test_what_is_like_a_photo_that_was_learnt_from_is_not_held_out_though_that_has_no_words_now():
    # A photo that is learnt from alone, and is held out with another one of a lesser identity.
    one, other = next(
        (one, other)
        for one in range(40)
        for other in range(40)
        if split(lessons(row(one)), ()).train
        and split(lessons(row(other), groups={identity(one): identity(other)}), ()).held_out
    )
    learnt = learnt_after((), split(lessons(row(one)), ()))["photos"]
    withdrawn = row(one, None, "unreviewed")
    later = lessons(withdrawn, row(other), groups={identity(one): identity(other)})
    assert ids(split(later, ()).held_out) == {identity(other)}
    assert not split(later, learnt).held_out


def test_a_group_may_change_sides_but_not_to_what_is_held_out_from_what_was_learnt():
    rows = [row(number) for number in range(60)]
    before = split(lessons(*rows), ())
    learnt = learnt_after((), before)["photos"]
    pairs = {identity(number): identity(number + 1) for number in range(0, 60, 2)}
    after = split(lessons(*rows, groups=pairs), learnt)
    assert ids(after.held_out) < ids(before.held_out)


def test_a_burst_does_not_drown_the_others():
    burst = [row(number, like="1.jpg") for number in range(2, 40)]
    parts = split(lessons(row(1), *burst), frozenset({identity(1)[:16]}))
    assert len(parts.train) == 1 + FILLED_IN


def test_words_that_the_captioner_has_not_are_counted():
    words = [["a", "kayak"], ["a", "kayak", "paddle"]]
    assert unknown_words(words, {"a"}) == {"kayak": 2, "paddle": 1}


def test_what_was_learnt_from_is_read_back_and_a_damaged_file_is_named(tmp_path):
    assert read_learnt(str(tmp_path)) == frozenset()
    parts = split(lessons(*map(row, range(50))), frozenset())
    found = learnt_after(["0" * 16], parts)
    (tmp_path / LEARNT_FILE).write_text(json.dumps(found))
    assert len(read_learnt(str(tmp_path))) == 1 + len(parts.train) + len(parts.chosen_on)
    (tmp_path / LEARNT_FILE).write_text("[]")
    with pytest.raises(ArchiveError, match=LEARNT_FILE):
        read_learnt(str(tmp_path))


def test_what_was_learnt_from_is_known_under_the_identity_that_embedding_gave_it():
    learnt = frozenset({identity(1)[:16], identity(2)[:16]})
    renamed = {identity(1): [identity(10), identity(11)], identity(3): [identity(30)]}
    assert followed(learnt, renamed) == learnt | {identity(10)[:16], identity(11)[:16]}
