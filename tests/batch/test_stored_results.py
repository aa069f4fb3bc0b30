"""Photos, results and features in a bucket, from the commands down, against a real server of S3."""

import errno
import json
import os
import shutil
import signal
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

import batch.pipeline
import batch.store_lock
import batch.stores
import batch.working_copy
from batch.__main__ import main
from batch.store_lock import NAME, StoreLock
from batch.stores import read
from batch.working_copy import WorkingCopy
from manifests.manifest import read_archive, read_records
from tests.batch.archives import photo, slow_run
from tests.batch.test_stores import ODD

VIEWS = ["captions.parquet", ".captions-copy.parquet", "captions.csv"]
NAMES = ["a.png", "b/a.png", "b/바다.png", "c.png"]


class Killed(BaseException):
    """What a kill looks like from within."""


class Machine:
    """A machine: a folder of its own, from which commands are run over what is in the bucket."""

    def __init__(self, home, bucket, captioner, encoder):
        self.home, self.bucket, self.captioner = home, bucket, captioner
        self.encoder = encoder
        home.mkdir()
        self.dir = f"{bucket.url}/photos"
        self.out = f"{bucket.url}/results"
        self.features = f"{bucket.url}/features"

    def run(self, command, *arguments, out=None):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.home)
            place = str(out or self.out)
            return main([command, f"--out={place}", *arguments])

    def caption(self, *arguments):
        places = [f"--features={self.features}", f"--captioner={self.captioner}"]
        return self.run("caption", *places, *arguments, self.dir)

    @property
    def copy(self):
        [base] = (self.home / "outputs" / ".stored").iterdir()
        return base / "results"


@pytest.fixture
def here(tmp_path, bucket, captioner_folder, stub_captioner, fake_encoder):
    """Put four photos into the bucket, and give a machine that has seen none of it."""
    for number, name in enumerate(NAMES):
        bucket.put(f"photos/{name}", photo(number))
    return Machine(tmp_path / "here", bucket, captioner_folder, fake_encoder)


@pytest.fixture
def there(tmp_path, here):
    """Give another machine."""
    return Machine(tmp_path / "there", here.bucket, here.captioner, here.encoder)


def rows_of(bucket, tmp_path):
    path = tmp_path / "look.parquet"
    path.write_bytes(bucket.read("results/captions.parquet"))
    return {record.path: record for record in read_records(path)}


def state_of(bucket, prefix):
    return {key: bucket.read(prefix + key) for key in bucket.keys(prefix)}


def test_an_archive_is_captioned_from_bucket_to_bucket_as_it_is_on_a_disk(here, archive, bucket):
    before = state_of(bucket, "photos/")
    assert here.caption() == 0
    for number, name in enumerate(NAMES):
        path = archive.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(photo(number))
    places = [f"--out={archive.out}", f"--features={archive.features}"]
    assert main(["caption", *places, f"--captioner={here.captioner}", str(archive.root)]) == 0

    theirs, ours = read_records(archive.out / "captions.parquet"), rows_of(bucket, here.home)
    told = ("path", "photo_id", "caption", "confidence", "status", "width", "size", "raw_path")
    for row in theirs:
        assert [getattr(row, name) for name in told] == [
            getattr(ours[row.path], name) for name in told
        ]
    assert bucket.read("results/captions.csv") == (archive.out / "captions.csv").read_bytes()
    [shard] = archive.features.rglob("*.parquet")
    [key] = [key for key in bucket.keys("features/") if key.endswith(".parquet")]
    assert Path(key).name == shard.name and bucket.read(f"features/{key}") == shard.read_bytes()
    assert state_of(bucket, "photos/") == before
    assert NAME not in bucket.keys("results/")


def test_a_second_run_does_nothing_and_a_new_photo_is_all_that_is_loaded(
    here, there, bucket, capsys
):
    here.caption()
    done = state_of(bucket, "results/")
    assert here.encoder.photos == 4
    assert here.caption() == there.caption() == 0
    assert here.encoder.photos == 4
    again = state_of(bucket, "results/")
    for name in ("captions.parquet", "captions.csv", ".captions-copy.parquet"):
        assert again[name] == done[name]
    bucket.put("photos/d.png", photo(9))
    assert there.caption() == 0
    assert here.encoder.photos == 5
    assert len(rows_of(bucket, here.home)) == 5


