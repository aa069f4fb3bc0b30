"""Corrections whose letters a program has broken, told by what the archive itself says of them.

A sheet that was opened in another encoding than UTF-8 has other words in each row that is not
English, and none of them a person's: the whole file is refused before anything is taken from it.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from manifests.attach import place_of
from manifests.journal import Reviews
from manifests.matching import Rows
from manifests.misread import is_korean_reading, is_wide, meant_by, misread
from manifests.record import Record
from manifests.review import Correction, digest
from manifests.three_way import Base

_WRITTEN = ("caption", "notes", "reviewer")  # into columns of these names people write
_OURS = ("caption", "machine", "path")  # and these hold what went out


@dataclass(frozen=True)
class Letters:
    """The texts of an archive, in which the rows of a file may be recognised though broken."""

    file: Path
    rows: Rows
    reviews: Reviews
    formers: Mapping[str, Set[str]]  # digests of what the machine said, by identity

    def check(self, correction: Correction, record: Record | None) -> None:
        """Raise ManifestError where a cell of a row has broken letters."""
        cells = correction.cells
        odd = {name: text for name, text in cells.items() if not text.isascii()}
        if not odd:
            return
        known = set(self._known(record)) if record else set[str]()
        digests = self._digests(cells, record)
        for name, text in odd.items():
            was_here = text in known or digest(text) in digests
            if not was_here and self._is_broken(name, text, known, digests):
                raise misread(self.file, f"row {correction.line} has {text[:40]!r} as its {name}")

    def _known(self, record: Record) -> Iterator[str]:
        """Give what is said of a photo, and was."""
        yield from (record.path, record.caption or "", *record.alternatives)
        yield from (each.caption for each in record.languages)
        yield from (each.caption for each in record.offers)
        for review in (*record.reviews, *self.reviews.history.get(place_of(record), ())):
            yield from (review.caption or "", review.notes, review.reviewer)

    def _digests(self, cells: Mapping[str, str], record: Record | None) -> set[str]:
        """Give the digests of what went out with a row, and of what the machine said before."""
        base = Base.read(cells.get("base"))
        went_out = {base.caption, base.notes, base.reviewer} if base else set()
        return went_out | set(self.formers.get(record.photo_id or "", ()) if record else ())

    def _is_broken(self, name: str, text: str, known: Set[str], digests: Set[str]) -> bool:
        """Tell whether a text is a broken one, which is not as it stands in the archive itself."""
        for meant in meant_by(text):
            if meant in known or digest(meant) in digests:
                return True
            if name.startswith(_WRITTEN) and is_wide(meant) and known and not _has_broken(known):
                return True
            if name == "path" and self.rows.match({"path": meant}).record:
                return True
        return name.startswith(_OURS) and any(is_korean_reading(text, each) for each in known)


def _has_broken(known: Set[str]) -> bool:
    """Tell whether the archive itself says broken words, as captions from the web may be."""
    return any(is_wide(meant) for text in known for meant in meant_by(text))
