"""The record of one photo."""

from dataclasses import FrozenInstanceError, fields

import pytest

from manifests.record import FINAL, NO_SCENE, Record, Status, sort_key
from tests.manifests.examples import PLAIN, record


def test_statuses_are_the_closed_list():
    assert " ".join(Status) == (
        "captioned not_a_scene unreadable truncated too_large unsupported unstable vanished denied"
        " io missing"
    )
    with pytest.raises(ValueError, match="maybe"):
        Status("maybe")


def test_only_what_the_bytes_decide_is_final():
    assert {"unreadable", "truncated", "too_large", "unsupported"} == FINAL


def test_columns_stand_in_the_reviewers_order():
    assert " ".join(field.name for field in fields(Record)) == (
        "path caption status confidence alternatives log_prob photo_id captioner decode width"
        " height format frames taken_at error raw_path size mtime_ns languages"
        " language reviews offers"
    )


@pytest.mark.parametrize("status", tuple(Status))
def test_a_photo_that_could_not_be_seen_is_a_failure_and_one_without_a_scene_is_none(status):
    assert record(status=status).failed == (status not in ("captioned", "not_a_scene", "missing"))


def test_a_row_goes_back_to_what_its_captioner_made_of_it():
    missing = {"status": Status.MISSING, "error": "is no longer in the archive"}
    assert record(**missing).as_answered() == record()
    blank = record(**missing, caption=None).as_answered()
    assert (blank.status, blank.error) == (Status.NOT_A_SCENE, NO_SCENE)
    assert not record(captioner=None).answered


def test_a_record_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        PLAIN.caption = "a cat"


def test_records_sort_folder_by_folder_and_by_bytes():
    names = [b"a/z.jpg", b"a/b/c.jpg", b"a.jpg", b"\xff.jpg", b"B.jpg", b"a"]
    in_order = sorted(map(record, names), key=sort_key)
    assert [each.raw_path for each in in_order] == [
        b"B.jpg",
        b"a",
        b"a/b/c.jpg",
        b"a/z.jpg",
        b"a.jpg",
        b"\xff.jpg",
    ]
