"""Damaged pictures through scan and load: what crashes, hangs or grows, and whether each has a row.

    python -m benchmarks.fuzz [--mutants 20000] [--seed 1] [--keep FOLDER]

Damages pictures of every common kind (`benchmarks/mutants.py`), the same ones for the same seed,
saves them as an archive, some hundreds at a time, and loads that as a run does. Prints a table:
what became of each kind, whose loading took a worker down, or more than ten seconds; then how often
a worker had to be replaced, the slowest mutant, and the most memory that a worker had. `--keep`
copies mutants that took a worker down, or more than a second.
"""

import argparse
import resource
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from tqdm import tqdm

from batch import sandbox
from batch.damage import NEEDS_MEMORY
from batch.encode import batched, load_chunks
from batch.photos import LoadedPhoto
from batch.scan import Photo, scan
from batch.worker_process import CRASHES, SLOW, WorkerProcess
from benchmarks.mutants import mutants

A_FOLDER = 500
OUTCOMES = ("ok", "truncated", "unreadable", "unsupported", "too_large", "io")
ENDED = (CRASHES, SLOW, NEEDS_MEMORY)


@dataclass
class Found:
    """What became of the mutants, by kind."""

    outcomes: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    slowest: tuple[float, str] = (0.0, "")
    workers: int = 0

    @property
    def total(self) -> Counter[str]:
        """The counts of all kinds together."""
        return sum(self.outcomes.values(), Counter())


def fuzz(damaged: Iterable[tuple[str, bytes]], work: Path, keep: Path | None = None) -> Found:
    """Load damaged pictures as a run does, and count."""
    found = Found()
    seconds: dict[str, float] = {}

    def timed(photo: Photo, **options: object) -> LoadedPhoto:
        start = time.monotonic()
        try:
            return sandbox.load(photo, **options)  # type: ignore[arg-type]
        finally:
            seconds[photo.relative] = time.monotonic() - start

    class Counted(WorkerProcess):
        def __init__(self) -> None:
            super().__init__()
            found.workers += 1

    with patch("batch.encode.load", timed), patch.object(sandbox, "WorkerProcess", Counted):
        for number, some in enumerate(batched(damaged, A_FOLDER)):
            folder = work / str(number)
            names = dict(_saved(some, folder))
            for photo in (each for chunk in load_chunks(scan(folder), ()) for each in chunk):
                name = photo.photo.relative
                _count(found, names.pop(name), photo, seconds[name])
                if keep and (photo.error in ENDED or seconds[name] > 1):
                    shutil.copy(folder / name, keep / f"{number}-{name}")
            for kind in names.values():
                found.outcomes[kind]["lost"] += 1
            shutil.rmtree(folder)
    return found


def _saved(some: Iterable[tuple[str, bytes]], folder: Path) -> Iterator[tuple[str, str]]:
    """Save mutants in a folder; gives their names and kinds."""
    folder.mkdir()
    for each, (kind, data) in enumerate(some):
        name = f"{each:03}-{kind}.jpg"
        (folder / name).write_bytes(data)
        yield name, kind


def _count(found: Found, kind: str, photo: LoadedPhoto, seconds: float) -> None:
    counts = found.outcomes[kind]
    counts["mutants"] += 1
    counts[photo.status] += 1
    counts["died"] += photo.error in ENDED
    counts["over 10 s"] += seconds > 10
    found.slowest = max(found.slowest, (seconds, f"{kind}: {photo.status} {photo.error}"))


def table(found: Found) -> Iterator[str]:
    """Write the counts as lines of text."""
    columns = ("mutants", *OUTCOMES, "died", "over 10 s", "lost")
    yield "".join([f"{'':18}", *(f"{column:>12}" for column in columns)])
    for kind, counts in [*found.outcomes.items(), ("all", found.total)]:
        yield "".join([f"{kind:18}", *(f"{counts[column]:12,}" for column in columns)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    damaged = tqdm(mutants(options.mutants, options.seed), total=options.mutants, disable=None)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        found = fuzz(damaged, Path(work), options.keep)
    sandbox.end_workers()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(*table(found), sep="\n")
    print(f"{found.workers} workers were started, {min(sandbox.WORKERS, found.workers)} needed")
    print("slowest: {:.1f} s, {}".format(*found.slowest))
    print(f"a worker had {peak:,.0f} MiB at most; {time.monotonic() - start:,.0f} s in all")


if __name__ == "__main__":
    main()
