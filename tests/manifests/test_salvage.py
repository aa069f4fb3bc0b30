"""What people said is had back from a damaged file of the journal, and what is not is told."""

import json

import numpy as np
import pytest

from manifests.journal import LINES, MERGE, Journal, Moved, Offered, Place, Said, read_deed
from manifests.review import Offer, Review, ReviewStatus
from manifests.salvage import WHY, salvage

PLACES = [Place(b"%d \xff.jpg" % number, f"{number:064x}") for number in range(4)]
SAID = [
    Said(place, Review("en", ReviewStatus.EDITED, f"dog {number}\n", "Kim", at="2026"))
    for number, place in enumerate(PLACES)
]
ENTRIES = [*SAID, Moved(PLACES[0], PLACES[1]), Offered(PLACES[2], Offer("en", "a cat", "copy"))]


@pytest.fixture
def path(tmp_path):
    return Journal(tmp_path).append(MERGE, ENTRIES, source="kim.xlsx")


def test_every_single_flipped_bit_is_mended(path):
    data = path.read_bytes()
    random = np.random.default_rng(4)
    for place in [0, len(data) - 1, data.find(b"\n"), *random.integers(0, len(data), 60)]:
        bad = bytearray(data)
        bad[place] ^= 1 << int(random.integers(8))
        path.write_bytes(bad)
        assert salvage(path).data == data, place


def test_whole_lines_are_kept_and_the_others_told(path):
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"dog", b"fog").replace(b"Kim", b"Tim")
    path.write_bytes(b"".join(lines[:-1]))
    found = salvage(path)
    assert found.data is None
    assert found.entries == (SAID[0], *SAID[2:], ENTRIES[4])
    assert (found.doubtful, found.head_read, found.head["source"]) == (0, True, "kim.xlsx")
    assert ["fog 1" in line for line in found.lost] == [True, False]
    assert found.lost[1] == "a line that is not there"


def test_what_nothing_vouches_for_is_only_offered(path):
    """A file of an older version has no digests of its lines."""
    head, *lines = path.read_bytes().splitlines(keepends=True)
    old = {name: value for name, value in json.loads(head).items() if name != LINES}
    lines[0] = lines[0].replace(b"dog", b"fog").replace(b"Kim", b"Tim")
    path.write_bytes(b"".join([json.dumps(old).encode(), b"\n", *lines, b"{ torn"]))
    found = salvage(path)
    assert found.entries[0] == Offered(PLACES[0], Offer("en", "fog 0\n", WHY))
    assert found.entries[4:] == tuple(ENTRIES[4:])
    assert (found.doubtful, found.lost) == (6, ("{ torn",))


@pytest.mark.parametrize("data", [b"", b"\n\n", b"PAR1\0\xff\n\x00", b'{"kind": 1}\n[]\n7\n'])
def test_anything_may_be_there_instead(path, data):
    path.write_bytes(data)
    found = salvage(path)
    assert (found.entries, found.head_read) == ((), False)


def test_what_is_written_again_is_read_like_any_file(path, tmp_path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]) + b"\0\0")
    found = salvage(path)
    path.unlink()
    again = Journal(tmp_path).write(1, found.head, found.entries)
    assert read_deed(again).entries == tuple(ENTRIES[1:])
