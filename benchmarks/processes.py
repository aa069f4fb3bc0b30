"""What a process and those that it has started take: memory and the processor's time. For Linux.

proc(5); times are in hundredths of a second.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY = 0.1  # seconds between two looks at the memory


def family(pid: int) -> Iterator[int]:
    """Give a process and all below it that are alive."""
    yield pid
    with suppress(OSError):  # it has ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def resident(pid: int) -> int:
    """Give the bytes of memory of a process and all below it; what they share counts for each."""
    pages = 0
    for each in family(pid):
        with suppress(OSError):
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * _PAGE


def cpu_seconds(pid: int) -> float:
    """Give the processor's seconds of a process and all below it, those that have ended too."""
    ticks = 0
    for each in family(pid):
        with suppress(OSError):
            _, _, behind = Path(f"/proc/{each}/stat").read_text().rpartition(")")
            ticks += sum(map(int, behind.split()[11:15]))  # utime, stime, cutime, cstime
    return ticks / _TICKS


def busy_seconds() -> float:
    """Give the processor's seconds that all processes of the machine have taken."""
    first = Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, _, _, irq, softirq = map(int, first.split()[1:8])
    return (user + nice + system + irq + softirq) / _TICKS


class Peak:
    """The most memory that a process and those below it took while they were watched, in bytes."""

    def __init__(self) -> None:
        self.bytes = 0

    @contextmanager
    def watching(self, pid: int) -> Iterator[None]:
        """Watch it, ten times a second."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_EVERY):
                self.bytes = max(self.bytes, resident(pid))

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.bytes = max(self.bytes, resident(pid))
