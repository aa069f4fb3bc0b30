"""Files that have their final name only when they are whole."""

import errno
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from manifests import durable
from manifests.durable import atomic_write, remove_leftovers, sha256_file, write_json
from tests.manifests.examples import names


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")
    return path


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_new_file_takes_the_place_of_the_old_one_alone(old):
    with atomic_write(old) as handle:
        handle.write(b"new")
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"
    assert names(old.parent) == ["file.txt"]


def test_what_is_written_can_be_read_before_it_has_its_name(tmp_path):
    with atomic_write(tmp_path / "file.txt") as handle:
        handle.write(b"new")
        handle.seek(0)
        assert handle.read() == b"new"


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_and_nothing_else(old, error):
    with pytest.raises(error), atomic_write(old) as handle:
        handle.write(b"half of the n")
        raise error
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["file.txt"]


def test_a_failed_fsync_leaves_the_old_file_and_is_not_tried_again(old, monkeypatch):
    calls = []

    def fail(descriptor):
        calls.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"), atomic_write(old) as handle:
        handle.write(b"new")
    assert len(calls) == 1
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["file.txt"]


def test_bytes_reach_the_disk_before_the_name_and_the_name_before_the_end(old, monkeypatch):
    steps = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor):
        mode = os.fstat(descriptor).st_mode
        steps.append(
            "fsync folder" if stat.S_ISDIR(mode) else f"fsync {os.fstat(descriptor).st_size}"
        )
        fsync(descriptor)

    def note_replace(self, target):
        steps.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    with atomic_write(old) as handle:
        handle.write(b"new")
    assert steps == ["fsync 3", "replace", "fsync folder"]


@pytest.mark.parametrize(("code", "let_off"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_folder_that_cannot_be_synced_is_let_off_but_a_failing_disk_is_not(
    tmp_path, monkeypatch, code, let_off
):
    def fail(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    if let_off:
        durable.sync_folder(tmp_path)
    else:
        with pytest.raises(OSError, match="Input/output"):
            durable.sync_folder(tmp_path)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_the_mode_is_what_the_umask_asks_for(tmp_path, umask, mode):
    run(
        "import os, sys, pathlib; from manifests.durable import write_json\n"
        "os.umask(int(sys.argv[2])); write_json(pathlib.Path(sys.argv[1]), 1)",
        tmp_path / "file.json",
        umask,
    )
    assert stat.S_IMODE((tmp_path / "file.json").stat().st_mode) == mode


@pytest.mark.fault
def test_a_full_disk_leaves_the_old_file(old):
    done = run(
        "import pathlib, resource, sys; from manifests.durable import atomic_write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "with atomic_write(pathlib.Path(sys.argv[1])) as handle:\n"
        "    handle.write(b'new' * 100_000)",
        old,
    )
    assert "File too large" in done.stderr
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["file.txt"]


@pytest.mark.fault
def test_a_killed_writer_leaves_the_old_file_and_a_leftover_that_goes(old):
    done = run(
        "import os, pathlib, signal, sys; from manifests.durable import atomic_write\n"
        "with atomic_write(pathlib.Path(sys.argv[1])) as handle:\n"
        "    handle.write(b'new'); handle.flush(); os.kill(os.getpid(), signal.SIGKILL)",
        old,
    )
    assert done.returncode == -signal.SIGKILL
    assert old.read_bytes() == b"old"
    assert len(names(old.parent)) == 2
    assert remove_leftovers(old.parent) == 1
    assert names(old.parent) == ["file.txt"]


@pytest.mark.fault
def test_readers_see_whole_files_only_while_many_writers_race(old):
    whole = {b"old"} | {bytes([letter]) * 200_000 for letter in b"abcd"}

    def write_often(content):
        for _ in range(10):
            with atomic_write(old) as handle:
                handle.write(content)

    writers = [threading.Thread(target=write_often, args=(content,)) for content in whole]
    for writer in writers:
        writer.start()
    seen = [old.read_bytes()]
    while any(writer.is_alive() for writer in writers):
        seen.append(old.read_bytes())
    assert set(seen) <= whole
    assert names(old.parent) == ["file.txt"]


def test_only_our_own_leftovers_are_removed(tmp_path):
    kept = [".photo-captions-notes.txt", "photo.tmp", ".other.tmp", "captions.csv"]
    for name in [*kept, ".photo-captions-0011223344556677.tmp"]:
        (tmp_path / name).touch()
    assert remove_leftovers(tmp_path) == 1
    assert names(tmp_path) == sorted(kept)


def test_json_keeps_order_and_scripts_and_ends_in_a_newline(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"z": "바다 🌊", "a": [1, None]})
    text = path.read_text("utf-8")
    assert "바다 🌊" in text
    assert text.index('"z"') < text.index('"a"')
    assert text.endswith("}\n")


def test_json_brings_an_undecodable_name_back(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, os.fsdecode(b"caf\xe9.jpg"))
    assert os.fsencode(json.loads(path.read_text("utf-8"))) == b"caf\xe9.jpg"


def test_json_refuses_what_other_readers_cannot_read(old):
    with pytest.raises(ValueError, match="JSON"):
        write_json(old, float("nan"))
    assert old.read_bytes() == b"old"


def test_sha256_is_of_the_whole_file(tmp_path):
    content = os.urandom(300_000)
    (tmp_path / "file").write_bytes(content)
    assert sha256_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()