def test_what_one_machine_has_done_another_goes_on_with_after_a_kill(
    here, there, small_shards, bucket, monkeypatch, capsys
):
    """The first one is gone after a shard, as by kill -9: nothing is brought, the lock stays."""

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("batch.pipeline.tell_shard", kill)  # after the shard is kept
        patch.setattr("batch.stored_results._bring_what_can_be", lambda *_: None)
        patch.setattr(StoreLock, "leave", lambda lock: lock._ended.set())
        with pytest.raises(Killed):
            here.caption()
    assert here.encoder.photos >= 2  # the next shard may have been begun
    assert [key for key in bucket.keys("results/") if key.startswith(".parts/")]

    assert there.caption() == 75  # the lock is fresh
    assert "is writing to" in capsys.readouterr().err
    monkeypatch.setattr(batch.store_lock, "STALE_S", 0.0)
    monkeypatch.setattr(batch.store_lock, "SETTLE_S", 0.0)
    assert there.caption() == 0
    assert here.encoder.photos == 4
    assert not [key for key in bucket.keys("results/") if key.startswith(".parts/")]
    assert {row.caption is not None for row in rows_of(bucket, here.home).values()} == {True}

    assert here.caption() == 0  # has parts that it need not bring any more
    assert here.encoder.photos == 4 and "kept in" not in capsys.readouterr().err


