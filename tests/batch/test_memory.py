"""What a process has done with is at hand for what it needs next."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from batch.scan import scan
from batch.worker_process import Task, WorkerProcess
from tests.batch.archives import draw

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="GNU's C library alone is told"
)

# A thread fills three blocks at a time, each of which may be kept; together they are more than a
# pool of its own would hold. Told is how many pages it asks the system for at the second time.
_FILL = """
import resource, threading
def fill():
    for _ in range(20):
        [bytearray(25_000_000) for _ in range(3)]
def run():
    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
first = run()
print(run() - first)
"""
_PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}


def pages(before: str) -> int:
    code = [sys.executable, "-c", before + _FILL]
    environment = _PLAIN | {"GLIBC_TUNABLES": ""}
    done = subprocess.run(code, check=True, capture_output=True, text=True, env=environment)
    return int(done.stdout)


def test_a_process_with_tensorflow_keeps_its_memory():
    started = "from batch.quiet import start_tensorflow\nstart_tensorflow()"
    assert pages(started) < 1_000 < pages("import tensorflow")


def test_a_process_that_loads_photos_keeps_its_memory(tmp_path):
    draw(tmp_path / "a.png")
    [photo] = scan(str(tmp_path))
    worker = WorkerProcess()
    try:
        for _ in range(3):
            worker.load(Task(photo, 299, None, bool))
        before = minor_faults(worker)
        for _ in range(10):
            worker.load(Task(photo, 299, None, bool))
        assert minor_faults(worker) - before < 200  # else as many for each
    finally:
        worker.end()


def minor_faults(worker: WorkerProcess) -> int:
    """Count the pages that a worker has asked the system for: proc(5)."""
    return int(Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()[7])
