"""Captions by the workers of a Dask cluster: the bytes of one machine, whatever dies."""

import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import dask
import pytest
from distributed import Client, LocalCluster, Security
from distributed.utils import silence_logging_cmgr
from PIL import Image

import batch.caption
import batch.cluster
import batch.device
import batch.encode
import batch.local_cluster
import batch.on_worker
import batch.order
from batch.__main__ import main
from batch.config import Config
from batch.device import cores, share_cores
from batch.errors import ArchiveError
from batch.features import open_cache
from batch.local_cluster import cards, environment, local_cluster
from batch.on_worker import dask_setup, keep_to_one_card
from batch.order import Known, ordered
from batch.pipeline import encode_archive, run
from models.errors import MissingExtraError
from models.fingerprints import encoder_fingerprint
from tests.batch.archives import Archive, caption_of, draw, photo
from tests.batch.on_worker import BLUE, GREEN, MARK, RED, SHARD

NOWHERE = "tcp://127.0.0.1:9"


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Run a scheduler and two workers over stand-ins; a shard is given up after two of them."""
    mark = tmp_path_factory.mktemp("marks") / "green"
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            preload="tests.batch.on_worker",
            env={MARK: str(mark)},
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Cut the same small shards here as the workers do."""
    monkeypatch.setattr(batch.cluster, "SHARD_PHOTOS", SHARD)
    monkeypatch.setattr(batch.caption, "SHARD_PHOTOS", SHARD)
    monkeypatch.setattr(batch.encode, "CHUNK", SHARD)


@pytest.fixture
def twin(archive, tmp_path):
    """Give the same archive other results: what one machine makes of it."""
    places = tmp_path / "unused", tmp_path / "out2", tmp_path / "features2"
    twin = Archive(*places, archive.captioner)
    twin.root = archive.root
    return twin


def fill(archive: Archive, photos: int) -> None:
    """Draw photos in folders; of each twenty one is damaged, and one a copy from another shard."""
    for number in range(photos):
        path = archive.root / f"{number % 7}" / f"{number:03}.png"
        draw(path, number)
        if number % 20 == 3:
            path.write_bytes(path.read_bytes()[:60])
        if number % 20 == 9:
            shutil.copy(archive.root / "0" / "000.png", path)


def paint(path: Path, colour: tuple[int, int, int]) -> None:
    """Save a photo of one colour."""
    Image.new("RGB", (32, 32), colour).save(path)


def cached(archive: Archive) -> dict[str, bytes]:
    """Give the cached features of all photos."""
    ids = {sha256(path.read_bytes()).hexdigest() for path in archive.root.rglob("*.png")}
    cache = open_cache(str(archive.features), encoder_fingerprint(archive.captioner), "attention")
    return {photo_id: grid.tobytes() for photo_id, grid in cache.read(ids).items()}


# Bytes.


@pytest.mark.slow
def test_every_byte_is_that_of_one_machine(archive, twin, scheduler, stub_captioner):
    fill(archive, 600)
    assert run(archive.config(scheduler=scheduler)).exit_code == 3
    run(twin.config())
    assert archive.results == twin.results
    assert cached(archive) == cached(twin)
    assert len(archive.records) == 600


def test_captions_that_are_known_are_taken_over_as_on_one_machine(
    archive, twin, scheduler, stub_captioner
):
    archive.draw(*(f"{number:02}.png" for number in range(30)))
    for each in (archive, twin):
        run(each.config())
    (archive.root / "03.png").rename(archive.root / "a moved one.png")
    shutil.copy(archive.root / "05.png", archive.root / "a copy.png")
    archive.draw("new.png", seed=99)
    shutil.copy(archive.root / "new.png", archive.root / "new too.png")
    asked = stub_captioner.asked
    summary = run(archive.config(scheduler=scheduler))
    assert (summary.captioned, summary.moved, stub_captioner.asked) == (2, 1, asked)
    run(twin.config())
    assert archive.results == twin.results
    assert archive.captions["a copy.png"] == archive.captions["05.png"]


def test_a_run_with_nothing_new_reaches_for_no_scheduler(archive, scheduler):
    archive.draw("a.png", "b.png")
    assert run(archive.config(scheduler=scheduler)).captioned == 2
    assert run(archive.config(scheduler=NOWHERE)).captioned == 0


def test_nothing_of_the_run_is_left_in_the_cache(archive, scheduler):
    archive.draw("a.png")
    run(archive.config(scheduler=scheduler))
    assert [path.name for path in archive.features.iterdir()] == [
        encoder_fingerprint(archive.captioner)
    ]


