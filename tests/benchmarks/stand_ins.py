"""Ways that do what the tests of the benchmark tell them."""

import os
import sys
import time
from pathlib import Path

MEMORY = 200 << 20  # bytes


def ready(task, kind, trace):
    """Make ready; the work is to note that it was done, and to fail, hurry or dawdle by `kind`."""
    held = bytearray(os.urandom(1)) * (MEMORY if kind == "large" else 1)
    if kind == "broken":
        raise ValueError("no such weights\n  [1 2]")

    def work():
        with Path(trace).open("a") as file:
            file.write(kind + "\n")
        if kind == "dies":
            os.abort()
        end = time.process_time() + (0.5 if kind == "busy" else 0)
        while time.process_time() < end:
            pass
        print("what a library says", held[0])
        return 0 if kind == "idle" else len(task.paths)

    return work


def ready_in_a_child(task, kind, trace):
    """Do the same in a process below."""
    import subprocess

    code = "import sys, tests.benchmarks.stand_ins as s; s.alone(*sys.argv[1:])"

    def work():
        subprocess.run([sys.executable, "-c", code, task.folder, kind, trace], check=True)
        return len(task.paths)

    return work


def alone(folder, kind, trace):
    """Work once."""
    from benchmarks.bench.way import Task

    work = ready(Task(folder, 3, "", ""), kind, trace)
    time.sleep(0.3)
    work()
