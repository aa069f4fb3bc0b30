"""One run at a time for a folder, and a run that died holds nothing."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from batch.errors import LockedError
from batch.lock import is_held, locked

HOLDER = """
import sys, time
from batch.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Let another process hold the folder."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_held_folder_is_refused_at_once(tmp_path, holder):
    with pytest.raises(LockedError, match=str(tmp_path)), locked(str(tmp_path)):
        pytest.fail("two runs hold the folder")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_lock_dies_with_its_process(tmp_path, holder, number):
    holder.send_signal(number)
    holder.wait(10)
    with locked(str(tmp_path)):
        pass


def test_a_folder_is_free_again_after_a_run_however_it_ended(tmp_path):
    with locked(str(tmp_path)):
        pass
    with pytest.raises(ZeroDivisionError), locked(str(tmp_path)):
        raise ZeroDivisionError
    with locked(str(tmp_path)):
        pass


def test_other_folders_are_other_runs_and_new_folders_are_made(tmp_path):
    with locked(str(tmp_path / "a")), locked(str(tmp_path / "b" / "c")):
        assert (tmp_path / "b" / "c").is_dir()


def test_a_lock_that_was_taken_away_while_it_was_waited_for_is_not_held(tmp_path, monkeypatch):
    folder, flock = tmp_path / "new", fcntl.flock

    def gone(file, how):
        """Let a run that has found no photos take its new folder away."""
        monkeypatch.setattr(fcntl, "flock", flock)
        shutil.rmtree(folder)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", gone)
    with locked(str(folder)):
        assert is_held(str(folder))