def test_it_stops_when_the_time_is_over_and_goes_on_the_next_time(archive, scheduler):
    archive.draw(*(f"{number:02}.png" for number in range(3 * SHARD)))
    summary = run(archive.config(scheduler=scheduler, max_hours=1e-9))
    assert (summary.captioned, summary.waiting) == (SHARD, 2 * SHARD)
    assert run(archive.config(scheduler=scheduler)).captioned == 2 * SHARD


def test_features_alone_are_those_of_one_machine(archive, twin, scheduler, fake_encoder):
    fill(archive, 40)
    for config in (archive.config(scheduler=scheduler), twin.config()):
        summary = encode_archive(config)
        assert (summary.photos, summary.failed.total(), summary.exit_code) == (40, 2, 3)
    assert cached(archive) == cached(twin)
    assert len(cached(archive)) == 40 - 2 - 2  # damaged ones, and copies


# Deaths.


def test_a_shard_whose_worker_dies_is_another_one_s(archive, scheduler):
    archive.draw(*(f"{number:02}.png" for number in range(4 * SHARD)))
    paint(archive.root / "20.png", GREEN)
    summary = run(archive.config(scheduler=scheduler))
    assert (summary.captioned, summary.exit_code) == (4 * SHARD, 0)
    assert archive.captions == {name: caption_of(archive.root / name) for name in archive.captions}


