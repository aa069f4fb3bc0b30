"""Runs that are killed, and disks that fail, lose nothing: `benchmarks.faults`, in small."""

import os
import subprocess
import sys

import pytest

from benchmarks.faults import KINDS

KILLS, *OTHERS = KINDS
AS_ROOT = "a disk that fills up"


def harmed(trials: int, *kinds: str) -> subprocess.CompletedProcess[str]:
    """Do harm in a process that has started no network, on a disk in memory where there is one."""
    memory = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK) else {}
    command = [sys.executable, "-m", "benchmarks.faults", f"--trials={trials}", "--only", *kinds]
    return subprocess.run(command, env=os.environ | memory, capture_output=True, text=True)


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_200_kills_at_any_instant_lose_nothing():
    done = harmed(200, KILLS)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith(f"| {KILLS}")]
    assert int(row.split("|")[2]) >= 200


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_fault_of_a_disk_and_no_second_run_loses_anything():
    kinds = [kind for kind in OTHERS if kind != AS_ROOT or os.geteuid() == 0]
    done = harmed(25, *kinds)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("| nothing |") == len(kinds)