def test_a_machine_takes_back_its_own_lock_at_once(here, bucket, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(StoreLock, "leave", lambda lock: lock._ended.set())
        assert here.caption() == 0
    assert NAME in bucket.keys("results/")
    assert here.caption() == 0
    assert NAME not in bucket.keys("results/")


def test_who_has_lost_the_lock_brings_nothing(here, bucket, monkeypatch, capsys):
    def taken_over(*_):
        bucket.put(f"results/{NAME}", json.dumps({"token": "x", "host": "other"}).encode())

    monkeypatch.setattr("batch.pipeline.tell_shard", taken_over)
    assert here.caption() == 75
    assert "other" in capsys.readouterr().err
    assert "captions.parquet" not in bucket.keys("results/")
    assert json.loads(bucket.read(f"results/{NAME}"))["host"] == "other"


def test_two_take_a_stale_lock_and_one_has_it(bucket, monkeypatch):
    bucket.put(f"out/{NAME}", b'{"token": "dead", "host": "gone"}')
    monkeypatch.setattr(batch.store_lock, "STALE_S", -1.0)
    monkeypatch.setattr(batch.store_lock, "SETTLE_S", 0.0)
    first, second = StoreLock(f"{bucket.url}/out"), StoreLock(f"{bucket.url}/out")
    first.take()
    second.take()
    with pytest.raises(batch.store_lock.LockedError, match="taken over"):
        first.check()
    first.leave()
    assert json.loads(bucket.read(f"out/{NAME}"))["token"] == second.token
    second.leave()
    assert bucket.keys("out/") == []


def test_words_that_people_wrote_go_through_the_bucket_and_stay(
    here, there, bucket, tmp_path, capsys
):
    here.caption()
    assert here.run("review", f"--features={here.features}") == 0
    assert any(key.endswith(".xlsx") for key in bucket.keys("results/"))
    sheet = tmp_path / "corrected.csv"
    sheet.write_text("path,caption\nb/바다.png,the sea at dusk\n", "utf-8")
    assert there.run("merge-review", str(sheet)) == 0
    bucket.put("photos/d.png", photo(9))
    assert here.caption() == 0
    rows = rows_of(bucket, tmp_path)
    assert rows["b/바다.png"].review.caption == "the sea at dusk" and len(rows) == 5
    assert there.run("undo-merge") == 0
    assert rows_of(bucket, tmp_path)["b/바다.png"].review.caption != "the sea at dusk"


def test_every_command_works_on_what_is_in_a_bucket(here, there, bucket, few_captioners, capsys):
    here.caption()
    photos = state_of(bucket, "photos/")
    features = f"--features={here.features}"
    asked = {
        "verify": ["--deep", features],
        "status": [features],
        "gallery": [features, "--no-attention"],
        "sample": ["--count=2"],
        "recaption": [features, f"--captioner={here.captioner}"],
        "export": ["--to=jsonl", "--machine"],
        "page": [],
    }
    for command, arguments in asked.items():
        assert there.run(command, *arguments) == 0, (command, capsys.readouterr().err)
        assert state_of(bucket, "photos/") == photos
    assert sum(key.endswith(".jpg") for key in bucket.keys("results/gallery/")) == 4
    assert bucket.keys("results/export/jsonl/") == ["captions.jsonl"]
    assert "all well" in capsys.readouterr().out


def test_photos_of_a_bucket_are_never_written_to_or_beside(here, bucket, capsys, tmp_path):
    here.caption()
    for asked in (["--to=txt", "--beside"], ["--to=xmp"], ["--to=iptc", "--embed"]):
        assert here.run("export", "--machine", *asked) == 1
        assert "only read" in capsys.readouterr().err
    assert here.run("export", "--machine", "--to=xmp", f"--into={tmp_path / 'xmp'}") == 0
    assert (tmp_path / "xmp" / "b" / "바다.png.xmp").exists()
    assert here.run("export", "--machine", "--to=txt", "--into=s3://x/y") == 1
    assert not Path(here.home, "s3:").exists()


def test_results_and_features_are_not_put_among_the_photos(here, capsys):
    here.out = f"{here.dir}/results"
    assert here.caption() == 1
    here.out, here.features = f"{here.bucket.url}/results", f"{here.dir}/features"
    assert here.caption() == 1
    assert capsys.readouterr().err.count("inside the photo folder") == 2
    assert len(here.bucket.keys()) == len(NAMES)


def test_a_bucket_that_is_not_there_is_told(here, capsys):
    here.out = "s3://no-such-bucket-anywhere/results"
    assert here.caption() == 1
    assert "no such bucket" in capsys.readouterr().err
    assert here.run("status", out=f"{here.bucket.url}/nothing") == 1


def test_a_server_that_goes_away_costs_nothing_that_was_done(
    here, s3, bucket, capsys, tmp_path, monkeypatch
):
    """Its photos are `io`; what could not be brought waits, and the next command brings it."""
    tell_shard = batch.pipeline.tell_shard
    here.features = str(tmp_path / "features")

    def end(*arguments):
        s3.end()
        tell_shard(*arguments)

    monkeypatch.setattr("batch.pipeline.tell_shard", end)
    try:
        assert here.caption() == 1
        said = capsys.readouterr().err
        assert "could not be brought" in said and "the next command" in said
    finally:
        s3.begin()
    monkeypatch.setattr("batch.pipeline.tell_shard", tell_shard)
    assert "captions.parquet" not in bucket.keys("results/")
    assert here.run("status") == 0  # which writes nothing
    assert "captions.parquet" not in bucket.keys("results/")
    assert here.caption() == 0
    assert here.encoder.photos == 4
    assert len(rows_of(bucket, tmp_path)) == 4


def test_photos_that_cannot_be_fetched_are_io_and_tried_again(
    here, bucket, tmp_path, monkeypatch, capsys
):
    def gone(url, most=None):
        raise OSError(5, "cannot be reached (it is gone): check network", url)

    with monkeypatch.context() as patch:
        patch.setattr("batch.stored_photos.read", gone)
        assert here.caption() == 3
    assert {row.status for row in rows_of(bucket, tmp_path).values()} == {"io"}
    assert here.caption() == 0


def test_results_that_both_sides_changed_are_kept_both(here, there, bucket, tmp_path, capsys):
    here.caption()
    sheet = tmp_path / "corrected.csv"
    sheet.write_text("path,caption\na.png,mine\n", "utf-8")
    (here.copy / "my own notes.txt").write_text("mine")
    assert there.run("merge-review", str(sheet)) == 0
    assert here.caption() == 0
    assert "kept in" in capsys.readouterr().err
    [aside] = here.copy.parent.glob("unbrought-*")
    assert (aside / "my own notes.txt").read_text() == "mine"
    assert rows_of(bucket, tmp_path)["a.png"].review.caption == "mine"


def test_a_copy_that_was_thrown_away_takes_nothing_with_it(here, bucket, capsys):
    here.caption()
    before = state_of(bucket, "results/")
    shutil.rmtree(here.copy)
    assert here.run("status") == 0
    shutil.rmtree(here.copy)
    assert here.run("undo-merge") == 0
    after = state_of(bucket, "results/")
    assert after["captions.parquet"] == before["captions.parquet"]
    assert after.keys() == before.keys()


def test_the_copy_stands_for_the_bucket(here, bucket, tmp_path, capsys):
    """The paths that commands print lead into it: who gives one of them means the results."""
    here.caption()
    sheet = tmp_path / "corrected.csv"
    sheet.write_text("path,caption\na.png,mine\n", "utf-8")
    assert here.run("merge-review", str(sheet), out=here.copy) == 0
    assert rows_of(bucket, tmp_path)["a.png"].review.caption == "mine"


def test_keys_that_lead_elsewhere_become_no_files(here, bucket, capsys):
    here.caption()
    bucket.put("results/../../../../evil.txt", b"x")
    bucket.put("results//absolute.txt", b"x")
    bucket.put("results/fine.txt", b"x")
    assert here.run("status") == 0
    assert (here.copy / "fine.txt").exists()
    assert not list(here.home.rglob("evil.txt")) and not list(here.home.rglob("absolute.txt"))


def test_a_damaged_shard_in_a_bucket_is_put_aside_and_made_anew(
    here, there, bucket, fake_encoder, capsys
):
    here.caption()
    [key] = [key for key in bucket.keys("features/") if key.endswith(".parquet")]
    bucket.put(f"features/{key}", bucket.read(f"features/{key}")[:-1000])
    assert there.caption("--existing=overwrite") == 0
    assert here.encoder.photos == 8
    assert f"{key}.damaged" in bucket.keys("features/")


def test_a_lock_is_written_anew_while_it_is_held(bucket, monkeypatch):
    monkeypatch.setattr(batch.store_lock, "EVERY_S", 0.05)
    lock = StoreLock(f"{bucket.url}/out")
    lock.take()
    first = bucket.client.head_object(Bucket=bucket.name, Key=f"out/{NAME}")["LastModified"]
    for _ in range(100):
        time.sleep(0.1)
        if bucket.client.head_object(Bucket=bucket.name, Key=f"out/{NAME}")["LastModified"] > first:
            break
    else:
        pytest.fail("it was not")
    lock.leave()


def test_what_was_lost_here_is_no_reason_to_keep_words_from_the_store(here, s3, bucket, tmp_path):
    """A merge that could not be brought, and a picture that someone has removed meanwhile."""
    here.caption()
    assert here.run("gallery", f"--features={here.features}", "--no-attention") == 0
    sheet = tmp_path / "corrected.csv"
    sheet.write_text("path,caption\na.png,mine\n", "utf-8")

    def end(copy, tell):
        s3.end()
        return bring_all(copy, tell)

    bring_all = WorkingCopy.bring_all
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkingCopy, "bring_all", end)
        assert here.run("merge-review", str(sheet)) == 1
    s3.begin()
    next(here.copy.rglob("*.jpg")).unlink()
    assert rows_of(bucket, tmp_path)["a.png"].review.caption is None
    assert here.caption() == 0
    assert rows_of(bucket, tmp_path)["a.png"].review.caption == "mine"
    assert len([*here.copy.rglob("*.jpg")]) == 4


