"""Rows and edits that survive a spreadsheet program: review sheets out, LibreOffice, back in.

    python -m benchmarks.spreadsheets [--rows N] [--edits N] [--keep FOLDER]

Writes rows drawn by code, English and Korean, as XLSX with thumbnails (5,000 a file) and as CSV.
In LibreOffice each file is sorted by another column, captions are typed over in some rows, and it
is saved again. What comes back is compared with what went out, and merged. Prints JSON: seconds,
rows whose every text is as it should be, edits seen, which are captions that differ from their
`base`, and rows of the manifest that hold the right person's words after the merge, or others.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from batch.merge_review import merge_review
from manifests.corrections import read_corrections
from manifests.manifest import read_records, write_records
from manifests.record import Record, Status
from manifests.review import Correction, ReviewStatus, SheetRow, digest
from manifests.sheet import COLUMNS, texts_of
from manifests.spreadsheet import write_review_csv, write_workbooks
from tests.manifests.office import CSV, work
from tests.manifests.sheets import texts

EDITED = "고쳤다: a person's words, 100% “theirs”"
FILTERS = {".xlsx": ("Calc MS Excel 2007 XML", ""), ".csv": ("Text - txt - csv (StarCalc)", CSV)}
EDIT = """
Sub Work
  book = opened("{path}")
  sheet = book.Sheets.getByIndex(0)
  sort(sheet, {confidence}, True)
  last = table(sheet).RangeAddress.EndRow
  For edit = 0 To {edits} - 1
    row = 1 + Int(edit * last / {edits})
    sheet.getCellByPosition({caption}, row).FormulaLocal = "{edited} " & sheet.getCellByPosition({path_column}, row).String
  Next
  save(book, "{back}", "{kind}", "{options}")
  book.close(True)
End Sub
"""  # noqa: E501 - a line of Basic


def draw_row(number: int) -> SheetRow:
    """Draw a row; every other one is Korean."""
    caption = (
        f"갈색 개 {number}마리가 공을 물고 바닷가를 달리고, 뒤에서는 파도가 친다."
        if number % 2
        else f"a brown dog with a ball, number {number}, runs along the beach; waves roll behind it"
    )
    return SheetRow(
        path=f"2019/여름 휴가, {number % 12 + 1}월/IMG_{number:05}.jpg",
        photo_id=sha256(b"%d" % number).hexdigest(),
        language="ko" if number % 2 else "en",
        caption=caption,
        machine=caption,
        suggestion="" if number % 5 else "a dog (copy of a/b.jpg)",
        alternatives=("a dog on the beach", "=1+1", "개가 달린다"),
        confidence=number * 37 % 1009 / 1009,
        review_status=list(ReviewStatus)[number % 4],
        reviewer="Kim" if number % 7 == 0 else "",
        notes="확인 필요" if number % 11 == 0 else "",
        status="captioned",
        group=f"2019/IMG_{number - number % 3:05}.jpg",
    )


def draw_picture(row: SheetRow) -> bytes:
    """Draw a small photo of a row's own."""
    values = bytes.fromhex(row.photo_id)
    image = Image.new("RGB", (256, 171), tuple(values[:3]))
    draw = ImageDraw.Draw(image)
    for at in range(40):
        draw.ellipse(
            (at * 6, values[at % 4] % 150, at * 6 + 40, values[at % 4] % 150 + 40), at * 99
        )
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return file.getvalue()


