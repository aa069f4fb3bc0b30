"""How a run stops before it is complete: at the end of a shard, by a signal or by the clock."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

LATEST = 60  # seconds that a signal waits for a shard's end; systemd kills after 90
_WORDS = b"stopping at the end of this shard, in a minute at most; Ctrl-C again stops at once\n"


class Stop:
    """Whether a run is to stop when the shard in work is done."""

    def __init__(self, max_hours: float | None, started: float) -> None:
        self._deadline = None if max_hours is None else started + 3600 * max_hours
        self.signalled = False

    @property
    def is_due(self) -> bool:
        """Whether a signal has come, or the time is over."""
        is_late = self._deadline is not None and time.monotonic() >= self._deadline
        return self.signalled or is_late

    def take_signal(self, *_: object) -> None:
        """Note a first SIGINT or SIGTERM; a second one, or a shard that takes long, ends it now."""
        if self.signalled:
            raise KeyboardInterrupt
        self.signalled = True
        signal.setitimer(signal.ITIMER_REAL, LATEST)
        # Not by print: a signal may come in the middle of another one's.
        os.write(2, b"\n" + _WORDS if os.isatty(2) else _WORDS)


@contextmanager
def stopping(max_hours: float | None, started: float) -> Iterator[Stop]:
    """Let the first signal within the block wait for a shard's end; give what tells of it.

    started: when the run began, as time.monotonic() has it. A signal that is ignored stays so, as
    in a shell's background jobs, and threads leave signals to the main one. Raises
    KeyboardInterrupt where a signal has come, when the block ends at the latest.
    """
    stop = Stop(max_hours, started)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    alarm = signal.signal(signal.SIGALRM, interrupt)
    heard = [each for each in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(each))]
    before = {number: signal.signal(number, stop.take_signal) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
    if stop.signalled:
        raise KeyboardInterrupt


def interrupt(*_: object) -> NoReturn:
    """End what is being done, as Ctrl-C does."""
    raise KeyboardInterrupt


def hear_again(lost: "sys.UnraisableHookArgs") -> None:
    """Stop all the same where a signal came within a callback: Python lets no error out of one."""
    if lost.exc_type is KeyboardInterrupt:
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGTERM)).start()
    else:
        sys.__unraisablehook__(lost)
