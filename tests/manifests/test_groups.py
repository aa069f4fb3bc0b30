"""Groups of near-duplicates on the disk, and those that were taken apart."""

import json
from itertools import combinations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import ManifestError
from manifests.groups import (
    Groups,
    add_apart,
    read_apart,
    read_groups,
    rename_apart,
    rename_groups,
    write_groups,
)
from tests.manifests.examples import names, with_files

TWO = Groups([("a", "b", "c"), ("d", "e")], 7, "f00d")


def test_each_photo_knows_its_group_and_leader():
    assert TWO.group("b") == ("a", "b", "c")
    assert [TWO.leader(each) for each in "abcdex"] == ["a", "a", "a", "d", "d", None]
    assert TWO.group("x") == ()


@with_files
@given(st.lists(st.text(max_size=4), unique=True), st.data())
def test_groups_are_read_back_as_they_were(tmp_path_factory, photo_ids, data):
    groups, rest = [], [each for each in photo_ids if each.isprintable()]
    while len(rest) > 1:
        size = data.draw(st.integers(2, len(rest)))
        groups, rest = [*groups, tuple(rest[:size])], rest[size:]
    folder = tmp_path_factory.mktemp("reviews")
    write_groups(folder, Groups(groups, 9, "f00d"))
    assert read_groups(folder) == Groups(groups, 9, "f00d")


def test_equal_groups_give_equal_bytes(tmp_path):
    write_groups(tmp_path, TWO)
    first = (tmp_path / "groups.parquet").read_bytes()
    write_groups(tmp_path, Groups([*map(tuple, TWO.members)], 7, "f00d"))
    assert (tmp_path / "groups.parquet").read_bytes() == first


def test_without_a_file_there_are_no_groups(tmp_path):
    assert read_groups(tmp_path) == Groups()
    assert read_groups(tmp_path / "reviews") == Groups()
    assert read_apart(tmp_path) == ()


def test_what_was_taken_apart_is_no_group_any_more(tmp_path):
    write_groups(tmp_path, TWO)
    add_apart(tmp_path, [("d", "e")])
    assert read_groups(tmp_path).members == [("a", "b", "c")]
    add_apart(tmp_path, [("c", "b", "x")])
    assert read_groups(tmp_path).members == []
    assert read_apart(tmp_path) == (("b", "c", "x"), ("d", "e"))


def test_one_photo_of_a_group_that_was_taken_apart_may_be_in_another_group(tmp_path):
    write_groups(tmp_path, TWO)
    add_apart(tmp_path, [("a", "d")])
    assert read_groups(tmp_path).members == list(TWO.members)


def test_the_same_again_changes_nothing(tmp_path):
    add_apart(tmp_path, [("b", "a")])
    before = (tmp_path / "apart.json").stat()
    add_apart(tmp_path, [("a", "b")])
    add_apart(tmp_path, [])
    after = (tmp_path / "apart.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert names(tmp_path) == ["apart.json"]


@pytest.mark.parametrize("place", range(0, 1200, 13))
def test_a_flipped_byte_is_told_or_harmless(tmp_path, place):
    write_groups(tmp_path, TWO)
    path = tmp_path / "groups.parquet"
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 0x10
    path.write_bytes(data)
    try:
        assert read_groups(tmp_path).members == TWO.members
    except ManifestError as error:
        assert "groups.parquet" in str(error)
        assert "it is made anew" in str(error) or "Update the program" in str(error)


def test_another_parquet_file_is_told(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "groups.parquet")
    with pytest.raises(ManifestError, match=r"groups\.parquet"):
        read_groups(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1, "apart": [[1]]}', "null"])
def test_a_damaged_list_of_what_was_taken_apart_is_never_passed_over(tmp_path, text):
    write_groups(tmp_path, TWO)
    (tmp_path / "apart.json").write_text(text)
    for read in (read_apart, read_groups):
        with pytest.raises(ManifestError, match=r"apart\.json.*Put back a copy"):
            read(tmp_path)
    with pytest.raises(ManifestError):
        add_apart(tmp_path, [("a", "b")])
    assert (tmp_path / "apart.json").read_text() == text


def test_files_of_a_newer_version_are_left_alone(tmp_path):
    (tmp_path / "apart.json").write_text(json.dumps({"version": 2, "apart": {}}))
    with pytest.raises(ManifestError, match="newer version"):
        add_apart(tmp_path, [("a", "b")])


def test_groups_that_follow_a_copy_twice_hold_each_photo_once(tmp_path):
    write_groups(tmp_path, Groups([("a", "b")]))
    for _ in range(2):  # a run was killed behind the first
        rename_groups(tmp_path, {"a": ["n", "a"]})
        assert read_groups(tmp_path).members == [("n", "a", "b")]


def test_each_copy_stays_apart_from_the_others_of_its_group_and_from_no_copy_of_itself(tmp_path):
    add_apart(tmp_path, ["abcd"])
    rename_apart(tmp_path, {"a": ["a", "A"], "b": ["B", "b"]})
    apart = {two for group in read_apart(tmp_path) for two in combinations(sorted(group), 2)}
    assert apart == {*combinations("ABabcd", 2)} - {("A", "a"), ("B", "b")}


def test_a_large_group_of_which_one_has_a_copy_is_not_written_pair_by_pair(tmp_path):
    photo_ids = [f"{number:064x}" for number in range(1000)]
    add_apart(tmp_path, [photo_ids])
    rename_apart(tmp_path, {photo_ids[0]: ["f" * 64, photo_ids[0]]})
    assert len(read_apart(tmp_path)) == 2
