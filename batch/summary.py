"""How a run went: one line for people, the same as a dictionary for programs."""

import os
import shlex
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from secrets import token_hex
from typing import Any

from batch.amounts import counted
from manifests.record import Record, Status

COMPLETE, FATAL, USAGE, WITH_FAILURES, LOCKED, INTERRUPTED = 0, 1, 2, 3, 75, 130
"""Exit codes: all captioned, the run failed, wrong arguments, some photos failed, and so on."""


_NAMED = 3  # photos that failed


class Ending(StrEnum):
    """What ended a run. One that was killed could not say."""

    COMPLETE = "complete"
    MAX_HOURS = "max_hours"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


def now() -> str:
    """Give the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Summary:
    """What a run found and did."""

    archive: str
    result: str  # the file or folder to look at
    verb: str = "captioned"
    photos: int = 0
    captioned: int = 0  # by this run
    passed_over: int = 0  # by this run, for want of a scene
    encoded: int = 0  # by this run; the features of the others were in the cache
    copies: int = 0  # photos that this run's captioner saw with the bytes of another one
    unchanged: int = 0  # captions
    not_a_scene: int = 0  # of all photos
    moved: int = 0
    missing: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    newly_failed: Counter[str] = field(default_factory=Counter)  # of them, since the manifest
    first_failed: list[str] = field(default_factory=list)  # the first of these, and why
    unlisted: list[str] = field(default_factory=list)  # folders that could not be listed
    newly_unlisted: list[str] = field(default_factory=list)  # since the last run
    others: Counter[str] = field(default_factory=Counter)  # unchanged rows by captioners not asked
    set_aside: str | None = None  # where an edited CSV was kept
    to_do: int | None = None  # photos to caption, with those that an unfinished run has done
    waiting: int = 0  # of them, for the next run, since the time was over
    exit_code: int = COMPLETE
    error: str | None = None
    run: str = field(default_factory=lambda: token_hex(4))
    started_at: str = field(default_factory=now)
    ended_at: str | None = None
    ended: Ending | None = None
    asked: dict[str, Any] = field(default_factory=dict)
    _start: float = field(default_factory=time.monotonic)
    _seconds: float | None = None

    def count(
        self, new: Sequence[Record], kept: Sequence[Record], absent: Iterable[Record]
    ) -> None:
        """Count the rows of the manifest to be."""
        there = [*new, *kept]
        self.photos = len(there) + self.waiting
        took_over = sum(record.status is Status.CAPTIONED for record in new) - self.captioned
        self.unchanged = sum(record.status is Status.CAPTIONED for record in kept) + took_over
        self.not_a_scene = sum(record.status is Status.NOT_A_SCENE for record in there)
        self.missing = sum(record.status is Status.MISSING for record in absent)
        self.failed = Counter(record.status.value for record in there if record.failed)
        self._count_done()

    def count_unchanged(
        self, statuses: Counter[str], captioners: Counter[str], captioner: str
    ) -> None:
        """Count the rows of a manifest in which nothing has changed, by status and by captioner."""
        self.missing = statuses[Status.MISSING]
        self.photos = statuses.total() - self.missing
        self.unchanged = statuses[Status.CAPTIONED]
        self.not_a_scene = statuses[Status.NOT_A_SCENE]
        fine = (Status.MISSING, Status.CAPTIONED, Status.NOT_A_SCENE)
        self.failed = Counter({each: n for each, n in statuses.items() if each not in fine})
        self.others = _by_others(captioners, captioner)
        self.to_do = 0
        self._count_done()

    def note_failed(self, records: Iterable[Record], known: Collection[bytes]) -> None:
        """Count the photos that failed, and were not known to, by their raw paths."""
        for record in records:
            if record.failed and record.raw_path not in known:
                self.note_one_failed(record.path, record.status.value, record.error)

    def note_one_failed(self, path: str, status: str, error: str | None) -> None:
        """Count a photo that failed, and was not known to."""
        self.newly_failed[status] += 1
        if len(self.first_failed) < _NAMED:
            self.first_failed.append(f"{path}: {error}")

    def note_others(self, kept: Iterable[Record], captioner: str) -> None:
        """Note which of the unchanged rows are another captioner's than the one asked for.

        One that was trained anew under its old name is not told: a run with nothing to caption does
        not read the weights.
        """
        signed = Counter(record.captioner or "" for record in kept if record.answered)
        self.others = _by_others(signed, captioner)

    def count_loaded(self, statuses: Mapping[str, int]) -> None:
        """Count photos that were only loaded and encoded."""
        self.photos = sum(statuses.values())
        self.failed = Counter({status: n for status, n in statuses.items() if status != "ok"})
        self.unchanged = self.photos - self.encoded - self.failed.total()
        self._count_done()

    def _count_done(self) -> None:
        self.exit_code = WITH_FAILURES if self.failed or self.unlisted else COMPLETE
        self._seconds = time.monotonic() - self._start

    def fail(self, error: BaseException) -> None:
        """Note what ended the run."""
        interrupted = isinstance(error, KeyboardInterrupt)
        self.exit_code = INTERRUPTED if interrupted else FATAL
        self.error = "interrupted" if interrupted else f"{type(error).__name__}: {error}"
        self.ended = Ending.INTERRUPTED if interrupted else Ending.FAILED

    def end(self) -> None:
        """Note that the run is over."""
        self.ended_at = now()
        self.ended = self.ended or (Ending.MAX_HOURS if self.waiting else Ending.COMPLETE)

    @property
    def started(self) -> float:
        """When the run began, as time.monotonic() has it."""
        return self._start

    @property
    def seconds(self) -> float:
        """How long the run took, or has taken so far."""
        return time.monotonic() - self._start if self._seconds is None else self._seconds

    @property
    def done(self) -> int:
        """Photos that this run's captioner saw, or encoded where that was all it was for."""
        captioning = self.verb == "captioned"
        return self.captioned + self.passed_over if captioning else self.encoded

    @property
    def photos_per_second(self) -> float:
        """Photos done by this run a second, its start-up included."""
        return self.done / max(self.seconds, 1e-3)

    def as_dict(self) -> dict[str, Any]:
        """Give everything, for last_run.json; a run that goes on has no exit code yet."""
        found = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return found | {
            "exit_code": self.exit_code if self.ended_at else None,
            "failed": dict(self.failed),
            "newly_failed": dict(self.newly_failed),
            "others": dict(self.others),
            "seconds": round(self.seconds, 2),
            "photos_per_second": round(self.photos_per_second, 2),
        }

    def news(self) -> str:
        """Say what a person should know who has read of the runs before; empty where all is well.

        Not what failed then too: nobody reads every morning that the same three photos are bad.
        """
        parts = []
        if self.newly_failed:
            first = f"the first: {self.first_failed[0]}"
            parts.append(f"{_kinds(self.newly_failed)} that had not before, {first}")
        parts += [f"cannot list the folder {folder}" for folder in self.newly_unlisted]
        return f"{self.result}: {'; '.join(parts)}" if parts else ""

    def told_failed(self) -> list[str]:
        """Name some photos that were not known to fail, and say where all that failed are."""
        lines = [f"failed: {each}" for each in self.first_failed]
        if self.verb == "captioned" and self.failed.total() > len(lines):
            out = shlex.quote(os.path.dirname(self.result))
            lines.append(f"make status OUT={out} tells which photos failed")
        return lines

    def __str__(self) -> str:
        parts = [counted(self.photos, "photo"), self._work()]
        parts += [f"{n:,} {what}" for n, what in self._others() if n]
        if self.unlisted:
            parts.append(f"{counted(len(self.unlisted), 'folder')} that cannot be listed")
        if self.failed:
            new = self.newly_failed.total()
            some = f", {new:,} of them new" if 0 < new < self.failed.total() else ""
            parts.append(f"{_kinds(self.failed)}{some}")
        if self.waiting:
            parts.append(f"stopped since its time was over: {self.waiting:,} wait for the next run")
        if self.others:
            names = ", ".join(sorted(self.others))
            parts.append(
                f"{self.others.total():,} keep the captions of {names} (EXISTING=overwrite makes "
                "new ones)"
            )
        if self.set_aside:
            parts.append(f"your edited spreadsheet is kept as {self.set_aside}")
        return f"{', '.join(parts)}: {self.result}"

    def _work(self) -> str:
        if not self.photos:
            return f"none found{self._chosen()}"
        if not self.done:
            return f"none {self.verb}" if self.newly_failed else "nothing new"
        cached = self.done - self.encoded - self.copies
        ways = [
            (self.copies, "the same photo as another"),
            (cached, "from cached features"),
        ]
        notes = ", ".join(f"{number:,} {how}" for number, how in ways if number > 0)
        note = f" ({notes})" if notes else ""
        rate = f"{self.seconds:.0f} s ({self.photos_per_second:.1f} photos/s)"
        return f"{self.done - self.passed_over:,} {self.verb}{note} in {rate}"

    def _chosen(self) -> str:
        """Say which photos were asked for, where not all were."""
        globs = {name: self.asked.get(name.lower()) or () for name in ("INCLUDE", "EXCLUDE")}
        given = [f"{name}={glob}" for name, each in globs.items() for glob in each]
        return f" with {' '.join(given)}" if given else ""

    def _others(self) -> list[tuple[int, str]]:
        return [
            (self.unchanged if self.done or self.newly_failed else 0, "unchanged"),
            (self.not_a_scene, "not a scene"),
            (self.moved, "moved"),
            (self.missing, "missing"),
        ]


def _by_others(signed: Counter[str], captioner: str) -> Counter[str]:
    """Count captions by the names of captioners, given by signatures, but for one."""
    names: Counter[str] = Counter()
    for signature, number in signed.items():
        names[signature.rpartition("@")[0]] += number
    names.pop(captioner, None)
    return names


def _kinds(failed: Counter[str]) -> str:
    kinds = ", ".join(f"{n:,} {status}" for status, n in sorted(failed.items()))
    return f"{failed.total():,} failed ({kinds})"
