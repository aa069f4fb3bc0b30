"""A way to do some of the work, and the process of its own that it is measured in.

    python -m benchmarks.bench.way WAY TASK

(both as JSON) makes it ready and does its first photo, which ends its start-up; then, at each line
that it reads, does the work once. It answers with a line of JSON each time: the photos done and the
seconds taken.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

Work = Callable[[], int]
"""Does the work once, as if for the first time; gives the number of photos."""


@dataclass(frozen=True)
class Task:
    """What a way has to do: the first `number` photos of a folder, in the order of their names."""

    folder: str
    number: int
    captioner: str  # a captioner's folder
    work: str  # a folder of the way's own

    @property
    def paths(self) -> list[str]:
        """The photos' paths."""
        return sorted(map(str, Path(self.folder).iterdir()))[: self.number]


@dataclass(frozen=True)
class Way:
    """A way by its group and name, and how it is made ready."""

    group: str
    name: str
    ready: str  # module:function, called with a Task and `settings`: gives Work
    photos: str  # which ones, of `drawn.SIZES`
    number: int  # of photos a round
    settings: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()  # that it needs beside the program's own
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """Name it among all."""
        return f"{self.group}: {self.name}"

    def make_ready(self, task: Task) -> Work:
        """Load what it needs and do the first photo or two, in this process."""
        module, name = self.ready.split(":")
        ready = getattr(importlib.import_module(module), name)
        work: Work = ready(task, *self.settings)
        return work


def serve(way: Way, task: Task, answers: IO[str]) -> None:
    """Make a way ready, and do its work at each line from standard input."""
    work = way.make_ready(task)
    _answer(answers, {"ready": way.key})
    for _ in sys.stdin:
        start = time.perf_counter()
        photos = work()
        _answer(answers, {"photos": photos, "seconds": time.perf_counter() - start})


def _answer(answers: IO[str], found: Mapping[str, object]) -> None:
    answers.write(json.dumps(found) + "\n")
    answers.flush()


def main() -> None:
    """Serve one way; what libraries print is kept apart from the answers."""
    way, task = map(json.loads, sys.argv[1:])
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        Path(task["work"]).mkdir(parents=True, exist_ok=True)
        serve(Way(**way), Task(**task), answers)


if __name__ == "__main__":
    main()