@pytest.fixture
def thread_cluster(stub_captioner):
    """Run a scheduler with a worker that is a thread of this process."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


def test_a_scheduler_that_is_lost_on_the_way_is_told(archive, thread_cluster, monkeypatch):
    monkeypatch.setattr(batch.cluster, "ANSWERS_WITHIN", 1)
    archive.draw(*(f"{number:02}.png" for number in range(6 * SHARD)))
    settled = batch.cluster._settled

    def lose(*arguments):
        if thread_cluster.status.name == "running":
            thread_cluster.close()
        return settled(*arguments)

    wrong = "scheduler is lost: .* What was done is kept"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        monkeypatch.context() as losing,
        pytest.raises(ArchiveError, match=wrong),
    ):
        losing.setattr(batch.cluster, "_settled", lose)
        run(archive.config(scheduler=thread_cluster.scheduler_address))
    assert run(archive.config()).captioned == 5 * SHARD


# What does not fit.


@pytest.mark.parametrize(
    ("name", "stand_in", "told"),
    [
        ("version", lambda: "0.0.1", "has version .* of this program, and the run has 0.0.1"),
        ("_write", lambda *_: None, "does not see the feature cache"),
        ("_one_seen", lambda _: ("/photos/a.png", 5), "does not see '/photos/a.png'"),
        ("captioner_signature", lambda _: "tiny@other", "has another captioner"),
    ],
)
def test_workers_that_do_not_fit_are_named_and_the_remedy(
    archive, scheduler, monkeypatch, name, stand_in, told
):
    archive.draw("a.png")
    monkeypatch.setattr(batch.order, name, stand_in)
    with pytest.raises(ArchiveError, match=f"the worker tcp://.*{told}"):
        run(archive.config(scheduler=scheduler))
    assert not (archive.out / "captions.parquet").exists()


def test_a_worker_that_joins_later_is_looked_at_too(archive, thread_cluster, monkeypatch):
    archive.draw("a.png")
    monkeypatch.setattr(batch.order, "version", lambda: "0.0.1")
    monkeypatch.setattr(batch.cluster, "_check", lambda *_: None)
    with pytest.raises(ArchiveError, match=r"the worker tcp://.* and the run has 0.0.1"):
        run(archive.config(scheduler=thread_cluster.scheduler_address))


def test_a_scheduler_that_is_not_there_is_told(archive, monkeypatch):
    archive.draw("a.png")
    monkeypatch.setattr(batch.cluster, "ANSWERS_WITHIN", 0.5)
    with pytest.raises(ArchiveError, match=f"no Dask scheduler answers at {NOWHERE}.*start one"):
        run(archive.config(scheduler=NOWHERE))


def test_a_scheduler_without_workers_is_told(archive, thread_cluster, monkeypatch):
    archive.draw("a.png")
    thread_cluster.scale(0)
    monkeypatch.setattr(batch.cluster, "ANSWERS_WITHIN", 0.5)
    with pytest.raises(ArchiveError, match="has no workers: start some"):
        run(archive.config(scheduler=thread_cluster.scheduler_address))


def test_no_address_and_no_dask_are_told_at_once(archive, monkeypatch):
    for wrong in ("host:8786", "http://host", "tcp://"):
        with pytest.raises(ArchiveError, match=r"give one like SCHEDULER=tcp://host:8786"):
            archive.config(scheduler=wrong).check()
    monkeypatch.setattr(batch.config, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="not installed; run make cluster"):
        archive.config(workers=2).check()


def test_a_scheduler_and_workers_here_do_not_go_together(capsys):
    with pytest.raises(SystemExit):
        main(["caption", "--scheduler", NOWHERE, "--workers", "2", "."])
    assert "--workers: not allowed with argument --scheduler" in capsys.readouterr().err


# The last to have this cluster: its workers begin anew.


@pytest.mark.slow
def test_a_shard_that_ends_each_worker_is_told_and_what_was_done_before_is_kept(
    archive, scheduler, stub_captioner
):
    archive.draw(*(f"{number:02}.png" for number in range(4 * SHARD)))
    paint(archive.root / "20.png", RED)
    wrong = "2 workers ended, one after the other, as they were given 16.png to 31.png"
    with pytest.raises(ArchiveError, match=wrong):
        run(archive.config(scheduler=scheduler))
    summary = run(archive.config(exclude=("20.png",)))
    assert (summary.captioned, summary.photos) == (3 * SHARD - 1, 4 * SHARD - 1)
    assert archive.captions == {name: caption_of(archive.root / name) for name in archive.captions}


# Object storage.


def test_a_worker_without_credentials_for_a_bucket_writes_no_rows(
    archive, thread_cluster, bucket, monkeypatch
):
    bucket.put("photos/a.png", photo(1))
    monkeypatch.setattr(batch.on_worker, "size_of", lambda _: raise_denied())
    config = archive.config(scheduler=thread_cluster.scheduler_address)
    with pytest.raises(ArchiveError, match=r"does not see 's3://.*/a\.png'.*credentials"):
        run(replace(config, archive=f"{bucket.url}/photos"))
    assert not (archive.out / "captions.parquet").exists()


def raise_denied():
    raise PermissionError(errno.EACCES, "may not be used")


@pytest.mark.slow
def test_every_byte_in_a_bucket_is_that_of_one_machine(
    archive, bucket, tmp_path, stub_captioner, monkeypatch
):
    for number in range(3 * SHARD + 5):
        bucket.put(f"photos/{number % 3}/{number:03}.png", photo(number))
    bucket.put("photos/0/bad.png", b"no photo")
    monkeypatch.chdir(tmp_path)

    def asked(place):
        out = ["--out", f"{bucket.url}/{place}/out", "--captioner", archive.captioner]
        return [*out, "--features", f"{bucket.url}/{place}/features", f"{bucket.url}/photos"]

    spread = program("caption", "--workers", "2", *asked("spread"))
    assert spread.wait(300) == 3, spread.communicate()
    assert main(["caption", *asked("alone")]) == 3
    found, alone = (
        {key: bucket.read(place + key) for key in bucket.keys(place)}
        for place in ("spread/", "alone/")
    )
    assert found.keys() == alone.keys()
    differ = {key for key in found if found[key] != alone[key]}
    assert differ <= {"out/last_run.json", "out/log.jsonl"}


# Processes of this machine.

_RUN = """
import sys
import batch.__main__, batch.cluster, batch.local_cluster
from tests.batch.on_worker import SHARD
batch.cluster.SHARD_PHOTOS = SHARD
batch.local_cluster.PRELOAD += ("tests.batch.on_worker",)
batch.__main__.__name__ = "__main__"  # it leaves as a program does
sys.exit(batch.__main__.main(sys.argv[1:]))
"""


def spread_run(archive: Archive) -> "subprocess.Popen[str]":
    """Start a run over two workers of its own."""
    places = ["--out", archive.out, "--features", archive.features]
    return program(
        "caption", "--workers", "2", "--captioner", archive.captioner, *places, archive.root
    )


def program(*asked: object) -> "subprocess.Popen[str]":
    """Start the program over stand-ins, in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, *map(str, asked)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
    )


