"""What captioning and merging survive, by kind of fault, and what was lost: nothing, or it is told.

python -m benchmarks.faults [--trials 200] [--seed 1] [--only KIND...]

A small archive has been captioned and reviewed; then photos were added, moved, changed and removed.
A run, a merge of corrections and a run with --existing=overwrite are disturbed, and called again
until they end by themselves. What they leave must have the bytes that undisturbed ones leave.
Stand-ins take the networks' place; all else is the program, called by its arguments. Exit code 1
where anything was lost.
"""

import argparse
import errno
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from threading import Timer

from batch.quiet import quiet
from batch.tables import Table
from tests.batch.world import CRASHED, DEEDS, ENDED, HUNG, Steps, World, wait

SIGNALS = [signal.SIGKILL] * 8 + [signal.SIGTERM, signal.SIGINT]
AT_A_DEED = 4  # times that a deed is disturbed; then it may end
LOCKED = 75


@dataclass
class Tally:
    """How often a kind of fault struck before the deed had ended, and what was wrong after it."""

    struck: int = 0
    wrong: Counter[str] = field(default_factory=Counter)

    def note(self, world: World, code: int) -> bool:
        """Note how a disturbed deed ended; tell whether it ended by itself."""
        if code in ENDED:
            return True
        self.struck += 1
        if code in (CRASHED, HUNG):
            self.wrong[f"traceback: {world.said()}" if code == CRASHED else "no end"] += 1
        return False

    def settle(self, world: World, out: Path, deed: str, *, view: bool = True) -> None:
        """Do the deed undisturbed, and see what is lost."""
        code = world.attempt(out, deed)
        if code not in ENDED:
            self.wrong[f"{deed} ends with {code}: {world.said()}"] += 1
        else:
            self.wrong.update(world.faults(out, deed, view=view))


def kills(world: World, trials: int) -> Tally:
    """Send SIGKILL, now and then SIGTERM or SIGINT, at random instants, again and again."""
    tally = Tally()
    while tally.struck < trials:
        out = world.copy(world.archive.out, "killed")
        for deed in DEEDS:
            for _ in range(AT_A_DEED):
                if tally.note(world, _killed(world, out, deed)):
                    break
            tally.settle(world, out, deed)
    return tally


def _killed(world: World, out: Path, deed: str) -> int:
    pid = world.start(out, deed)
    delay = random.uniform(0, world.usual[deed])
    blow = Timer(delay, os.kill, (pid, random.choice(SIGNALS)))
    blow.start()
    code = wait(pid)
    blow.cancel()
    return code


def steps(world: World, trials: int, act: Callable[[], object], *, lasting: bool = False) -> Tally:
    """Act at each step on the disk of each deed: at all of them, or at `trials` drawn at random."""
    tally = Tally()
    places = [(deed, at) for deed in DEEDS for at in range(1, _steps_of(world, deed) + 1)]
    for deed, at in random.sample(places, min(trials, len(places))):
        out = world.copy(world.before[deed], "stepped")
        watched = Steps(out, at, act, lasting=lasting)
        tally.note(world, world.attempt(out, deed, watched.watch))
        tally.settle(world, out, deed)
    return tally


def _steps_of(world: World, deed: str) -> int:
    """Count the steps of a deed that nothing disturbs."""
    reading, writing = os.pipe()

    def tell() -> None:
        os.write(writing, b".")

    out = world.copy(world.before[deed], "counted")
    world.attempt(out, deed, Steps(out, 1, tell, lasting=True).watch)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        return len(told.read())