@pytest.mark.fault
@pytest.mark.parametrize("at", range(7))
def test_a_push_that_is_cut_off_anywhere_is_gone_on_with(
    here, there, bucket, tmp_path, monkeypatch, at
):
    """By this machine or another, and the rows come out the same; nothing is set aside."""
    here.caption()
    undisturbed = {key: bucket.read(f"results/{key}") for key in VIEWS}
    for key in bucket.keys("results/"):
        bucket.remove(f"results/{key}")
    here.home.rename(tmp_path / "away")
    here.home.mkdir()
    left = iter(range(at))

    def cut_off(source, url):
        if next(left, None) is None:
            raise Killed
        return put(source, url)

    put = batch.working_copy.put
    with monkeypatch.context() as patch:
        patch.setattr("batch.working_copy.put", cut_off)
        patch.setattr("batch.stored_results._bring_what_can_be", lambda *_: None)
        patch.setattr(StoreLock, "leave", lambda lock: lock._ended.set())
        with pytest.raises(Killed):
            here.caption()
    monkeypatch.setattr(batch.store_lock, "STALE_S", 0.0)
    monkeypatch.setattr(batch.store_lock, "SETTLE_S", 0.0)
    machine = (here, there)[at % 2]
    assert machine.caption() == 0
    assert {key: bucket.read(f"results/{key}") for key in VIEWS} == undisturbed
    assert not [key for key in bucket.keys("results/") if "edited" in key]
    assert not [*machine.copy.parent.glob("unbrought-*")]


