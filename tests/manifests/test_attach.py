"""Reviews find their photos again, wherever these have gone."""

from dataclasses import replace

from manifests.attach import adopted, attach, moves
from manifests.journal import Moved, Offered, Place, Reviews, Said
from manifests.record import Status
from manifests.review import Offer, Review, ReviewStatus
from tests.manifests.examples import record

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
EDITED = Review("en", ReviewStatus.EDITED, "a wet dog", "Kim", at="2026-01-01")


def row(path, photo_id, **changes):
    return record(path.encode(), photo_id=photo_id, language="en", **changes)


def said(*entries):
    reviews = Reviews()
    for entry in entries:
        reviews.take(entry, "kim.xlsx")
    return reviews


def were(*rows):
    """Give the rows of the manifest before."""
    return {each.raw_path: each for each in rows}


def place(path, photo_id):
    return Place(path.encode(), photo_id)


def test_a_row_gets_what_was_said_of_its_photo_and_no_other_does():
    rows = attach([row("a.jpg", A), row("b.jpg", B)], said(Said(place("a.jpg", A), EDITED)))
    assert [each.reviews for each in rows] == [(EDITED,), ()]
    assert [each.offers for each in rows] == [(), ()]


def test_the_journal_outvotes_what_a_row_says():
    (found,) = attach([row("a.jpg", A, reviews=(EDITED,), offers=())], said())
    assert found.reviews == ()


def test_a_copy_is_offered_what_was_said_of_one_and_has_no_review_by_it():
    reviews = said(Said(place("a.jpg", A), EDITED))
    _, copy = attach([row("a.jpg", A), row("z/copy.jpg", A)], reviews)
    assert copy.reviews == ()
    assert copy.offers == (Offer("en", "a wet dog", "copy of a.jpg"),)


def test_a_file_with_other_bytes_by_now_is_offered_what_was_said_before():
    (changed,) = attach([row("a.jpg", B)], said(Said(place("a.jpg", A), EDITED)))
    assert changed.reviews == ()
    assert changed.offers == (Offer("en", "a wet dog", "said of this file before it changed"),)


def test_a_rejected_caption_is_offered_to_nobody():
    rejected = Review("en", ReviewStatus.REJECTED, "perhaps a fox")
    _, copy = attach([row("a.jpg", A), row("b.jpg", A)], said(Said(place("a.jpg", A), rejected)))
    assert copy.offers == ()


def test_a_conflict_stays_beside_the_words_that_stand():
    other = Offer("en", "a fox", "conflict: Lee wrote")
    reviews = said(Said(place("a.jpg", A), EDITED), Offered(place("a.jpg", A), other))
    (found,) = attach([row("a.jpg", A)], reviews)
    assert (found.reviews, found.offers) == ((EDITED,), (other,))


def test_a_moved_photo_takes_its_review_along():
    reviews = said(Said(place("a.jpg", A), EDITED))
    there = [row("new/a.jpg", A)]
    assert [*moves(there, reviews, were(row("a.jpg", A)))] == [
        Moved(place("a.jpg", A), place("new/a.jpg", A))
    ]


def test_a_photo_that_is_only_missing_keeps_its_review():
    reviews = said(Said(place("a.jpg", A), EDITED))
    rows = [row("a.jpg", A, status=Status.MISSING), row("copy.jpg", A)]
    assert not [*moves(rows, reviews, were(row("a.jpg", A), row("copy.jpg", A)))]
    assert attach(rows, reviews)[0].reviews == (EDITED,)


def test_two_photos_that_swap_names_swap_their_reviews():
    other = replace(EDITED, caption="a cat")
    reviews = said(Said(place("1.jpg", A), EDITED), Said(place("2.jpg", B), other))
    swapped = [row("1.jpg", B), row("2.jpg", A)]
    for entry in moves(swapped, reviews, were(row("1.jpg", A), row("2.jpg", B))):
        reviews.take(entry, "")
    assert [each.review.caption for each in attach(swapped, reviews)] == ["a cat", "a wet dog"]


def test_a_copy_that_was_there_all_along_does_not_take_the_review_of_a_file_that_changed():
    reviews = said(Said(place("a.jpg", A), EDITED))
    rows = [row("a.jpg", B), row("copy.jpg", A)]
    assert not [*moves(rows, reviews, were(row("a.jpg", A), row("copy.jpg", A)))]


def test_a_photo_that_cannot_be_read_this_time_keeps_its_review_from_its_copy():
    reviews = said(Said(place("a.jpg", A), EDITED))
    unread = row("a.jpg", None, status=Status.UNSTABLE, caption=None, captioner=None)
    assert not [*moves([unread, row("copy.jpg", A)], reviews, were(row("a.jpg", A)))]


def test_one_of_several_new_places_takes_the_review_and_the_others_are_offered_it():
    reviews = said(Said(place("a.jpg", A), EDITED))
    rows = [row("x.jpg", A), row("y.jpg", A)]
    for entry in moves(rows, reviews, were(row("a.jpg", A))):
        reviews.take(entry, "")
    first, second = attach(rows, reviews)
    assert first.reviews == (EDITED,)
    assert second.offers == (Offer("en", "a wet dog", "copy of x.jpg"),)


def test_of_many_copies_that_were_moved_each_review_finds_one():
    names = [f"{number:03}.jpg" for number in range(300)]
    own = [replace(EDITED, caption=f"{name} as a person sees it") for name in names]
    reviews = said(*(Said(place(name, A), each) for name, each in zip(names, own, strict=True)))
    moved = [row(f"new/{name}", A) for name in names]
    for entry in moves(moved, reviews, were(*(row(name, A) for name in names))):
        reviews.take(entry, "")
    assert [each.reviews for each in attach(moved, reviews)] == [(each,) for each in own]


def test_a_manifest_brings_back_only_what_the_journal_has_never_heard_of():
    reviewed = row("a.jpg", A, reviews=(EDITED,))
    assert [*adopted([reviewed], said())] == [Said(place("a.jpg", A), EDITED)]
    heard = Reviews()
    heard.note(Said(place("a.jpg", A), EDITED))
    assert not [*adopted([reviewed], heard)]


def test_what_is_said_of_a_photo_without_identity_reaches_no_other():
    reviews = said(Said(place("broken.jpg", ""), EDITED))
    rows = [row("broken.jpg", None, caption=None), row("too.jpg", None, caption=None)]
    first, second = attach(rows, reviews)
    assert (first.reviews, second.reviews, second.offers) == ((EDITED,), (), ())
    assert not [*moves(rows, reviews, {})]
