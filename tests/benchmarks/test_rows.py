"""The benchmark of rows runs, and tells linear from worse."""

import pytest

import batch.pipeline
from benchmarks.row_steps import STEPS, Home, measure
from benchmarks.rows import slope, table
from manifests.manifest import read_records


@pytest.mark.parametrize(("power", "found"), [(1, 1.0), (2, 2.0)])
def test_a_slope_is_the_power_by_which_a_step_grows(power, found):
    sizes = [10, 100, 1000]
    assert slope(sizes, [size**power for size in sizes]) == pytest.approx(found)


def test_every_step_runs_over_the_results_of_those_before(tmp_path, monkeypatch):
    monkeypatch.setattr(batch.pipeline, "load_stage", None)  # a step sets it: to be taken back
    home = Home(str(tmp_path), 20)
    home.draw(0, 20)
    found = {step: {"20": measure(step, home)} for step in STEPS}
    rows = read_records(home.manifest)
    assert len(rows) == 21
    assert all(row.review.caption for row in rows[:20])
    assert table(found).as_markdown().count("\n") == len(STEPS) + 1