def round_trip(folder: Path, kind: str, rows: list[SheetRow], edits: int) -> dict[str, Any]:
    """Take rows through LibreOffice in one kind of file, and tell what came back."""
    seconds: dict[str, float] = {}
    with timed(seconds, "writing"):
        if kind == ".csv":
            paths = [write_review_csv(folder / "review.csv", rows).path]
        else:
            paths = [each.path for each in write_workbooks(folder, "review", rows, draw_picture)]
    with timed(seconds, "in_libreoffice"):
        backs = [edit(folder, path, edits // len(paths)) for path in paths]
    with timed(seconds, "reading"):
        found = [row for back in backs for row in read_corrections(back)]
    with timed(seconds, "merging"):
        merged = merge(folder / f"out{kind}", rows, backs)
    sizes = [path.stat().st_size / 2**20 for path in paths]
    return {
        "files": len(paths),
        "mib": round(sum(sizes), 1),
        "seconds": seconds,
        **compare(rows, found, edits),
        **merged,
    }


def merge(out: Path, rows: list[SheetRow], backs: list[Path]) -> dict[str, int]:
    """Merge what came back into a manifest of these rows, and count whose words are where."""
    out.mkdir()
    write_records(out / "captions.parquet", map(recorded, rows), "/photos")
    for back in backs:
        merge_review(str(out), str(back))
    found = read_records(out / "captions.parquet")
    right = sum(each.review.caption == f"{EDITED} {each.path}" for each in found)
    return {"merged": right, "others_changed": sum(bool(each.reviews) for each in found) - right}


def recorded(row: SheetRow) -> Record:
    """Give the row of the manifest that a row of the sheet is of."""
    return Record(
        row.path, row.machine, Status.CAPTIONED, row.confidence, row.alternatives, None,
        row.photo_id, "drawn@1", None, 48, 32, "PNG", 1, None, None, row.path.encode(), 1, 1,
        language=row.language,
    )  # fmt: skip


def edit(folder: Path, path: Path, edits: int) -> Path:
    """Sort and edit a file in LibreOffice; give the file that it saves."""
    back = folder / f"{path.stem}-back{path.suffix}"
    columns = COLUMNS if path.suffix == ".csv" else ("photo", *COLUMNS)
    places = {name: columns.index(name) for name in ("caption", "confidence")}
    kind, options = FILTERS[path.suffix]
    code = EDIT.format(
        path=path, back=back, kind=kind, options=options, edits=edits, edited=EDITED,
        path_column=columns.index("path"), **places,
    )  # fmt: skip
    work(folder, code, timeout=600)
    return back


def compare(rows: list[SheetRow], found: list[Correction], edits: int) -> dict[str, int]:
    """Count rows that came back as they should: as they were, or with the person's words."""
    out = {row.path: row for row in rows}
    edited = [each for each in found if digest(each.cells["caption"]) != base_caption(each)]
    right = sum(texts(each) == expected(each, out[each.cells["path"]]) for each in found)
    in_order = [each.cells["path"] for each in found] == list(out)
    return {
        "rows": len(found),
        "rows_equal": right,
        "edits": edits,
        "edits_seen": sum(each.cells["caption"].startswith(EDITED) for each in edited),
        "others_seen": sum(not each.cells["caption"].startswith(EDITED) for each in edited),
        "sorted_anew": int(not in_order),
    }


def base_caption(row: Correction) -> str:
    """Give the digest of the caption that went out."""
    return row.cells["base"].split(".")[2]


def expected(found: Correction, row: SheetRow) -> dict[str, str]:
    """Give the texts that a row should have: the words that were typed name its path."""
    edited = found.cells["caption"].startswith(EDITED)
    caption = f"{EDITED} {row.path}" if edited else row.caption
    return texts_of(replace(row, caption=caption)) | {"base": row.base}


@contextmanager
def timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    """Note how long a block takes."""
    start = time.perf_counter()
    yield
    seconds[what] = round(time.perf_counter() - start, 1)


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--edits", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="an empty folder to leave the files in")
    options = parser.parse_args()
    rows = list(map(draw_row, range(options.rows)))
    with tempfile.TemporaryDirectory() as work_folder:
        folder = options.keep or Path(work_folder)
        folder.mkdir(parents=True, exist_ok=True)
        found = {kind[1:]: round_trip(folder, kind, rows, options.edits) for kind in FILTERS}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
