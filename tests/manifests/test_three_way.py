"""Three-way merges of one caption: what went out, what stands here, what a person wrote."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.review import Review, ReviewStatus, base_of, digest
from manifests.three_way import Base, Merged, Outcome, Standing, Theirs, merge, read_status

UNREVIEWED, APPROVED, EDITED, REJECTED = ReviewStatus
NOBODY = Review("en", UNREVIEWED, None)
KIMS = Review("en", EDITED, "Kim's words", "Kim")


def standing(review=NOBODY, machine="a dog", formers=(), source="kim.xlsx", history=None):
    shown = review.caption or machine
    said = [review] if history is None and review is not NOBODY else history or []
    return Standing(review, machine, {digest(text) for text in formers}, said, source, shown)


def theirs(text="a dog", status=UNREVIEWED, went_out=(UNREVIEWED, "a dog"), **changes):
    base = went_out and Base.read(base_of("en", *went_out, "", changes.pop("went_out_by", "")))
    texts = () if text is None else (text,) if isinstance(text, str) else text
    plain = Theirs(texts, status, "", "", base, None, "lee.xlsx")
    return replace(plain, **changes)


def test_a_row_that_came_back_as_it_went_out_changes_nothing_whatever_the_machine_says_now():
    for now in (standing(), standing(machine="a cat"), standing(KIMS)):
        assert merge(theirs(), now).outcome is Outcome.UNCHANGED


def test_a_persons_words_win_over_a_machine_that_says_something_else_by_now():
    merged = merge(theirs("a wet dog"), standing(machine="a cat"))
    assert (merged.outcome, merged.review) == (Outcome.TAKEN, Review("en", EDITED, "a wet dog"))


def test_what_was_approved_are_the_words_that_the_person_saw():
    merged = merge(theirs(status=APPROVED), standing(machine="a cat"))
    assert merged.review == Review("en", APPROVED, "a dog")


def test_a_rejected_caption_leaves_no_words():
    assert merge(theirs(status=REJECTED), standing()).review == Review("en", REJECTED, None)


def test_words_typed_into_a_rejected_row_are_kept_beside_the_rejection():
    merged = merge(theirs("perhaps a fox", REJECTED), standing())
    assert merged.review == Review("en", REJECTED, "perhaps a fox")


@pytest.mark.parametrize("status", [UNREVIEWED, APPROVED, EDITED])
def test_words_that_were_taken_away_are_a_rejection(status):
    assert merge(theirs("", status), standing()).review == Review("en", REJECTED, None)


def test_two_peoples_different_words_are_a_conflict():
    merged = merge(theirs("Lee's words", reviewer="Lee"), standing(KIMS))
    assert merged.outcome is Outcome.CONFLICT
    assert merged.review == Review("en", EDITED, "Lee's words", "Lee")


def test_one_persons_rejection_against_anothers_words_is_a_conflict():
    assert (
        merge(theirs(status=REJECTED, reviewer="Lee"), standing(KIMS)).outcome is Outcome.CONFLICT
    )


def test_two_people_who_wrote_the_same_agree():
    merged = merge(theirs("Kim's  words ", reviewer="Lee"), standing(KIMS))
    assert merged.outcome is Outcome.UNCHANGED


def test_the_notes_of_two_people_who_agree_are_both_kept():
    kims = Review("en", EDITED, "Kim's words", "Kim", "sharp")
    merged = merge(theirs("Kim's words", reviewer="Lee", notes="for print"), standing(kims))
    assert merged.outcome is Outcome.TAKEN
    assert merged.review.notes == "sharp / for print"


def test_a_person_who_goes_on_with_the_same_sheet_replaces_the_own_words():
    merged = merge(theirs("Kim's better words", reviewer="Kim"), standing(KIMS))
    assert merged.review == Review("en", EDITED, "Kim's better words", "Kim")


def test_without_names_the_same_file_goes_on_and_another_is_another_person():
    nameless = Review("en", EDITED, "first words")
    again = theirs("second words", source="kim.xlsx")
    assert merge(again, standing(nameless)).outcome is Outcome.TAKEN
    assert merge(theirs("second words"), standing(nameless)).outcome is Outcome.CONFLICT


def test_who_saw_the_other_persons_words_may_replace_them():
    saw = theirs("better words", EDITED, went_out=(EDITED, "Kim's words"), reviewer="Lee")
    assert merge(saw, standing(KIMS)).review == Review("en", EDITED, "better words", "Lee")


def test_a_decision_can_be_taken_back():
    saw = theirs("Kim's words", UNREVIEWED, went_out=(EDITED, "Kim's words"), reviewer="Kim")
    assert merge(saw, standing(KIMS)).review.status is UNREVIEWED


def test_what_was_filled_in_from_another_photo_is_nobodys_word_yet():
    filled = Review("en", APPROVED, "two dogs", "Kim", like="a/1.jpg")
    merged = merge(theirs("one dog", reviewer="Lee"), standing(filled))
    assert merged.review == Review("en", EDITED, "one dog", "Lee")


def test_an_offer_is_accepted_by_approving_it():
    sheet = theirs("a copy's words", APPROVED, went_out=(UNREVIEWED, "a copy's words"))
    assert merge(sheet, standing()).review == Review("en", APPROVED, "a copy's words")


def test_a_note_alone_decides_nothing():
    merged = merge(theirs(notes="who is this?", reviewer="Lee"), standing())
    assert merged.review == Review("en", UNREVIEWED, None, "Lee", "who is this?")


def test_a_column_that_is_not_there_says_nothing():
    assert merge(theirs(None, None, notes=None), standing(KIMS)).outcome is Outcome.UNCHANGED


def test_approved_without_the_caption_column_is_what_stands_here():
    assert merge(theirs(None, APPROVED), standing()).review == Review("en", APPROVED, "a dog")


@pytest.mark.parametrize("text", ["a dog", " a  dog\n", "an older caption"])
def test_without_a_base_the_machines_words_of_today_and_before_are_no_edit(text):
    ours = standing(formers=["an older caption"])
    assert merge(theirs(text, went_out=None), ours).outcome is Outcome.UNCHANGED


def test_without_a_base_the_files_own_column_of_the_machine_tells_an_edit():
    stale = theirs("never heard of", went_out=None, machine="never heard of")
    edited = theirs("a wet dog", went_out=None, machine="a dog")
    assert merge(stale, standing()).outcome is Outcome.UNCHANGED
    assert merge(edited, standing()).review.caption == "a wet dog"


def test_without_a_base_an_empty_cell_is_no_rejection():
    assert merge(theirs("", None, went_out=None), standing()).outcome is Outcome.UNCHANGED


def test_either_of_two_caption_cells_may_have_been_edited():
    into_human = theirs(("my words", "a dog"))
    into_machine = theirs(("", "my words"))
    for each in (into_human, into_machine):
        assert merge(each, standing()).review == Review("en", EDITED, "my words")
    assert merge(theirs(("", "a dog")), standing()).outcome is Outcome.UNCHANGED


def test_both_of_two_caption_cells_emptied_are_a_rejection():
    assert merge(theirs(("", "")), standing()).review == Review("en", REJECTED, None)
    assert merge(theirs((" ", "")), standing(machine="a cat")).review.status is REJECTED
    gone = theirs(("", ""), EDITED, went_out=(EDITED, "Kim's words"), reviewer="Kim")
    assert merge(gone, standing(KIMS)).review == Review("en", REJECTED, None, "Kim")
    assert merge(theirs(("", ""), went_out=(UNREVIEWED, "")), standing(machine="")) == Merged(
        Outcome.UNCHANGED
    )


def test_a_persons_words_that_are_gone_beside_the_machines_are_asked_about():
    gone = theirs(("", "a dog"), EDITED, went_out=(EDITED, "Kim's words"), reviewer="Kim")
    with pytest.raises(ValueError, match="are gone"):
        merge(gone, standing(KIMS))
    for status, words in ((UNREVIEWED, None), (REJECTED, None), (APPROVED, "a dog")):
        said = merge(replace(gone, status=status), standing(KIMS)).review
        assert (said.status, said.caption) == (status, words)
    rejected = Review("en", REJECTED, None, "Kim")
    answered = standing(rejected, history=[KIMS, rejected])
    assert merge(gone, answered).outcome is Outcome.UNCHANGED


def test_a_persons_words_that_are_gone_are_missed_beside_broken_letters_too():
    gone = theirs(("", "?? ???"), EDITED, went_out=(EDITED, "Kim's words"), reviewer="Kim")
    with pytest.raises(ValueError, match="are gone"):
        merge(gone, standing(KIMS, machine="개가 달린다"))


def test_letters_that_an_old_encoding_has_no_place_for_are_no_edit():
    saved = theirs("개 ?가 달린다", went_out=(UNREVIEWED, "개 🐕가 달린다"))
    assert merge(saved, standing(machine="개 🐕가 달린다")).outcome is Outcome.UNCHANGED
    asked = theirs("개?", went_out=(UNREVIEWED, "개 🐕가 달린다"))
    assert merge(asked, standing(machine="개 🐕가 달린다")).review.caption == "개?"


def test_korean_in_a_western_encoding_is_no_edit_and_approving_it_keeps_the_words():
    korean = standing(machine="개가 달린다")
    lost = theirs("?? ???", went_out=(UNREVIEWED, "개가 달린다"))
    assert merge(lost, korean).outcome is Outcome.UNCHANGED
    assert merge(replace(lost, status=APPROVED), korean).review.caption == "개가 달린다"


def test_words_that_are_the_machines_are_approved():
    saw = theirs("a dog", EDITED, went_out=(EDITED, "Kim's words"), reviewer="Kim")
    saw = replace(saw, machine="a dog")
    assert merge(saw, standing(KIMS)).review == Review("en", APPROVED, "a dog", "Kim")


def test_the_machines_column_alone_says_nothing_of_a_persons_words():
    alone = theirs("a dog", EDITED, went_out=(EDITED, "Kim's words"), reviewer="Kim")
    assert merge(alone, standing(KIMS)).outcome is Outcome.UNCHANGED
    assert merge(replace(alone, texts=("",)), standing(KIMS)).review.status is REJECTED


def test_nothing_cannot_be_approved():
    with pytest.raises(ValueError, match="no caption to approve"):
        merge(theirs("", APPROVED, went_out=(UNREVIEWED, "")), standing(machine=""))


def test_what_somebody_has_replaced_since_does_not_come_back_from_an_older_file():
    better = Review("en", EDITED, "better words", "Kim")
    ours = standing(better, history=[KIMS, better], source="sheet.xlsx")
    again = theirs("Kim's words", reviewer="Kim", source="gallery.csv")
    assert merge(again, ours).outcome is Outcome.UNCHANGED


def test_a_rejected_caption_is_written_anew_by_who_has_seen_that():
    rejected = Review("en", REJECTED, None, "Kim")
    saw = theirs("a fox", REJECTED, went_out=(REJECTED, "a dog"), reviewer="Lee")
    assert merge(saw, standing(rejected)).review == Review("en", EDITED, "a fox", "Lee")


def test_a_name_that_went_out_with_the_row_does_not_sign_what_another_wrote():
    later = Review("en", EDITED, "Kim's later words", "Kim")
    ours = standing(later, history=[KIMS, later], source="kim.xlsx")
    went_out = {"went_out": (EDITED, "Kim's words"), "went_out_by": "Kim", "reviewer": "Kim"}
    assert merge(theirs("Lee's words", **went_out), ours).outcome is Outcome.CONFLICT


def test_without_a_base_what_a_person_has_said_before_is_no_edit():
    later = Review("en", EDITED, "later words", "Kim")
    ours = standing(later, history=[KIMS, later])
    stale = theirs("Kim's words", None, went_out=None, reviewer="Kim")
    assert merge(stale, ours).outcome is Outcome.UNCHANGED


def test_statuses_are_read_as_people_type_them():
    assert read_status(" Approved ") is APPROVED
    assert read_status("") is None
    with pytest.raises(
        ValueError, match="'done' is unknown; give unreviewed, approved, edited, rejected"
    ):
        read_status("done")


@pytest.mark.parametrize("text", [None, "", "x", "en.unreviewed.1.2", "en.done.1.2.3", "1.2.3.4"])
def test_a_spoilt_base_counts_as_none(text):
    assert Base.read(text) is None


TEXTS = st.text(max_size=8)
NAMES = st.sampled_from(["", "Kim", "Lee"])
STATUSES = st.sampled_from(ReviewStatus)
REVIEWS = st.builds(Review, st.just("en"), STATUSES, st.none() | TEXTS, NAMES)


@given(
    TEXTS,
    st.none() | STATUSES,
    st.none() | st.tuples(STATUSES, TEXTS),
    REVIEWS,
    NAMES,
)
def test_merging_the_same_again_changes_nothing_more(text, status, went_out, review, reviewer):
    given_back = theirs(text, status, went_out, reviewer=reviewer)
    try:
        first = merge(given_back, standing(review))
    except ValueError:
        return
    if first.outcome is Outcome.TAKEN:
        said = [review, first.review]
        after = standing(first.review, source=given_back.source, history=said)
        assert merge(given_back, after).outcome is Outcome.UNCHANGED
    else:
        assert merge(given_back, standing(review)) == first
