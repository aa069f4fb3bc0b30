"""Review sheets: what they hold and allow, and that no person's work is replaced."""

import io
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from PIL import Image

from manifests.corrections import read_corrections
from manifests.review import ReviewStatus
from manifests.sheet import COLUMNS, EDITABLE
from manifests.spreadsheet import (
    ROWS_A_FILE,
    sheet_parts,
    write_review_csv,
    write_workbooks,
    write_xlsx,
)
from tests.manifests.examples import ODD_TEXTS, names, with_files
from tests.manifests.office import CSV, converted, needs_office, work
from tests.manifests.sheets import (
    ODD,
    SHEET_ROWS,
    no_picture,
    picture,
    same,
    sheet_row,
)

HEADER = ["photo", *COLUMNS]
ODD_ROWS = [
    sheet_row(number, caption=text, notes=text, path=text, machine=text)
    for number, text in enumerate([*ODD, *ODD_TEXTS.elements, "tab\there", "tab\there\nand\tthere"])
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "review.xlsx"


def sheet_of(path):
    return openpyxl.load_workbook(path).worksheets[0]


@with_files
@given(SHEET_ROWS)
def test_every_text_comes_back_from_xlsx(path, drawn):
    write_xlsx(path, drawn, no_picture, "review")
    assert same(read_corrections(path), drawn)


@with_files
@given(SHEET_ROWS)
def test_every_text_comes_back_from_csv(tmp_path, drawn):
    write_review_csv(tmp_path / "review.csv", drawn)
    assert same(read_corrections(tmp_path / "review.csv"), drawn)


def test_only_what_is_to_edit_can_be_typed_into(path):
    write_xlsx(path, [sheet_row(1), sheet_row(2)], no_picture, "review")
    sheet = sheet_of(path)
    assert [cell.value for cell in sheet[1]] == HEADER
    unlocked = [HEADER[cell.column - 1] for cell in sheet[3] if not cell.protection.locked]
    assert unlocked == list(EDITABLE)
    allowed = sheet.protection
    assert allowed.sheet
    assert allowed.password is None
    # In a file, 1 says that the sheet's protection keeps people from it.
    assert not (allowed.sort or allowed.autoFilter or allowed.formatColumns or allowed.formatRows)
    assert allowed.selectLockedCells


def test_cells_are_texts_whatever_they_look_like(path):
    write_xlsx(
        path, [sheet_row(caption="=1+1", notes="1/2", path="http://a.b/")], no_picture, "review"
    )
    row = sheet_of(path)[2]
    shown = {name: cell for name, cell in zip(HEADER, row, strict=True) if cell.value is not None}
    assert {name for name, cell in shown.items() if cell.data_type != "s"} == {"confidence"}
    assert {cell.number_format for cell in row[1:5]} == {"@"}
    assert not any(cell.hyperlink for cell in row)


def test_a_person_sees_where_to_write_and_what_to_choose(path):
    write_xlsx(path, [sheet_row(number) for number in range(9)], picture, "review")
    sheet = sheet_of(path)
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("C2", "A1:O10")
    (statuses,) = sheet.data_validations.dataValidation
    assert (statuses.formula1, str(statuses.sqref)) == (f'"{",".join(ReviewStatus)}"', "C2:C10")
    assert statuses.showErrorMessage
    (shaded,) = sheet.conditional_formatting
    assert (str(shaded.sqref), shaded.rules[0].type) == ("F2:F10", "colorScale")
    assert sheet.row_dimensions[2].height > 72
    assert sheet.column_dimensions["B"].width > 40


def test_each_picture_lies_within_its_row_and_moves_with_it(path):
    tall = Image.new("RGB", (100, 300))
    file = io.BytesIO()
    tall.save(file, "JPEG")
    drawn = {1: picture(sheet_row(1)), 2: None, 3: file.getvalue()}
    rows = [sheet_row(number) for number in drawn]
    write_xlsx(path, rows, lambda row: drawn[int(row.photo_id, 16)], "review")
    images = sheet_of(path)._images
    places = [(image.anchor._from, image.anchor.to, image.anchor.editAs) for image in images]
    assert [(at.row, to.row, at.col, to.col) for at, to, _ in places] == [
        (1, 1, 0, 0),
        (3, 3, 0, 0),
    ]
    assert all(kind in (None, "twoCell") for _, _, kind in places)  # move and size with cells
    assert images[0].ref.getvalue() == drawn[1]


def test_equal_rows_give_equal_bytes(tmp_path):
    rows = [sheet_row(number) for number in range(3)]
    first = write_xlsx(tmp_path / "a.xlsx", rows, picture, "review")
    assert write_xlsx(tmp_path / "b.xlsx", rows, picture, "review").sha256 == first.sha256


def test_a_text_too_long_for_a_cell_goes_on_in_another(path):
    row = sheet_row(caption="가" * 70_000, notes="n" * 20_000)
    write_xlsx(path, [row, sheet_row(1)], no_picture, "review")
    sheet = sheet_of(path)
    longest = max(len(str(cell.value)) for line in sheet for cell in line)
    assert longest < 32_767
    assert [cell.value for cell in sheet[1]][len(HEADER) :] == [
        *[f"caption (continued {number})" for number in range(2, 6)],
        "notes (continued 2)",
    ]
    assert same(read_corrections(path), [row, sheet_row(1)])


def test_rows_are_split_into_files_that_open(tmp_path):
    assert [part.indices(11_000)[:2] for part in sheet_parts(11_000)] == [
        (0, 5000),
        (5000, 10_000),
        (10_000, 11_000),
    ]
    assert len(sheet_parts(ROWS_A_FILE)) == len(sheet_parts(0)) == 1


@pytest.mark.slow
def test_the_parts_hold_every_row_once(tmp_path):
    rows = [sheet_row(number) for number in range(ROWS_A_FILE + 1)]
    written = write_workbooks(tmp_path, "review", rows, no_picture)
    assert [each.path.name for each in written] == ["review-1.xlsx", "review-2.xlsx"]
    assert same([row for each in written for row in read_corrections(each.path)], rows)


def test_one_file_has_no_number(tmp_path):
    write_workbooks(tmp_path, "review", [], no_picture)
    assert names(tmp_path) == ["review.xlsx"]
    assert read_corrections(tmp_path / "review.xlsx") == []


def test_more_rows_than_a_file_takes_are_refused(path):
    with pytest.raises(ValueError, match="5001"):
        write_xlsx(path, [sheet_row()] * 5001, no_picture, "review")
    assert not path.exists()


@pytest.mark.parametrize("name", ["review.xlsx", "review.csv"])
def test_a_file_with_a_persons_work_is_set_aside(tmp_path, name):
    def write(caption, known=()):
        rows = [sheet_row(caption=caption)]
        if name.endswith("csv"):
            return write_review_csv(tmp_path / name, rows, known)
        return write_xlsx(tmp_path / name, rows, no_picture, "review", known)

    first = write("a dog")
    assert first.set_aside is None
    assert write("a dog").set_aside is None
    assert write("two dogs", [first.sha256]).set_aside is None
    (tmp_path / name).write_bytes(b"a person's work")
    aside = write("three dogs", [first.sha256]).set_aside
    assert (tmp_path / aside).read_bytes() == b"a person's work"


def test_a_failed_picture_leaves_the_old_file_alone(path):
    def broken(row):
        raise OSError(5, "Input/output error")

    path.write_bytes(b"a person's work")
    with pytest.raises(OSError, match="Input/output"):
        write_xlsx(path, [sheet_row()], broken, "review")
    assert path.read_bytes() == b"a person's work"
    assert names(path.parent) == [path.name]


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """Sheets with odd texts and pictures, as LibreOffice saves them again."""
    folder = tmp_path_factory.mktemp("office")
    source = folder / "out" / "review.xlsx"
    source.parent.mkdir()
    write_xlsx(source, ODD_ROWS, picture, "review")
    return {
        kind: converted(source, options, folder)
        for kind, options in {
            "xlsx": "xlsx:Calc MS Excel 2007 XML",
            "ods": "ods",
            "csv": f"csv:Text - txt - csv (StarCalc):{CSV}",
        }.items()
    }


@pytest.mark.slow
@needs_office
@pytest.mark.parametrize("kind", ["xlsx", "ods", "csv"])
def test_every_text_comes_back_from_libreoffice(office, kind):
    assert same(read_corrections(office[kind]), ODD_ROWS)


@pytest.mark.slow
@needs_office
def test_libreoffice_keeps_what_a_sheet_allows(office):
    sheet = sheet_of(office["xlsx"])
    assert sheet.auto_filter.ref.startswith("A1:")
    (statuses,) = sheet.data_validations.dataValidation
    assert statuses.formula1 == f'"{",".join(ReviewStatus)}"'
    assert sheet.protection.sheet
    assert len(sheet._images) == len(ODD_ROWS)


SORT_AND_EDIT = """
Sub Work
  book = opened("{path}")
  sheet = book.Sheets.getByIndex(0)
  Open "{path}.frozen" For Output As #2
  Print #2, book.CurrentController.SplitColumn & " " & book.CurrentController.SplitRow
  Close #2
  sort(sheet, {column}, False)
  sheet.getCellByPosition(1, 1).FormulaLocal = "=1+1"
  sheet.getCellByPosition(1, 2).FormulaLocal = "1/2"
  sheet.getCellByPosition(1, 3).FormulaLocal = "바닷가의 개 🐕"
  save(book, "{path}.sorted.xlsx", "Calc MS Excel 2007 XML", "")
  book.close(True)
End Sub
"""


@pytest.mark.slow
@needs_office
def test_a_person_sorts_in_libreoffice_and_types_what_looks_like_a_formula(path):
    rows = [sheet_row(number) for number in range(6)]
    write_xlsx(path, rows, picture, "review")
    work(path.parent, SORT_AND_EDIT.format(path=path, column=HEADER.index("path")))
    assert Path(f"{path}.frozen").read_text().split() == ["2", "1"]
    back = Path(f"{path}.sorted.xlsx")
    found = {each.cells["path"]: each.cells["caption"] for each in read_corrections(back)}
    assert list(found) == [row.path for row in reversed(rows)]
    assert list(found.values())[:3] == ["=1+1", "1/2", "바닷가의 개 🐕"]
    assert set(list(found.values())[3:]) == {rows[0].caption}
    images = {image.anchor._from.row: image.ref.getvalue() for image in sheet_of(back)._images}
    assert [images[at] for at in range(1, 7)] == [picture(row) for row in reversed(rows)]


FILTER = """
Sub Work
  book = opened("{path}")
  sheet = book.Sheets.getByIndex(0)
  Dim only(0) As New com.sun.star.sheet.TableFilterField
  only(0).Field = {column} : only(0).IsNumeric = False : only(0).StringValue = "approved"
  only(0).Operator = com.sun.star.sheet.FilterOperator.NOT_EQUAL
  how = table(sheet).createFilterDescriptor(True)
  how.ContainsHeader = True
  how.setFilterFields(only())
  table(sheet).filter(how)
  save(book, "{path}.back.xlsx", "Calc MS Excel 2007 XML", "")
  save(book, "{path}.back.csv", "Text - txt - csv (StarCalc)", "{csv}")
  Open "{path}.hidden" For Output As #2
  Print #2, sheet.Rows.getByIndex(1).IsFiltered & " " & sheet.Rows.getByIndex(2).IsFiltered
  Close #2
  book.close(True)
End Sub
"""


@pytest.mark.slow
@needs_office
def test_rows_that_a_person_has_filtered_away_come_back_too(path):
    statuses = [ReviewStatus.EDITED, ReviewStatus.APPROVED, ReviewStatus.REJECTED]
    rows = [sheet_row(number, review_status=status) for number, status in enumerate(statuses)]
    write_xlsx(path, rows, no_picture, "review")
    code = FILTER.format(path=path, column=HEADER.index("review_status"), csv=CSV)
    work(path.parent, code)
    assert Path(f"{path}.hidden").read_text().split() == ["False", "True"]
    assert same(read_corrections(Path(f"{path}.back.xlsx")), rows)
    assert same(read_corrections(Path(f"{path}.back.csv")), rows)
