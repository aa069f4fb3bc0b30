"""The benchmark of ways: figures of each, whatever becomes of the others."""

import json
import sys
import threading
from time import sleep
from unittest.mock import Mock

import pytest
from PIL import Image

import benchmarks.bench.measure as measuring
from benchmarks.bench.__main__ import main
from benchmarks.bench.drawn import LARGE, SIZES, SMALL, draw_photos, picture
from benchmarks.bench.measure import FailedError, measure, running
from benchmarks.bench.results import aims, disturbed, keep, read, tables, whole
from benchmarks.bench.way import Task, Way
from benchmarks.bench.ways import (
    CAPTIONS_LARGE,
    CAPTIONS_SMALL,
    OURS,
    STAGES,
    WAYS,
    ways_for_own_photos,
)
from benchmarks.processes import family, resident
from tests.benchmarks import stand_ins

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what it reads is in /proc")


@pytest.fixture
def rows_of(tmp_path):
    """Give what measures stand-ins over three photos, and tells the order they worked in."""
    draw_photos(tmp_path / "photos", (32, 24), 4)
    trace = tmp_path / "trace"

    def rows_of(*kinds, ready="ready", rounds=2, packages=()):
        name = f"tests.benchmarks.stand_ins:{ready}"
        ways = [Way("g", kind, name, SMALL, 3, (kind, str(trace)), packages) for kind in kinds]

        def task_of(way):
            return Task(str(tmp_path / "photos"), way.number, "", str(tmp_path / "work"))

        found = {way.name: row for way, row in measure(ways, task_of, rounds, lambda what: None)}
        return found, trace.read_text().split() if trace.exists() else []

    return rows_of


def test_ways_take_turns_and_one_that_fails_has_a_row_that_tells_why(rows_of):
    kinds = ("quick", "broken", "busy", "dies", "idle", "large")
    rows, order = rows_of(*kinds)
    assert order == ["quick", "busy", "dies", "idle", "large", "quick", "busy", "large"]
    assert rows.keys() == {*kinds}
    assert rows["broken"]["error"] == "ValueError: no such weights"
    assert rows["dies"]["error"] and rows["idle"]["error"] == "it did no photo"
    for kind in ("quick", "busy", "large"):
        assert (rows[kind]["photos"], rows[kind]["rounds"]) == (3, 2)


@pytest.mark.parametrize("ready", ["ready", "ready_in_a_child"])
def test_time_and_memory_are_those_of_a_way_and_of_what_it_starts(rows_of, ready):
    rows, _ = rows_of("quick", "busy", "large", ready=ready, rounds=1)
    extra = rows["busy"]["CPU ms a photo"] - rows["quick"]["CPU ms a photo"]
    assert 1000 * 0.5 / 3 * 0.7 < extra < 1000 * 0.5 / 3 * 2
    assert rows["busy"]["photos/s"] <= 6
    more = rows["large"]["peak MiB"] - rows["quick"]["peak MiB"]
    assert more > 0.8 * stand_ins.MEMORY / 2**20


@pytest.fixture
def one_way(tmp_path):
    """Give a way that starts another process, and its task."""
    draw_photos(tmp_path / "photos", (32, 24), 4)
    settings = ("busy", str(tmp_path / "trace"))
    way = Way("g", "w", "tests.benchmarks.stand_ins:ready_in_a_child", SMALL, 3, settings)
    return way, Task(str(tmp_path / "photos"), 3, "", str(tmp_path / "work"))


def test_a_way_that_died_between_two_rounds_has_a_row_that_tells_why(one_way):
    with running(*one_way) as way:
        way.start()
        way.process.kill()
        way.process.wait()
        with pytest.raises(FailedError, match="killed"):
            way.round()


def test_what_takes_too_long_ends_with_all_that_it_has_started(one_way, monkeypatch):
    with running(*one_way) as way:
        way.start()
        monkeypatch.setattr("benchmarks.bench.measure.LIMIT", 0.3)
        seen = []
        with monkeypatch.context() as looked_at:
            end = measuring._end
            looked_at.setattr(measuring, "_end", lambda it: (seen.extend(family(it.pid)), end(it)))
            with pytest.raises(FailedError, match="took more than"):
                way.round()
    assert len(seen) == 2
    assert not any(resident(pid) for pid in seen)


def test_who_interrupts_a_way_does_not_wait_for_its_limit(one_way, monkeypatch):
    with running(*one_way) as way:
        monkeypatch.setattr(way.peak, "watching", Mock(side_effect=KeyboardInterrupt))
        before = threading.active_count()
        with pytest.raises(KeyboardInterrupt):
            way.start()
        sleep(0.1)
        assert threading.active_count() == before


def test_what_is_not_installed_is_told(rows_of):
    rows, order = rows_of("quick", packages=("json", "no_such_package"))
    assert rows["quick"]["error"].startswith("no_such_package not installed")
    assert not order


def row(name, rate, group=CAPTIONS_LARGE):
    figures = {"photos/s": rate, "CPU ms a photo": 1000 / rate, "peak MiB": 100, "start s": 1.0}
    return {"group": group, "name": name, **figures}


def way(name):
    return next(each for each in WAYS if (each.group, each.name) == (CAPTIONS_LARGE, name))


