"""The journal of reviews: only added to, told when damaged, and never outvoted by a manifest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import ManifestError
from manifests.journal import (
    MERGE,
    RUN,
    UNDO,
    Journal,
    Moved,
    Offered,
    Place,
    Said,
    last_merge,
)
from manifests.review import Offer, Review, ReviewStatus
from tests.manifests.examples import RAW_PATHS, TEXTS, names, with_files

A, B = Place(b"a.jpg", "a" * 64), Place(b"b.jpg", "b" * 64)
EDITED = Review("en", ReviewStatus.EDITED, "a wet dog", "Kim")


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path)


PLACES = st.builds(Place, RAW_PATHS, TEXTS)
REVIEWS = st.builds(
    Review, TEXTS, st.sampled_from(ReviewStatus), st.none() | TEXTS, TEXTS, TEXTS, TEXTS, TEXTS
)
ENTRIES = st.one_of(
    st.builds(Said, PLACES, REVIEWS),
    st.builds(Offered, PLACES, st.builds(Offer, TEXTS, TEXTS, TEXTS)),
    st.builds(Moved, PLACES, PLACES),
)


@with_files
@given(st.lists(ENTRIES, max_size=4), TEXTS)
def test_whatever_was_said_comes_back(tmp_path_factory, entries, source):
    journal = Journal(tmp_path_factory.mktemp("out"))
    journal.append(MERGE, entries, source=source)
    (deed,) = journal.deeds()
    assert (deed.entries, deed.source, deed.kind) == (tuple(entries), source, MERGE)


def test_the_last_word_stands(journal):
    later = Review("en", ReviewStatus.REJECTED, None, "Kim")
    journal.append(MERGE, [Said(A, EDITED)])
    journal.append(MERGE, [Said(A, later), Said(B, EDITED)])
    reviews = journal.read()
    assert reviews.decided == {A: {"en": later}, B: {"en": EDITED}}


def test_an_undone_merge_counts_as_not_done_and_stays_on_the_disk(journal):
    journal.append(MERGE, [Said(A, EDITED)], source="kim.xlsx")
    journal.append(MERGE, [Said(A, Review("en", ReviewStatus.REJECTED, None))], source="lee.xlsx")
    assert last_merge(journal.deeds()).source == "lee.xlsx"
    journal.append(UNDO, [], undoes=2)
    assert journal.read().decided == {A: {"en": EDITED}}
    assert last_merge(journal.deeds()).source == "kim.xlsx"
    journal.append(UNDO, [], undoes=1)
    assert not any(journal.read().decided.values())
    assert last_merge(journal.deeds()) is None
    assert len(names(journal.folder)) == 4


def test_a_review_goes_on_where_its_photo_went(journal):
    to = Place(b"new/a.jpg", A.photo_id)
    journal.append(MERGE, [Said(A, EDITED)], source="kim.xlsx")
    journal.append(RUN, [Moved(A, to)])
    reviews = journal.read()
    assert reviews.decided == {to: {"en": EDITED}}
    assert reviews.sources[to] == {"en": "kim.xlsx"}


def test_a_decision_settles_what_was_offered(journal):
    journal.append(MERGE, [Said(A, EDITED), Offered(A, Offer("en", "a fox", "conflict"))])
    assert journal.read().offered[A]
    journal.append(MERGE, [Said(A, EDITED)])
    assert not journal.read().offered[A]


@pytest.mark.fault
def test_a_damaged_file_is_told_wherever_it_is_damaged(journal):
    path = journal.append(MERGE, [Said(A, EDITED)])
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ManifestError, match=r"damaged.*Put back a copy"):
            journal.read()
        path.write_bytes(whole[:place])
        with pytest.raises(ManifestError, match="damaged"):
            journal.read()


def test_a_file_that_is_gone_is_told(journal):
    first = journal.append(MERGE, [Said(A, EDITED)])
    journal.append(MERGE, [Said(B, EDITED)])
    first.unlink()
    with pytest.raises(ManifestError, match=r"number 1 of the journal is missing"):
        journal.read()


def test_a_newer_journal_asks_for_an_update(journal, monkeypatch):
    monkeypatch.setattr("manifests.journal.VERSION", 2)
    journal.append(MERGE, [Said(A, EDITED)])
    monkeypatch.setattr("manifests.journal.VERSION", 1)
    with pytest.raises(ManifestError, match="newer version"):
        journal.read()