def group(leader: int) -> list[str]:
    """Give the command lines of the processes that a run has started and that still work."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().decode()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(command)
    return found


def wait_for(what, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_a_signal_ends_the_run_at_a_shard_and_its_processes_with_it(archive):
    archive.draw(*(f"{number:02}.png" for number in range(6 * SHARD)))
    for number in range(0, 6 * SHARD, SHARD):
        paint(archive.root / f"{number:02}.png", BLUE)
    begun = spread_run(archive)
    wait_for((archive.out / ".parts").is_dir)
    assert sum("spawn_main" in command for command in group(begun.pid)) >= 2
    os.killpg(begun.pid, signal.SIGINT)  # as Ctrl-C in a terminal: its workers get it, too
    said = begun.communicate(timeout=180)[1]
    assert begun.returncode == 130, said
    assert said.splitlines() == [
        "stopping at the end of this shard, in a minute at most; Ctrl-C again stops at once",
        "interrupted; the same command goes on from here",
    ]
    kept = len(archive.records)
    assert 0 < kept < 6 * SHARD and kept % SHARD == 0
    wait_for(lambda: not group(begun.pid))
    again = spread_run(archive)
    wait_for(lambda: any("spawn_main" in command for command in group(again.pid)))
    again.kill()
    again.communicate()
    wait_for(lambda: not group(again.pid))


def test_nobody_without_its_key_reaches_a_run_s_own_workers():
    with local_cluster(0) as cluster, silence_logging_cmgr(logging.CRITICAL):
        address = cluster.scheduler_address
        assert address.startswith("tls://127.0.0.1:")
        for key in (None, Security.temporary()):
            with pytest.raises((OSError, TypeError, RuntimeError)):
                Client(address, security=key, timeout=1, set_as_default=False)
        page = f"http://127.0.0.1:{cluster.scheduler.http_server.port}/info/main/workers.html"
        with pytest.raises(HTTPError, match="404"):
            urlopen(page, timeout=5)
        with Client(cluster, set_as_default=False) as client:
            assert client.nthreads() == {}


def test_cards_are_dealt_out_one_by_one(tmp_path):
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert cards({}, str(tmp_path)) == ["0", "1"]
    assert cards({}, str(tmp_path / "none")) == []
    assert cards({"CUDA_VISIBLE_DEVICES": "3, 5"}, str(tmp_path)) == ["3", "5"]
    assert [environment(number, 2, ["3", "5"]) for number in range(2)] == [
        {"CUDA_VISIBLE_DEVICES": "3"},
        {"CUDA_VISIBLE_DEVICES": "5"},
    ]
    shared = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    assert environment(2, 3, ["3", "5"]) == {"CUDA_VISIBLE_DEVICES": "3"} | shared
    assert environment(1, 2, ["0"]) == shared
    assert environment(0, 2, []) == {}


def test_a_run_s_own_workers_leave_signals_to_it(own_signals):
    before = signal.getsignal(signal.SIGINT)
    try:
        dask_setup(None)
        assert {signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)} == {
            signal.SIG_IGN
        }
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_worker_takes_the_first_card_alone(monkeypatch):
    for allowed, taken in (("2,3,0,1", "2"), ("GPU-5a", "GPU-5a"), ("", "")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
        keep_to_one_card()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == taken


def test_workers_share_the_cores(monkeypatch):
    everything = cores()
    monkeypatch.setattr(batch.device, "_sharers", 1)
    share_cores(everything)
    assert cores() == 1
    share_cores(everything + 1)
    assert cores() == 1
    share_cores(1)
    assert cores() == everything


def test_every_night_s_run_has_its_workers_too(archive, capsysbinary):
    places = ["--out", archive.out, "--features", archive.features, "--captioner"]
    asked = [*places, archive.captioner, archive.root]
    assert main(["cron", "--workers", "2", *map(str, asked)]) == 0
    assert b" --workers=2 " in capsysbinary.readouterr().out
    assert main(["cron", "--scheduler", NOWHERE, *map(str, asked)]) == 0
    assert f" --scheduler={NOWHERE} ".encode() in capsysbinary.readouterr().out


def test_the_workers_know_which_captions_are_there_and_nothing_else(archive, captioner_folder):
    ids = [f"{number:064x}" for number in (7, 1, 2**255, 0xFF00)]
    config = Config(str(archive.root), str(archive.out), str(archive.features), captioner_folder)
    with ordered(config, (), ids) as order:
        known = Known(order)
        assert sorted(known) == sorted(ids)
        assert all(each in known and known[each].photo_id == each for each in ids)
        assert f"{8:064x}" not in known and f"{2**256 - 1:064x}" not in known
