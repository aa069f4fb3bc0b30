"""What a merge of corrections did: a line for people, and a CSV with a line for each change."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from batch.amounts import counted
from manifests.durable import atomic_write
from manifests.text import escape_cell

PROBLEM: Final = "problem"
FILLED_IN: Final = "filled in"
NOT_FILLED_IN: Final = "no longer filled in"


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one row of the file, or of a photo that was filled in beside it."""

    line: int  # as the spreadsheet numbers it; 0 where the file has no such row
    path: str
    what: str
    before: str = ""
    after: str = ""
    why: str = ""


@dataclass
class MergeReport:
    """What a merge did, or would do; rows that changed nothing are only counted."""

    file: str
    rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)  # of rows that did something
    unchanged: int = 0
    elsewhere: int = 0  # untouched, and of photos that are not here
    lacks_captions: bool = False  # the file has no column of them
    lines: list[Line] = field(default_factory=list)
    written: str = ""  # where the whole report is
    set_aside: str | None = None  # where an edited captions.csv was kept
    taken_in: list[str] = field(default_factory=list)  # such files that have nothing more to say

    def count(self, lines: Sequence[Line]) -> None:
        """Count a row of the file by the lines that tell of it, several languages' maybe."""
        whats = {line.what for line in lines}
        taken = " and ".join(sorted(whats - {PROBLEM}))
        if not whats:
            self.unchanged += 1
        elif PROBLEM not in whats:
            self.outcomes[taken] += 1
        else:
            self.outcomes[f"{taken} with a problem" if taken else PROBLEM] += 1

    def __str__(self) -> str:
        """Say what became of each row, once, and behind that of photos without one."""
        parts = [counted(self.rows, "row")]
        parts += [f"{n:,} {what}" for what, n in sorted(self.outcomes.items())]
        parts.append(f"{self.unchanged:,} unchanged")
        if self.elsewhere:
            parts.append(f"{self.elsewhere:,} unchanged, of photos that were not found for certain")
        beside = Counter(line.what for line in self.of(FILLED_IN, NOT_FILLED_IN))
        more = [f"; {counted(n, 'photo')} {what}" for what, n in sorted(beside.items())]
        return f"{', '.join(parts)}{''.join(more)}: {self.file}"

    def of(self, *kinds: str) -> list[Line]:
        """Give the lines of some kinds."""
        return [line for line in self.lines if line.what in kinds]


def write_report(report: MergeReport, folder: Path, name: str) -> Path:
    """Write the report beside the journal; returns its path."""
    path = folder / f"merged-{name}.csv"
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    names = [each.name for each in fields(Line)]
    writer.writerow(names)
    for line in report.lines:
        writer.writerow([escape_cell(str(getattr(line, name))) for name in names])
    with atomic_write(path) as handle:
        handle.write(text.getvalue().encode("utf-8-sig", "backslashreplace"))
    return path