@pytest.mark.fault
def test_a_run_that_is_killed_is_gone_on_with_by_another_machine(
    here, there, bucket, tmp_path, monkeypatch
):
    here.caption()
    undisturbed = {key: bucket.read(f"results/{key}") for key in VIEWS}
    here.out = there.out = f"{bucket.url}/killed"
    monkeypatch.chdir(here.home)
    places = [f"--features={tmp_path / 'f'}", f"--captioner={here.captioner}"]
    process = slow_run("caption", f"--out={here.out}", *places, here.dir)
    assert process.stdout.readline() == "encoding\n" == process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert NAME in bucket.keys("killed/") and "captions.csv" not in bucket.keys("killed/")
    monkeypatch.setattr(batch.store_lock, "STALE_S", 0.0)
    monkeypatch.setattr(batch.store_lock, "SETTLE_S", 0.0)
    assert there.caption() == 0
    assert {key: bucket.read(f"killed/{key}") for key in VIEWS} == undisturbed


def test_results_that_were_removed_from_a_bucket_stay_here(here, bucket, capsys):
    here.caption()
    for key in bucket.keys("results/"):
        bucket.remove(f"results/{key}")
    assert here.run("status") == 1
    assert "holds nothing any more" in capsys.readouterr().err
    [base] = (here.home / "outputs" / ".stored").iterdir()
    assert (base / "unbrought-1" / "captions.parquet").exists()


def test_credentials_that_are_wrong_are_told(here, s3, capsys, monkeypatch):
    import requests

    requests.post(f"{s3.address}/moto-api/reset-auth", data="0", timeout=10)
    batch.stores._opened.cache_clear()
    try:
        assert here.caption() == 1
        here.out = str(here.home / "out")
        assert here.caption() == 1
    finally:
        requests.post(f"{s3.address}/moto-api/reset-auth", data="inf", timeout=10)
        batch.stores._opened.cache_clear()
    assert capsys.readouterr().err.count("check the credentials") == 2


def test_any_store_that_fsspec_knows_will_do(
    tmp_path, captioner_folder, stub_captioner, monkeypatch
):
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: make storage does it")
    store = fsspec.filesystem("memory")
    for number, name in enumerate(NAMES):
        store.pipe_file(f"/any/photos/{name}", photo(number))
    monkeypatch.chdir(tmp_path)
    places = ["--out=memory://any/results", "--features=memory://any/features"]
    asked = ["caption", *places, f"--captioner={captioner_folder}", "memory://any/photos/"]
    assert main(asked) == main(asked) == 0
    (tmp_path / "look.parquet").write_bytes(store.cat_file("/any/results/captions.parquet"))
    assert [row.path for row in read_records(tmp_path / "look.parquet")] == NAMES
    assert not store.exists(f"/any/results/{NAME}")
    store.rm("/any", recursive=True)


def test_a_file_url_is_that_path(archive, stub_captioner):
    archive.draw("a.png")
    places = [f"--out=file://{archive.out}", f"--features=file://{archive.features}"]
    asked = ["caption", *places, f"--captioner={archive.captioner}"]
    assert main([*asked, str(archive.root)]) == 0
    before = archive.results
    assert main([*asked, f"file://{archive.root}"]) == 0
    assert archive.results == before
    assert read_archive(archive.out / "captions.parquet") == str(archive.root)