def kill_oneself() -> None:
    """Die at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number: int) -> None:
    """Raise an error of the disk."""
    raise OSError(number, os.strerror(number))


def small_files(world: World, trials: int) -> Tally:
    """Let no file grow beyond a limit, another one each time."""
    tally = Tally()
    for _ in range(trials):
        deed = random.choice(DEEDS)
        out = world.copy(world.before[deed], "limited")
        tally.note(
            world, world.attempt(out, deed, partial(_limit, int(10 ** random.uniform(0, 4.7))))
        )
        tally.settle(world, out, deed)
    return tally


def _limit(size: int) -> None:
    for stream in (sys.stdout, sys.stderr):  # what is said is no file that could be too large
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def full_disks(world: World, trials: int) -> Tally:
    """Run on a small disk that fills up, another size each time; then it has room again."""
    tally = Tally()
    disk = world.home / "disk"
    disk.mkdir()
    for _ in range(trials):
        deed = random.choice(DEEDS)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=True)
        try:
            out = world.copy(world.before[deed], "out", disk)
            used = sum(path.stat().st_blocks for path in disk.rglob("*")) // 2
            size = used + random.randrange(4, 160, 4)
            subprocess.run(["mount", "-o", f"remount,size={size}k", disk], check=True)
            tally.note(world, world.attempt(out, deed))
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            tally.settle(world, out, deed)
        finally:
            subprocess.run(["umount", disk], check=True)
    return tally


def races(world: World, trials: int) -> Tally:
    """Run twice at once over the same results."""
    tally = Tally()
    for _ in range(trials):
        out = world.copy(world.archive.out, "raced")
        codes = [wait(pid) for pid in [world.start(out, "caption"), world.start(out, "caption")]]
        for code in codes:
            if code != LOCKED:
                tally.note(world, code)
        tally.struck += LOCKED in codes
        tally.settle(world, out, "caption")
    return tally


def lost_renames(world: World, trials: int) -> Tally:
    """Let one rename say that it was done, and not do it; a deed takes a few.

    The spreadsheet may then be the one before, until something changes: what is looked at is the
    manifest.
    """
    tally = Tally()
    for _ in range(trials):
        deed = random.choice(DEEDS)
        out = world.copy(world.before[deed], "unrenamed")
        pid = world.start(out, deed, partial(_lose_a_rename, random.randint(1, 6)))
        tally.struck += wait(pid) in ENDED
        tally.settle(world, out, deed, view=False)
    return tally


def _lose_a_rename(at: int) -> None:
    replace, numbers = os.replace, count(1)

    def lying(source: str, target: str) -> None:
        if next(numbers) != at:
            replace(source, target)

    os.replace = lying  # type: ignore[assignment]


KINDS: dict[str, Callable[[World, int], Tally]] = {
    "SIGKILL, SIGTERM or SIGINT at a random instant": kills,
    "SIGKILL at a step on the disk": partial(steps, act=kill_oneself),
    "EIO at one step": partial(steps, act=partial(fail, errno.EIO)),
    "ENOSPC from a step on": partial(steps, act=partial(fail, errno.ENOSPC), lasting=True),
    "a rename that is not done, but said to be": lost_renames,
    "no file may grow beyond a limit": small_files,
    "a disk that fills up": full_disks,
    "two runs at once": races,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do harm, and print what came of it."""
    options = _options(arguments)
    random.seed(options.seed)
    rows, harmed = [], False
    with tempfile.TemporaryDirectory(prefix="faults-") as home:
        with quiet():
            import tensorflow  # noqa: F401 - takes seconds; once, for all that are forked from here

            world = World(Path(home))
        for kind in options.only or KINDS:
            tally = KINDS[kind](world, options.trials)
            harmed = harmed or bool(tally.wrong)
            lost = ", ".join(f"{what} ({n} times)" for what, n in tally.wrong.items())
            rows.append([kind, str(tally.struck), lost or "nothing"])
            print(*rows[-1], sep=": ", flush=True)
    print(Table("faults", rows, ("fault", "times", "lost")).as_markdown())
    return int(harmed)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--trials", type=int, default=200, metavar="N", help="of each kind")
    add("--seed", type=int, default=1, metavar="N")
    add("--only", nargs="+", choices=KINDS, metavar="KIND", help=f"of {', '.join(KINDS)}")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
