"""Rows of review sheets for the tests: one to vary by hand, and hypothesis's own."""

import io
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import strategies as st
from PIL import Image

from manifests.review import Correction, ReviewStatus, SheetRow
from manifests.sheet import COLUMNS, texts_of
from tests.manifests.examples import PLAIN, TEXTS

PLAIN_ROW = SheetRow(
    path=PLAIN.path,
    photo_id="ab" * 32,
    language="en",
    caption="a dog runs on the beach",
    machine="a dog runs on the beach",
    suggestion="a dog (copy of a/b.jpg)",
    alternatives=("a dog on the beach", "a dog"),
    confidence=0.75,
    review_status=ReviewStatus.UNREVIEWED,
    reviewer="",
    notes="",
    status="captioned",
    group="",
)

ODD = [
    "caf\udce9.jpg",
    r"caf\udce9.jpg",
    "crop_x0010_y0020.jpg",
    "_x005F_",
    "x005F_",
    "  two  spaces  ",
    "\n\nlines\n",
    "'-x",
    "-x",
    "\x85\u2028\u200b",
    "1/2",
    "0123",
    "TRUE",
    "2019-05-01",
    "sep=;",
    "<script>alert(1)</script>&amp;",
    "../../etc/passwd",
    "가" * 40_000 + "🐕",
]
SHEET_TEXTS = st.one_of(TEXTS, st.sampled_from(ODD))
SHEET_ROWS = st.lists(
    st.builds(
        SheetRow,
        alternatives=st.lists(SHEET_TEXTS, max_size=2).map(tuple),
        confidence=st.none() | st.floats(0, 1, width=32),
        review_status=st.sampled_from(ReviewStatus),
        **dict.fromkeys(
            ("path", "photo_id", "language", "caption", "machine", "suggestion", "reviewer"),
            SHEET_TEXTS,
        ),
        **dict.fromkeys(("notes", "status", "group"), SHEET_TEXTS),
    ),
    max_size=4,
)


def sheet_row(number: int = 0, **changes: Any) -> SheetRow:
    """Return a plain row of its own photo, with some fields changed."""
    own = {"path": f"2019/{number:05}.jpg", "photo_id": f"{number:064x}"}
    return replace(PLAIN_ROW, **(own | changes))


@cache
def picture(row: SheetRow) -> bytes:
    """Draw a row's photo: a colour of its own."""
    file = io.BytesIO()
    colour = tuple(bytes.fromhex(row.photo_id[-6:]))
    Image.new("RGB", (256, 171), colour).save(file, "JPEG")
    return file.getvalue()


def no_picture(row: SheetRow) -> None:
    """Have no photo at hand."""


def texts(correction: Correction) -> dict[str, str]:
    """Give what came back as `texts_of` gives it, whatever a program made of the number."""
    cells = {name: correction.cells[name] for name in COLUMNS}
    confidence = cells["confidence"]
    return cells | {"confidence": f"{float(confidence):.3f}" if confidence else ""}


def same(found: list[Correction], rows: list[SheetRow]) -> bool:
    """Tell whether every text of every row came back."""
    return [texts(each) for each in found] == [texts_of(row) for row in rows]