@pytest.mark.parametrize(
    "asked",
    [
        ["train", "--captions=x", "--photos=y", "--out=s3://b/captioner"],
        ["attention", "--out=s3://b/a.png", "a.png"],
        ["merge-review", "--out=x", "s3://b/sheet.csv"],
        ["recaption", "--out=x", "--captioner=s3://b/captioner"],
    ],
)
def test_a_url_where_only_a_path_can_be_is_refused_and_makes_no_folder(
    asked, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(asked) == 1
    assert "may be in a store; copy it here first" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_what_only_a_disk_can_is_refused_of_a_store(here, capsys):
    assert here.caption("--cache-limit=1GB") == 1
    assert here.caption() == 0
    assert here.run("prune", f"--features={here.features}") == 1
    said = capsys.readouterr().err
    assert "CACHE_LIMIT= is for caches on this machine" in said
    assert "only caches on this machine are pruned" in said


def test_a_list_of_photos_that_lies_gives_no_wrong_features(here, there, bucket, tmp_path):
    """It stands beside each shard; without it the shard itself is asked."""
    here.caption()
    before = {path: row.caption for path, row in rows_of(bucket, tmp_path).items()}
    [key] = [key for key in bucket.keys("features/") if key.endswith(".ids")]
    lines = bucket.read(f"features/{key}").splitlines()
    bucket.put(f"features/{key}", b"\n".join(reversed(lines)))
    assert there.caption("--existing=overwrite") == 0
    assert {path: row.caption for path, row in rows_of(bucket, tmp_path).items()} == before
    for each in bucket.keys("features/"):
        if each.endswith((".ids", ".damaged")):
            bucket.remove(f"features/{each}")
    asked = here.encoder.photos
    assert there.caption("--existing=overwrite") == 0
    assert here.encoder.photos == asked
    assert any(each.endswith(".ids") for each in bucket.keys("features/"))


def test_features_alone_may_be_made_into_a_bucket(here, bucket):
    """And a second time nothing is encoded."""
    places = [f"--features={here.features}", f"--captioner={here.captioner}", here.dir]
    assert main(["features", *places]) == main(["features", *places]) == 0
    assert here.encoder.photos == 4
    assert bucket.keys("results/") == []


def test_another_captioners_words_are_taken_in_for_photos_in_a_bucket(here, bucket, tmp_path):
    theirs = tmp_path / "theirs.csv"
    theirs.write_text("path,caption\nb/바다.png,the sea\n", "utf-8")
    assert here.run("import-captions", "--name=blip", f"--dir={here.dir}", str(theirs)) == 0
    assert [(row.path, row.caption) for row in rows_of(bucket, tmp_path).values()] == [
        ("b/바다.png", "the sea")
    ]


def test_a_look_ahead_and_a_night_are_told_of_buckets(here, bucket, capsys):
    assert here.caption("--dry-run") == 0
    assert "photos found                 4" in capsys.readouterr().out
    assert bucket.keys("results/") == bucket.keys("features/") == []
    places = [f"--features={here.features}", f"--captioner={here.captioner}"]
    assert here.run("cron", *places, here.dir) == 0
    said = capsys.readouterr().out
    assert f"--out={here.out}" in said and f"--features={here.features}" in said
    assert f"-- {here.dir}\n" in said and "RequiresMountsFor" not in said


def test_a_lock_that_says_nothing_is_waited_for_and_then_taken(bucket, monkeypatch):
    bucket.put(f"out/{NAME}", b"no json")
    with pytest.raises(batch.store_lock.LockedError, match="in 15 minutes this goes on"):
        StoreLock(f"{bucket.url}/out").take()
    assert bucket.keys("out/") == [NAME]
    monkeypatch.setattr(batch.store_lock, "STALE_S", -1.0)
    monkeypatch.setattr(batch.store_lock, "SETTLE_S", 0.0)
    lock = StoreLock(f"{bucket.url}/out")
    lock.take()
    lock.leave()
    assert bucket.keys("out/") == []


def test_odd_names_have_each_their_own_photo_and_row(here, bucket, tmp_path):
    for name in NAMES:
        bucket.remove(f"photos/{name}")
    for number, name in enumerate(ODD):
        bucket.put(f"photos/{name}", photo(number))
    assert here.caption() == 0
    rows = rows_of(bucket, tmp_path)
    told = {name: row.photo_id for name, row in rows.items()}
    assert told == {name: sha256(photo(number)).hexdigest() for number, name in enumerate(ODD)}
    assert len({row.caption for row in rows.values()}) == len(ODD)


def test_each_photo_is_asked_for_once(here, bucket, monkeypatch):
    """Each time costs."""
    asked = []

    def counted(url, most=None):
        asked.append(url)
        return read(url, most)

    monkeypatch.setattr("batch.stored_photos.read", counted)
    monkeypatch.setattr("batch.stored_photos.entry_of", lambda url: pytest.fail(url))
    assert here.caption() == here.caption() == 0
    assert sorted(asked) == [f"{here.dir}/{name}" for name in NAMES]


def test_who_needs_no_store_needs_none_of_its_packages(
    archive, stub_captioner, monkeypatch, capsys
):
    archive.draw("a.png")
    for package in ("fsspec", "s3fs"):
        monkeypatch.setitem(sys.modules, package, None)
    asked = ["caption", f"--out={archive.out}", f"--features={archive.features}"]
    asked += [f"--captioner={archive.captioner}"]
    assert main([*asked, str(archive.root)]) == 0
    assert main([*asked, "s3://bucket/photos"]) == 1
    assert "s3fs is not installed; run make storage" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["photos", "features"])
