"""Measure ways, each in a process of its own, taking turns: a busy machine hurts all alike."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import IO, Any, cast

from benchmarks.bench.way import Task, Way
from benchmarks.processes import Peak, busy_seconds, cpu_seconds, family

LIMIT = 600.0  # seconds that a way may take for its start or for a round
_RAISED = re.compile(r"[A-Za-z_][\w.]*: ")  # the line of a traceback that says what it was
_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",  # all on the processor
    "HF_HUB_OFFLINE": "1",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TOKENIZERS_PARALLELISM": "false",
}

Row = dict[str, Any]
"""What was found of a way: its figures, or an `error`."""


class FailedError(Exception):
    """A way that cannot be measured, and why."""


@dataclass
class Running:
    """A way's process, and what was measured of it so far."""

    way: Way
    process: subprocess.Popen[str]
    said: IO[str]  # what it writes to stderr
    peak: Peak = field(default_factory=Peak)
    startup: float = 0.0
    rounds: list[dict[str, float]] = field(default_factory=list)

    def start(self) -> None:
        """Wait until it has done its first photo. Raises FailedError."""
        begun = time.monotonic()
        self._ask()
        self.startup = time.monotonic() - begun

    def round(self) -> None:
        """Have it do its work once. Raises FailedError."""
        pid = self.process.pid
        cpu, busy, begun = cpu_seconds(pid), busy_seconds(), time.monotonic()
        answer = self._ask("\n")
        cpu, busy = cpu_seconds(pid) - cpu, busy_seconds() - busy
        if not answer["photos"]:
            raise FailedError("it did no photo")
        others = max(0.0, busy - cpu) / (time.monotonic() - begun)
        self.rounds.append(answer | {"cpu": cpu, "others": others})

    def row(self) -> Row:
        """Give the figures, medians of the rounds. `others`: the cores that others kept busy."""
        rounds = self.rounds
        return {
            "group": self.way.group,
            "name": self.way.name,
            "photos": int(rounds[0]["photos"]),
            "rounds": len(rounds),
            "photos/s": _short(median(each["photos"] / each["seconds"] for each in rounds)),
            "CPU ms a photo": _short(
                median(1000 * each["cpu"] / each["photos"] for each in rounds)
            ),
            "peak MiB": round(self.peak.bytes / 2**20),
            "start s": round(self.startup, 1),
            "others": round(median(each["others"] for each in rounds), 2),
        }

    def _ask(self, line: str = "") -> dict[str, float]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin and stdout  # they are pipes
        answer = ""
        with (
            _no_longer(LIMIT, self.process),
            self.peak.watching(self.process.pid),
            suppress(BrokenPipeError),  # it has died since
        ):
            stdin.write(line)
            stdin.flush()
            answer = stdout.readline()
        if not answer:
            raise FailedError(self._last_words())
        found: dict[str, float] = json.loads(answer)
        return found

    def _last_words(self) -> str:
        if self.process.wait() == -9:
            return f"killed: it took more than {LIMIT:.0f} s, or too much memory"
        self.said.seek(0)
        lines = [line for line in self.said.read().split("\n") if line.strip()]
        raised = [line for line in lines if _RAISED.match(line)]
        return [f"it ended without a word: {self.process.returncode}", *lines[-1:], *raised][-1]


@contextmanager
def running(way: Way, task: Task) -> Iterator[Running]:
    """Start a way's process, and end it."""
    command = [sys.executable, "-m", "benchmarks.bench.way"]
    command += [json.dumps(asdict(each)) for each in (way, task)]
    environment = os.environ | _ENVIRONMENT | dict(way.environment)
    with (
        tempfile.TemporaryFile("w+", errors="replace") as said,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
            env=environment,
        ) as process,
    ):  # fmt: skip
        try:
            yield Running(way, process, said)
        finally:
            _end(process)
            with suppress(BrokenPipeError):
                cast("IO[str]", process.stdin).close()


@contextmanager
def _no_longer(seconds: float, process: "subprocess.Popen[str]") -> Iterator[None]:
    """End a process where the block takes longer."""
    overdue = threading.Timer(seconds, _end, [process])
    overdue.start()
    try:
        yield
    finally:
        overdue.cancel()


def _end(process: "subprocess.Popen[str]") -> None:
    """Kill a process and those below it, which would disturb the others."""
    for pid in [*family(process.pid)] if process.poll() is None else []:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def measure(
    ways: Sequence[Way], task_of: Callable[[Way], Task], rounds: int, step: Callable[[str], None]
) -> Iterator[tuple[Way, Row]]:
    """Measure the ways of a group; give each one's row.

    All are started first, one after the other; then each does a round, and all do so again. `step`
    is told what is being done. A way that fails has a row with an `error`.
    """
    with ExitStack() as stack:
        alive: list[Running] = []
        for way in ways:
            step(f"{way.key}: start")
            try:
                _check_packages(way)
                here = stack.enter_context(running(way, task_of(way)))
                here.start()
                alive.append(here)
            except FailedError as error:
                yield way, failure(way, str(error))
        for number in range(rounds):
            for each in tuple(alive):
                step(f"{each.way.key}: {number + 1} of {rounds}")
                try:
                    each.round()
                except FailedError as error:
                    alive.remove(each)
                    yield each.way, failure(each.way, str(error))
        for each in alive:
            yield each.way, each.row()


def failure(way: Way, error: str) -> Row:
    """Give the row of a way that could not be measured."""
    return {"group": way.group, "name": way.name, "error": error[:300]}


def _check_packages(way: Way) -> None:
    missing = [package for package in way.packages if find_spec(package) is None]
    if missing:
        raise FailedError(f"{', '.join(missing)} not installed: `make bench` installs it")


def _short(number: float) -> float:
    """Round to three digits, as far as it has them."""
    return float(f"{number:.3g}") if number < 1000 else round(number)


def working_folder(home: Path, way: Way) -> Path:
    """Name a folder of the way's own."""
    return home / "work" / "".join(each if each.isalnum() else "-" for each in way.key)
