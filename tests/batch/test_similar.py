"""Groups of photos that are almost the same, from the cache to the file and apart again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import batch.similar
from batch.captioned import Captioned
from batch.errors import ArchiveError
from batch.features import POOLED, FeatureCache, pooled_folder
from batch.neighbours import Nearness
from batch.similar import find_groups, take_apart, update_groups
from batch.vectors import Vectors
from manifests.errors import ManifestError
from manifests.groups import add_apart, read_groups
from manifests.record import Record, Status
from tests.manifests.examples import record

ENCODER = "f00d" * 4
Vector = np.ndarray


def scene(number: int) -> Vector:
    """Give the vector of a scene unlike any other: most features are near zero."""
    return np.random.default_rng(number).random(POOLED, np.float32) ** 8


def shot(number: int, take: int) -> Vector:
    """Give the vector of one of several photos of a scene, with a cosine of 0.99 and more."""
    noise = np.random.default_rng([number, take]).random(POOLED, np.float32)
    return scene(number) * (1 + 0.2 * noise)


def turned(angle: float) -> Vector:
    """Give a vector of this angle, in radians, to the first one of a pan."""
    one, other = scene(1), scene(2)
    one /= np.linalg.norm(one)
    other -= one * (other @ one)
    return np.cos(angle) * one + np.sin(angle) * other / np.linalg.norm(other)


def row(photo_id: str, path: str = "", **changes: object) -> Record:
    return record((path or f"{photo_id}.jpg").encode(), photo_id=photo_id, **changes)


def grouped(vectors: dict[str, Vector], rows: list[Record] | None = None, **more) -> list:
    """Find groups, and put them in order."""
    rows = rows or [row(photo_id) for photo_id in vectors]
    return sorted(find_groups(Vectors.of(vectors), rows, **more))


def test_takes_of_a_scene_are_a_group_led_by_the_first_path():
    vectors = {f"{n}{take}": shot(n, take) for n in (1, 2) for take in range(3)}
    rows = [row(each, f"x/{9 - int(each[1])}{each}.jpg") for each in vectors]
    assert grouped(vectors, rows) == [("12", "11", "10"), ("22", "21", "20")]


def test_photos_of_different_scenes_have_no_group():
    assert grouped({str(n): scene(n) for n in range(60)}) == []


def test_no_photo_and_one_photo_are_no_group():
    assert grouped({}) == []
    assert grouped({"a": scene(1)}) == []


def test_photos_without_a_row_or_without_a_vector_have_no_group():
    vectors = {each: shot(1, take) for take, each in enumerate("abc")}
    assert grouped(vectors, [row("a"), row("c"), row("d")]) == [("a", "c")]


def test_copies_are_found_wherever_they_lie():
    vectors = {f"{n:04}": scene(n) for n in range(500)}
    vectors |= {f"copy{n:04}": shot(n, 1) for n in range(0, 500, 5)}
    rows = [row(each, f"{each[-2:]}/{each}.jpg") for each in vectors]
    assert len(grouped(vectors, rows)) == 100


def test_in_a_burst_less_likeness_is_asked_for_than_elsewhere():
    vectors = {"a": turned(0.0), "b": turned(0.28)}  # a cosine of 0.96
    assert grouped(vectors, [row("a", "x/1.jpg"), row("b", "x/2.jpg")]) == [("a", "b")]
    assert grouped(vectors, [row("a", "x/1.jpg"), row("b", "y/2.jpg")]) == []


def test_a_burst_is_told_by_time_where_names_do_not():
    between = {f"m{n:02}": scene(n + 10) for n in range(40)}
    vectors = {"a": turned(0.0), **between, "z": turned(0.28)}
    assert grouped(vectors) == []
    rows = [row(each, taken_at=f"2019-05-01T10:00:{n:02}") for n, each in enumerate(between)]
    ends = [row(each, taken_at="2018-01-01T10:00:00") for each in "az"]
    assert grouped(vectors, rows + ends) == [("a", "z")]


def test_a_copy_of_a_photo_of_a_burst_is_of_its_group():
    copy = turned(0.28) * (1 + 0.1 * np.random.default_rng(3).random(POOLED, np.float32))
    vectors = {"a": turned(0.0), "b": turned(0.28), "c": copy}
    rows = [row("a", "x/1.jpg"), row("b", "x/2.jpg"), row("c", "y/1.jpg")]
    assert grouped(vectors, rows) == [("a", "b", "c")]


def test_a_long_pan_is_several_groups_each_near_its_leader():
    vectors = {f"{n:03}": turned(n / 60) for n in range(90)}
    groups = find_groups(Vectors.of(vectors), [row(each) for each in vectors])
    assert 4 <= len(groups) <= 6
    assert sorted(each for group in groups for each in group) == sorted(vectors)
    for leader, *others in groups:
        near = [float(vectors[leader] @ vectors[other]) for other in others]
        assert min(near) >= 0.95 - 1e-3


def test_the_groups_are_the_same_whatever_order_things_come_in():
    vectors = {f"{n}{take}": shot(n, take) for n in range(20) for take in range(3)}
    rows = [row(each) for each in vectors]
    backwards = dict(reversed(vectors.items()))
    forth, back = (grouped(v, r) for v, r in [(vectors, rows), (backwards, rows[::-1])])
    assert forth == back
    assert len(forth) == 20


def test_what_was_taken_apart_does_not_come_together_again_with_others_it_may():
    vectors = {each: shot(1, take) for take, each in enumerate("abcd")}
    assert grouped(vectors, apart=[("a", "b")]) == [("a", "c", "d")]
    assert grouped(vectors, apart=[("a", "b", "c", "d")]) == []
    assert grouped(vectors, apart=[("b", "c"), ("a", "d")]) == [("a", "b"), ("c", "d")]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 1.5), min_size=2, max_size=25), st.data())
def test_nobody_is_in_two_groups_and_all_are_near_their_leader(angles, data):
    vectors = {f"{n:02}": turned(angle) for n, angle in enumerate(angles)}
    apart = data.draw(st.lists(st.sets(st.sampled_from([*vectors])).map(tuple), max_size=2))
    groups = grouped(vectors, apart=apart)
    members = [each for group in groups for each in group]
    assert len(members) == len({*members})
    for group in groups:
        assert list(group) == sorted(group)
        assert all(float(vectors[group[0]] @ vectors[each]) > 0.949 for each in group)
        assert all(len({*group} & {*torn}) < 2 for torn in apart)


# From the cache to the file.


class Home:
    """An archive that was captioned, and the cache of its features."""

    def __init__(self, folder: Path) -> None:
        self.out, self.features = folder / "out", folder / "features"
        self.out.mkdir()
        self.rows: list[Record] = []

    def add(self, vectors: dict[str, Vector], **changes: object) -> None:
        """Cache grids whose means are these vectors."""
        cache = FeatureCache(str(self.features / ENCODER))
        rise = np.linspace(0.5, 1.5, 64, dtype=np.float32).reshape(8, 8, 1)
        cache.write({each: vector * rise for each, vector in vectors.items()})
        self.rows += [row(each, **changes) for each in vectors]

    def update(self, nearness: Nearness | None = None):
        """Find the groups."""
        found = Captioned(str(self.out), "/photos", self.rows)
        more = (nearness,) if nearness else ()
        return update_groups(found, str(self.features), ENCODER, *more)


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.add({f"{n}{take}": shot(n, take) for n in (1, 2) for take in range(3)})
    home.add({"3": scene(3)})
    return home


def test_the_groups_of_an_archive_are_kept_beside_its_reviews(home):
    groups = home.update()
    assert sorted(groups.members) == [("10", "11", "12"), ("20", "21", "22")]
    assert groups.compared == 7
    assert read_groups(home.out / "reviews") == replace(groups, members=list(groups.members))


def test_a_second_look_compares_nothing_and_writes_nothing(home, monkeypatch):
    first = home.update()
    before = (home.out / "reviews/groups.parquet").stat()
    monkeypatch.setattr(batch.similar, "find_groups", None)
    assert home.update().members == list(first.members)
    assert (home.out / "reviews/groups.parquet").stat() == before


def test_a_new_photo_another_threshold_and_a_time_make_a_new_look(home):
    home.update()
    home.add({"13": shot(1, 3)})
    assert home.update().group("13") == ("10", "11", "12", "13")
    assert home.update(Nearness(0.9999, 0.9999)).members == ()
    home.rows[0] = replace(home.rows[0], taken_at="1999-01-01T00:00:00")
    assert home.update(Nearness(0.9999, 0.9999)).made_from != home.update().made_from


def test_photos_without_features_a_caption_or_a_file_have_no_group(home):
    home.rows += [row("14")]  # no features
    home.rows[1] = replace(home.rows[1], caption=None, status=Status.NOT_A_SCENE)
    home.rows[2] = replace(home.rows[2], status=Status.MISSING)
    groups = home.update()
    assert groups.members == (("20", "21", "22"),)
    assert groups.compared == 5


def test_where_there_are_no_features_there_are_no_groups_and_no_new_folders(home):
    found = Captioned(str(home.out), "/photos", home.rows)
    assert update_groups(found, str(home.features), "beef").members == ()
    assert not (home.features / "beef").exists()
    assert not (home.features / "beef-pooled").exists()


def test_the_means_are_kept_so_that_the_grids_are_read_once(home):
    first = home.update()
    kept = FeatureCache(pooled_folder(str(home.features / ENCODER)), POOLED)
    assert len(kept) == 7
    (home.out / "reviews/groups.parquet").unlink()
    for shard in (home.features / ENCODER).glob("*.parquet"):
        shard.write_bytes(b"")
    assert home.update().members == first.members


def test_a_damaged_shard_of_means_is_made_anew_from_the_grids(home):
    first = home.update()
    (shard,) = (home.features / f"{ENCODER}-pooled").glob("*.parquet")
    data = bytearray(shard.read_bytes())
    data[100:2000] = bytes(1900)
    shard.write_bytes(data)
    (home.out / "reviews/groups.parquet").unlink()
    assert home.update().members == first.members


def test_damaged_groups_are_made_anew(home):
    first = home.update()
    (home.out / "reviews/groups.parquet").write_bytes(b"PAR1")
    assert home.update().members == first.members
    assert len(read_groups(home.out / "reviews").members) == 2


def test_nothing_but_the_groups_is_left_in_the_folder(home):
    home.update()
    assert [each.name for each in (home.out / "reviews").iterdir()] == ["groups.parquet"]


# Taken apart again.


def test_a_group_that_was_taken_apart_stays_apart(home):
    home.update()
    assert take_apart(str(home.out), ["11", "10"]) == (("10", "11", "12"),)
    assert read_groups(home.out / "reviews").members == [("20", "21", "22")]
    assert home.update().members == (("20", "21", "22"),)
    home.add({"4": scene(4)})
    assert home.update().members == (("20", "21", "22"),)
    (home.out / "reviews/groups.parquet").unlink()
    assert home.update().members == (("20", "21", "22"),)


def test_taking_apart_twice_is_taking_apart_once(home):
    home.update()
    take_apart(str(home.out), ["11"])
    before = (home.out / "reviews/apart.json").read_bytes()
    assert take_apart(str(home.out), ["11", "10"]) == ()
    home.update()
    assert take_apart(str(home.out), ["12"]) == ()
    assert (home.out / "reviews/apart.json").read_bytes() == before


def test_a_photo_in_no_group_is_told_and_nothing_is_taken_apart(home):
    home.update()
    with pytest.raises(ArchiveError, match="photo 3 is in no group"):
        take_apart(str(home.out), ["11", "3"])
    assert not (home.out / "reviews/apart.json").exists()
    with pytest.raises(ArchiveError, match="no group"):
        take_apart(str(home.out / "nowhere"), ["11"])


def test_a_damaged_list_of_what_was_taken_apart_stops_the_look(home):
    home.update()
    add_apart(home.out / "reviews", [("10", "11", "12")])
    (home.out / "reviews/apart.json").write_text("{")
    with pytest.raises(ManifestError, match=r"apart\.json"):
        home.update()