def test_what_is_measured_later_takes_the_place_of_the_same_ways_alone(tmp_path):
    path = tmp_path / "results" / "bench.json"
    tutorial = "the tutorial's way"
    keep(path, read(path), {way(OURS): row(OURS, 10.0), way(tutorial): row(tutorial, 2.0)}, WAYS)
    keep(path, read(path), {way(OURS): row(OURS, 40.0)}, WAYS)
    rows = read(path)["rows"]
    assert [(each["name"], each["photos/s"]) for each in rows] == [(tutorial, 2.0), (OURS, 40.0)]
    assert rows[0]["to ours"] == {"photos/s": 0.05, "CPU ms a photo": 20.0, "peak MiB": 1.0}
    assert aims(rows) == [
        f"{CAPTIONS_LARGE}: ours does 20 times the photos of {tutorial} (aim: 10)"
    ]
    (table,) = tables(rows)
    assert f"| {tutorial} | 2 | 0.05 | 500 | 20 | 100 | 1 | 1 |" in table.as_markdown()


def test_figures_of_another_machine_are_not_mixed_with_those_of_this_one(tmp_path):
    path = tmp_path / "bench.json"
    keep(path, read(path), {way(OURS): row(OURS, 10.0)}, WAYS)
    found = json.loads(path.read_text())
    found["machine"]["cores"] = 999
    path.write_text(json.dumps(found))
    assert read(path)["rows"] == []


def test_a_busy_machine_is_told_of():
    assert "1.5 cores" in disturbed([row(OURS, 1.0) | {"others": each} for each in (0.1, 1.5)])
    assert not disturbed([row(OURS, 1.0) | {"others": 0.1}, {"error": "no"}])


def test_the_whole_is_compared_with_its_stages_where_all_are_known():
    stages = [each for each in WAYS if each.group == STAGES]
    rows = [row(each.name, 100.0, STAGES) for each in stages]
    assert whole(rows) == ""
    rows.append(row(OURS, 10.0, CAPTIONS_SMALL))
    told = "ours takes 100 ms of CPU a photo, its stages 60"
    assert whole(rows) == f"{CAPTIONS_SMALL}: {told}"


def test_a_way_without_figures_stays_out_of_the_tables(tmp_path):
    found = {"rows": []}
    broken = {"group": CAPTIONS_LARGE, "name": OURS, "error": "no"}
    keep(tmp_path / "bench.json", found, {way(OURS): broken}, WAYS)
    assert tables(found["rows"]) == [] and found["rows"][0]["error"] == "no"


def test_photos_are_drawn_the_same_each_time_and_each_another(tmp_path):
    assert picture((64, 48), 1).tobytes() == picture((64, 48), 1).tobytes()
    draw_photos(tmp_path, (64, 48), 5)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 5


def test_a_large_photo_is_of_12_megapixels_and_as_many_bytes_as_a_camera_makes(tmp_path):
    draw_photos(tmp_path, SIZES[LARGE], 1)
    (path,) = tmp_path.iterdir()
    with Image.open(path) as image:
        assert image.size == (4000, 3000)
    assert 3e6 < path.stat().st_size < 7e6


def test_one_command_measures_writes_and_tells(tmp_path, capsys):
    asked = ["--quick", "--only", "scan", "load, 224", "--json", str(tmp_path / "b.json")]
    main([*asked, "--plot", str(tmp_path / "b.png")])
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [each["name"] for each in rows] == ["scan", "load, 224x224"]
    assert all(each["photos/s"] > 0 and each["peak MiB"] > 0 for each in rows)
    said = capsys.readouterr().out
    assert "| load, 224x224 |" in said and "|  | photos/s | to ours |" in said
    assert not (tmp_path / "b.png").exists()  # nothing to compare


def test_own_photos_are_used_and_stay_as_they_are(tmp_path, capsys):
    draw_photos(tmp_path / "photos" / "a b", (48, 32), 2)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "photos").rglob("*")}
    asked = ["--only", "load, 224", "--photos", str(tmp_path / "photos"), "--quick"]
    main([*asked, "--json", str(tmp_path / "b.json"), "--plot", str(tmp_path / "b.png")])
    (found,) = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert found["photos"] == 2
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "photos").rglob("*")}
    (tmp_path / "empty").mkdir()
    for folder, told in (("empty", "no JPEG files in there"), ("gone", "does not exist")):
        with pytest.raises(SystemExit, match=told):
            main(["--photos", str(tmp_path / folder), "--json", str(tmp_path / "c.json")])


def test_names_of_ways_are_told_apart_and_a_wrong_one_is_refused(tmp_path):
    for ways in (WAYS, ways_for_own_photos()):
        assert len({each.key for each in ways}) == len(ways)
    with pytest.raises(SystemExit, match="no way has such a name"):
        main(["--only", "nonsense", "--plot", str(tmp_path / "b.png")])


def test_bars_are_drawn_where_there_is_something_to_compare(tmp_path):
    from benchmarks.bench.plot import draw

    path, found = tmp_path / "bench.png", {"rows": []}
    names = [OURS, "the tutorial's way"]
    rows = {way(name): row(name, rate) for name, rate in zip(names, (30.0, 2.0), strict=True)}
    keep(tmp_path / "bench.json", found, rows, WAYS)
    draw(found["rows"], str(path))
    with Image.open(path) as image:
        assert image.format == "PNG" and image.width > 1000
