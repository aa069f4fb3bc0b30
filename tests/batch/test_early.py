"""What may be told of photos before all have been seen."""

from batch.early import knower, reworded, told_apart
from manifests.journal import Place, Reviews
from tests.manifests.examples import record

OLD = record(b"old.jpg", photo_id="old")
NEW = record(b"new.jpg", photo_id="new")
MOVED = record(b"moved.jpg", photo_id="old")
CHANGED = record(b"old.jpg", photo_id="other")
COMMITTED = {OLD.raw_path: OLD}


def heard_of(*places):
    reviews = Reviews()
    for place in places:
        reviews.heard[place].add(("en", ""))
    return reviews


def test_only_what_nobody_knows_of_is_told_before_the_end():
    is_known = knower(COMMITTED, heard_of())
    assert told_apart([NEW, MOVED, CHANGED], is_known) == ([NEW], [MOVED, CHANGED])


def test_what_people_have_spoken_of_waits_too():
    at_this_path, of_these_bytes = Place(b"new.jpg", "gone"), Place(b"gone.jpg", "new")
    for place in (at_this_path, of_these_bytes):
        assert told_apart([NEW], knower({}, heard_of(place))) == ([], [NEW])


def test_photos_without_identity_are_not_taken_for_each_other():
    unread, other = record(b"a.jpg", photo_id=None), record(b"b.jpg", photo_id=None)
    is_known = knower({b"a.jpg": unread}, heard_of(Place(b"c.jpg", "")))
    assert told_apart([other], is_known) == ([other], [])


def test_other_words_for_the_same_photos_are_told_and_changed_photos_wait():
    is_known = knower(COMMITTED, heard_of())
    says_else = record(b"old.jpg", photo_id="old", caption="a cat")
    assert reworded([says_else], COMMITTED, {}, is_known) == ([says_else], [])
    unfinished = {CHANGED.raw_path: CHANGED, NEW.raw_path: NEW}
    assert reworded([CHANGED, NEW], COMMITTED, unfinished, is_known) == ([OLD, NEW], [CHANGED])
