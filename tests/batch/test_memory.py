"""What a process has done with is at hand for what it needs next."""

import platform
import subprocess
import sys

import pytest

# How many pages a thread asks for that fills three blocks of 25 MB at a time, again and again.
_FILL = """
import resource, sys, threading
from batch.memory import keep_memory
if len(sys.argv) > 1:
    keep_memory(int(sys.argv[1]))
def fill():
    for _ in range(20):
        [bytearray(25_000_000) for _ in range(3)]
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def run():
    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()
run()
before = faults()
run()
print(faults() - before)
"""


def pages(*spare: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _FILL, *spare], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's C library alone is told")
def test_memory_is_kept_and_not_asked_for_again():
    assert pages(str(128 << 20)) < 1_000 < pages()
