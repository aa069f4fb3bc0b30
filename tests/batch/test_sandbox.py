"""A file that kills, hangs or bloats what decodes it costs its own photo, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import batch.photos
from batch import sandbox, worker_process
from batch.damage import NEEDS_MEMORY
from batch.errors import ArchiveError
from batch.pipeline import run
from batch.sandbox import load
from batch.scan import Photo, scan
from batch.urls import Limits, UrlPhoto
from batch.worker_process import CRASHES, KILLED, SLOW
from tests import pictures
from tests.pictures import encoded, upright

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def fresh_workers():
    """Leave no worker of another test, nor of this one."""
    sandbox.end_workers()
    yield
    sandbox.end_workers()


@pytest.fixture
def hostile(monkeypatch):
    """Let the comment of a JPEG break what decodes it; what takes long is stopped early."""
    start = worker_process.START.replace("serve(", "import tests.batch.hostile\nserve(")
    monkeypatch.setattr(worker_process, "START", start)
    monkeypatch.setattr(worker_process, "DECODING_S", 0.5)
    monkeypatch.setattr(worker_process, "READING_S", 20.0)


def put(folder: Path, comment: str, name: str = "a.jpg") -> Photo:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(encoded(upright(), comment=comment.encode()))
    return Photo(str(folder), name, 0, 0)


def workers() -> list[int]:
    return [worker.process.pid for worker in sandbox._idle]


# Loading is what it is without.


def test_a_photo_is_loaded_as_it_is_in_the_run_s_own_process(tmp_path):
    (tmp_path / "a.jpg").write_bytes(
        encoded(upright(), exif=pictures.exif(6, "2019:05:04 12:33:10"))
    )
    (tmp_path / "b.jpg").write_bytes(b"no photo")
    (tmp_path / "c.nef").write_bytes(encoded(upright(), "TIFF"))
    (tmp_path / "d\udcff\n.jpg").write_bytes(encoded(upright(), "GIF"))
    for photo in [*scan(tmp_path), Photo(str(tmp_path), "gone.jpg", 7, 9)]:
        for needs_pixels in (batch.photos.always, lambda photo_id: False):
            found, plain = (each(photo, 99, needs_pixels) for each in (load, batch.photos.load))
            assert found == plain
            np.testing.assert_array_equal(found.pixels, plain.pixels)


def test_a_photo_by_url_is_fetched_here_and_decoded_there(site):
    url = site.url("/a.jpg")
    found = load(UrlPhoto("", url, 0, 0, Limits(allow_private=True)))
    assert (found.status, found.format, found.pixels.shape) == ("ok", "JPEG", (299, 299, 3))
    assert load(UrlPhoto("", url, 0, 0, Limits())).status == "denied"


def test_one_worker_loads_many_photos_wherever_the_run_stands(tmp_path, monkeypatch):
    put(tmp_path / "album", "")
    for folder in (tmp_path, tmp_path / "album"):
        monkeypatch.chdir(folder)
        relative = os.path.relpath(tmp_path / "album")
        assert load(Photo(relative, "a.jpg", 0, 0)).status == "ok"
    assert len(workers()) == 1


def test_whether_pixels_are_needed_is_asked_here_once(tmp_path):
    photo, asked = put(tmp_path, ""), []
    found = load(photo, needs_pixels=lambda photo_id: bool(asked.append(photo_id)))
    assert asked == [found.photo_id] == [sha256((tmp_path / "a.jpg").read_bytes()).hexdigest()]
    assert (found.pixels, found.width) == (None, 96)


# What breaks a worker.


@pytest.mark.parametrize(
    ("comment", "status", "error"),
    [
        ("SIGSEGV", "unreadable", CRASHES),
        ("exit", "unreadable", CRASHES),
        ("lie", "unreadable", CRASHES),
        ("SIGKILL", "io", KILLED),
        ("grow", "too_large", NEEDS_MEMORY),
        ("loop", "unreadable", SLOW),
        ("sleep", "unreadable", SLOW),
    ],
)
def test_a_hostile_photo_costs_itself_alone(tmp_path, hostile, comment, status, error):
    photo = put(tmp_path, comment)
    data = (tmp_path / "a.jpg").read_bytes()
    found = load(photo)
    assert (found.status, found.error, found.pixels) == (status, error, None)
    assert (found.photo_id, found.size) == (sha256(data).hexdigest(), len(data))
    assert load(put(tmp_path, "", "b.jpg")).status == "ok"


@pytest.mark.parametrize("comment", ["SIGSEGV", "SIGKILL", "SIGTERM", "exit", "grow"])
def test_a_photo_is_not_condemned_for_what_happens_once(tmp_path, hostile, comment):
    found = load(put(tmp_path / "album", f"{comment} {tmp_path / 'once'}"))
    assert (tmp_path / "once").exists()
    assert (found.status, found.error) == ("ok", "")
    assert found.pixels is not None


def test_a_photo_is_tried_again_while_no_other_is_loaded(tmp_path, hostile, monkeypatch):
    monkeypatch.setattr(sandbox, "WORKERS", 3)
    monkeypatch.setattr(sandbox, "_turns", sandbox.BoundedSemaphore(3))
    now: list[object] = []
    tries: dict[object, list[int]] = {}
    real = sandbox._load

    def watched(task):
        now.append(task)
        tries.setdefault(task.photo, []).append(len(now))
        try:
            return real(task)
        finally:
            now.remove(task)

    monkeypatch.setattr(sandbox, "_load", watched)
    wanted = [put(tmp_path, "SIGSEGV" if n % 4 == 0 else "", f"{n}.jpg") for n in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(load, wanted))
    assert [photo.photo for photo in found] == wanted
    assert [photo.status for photo in found] == ["unreadable", "ok", "ok", "ok"] * 4
    assert [tries[photo][1:] for photo in wanted] == [[1], [], [], []] * 4
    assert max(number for each in tries.values() for number in each) > 1
    assert len(workers()) <= 3


def test_a_photo_that_cannot_be_read_in_time_is_not_at_fault(tmp_path, hostile, monkeypatch):
    monkeypatch.setattr(worker_process, "READING_S", 0.5)
    photo = replace(put(tmp_path, "", "stuck.jpg"), size=7, mtime_ns=9)
    found = load(photo)
    assert (found.status, found.photo_id, found.size, found.mtime_ns) == ("io", None, 7, 9)
    assert "network share" in found.error


def test_where_the_disk_is_dead_the_run_ends_before_its_workers_pile_up(
    tmp_path, hostile, monkeypatch
):
    monkeypatch.setattr(worker_process, "READING_S", 0.2)
    monkeypatch.setattr(worker_process, "MOST_LEFT", 2)
    stuck = put(tmp_path, "", "stuck.jpg")
    with monkeypatch.context() as dead:  # a process that waits for a disk heeds no signal
        dead.setattr(subprocess.Popen, "kill", lambda process: None)
        assert [load(stuck).status for _ in range(2)] == ["io", "io"]
        with pytest.raises(ArchiveError, match="does not answer"):
            load(stuck)
    for process in worker_process._left_behind:
        process.kill()
        process.wait()
    assert load(put(tmp_path, "", "a.jpg")).status == "ok"


def test_a_photo_whose_reader_is_killed_is_not_at_fault(tmp_path, hostile):
    found = load(put(tmp_path, "", "killed.jpg"))
    assert (found.status, found.photo_id) == ("io", None)
    assert "check the disk" in found.error


def test_a_worker_that_died_while_it_waited_is_replaced(tmp_path):
    photo = put(tmp_path, "")
    load(photo)
    (before,) = workers()
    os.kill(before, signal.SIGKILL)
    sandbox._idle[0].process.wait()
    assert load(photo).status == "ok"
    assert workers() != [before]


def test_a_fault_of_the_program_is_told_and_condemns_no_photo(tmp_path, hostile, monkeypatch):
    monkeypatch.setattr(
        worker_process,
        "START",
        worker_process.START.replace(
            "serve(", "import batch.worker\nbatch.worker.decoded = None\nserve("
        ),
    )
    with pytest.raises(RuntimeError, match=r"(?s)a\.jpg.*NoneType.*not callable"):
        load(put(tmp_path, ""))
    assert workers() == []


def test_where_no_worker_can_be_started_the_run_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_process, "START", "raise SystemExit(1)")
    with pytest.raises(ArchiveError, match="did not start"):
        load(put(tmp_path, ""))


@pytest.mark.parametrize("what", ["START", "executable"])
def test_a_run_that_cannot_start_a_worker_ends_with_what_to_do(
    archive, stub_captioner, monkeypatch, what
):
    archive.draw("a.png")
    if what == "START":
        monkeypatch.setattr(worker_process, "START", "raise SystemExit(1)")
    else:
        monkeypatch.setattr(sys, "executable", str(archive.root / "gone"))
    with pytest.raises(ArchiveError, match=r"^photos cannot be loaded: .* did not start.*again$"):
        run(archive.config())


def test_a_worker_that_is_killed_as_it_starts_is_started_again(tmp_path, monkeypatch):
    once = f"import pathlib, sys; once = pathlib.Path({str(tmp_path / 'once')!r})\n"
    dies = "if not once.exists(): once.touch(); sys.exit(1)\n"
    monkeypatch.setattr(worker_process, "START", once + dies + worker_process.START)
    assert load(put(tmp_path / "album", "")).status == "ok"
    assert (tmp_path / "once").exists()


def test_large_pictures_are_decoded_one_at_a_time(tmp_path, hostile):
    notes = tmp_path / "notes"
    wanted = [put(tmp_path / "album", f"large {notes}", f"{n}.jpg") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert [photo.status for photo in pool.map(load, wanted)] == ["ok"] * 4
    assert notes.read_text().split() == ["begin", "end"] * 4


def test_a_picture_of_many_pixels_has_the_time_that_it_takes(tmp_path, hostile):
    many = Image.new("L", (3000, 2000))
    (tmp_path / "a.jpg").write_bytes(encoded(many, progressive=True, comment=b"busy"))
    assert load(Photo(str(tmp_path), "a.jpg", 0, 0)).status == "ok"
    found = load(put(tmp_path, "busy", "b.jpg"))  # which is small
    assert (found.status, found.error) == ("unreadable", SLOW)


def test_what_decoders_print_is_not_shown(tmp_path, capfd):
    data = encoded(upright(), "TIFF", compression="tiff_adobe_deflate")
    (tmp_path / "a.tif").write_bytes(data[:40] + b"\xff" * 9 + data[49:])
    batch.photos.load(Photo(str(tmp_path), "a.tif", 0, 0))
    assert capfd.readouterr().err
    assert load(Photo(str(tmp_path), "a.tif", 0, 0)).status == "unreadable"
    assert capfd.readouterr().err == ""


# A run over an archive.


def test_a_run_gives_hostile_photos_their_rows_and_does_not_try_them_again(
    archive, stub_captioner, hostile, monkeypatch
):
    archive.draw("a.png", "c.png")
    put(archive.root, "SIGSEGV", "b.jpg")
    put(archive.root, "grow", "d.jpg")
    put(archive.root, "loop", "e.jpg")
    assert run(archive.config()).exit_code == 3
    statuses = {path: row.status for path, row in archive.records.items()}
    failed = {"b.jpg": "unreadable", "d.jpg": "too_large", "e.jpg": "unreadable"}
    assert statuses == {"a.png": "captioned", "c.png": "captioned"} | failed
    assert archive.records["b.jpg"].photo_id
    before = archive.results
    with monkeypatch.context() as watched:
        watched.setattr("batch.encode.load", None)
        assert run(archive.config()).exit_code == 3
    assert archive.results == before
    put(archive.root, "", "b.jpg")
    run(archive.config(retry_failed=True))
    assert archive.records["b.jpg"].status == "captioned"


# Workers keep to themselves.


def test_a_worker_imports_no_network_and_no_table():
    heavy = "{'tensorflow', 'keras', 'pyarrow', 'pandas', 'h5py', 'joblib', 'httpx'}"
    code = f"import batch.worker, sys; sys.exit(str({heavy} & sys.modules.keys() or ''))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert found.stderr.strip() == b""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")
def test_a_worker_holds_nothing_of_the_run_open(tmp_path):
    with (tmp_path / "held.lock").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        load(put(tmp_path / "album", ""))
        (worker,) = workers()
        opened = {str(path.readlink()) for path in Path(f"/proc/{worker}/fd").iterdir()}
    assert not any(str(tmp_path) in name for name in opened)


LOADING = """
import sys
from threading import Thread
from batch import sandbox, worker_process
worker_process.START = worker_process.START.replace("serve(", "import tests.batch.hostile\\nserve(")
worker_process.DECODING_S = 2.0
from batch.scan import scan
photos = list(scan(sys.argv[1]))
sandbox.load(photos[0])
print(*(worker.process.pid for worker in sandbox._idle), flush=True)
for photo in photos[1:]:
    Thread(target=sandbox.load, args=(photo,)).start()
"""


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.fault
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("second", ["", "loop"])
def test_workers_die_with_their_run_also_those_that_hang(tmp_path, number, second):
    put(tmp_path, "", "a.jpg")
    if second:
        put(tmp_path, second, "b.jpg")
    command = [sys.executable, "-c", LOADING + "import time; time.sleep(60)", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        (worker,) = map(int, started.stdout.readline().split())
        time.sleep(0.5)
        assert is_there(worker)
        started.send_signal(number)
    deadline = time.monotonic() + 30
    while is_there(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_there(worker)


def test_an_interrupt_is_none_of_a_worker_s_business(tmp_path):
    photo = put(tmp_path, "")
    load(photo)
    (worker,) = workers()
    os.kill(worker, signal.SIGINT)
    assert load(photo).status == "ok"
    assert workers() == [worker]