def test_photos_and_features_are_not_taken_for_results(here, bucket, place, capsys):
    """All below the URL of results is fetched into the copy, and removed when it is gone there."""
    here.out = bucket.url if place == "photos" else f"{bucket.url}/features"
    assert here.caption() == 1
    assert "OUT= a folder of its own" in capsys.readouterr().err
    assert sorted(bucket.keys()) == sorted(f"photos/{name}" for name in NAMES)


def test_a_place_that_holds_something_else_is_not_fetched(here, bucket, tmp_path, capsys):
    bucket.put("backups/disk.img", b"as large as a disk")
    here.out = f"{bucket.url}/backups"
    assert here.caption() == 1
    assert "holds disk.img and no results; give OUT= a place of its own" in capsys.readouterr().err
    assert not list(tmp_path.rglob("disk.img"))
    assert bucket.keys("backups/") == ["disk.img"]


def test_results_are_not_among_the_photos_by_their_copy_s_path_either(here, bucket, capsys):
    here.caption()
    here.out, here.dir = here.copy, bucket.url
    before = state_of(bucket, "")
    assert here.caption("--moved") == 1
    assert "inside the photo folder" in capsys.readouterr().err
    assert state_of(bucket, "") == before


def test_words_in_a_folder_that_a_disk_does_not_list_stay_in_the_store(
    here, bucket, tmp_path, monkeypatch, capsys
):
    here.caption()
    sheet = tmp_path / "corrected.csv"
    sheet.write_text("path,caption\na.png,mine\n", "utf-8")
    assert here.run("merge-review", str(sheet)) == 0
    reviews = state_of(bucket, "results/reviews/")
    bring_all, scandir = WorkingCopy.bring_all, os.scandir

    def failing(path):
        if str(path).endswith("/reviews"):
            raise OSError(errno.EIO, "Input/output error", path)
        return scandir(path)

    def bring(copy, tell):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "scandir", failing)
            return bring_all(copy, tell)

    monkeypatch.setattr(WorkingCopy, "bring_all", bring)
    assert here.run("undo-merge") == 1
    assert "Input/output error" in capsys.readouterr().err
    assert reviews and state_of(bucket, "results/reviews/") == reviews


def test_a_store_that_is_gone_is_not_asked_for_each_file(here, monkeypatch, capsys):
    here.caption()
    for number in range(100):
        (here.copy / f"{number}.txt").write_text("x")
    asked = []

    def gone(source, url):
        asked.append(url)
        raise OSError(errno.EIO, "cannot be reached", url)

    monkeypatch.setattr(batch.working_copy, "put", gone)
    assert here.run("undo-merge") == 1
    assert len(asked) < 50


def test_a_machine_knows_its_own_lock_after_tries_that_got_no_answer(here, s3, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(StoreLock, "leave", lambda lock: lock._ended.set())
        assert here.caption() == 0
    s3.end()
    try:
        assert here.caption() == here.caption() == 1
    finally:
        s3.begin()
    assert here.caption() == 0
