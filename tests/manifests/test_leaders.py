"""One photo stands for those like it: near-duplicates, and copies of the same bytes."""

from manifests.groups import Groups
from manifests.leaders import find_leaders
from manifests.record import Status
from tests.manifests.examples import record

ROWS = [
    record(raw_path, photo_id=photo_id)
    for raw_path, photo_id in [(b"1", "a"), (b"2", "b"), (b"3", "a"), (b"4", "c"), (b"5", None)]
]


def led(rows, *groups):
    found = find_leaders(rows, Groups(groups))
    return {raw.decode(): leader.path for raw, leader in found.items()}


def test_the_first_copy_stands_for_the_others():
    assert led(ROWS) == {"1": "1", "3": "1"}


def test_the_first_file_of_the_first_photo_stands_for_a_group_and_its_copies():
    assert led(ROWS, ("a", "c")) == {"1": "1", "3": "1", "4": "1"}
    assert led(ROWS, ("b", "a")) == {"1": "2", "2": "2", "3": "2"}


def test_where_the_first_is_gone_another_copy_stands_for_them_or_nobody():
    gone = record(b"1", photo_id="a", status=Status.MISSING)
    assert led([gone, *ROWS[1:]]) == {"1": "3", "3": "3"}
    gone = record(b"2", photo_id="b", status=Status.MISSING)
    assert led([ROWS[0], gone, ROWS[3]], ("b", "a", "c")) == {}
