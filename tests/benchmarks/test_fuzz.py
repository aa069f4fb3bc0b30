"""Damaged pictures, a few hundred of them: each has its row, and none takes a worker down."""

from batch.photos import load
from batch.scan import Photo
from benchmarks.fuzz import fuzz, table
from benchmarks.mutants import lengths, mutants, sources


def test_undamaged_pictures_of_all_kinds_are_photos(tmp_path):
    for kind, data in sources().items():
        (tmp_path / kind).write_bytes(data)
        found = load(Photo(str(tmp_path), kind, 0, 0))
        assert (found.status, found.error) == ("ok", ""), kind
        assert {found.width, found.height} == {96, 64}
        assert list(lengths(data)), kind


def test_mutants_are_the_same_for_the_same_seed_alone():
    assert [*mutants(70, 1)] == [*mutants(70, 1)]
    assert [*mutants(70, 1)] != [*mutants(70, 2)]
    assert {kind for kind, _ in mutants(70, 1)} == sources().keys()


def test_damaged_pictures_cost_themselves_alone(tmp_path):
    found = fuzz(mutants(640, seed=7), tmp_path)
    total = found.total
    assert total["mutants"] == 640
    assert total["lost"] == total["died"] == total["over 10 s"] == total["io"] == 0
    assert min(total["ok"], total["truncated"], total["unreadable"]) > 50
    assert len([*table(found)]) == len(sources()) + 2
