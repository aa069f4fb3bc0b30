"""Which row of the manifest a row of a person's file is of: never by its place in the file.

By the photo's identity and path together, else by either where only one row has it. A file name
alone is no path: photos in different folders may share one.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from manifests.record import Record

_IDENTITY: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Match:
    """The row that was found, or why there is none.

    `changed`: the row is found by its path alone, and its photo has other bytes than the one that
    was spoken of.
    """

    record: Record | None = None
    problem: str = ""
    changed: bool = False


class Rows:
    """The rows of a manifest, to be found by identity, by path, or by both."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._by_id: dict[str, list[Record]] = defaultdict(list)
        self._by_path: dict[str, list[Record]] = defaultdict(list)
        self._by_form: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            if record.photo_id:
                self._by_id[record.photo_id].append(record)
            self._by_path[record.path].append(record)
            self._by_form[_form(record.path)].append(record)

    def match(self, cells: Mapping[str, str]) -> Match:
        """Find the row that cells are of, by those named `photo_id` and `path`."""
        photo_id = cells.get("photo_id", "").strip().lower()
        path = cells.get("path", "")
        same = self._by_id.get(photo_id, [])
        there = self._at(path)
        both = [record for record in there if record.photo_id == photo_id]
        other = bool(_IDENTITY.fullmatch(photo_id))  # a spoilt cell names no other photo
        look_alike = f"{len(there)} photos look like this path; give their photo_id"
        copies = f"{len(same)} copies of this photo, none of them at this path"
        ways = ((both, look_alike, False), (same, copies, False), (there, look_alike, other))
        for found, problem, changed in ways:
            if found:
                one = found[0] if len(found) == 1 else None
                return Match(one, "" if one else problem, changed)
        known = photo_id or path
        return Match(problem="no photo of this archive" if known else "neither photo_id nor path")

    def knows(self, photo_id: str) -> bool:
        """Tell whether a row has an identity."""
        return photo_id in self._by_id

    def has(self, photo_id: str, path: str) -> bool:
        """Tell whether one row has both, an identity and a path."""
        return any(record.photo_id == photo_id for record in self._at(path))

    def _at(self, path: str) -> list[Record]:
        """Give the rows at a path; a spreadsheet may have rewritten the form of its letters."""
        return self._by_path.get(path) or self._by_form.get(_form(path), [])


def _form(path: str) -> str:
    lines = path.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", lines)
