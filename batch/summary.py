"""How a run went: one line for people, the same as a dictionary for programs."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from manifests.record import Record, Status

COMPLETE, FATAL, USAGE, WITH_FAILURES, LOCKED, INTERRUPTED = 0, 1, 2, 3, 75, 130
"""Exit codes: all captioned, the run failed, wrong arguments, some photos failed, and so on."""


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
    unchanged: int = 0  # captions
    not_a_scene: int = 0  # of all photos
    moved: int = 0
    missing: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unlisted: list[str] = field(default_factory=list)  # folders that could not be listed
    others: Counter[str] = field(default_factory=Counter)  # unchanged rows by captioners not asked
    set_aside: str | None = None  # where an edited CSV was kept
    exit_code: int = COMPLETE
    error: str | None = None
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    _start: float = field(default_factory=time.monotonic)
    _seconds: float | None = None

    def count(
        self, new: Sequence[Record], kept: Sequence[Record], absent: Iterable[Record]
    ) -> None:
        """Count the rows of the manifest to be."""
        there = [*new, *kept]
        self.photos = len(there)
        took_over = sum(record.status is Status.CAPTIONED for record in new) - self.captioned
        self.unchanged = sum(record.status is Status.CAPTIONED for record in kept) + took_over
        self.not_a_scene = sum(record.status is Status.NOT_A_SCENE for record in there)
        self.missing = sum(record.status is Status.MISSING for record in absent)
        self.failed = Counter(record.status.value for record in there if record.failed)
        self._end()

    def note_others(self, kept: Iterable[Record], captioner: str) -> None:
        """Note which of the unchanged rows are another captioner's than the one asked for.

        One that was trained anew under its old name is not told: a run with nothing to caption does
        not read the weights.
        """
        names = ((record.captioner or "").rpartition("@")[0] for record in kept if record.answered)
        self.others = Counter(name for name in names if name != captioner)

    def count_loaded(self, statuses: Mapping[str, int]) -> None:
        """Count photos that were only loaded and encoded."""
        self.photos = sum(statuses.values())
        self.failed = Counter({status: n for status, n in statuses.items() if status != "ok"})
        self.unchanged = self.photos - self.encoded - self.failed.total()
        self._end()

    def _end(self) -> None:
        self.exit_code = WITH_FAILURES if self.failed or self.unlisted else COMPLETE
        self._seconds = time.monotonic() - self._start

    def fail(self, error: BaseException) -> None:
        """Note what ended the run."""
        interrupted = isinstance(error, KeyboardInterrupt)
        self.exit_code = INTERRUPTED if interrupted else FATAL
        self.error = "interrupted" if interrupted else f"{type(error).__name__}: {error}"

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
        """Give everything, for last_run.json."""
        found = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return found | {
            "failed": dict(self.failed),
            "others": dict(self.others),
            "seconds": round(self.seconds, 2),
            "photos_per_second": round(self.photos_per_second, 2),
        }

    def __str__(self) -> str:
        parts = [f"{self.photos:,} photos", self._work()]
        parts += [f"{n:,} {what}" for n, what in self._others() if n]
        if self.failed:
            kinds = ", ".join(f"{n:,} {status}" for status, n in sorted(self.failed.items()))
            parts.append(f"{self.failed.total():,} failed ({kinds})")
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
        if not self.done:
            return "nothing new" if self.photos else "none found"
        cached = self.done - self.encoded
        note = f" ({cached:,} from cached features)" if cached > 0 else ""
        rate = f"{self.seconds:.0f} s ({self.photos_per_second:.1f} photos/s)"
        return f"{self.done - self.passed_over:,} {self.verb}{note} in {rate}"

    def _others(self) -> list[tuple[int, str]]:
        return [
            (self.unchanged if self.done else 0, "unchanged"),
            (self.not_a_scene, "not a scene"),
            (self.moved, "moved"),
            (self.missing, "missing"),
            (len(self.unlisted), "folders that cannot be listed"),
        ]
