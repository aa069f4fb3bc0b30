"""What a merge of corrections did: a line for people, and a CSV with a line for each change."""

import csv
import io
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path

from manifests.durable import atomic_write
from manifests.text import escape_cell


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
    unchanged: int = 0
    elsewhere: int = 0  # untouched, and of photos that are not here
    lacks_captions: bool = False  # the file has no column of them
    lines: list[Line] = field(default_factory=list)
    written: str = ""  # where the whole report is
    set_aside: str | None = None  # where an edited captions.csv was kept
    taken_in: list[str] = field(default_factory=list)  # such files that have nothing more to say

    def __str__(self) -> str:
        counts = Counter(line.what for line in self.lines)
        parts = [f"{self.rows:,} rows", *(f"{n:,} {what}" for what, n in sorted(counts.items()))]
        parts.append(f"{self.unchanged:,} unchanged")
        parts += [f"{self.elsewhere:,} untouched of other photos"] if self.elsewhere else []
        return f"{', '.join(parts)}: {self.file}"

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
