"""The files of an export: written where they say something new, and nobody else's ever replaced.

What was written is noted in the run's folder, so that a file which a person has changed since, or
which stood there before, is told from our own.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from joblib import Parallel, delayed

from batch.amounts import counted
from batch.summary import COMPLETE, WITH_FAILURES
from batch.text import printable
from manifests.aside import keep_edits
from manifests.durable import atomic_write, sha256_file, sha256_of, sync, write_json
from manifests.record import Record

_AT_ONCE = 16  # files written, which is mostly waiting for the disk
SHOWN = 20  # problems that are told one by one

Hashes = dict[str, list[str]]
"""The SHA-256 that each file may have where it is ours, by its path below the place."""


@dataclass
class Changes:
    """What became of the files of an export."""

    written: int = 0
    unchanged: int = 0
    removed: int = 0  # of captions that stand no more
    kept: list[str] = field(default_factory=list)  # not ours, or changed since: left as they are
    set_aside: list[str] = field(default_factory=list)  # the names that such files have now
    failed: list[tuple[str, str]] = field(default_factory=list)  # name, and what is wrong

    def __add__(self, other: "Changes") -> "Changes":
        both = {name: value + getattr(other, name) for name, value in vars(self).items()}
        return Changes(**both)

    def count(self, name: str, outcome: str, *, known: bool) -> bool:
        """Count what became of a file; tell whether it is there and ours."""
        match outcome:
            case "written":
                self.written += 1
                return True
            case "unchanged":
                self.unchanged += 1
                return known  # the same words may stand there by another's hand
            case "removed":
                self.removed += 1
            case "kept":
                self.kept.append(name)
            case "left":
                pass
            case error:
                self.failed.append((name, error))
                return known
        return False


@dataclass
class Exported:
    """How an export went."""

    place: str
    photos: int = 0  # whose caption left
    machine: int = 0  # of these, a machine's
    changes: Changes = field(default_factory=Changes)
    skipped: Counter[str] = field(default_factory=Counter)  # photos with a caption, by why not
    examples: list[str] = field(default_factory=list)

    def skip(self, record: Record, why: str) -> None:
        """Note a photo whose caption cannot leave this way."""
        self.skipped[why] += 1
        if len(self.examples) < SHOWN:
            self.examples.append(f"{record.path}: {why}")

    @property
    def exit_code(self) -> int:
        """Say whether every caption that was to leave has left."""
        left = self.skipped or self.changes.kept or self.changes.failed
        return WITH_FAILURES if left else COMPLETE

    def told(self) -> list[str]:
        """Say what needs a look, a line each."""
        changes = self.changes
        lines = [f"left as it is, it is not ours or was changed: {each}" for each in changes.kept]
        lines += [
            f"set aside, it was not ours or was changed: {each}" for each in changes.set_aside
        ]
        lines += [f"cannot be written: {name}: {why}" for name, why in changes.failed]
        return [printable(line) for line in [*self.examples, *lines[: 5 * SHOWN]]]

    def __str__(self) -> str:
        changes = self.changes
        parts = [counted(self.photos, "caption")]
        parts += [f"{self.machine:,} of them a machine's"] if self.machine else []
        files = [
            (changes.written, "written"),
            (changes.unchanged, "unchanged"),
            (len(changes.failed), "failed"),
        ]
        parts += [f"{counted(number, 'file')} {what}" for number, what in files if number]
        counts = [
            (changes.removed, "removed"),
            (len(changes.kept), "of others left as they are"),
            *((number, f"left out: {why}") for why, number in sorted(self.skipped.items())),
        ]
        parts += [f"{number:,} {what}" for number, what in counts if number]
        return f"{', '.join(parts)}: {printable(self.place)}"


class Ledger:
    """What exports to one place have written there."""

    def __init__(self, out: str, place: str, target: str) -> None:
        self.place = os.path.realpath(place)
        key = sha256(os.fsencode(f"{target}\n{self.place}")).hexdigest()[:16]
        self.path = Path(out, ".exports", f"{key}.json")
        self.hashes = self._read()

    def _read(self) -> Hashes:
        try:
            note = json.loads(self.path.read_text(encoding="utf-8"))
            files: Any = note["files"]
            return {str(name): [str(each) for each in files[name]] for name in files}
        except (OSError, ValueError, LookupError, TypeError):
            return {}  # then what is there is taken for another's

    def note(self, hashes: Hashes) -> None:
        """Keep what may be ours from now on: before it is written, and when it is."""
        if hashes != self.hashes:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            ordered = {name: hashes[name] for name in sorted(hashes)}
            write_json(self.path, {"place": self.place, "files": ordered})
            self.hashes = hashes


def write_file(ledger: Ledger, name: str, write: Callable[[BinaryIO], None]) -> Changes:
    """Write one file of an export; one at its place that is not ours is set aside before."""
    path = Path(ledger.place, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    known = ledger.hashes.get(name, [])
    before = sha256_file(path) if path.exists() else None
    with atomic_write(path) as file:
        write(file)
        sync(file)
        new = sha256_of(file)
        ledger.note(ledger.hashes | {name: [*known, new]})
        aside = keep_edits(path, known=(*known, new))
    ledger.note(ledger.hashes | {name: [new]})
    is_new = before != new
    return Changes(int(is_new), int(not is_new), set_aside=[aside] if aside else [])


def write_beside(ledger: Ledger, wanted: Mapping[str, bytes]) -> Changes:
    """Write a small file for each photo, and remove ours of before that are no longer wanted."""
    changes = Changes()
    hashes = {name: [sha256(data).hexdigest()] for name, data in wanted.items()}
    before = ledger.hashes
    ledger.note({name: _both(before, hashes, name) for name in {**before, **hashes}})
    names = list({**before, **hashes})
    # Most of the time goes to the disk's acknowledgements, which come as well for many at once.
    with Parallel(n_jobs=_AT_ONCE, prefer="threads", return_as="generator") as parallel:
        outcomes = parallel(
            delayed(_settle)(Path(ledger.place, name), wanted.get(name), before.get(name, []))
            for name in names
        )
        left = {
            name: hashes.get(name) or before[name]
            for name, outcome in zip(names, outcomes, strict=True)
            if changes.count(name, outcome, known=name in before)
        }
    ledger.note(left)
    return changes


def _both(before: Hashes, now: Hashes, name: str) -> list[str]:
    return list(dict.fromkeys([*before.get(name, []), *now.get(name, [])]))


def _settle(path: Path, data: bytes | None, known: list[str]) -> str:
    """Make one file hold what it should; tell what was done, or what went wrong."""
    try:
        found = sha256_file(path) if os.path.lexists(path) else None
        if data is not None and found == sha256(data).hexdigest():
            return "unchanged"
        if found is not None and found not in known:
            return "kept" if data is not None else "left"
        if data is None:
            path.unlink(missing_ok=True)
            return "removed" if found else "left"
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(data)
    except OSError as error:
        return error.strerror or type(error).__name__
    return "written"
