"""What people bring back, whatever they and their programs did to it; and what is no such file."""

import csv
import datetime
import io
import os
import random
from contextlib import suppress
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from manifests import package
from manifests.corrections import read_corrections
from manifests.csv_cells import _decoded
from manifests.csv_view import write_csv
from manifests.errors import ManifestError
from manifests.record import sort_key
from manifests.spreadsheet import write_review_csv, write_xlsx
from tests.manifests.examples import RECORD_LISTS, with_files
from tests.manifests.office import converted, needs_office
from tests.manifests.sheets import no_picture, same, sheet_row

KOREAN = "바닷가를 달리는 개"
TABLE = 'path,caption,notes\r\na.jpg,"two\nlines; and, more",\r\nb.jpg,바닷가를 달리는 개,x\r\n'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "back.csv"


def cells(path):
    return [dict(each.cells) for each in read_corrections(path)]


def problem(path):
    with pytest.raises(ManifestError) as raised:
        read_corrections(path)
    assert raised.value.path == path
    assert raised.value.remedy
    return raised.value.problem


@with_files
@given(RECORD_LISTS)
def test_every_text_of_the_csv_view_comes_back(path, drawn):
    path.unlink(missing_ok=True)
    write_csv(path, drawn, None)
    in_order = sorted(drawn, key=sort_key)
    for column in ("path", "caption", "error", "taken_at", "photo_id"):
        expected = [getattr(each, column) or "" for each in in_order]
        assert [each.cells[column] for each in read_corrections(path)] == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-sig", "cp949"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_csv_of_any_spreadsheet_reads_the_same(path, encoding, separator, line_end):
    file = io.StringIO()
    rows = csv.reader(io.StringIO(TABLE, newline=""))
    csv.writer(file, delimiter=separator, lineterminator=line_end).writerows(rows)
    text = file.getvalue()
    big_endian = b"\xfe\xff" + text.encode("utf-16-be")
    path.write_bytes(big_endian if encoding.endswith("be-sig") else text.encode(encoding))
    assert cells(path) == [
        {"path": "a.jpg", "caption": "two\nlines; and, more", "notes": ""},
        {"path": "b.jpg", "caption": KOREAN, "notes": "x"},
    ]
    assert [each.line for each in read_corrections(path)] == [2, 3]


def test_headers_and_rows_may_have_been_moved_and_retyped(path):
    path.write_text(
        "From Kim\n\n Review  Status ,,PHOTO ID, mine\n\n, ,,\napproved,?,ab,1\nedited\n"
    )
    assert [(each.line, dict(each.cells)) for each in read_corrections(path)] == [
        (6, {"review_status": "approved", "photo_id": "ab", "mine": "1"}),
        (7, {"review_status": "edited", "photo_id": "", "mine": ""}),
    ]


def test_a_first_line_for_excel_is_not_counted(path):
    path.write_text('sep=;\r\n"path";"caption"\r\n"a.jpg";"a, b"\r\n')
    (row,) = read_corrections(path)
    assert (row.line, dict(row.cells)) == (2, {"path": "a.jpg", "caption": "a, b"})


def test_escapes_are_undone_and_all_else_is_only_text(path):
    path.write_text("path,caption\n../../etc/passwd,'=1+1\n<script>,=1+1\n'tis,a\\x07\n")
    assert [list(row.values()) for row in cells(path)] == [
        ["../../etc/passwd", "=1+1"],
        ["<script>", "=1+1"],
        ["'tis", "a\x07"],
    ]


def test_the_kind_is_told_by_the_content(tmp_path):
    write_xlsx(tmp_path / "review.xlsx", [sheet_row()], no_picture, "review")
    write_review_csv(tmp_path / "review.csv", [sheet_row()])
    (tmp_path / "review.xlsx").rename(tmp_path / "a.csv")
    (tmp_path / "review.csv").rename(tmp_path / "a.xlsx")
    assert same(read_corrections(tmp_path / "a.csv"), [sheet_row()])
    assert same(read_corrections(tmp_path / "a.xlsx"), [sheet_row()])


def book(path, rows, **options):
    made = openpyxl.Workbook()
    made.active.append(["something", "else"])
    sheet = made.create_sheet()
    for row in rows:
        sheet.append(row)
    for name, form in options.items():
        sheet[name].number_format = form
    made.save(path)
    return path


def test_cells_typed_without_our_format_become_what_was_typed(path):
    typed = [5, 0.1 + 0.2, 1e20, True, datetime.date(2019, 5, 1), 0.5, "=SUM(1;2)", "#N/A"]
    moment = datetime.datetime(2019, 5, 1, 10, 30)
    book(path, [["path", *"abcdefgh", "i"], ["x.jpg", *typed, moment]], G2="0%")
    (row,) = cells(path)
    assert list(row.values()) == [
        "x.jpg", "5", "0.3", "1e+20", "TRUE", "2019-05-01", "50%", "=SUM(1;2)", "#N/A",
        "2019-05-01 10:30:00",
    ]  # fmt: skip


def test_rows_are_numbered_as_the_spreadsheet_shows_them(path):
    book(path, [["For Lee"], ["path"], [None], ["a.jpg"], [""], ["b.jpg"]])
    assert [(row.line, row.cells["path"]) for row in read_corrections(path)] == [
        (4, "a.jpg"),
        (6, "b.jpg"),
    ]


@pytest.mark.slow
@needs_office
def test_formulas_and_notes_in_ods_are_texts(tmp_path):
    source = tmp_path / "out" / "back.xlsx"
    source.parent.mkdir()
    rows = [["path", "caption", "n"], ["a.jpg", "=1+1", 5], ["b  b.jpg", "a\n\nb  ", 0.25]]
    made = openpyxl.load_workbook(book(source, rows))
    made.worksheets[1]["B3"].comment = openpyxl.comments.Comment("a remark", "Kim")
    made.save(source)
    assert [list(row.values()) for row in cells(converted(source, "ods", tmp_path))] == [
        ["a.jpg", "=1+1", "5"],
        ["b  b.jpg", "a\n\nb  ", "0.25"],
    ]


def xlsx_with(path, name, change):
    """Write an XLSX file, one member of it changed."""
    write_xlsx(path.with_name("whole.xlsx"), [sheet_row()], no_picture, "review")
    with ZipFile(path.with_name("whole.xlsx")) as whole, ZipFile(path, "w", ZIP_DEFLATED) as made:
        for each in whole.namelist():
            made.writestr(each, change(whole.read(each)) if each == name else whole.read(each))


SHARED = "xl/sharedStrings.xml"
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize("name", [SHARED, "xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_a_doctype_is_refused(path, name):
    xlsx_with(path, name, lambda xml: xml.replace(b"?>", b"?>" + BOMB, 1))
    assert "DTDForbidden" in problem(path)


def test_what_unpacks_to_too_much_is_refused_before_it_is_read(path):
    xlsx_with(path, SHARED, lambda xml: xml + b" " * (package._MEMBER_LIMIT + 1))
    assert path.stat().st_size < 2**20
    assert "unpacks to" in problem(path)


def test_a_sheet_that_claims_a_million_wide_rows_is_read_in_no_time(path):
    far = b'<row r="1048576"><c r="XFD1048576" t="str"><v>far</v></c></row></sheetData>'
    xlsx_with(path, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"</sheetData>", far))
    assert same(read_corrections(path), [sheet_row()])


def test_what_excel_writes_for_line_ends_is_read(path):
    xlsx_with(path, SHARED, lambda xml: xml.replace(b"a dog runs on", b"a dog_x000D_\nruns on"))
    assert cells(path)[0]["caption"] == "a dog\r\nruns on the beach"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n", "no column"),
        (b"name,caption\na.jpg,x\n", "no column"),
        (b"path,caption,Caption \na.jpg,x,y\n", "two columns are named 'caption'"),
        (b"path,caption\na.jpg,a dog, running\n", "row 2 has more cells"),
        (b'"path","caption"\r\n"a.jpg","cut of', "a quote at or before line 2"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600, "old Excel"),
        (b"PK\x03\x04 but no more", "damaged"),
        (b"path,caption\na.jpg,\0\n", "no table of text"),
        ("path\n바다.jpg\n바닷가".encode()[:-1], "UTF-8 with a damaged place (byte 22)"),
        ("\ufeffpath\na.jpg".encode() + b"\xff", "UTF-8 with a damaged place"),
        (b"path\ncaf\xe9\n\xff\xff\xff", "neither UTF-8 nor Korean"),
        (b"\xff\xfep\0a\0t\0h", "neither UTF-8 nor Korean"),
        (random.Random(1).randbytes(64) + b"\0\xff\xff", ""),
    ],
)
def test_what_is_no_sheet_is_named_with_a_remedy(path, data, said):
    path.write_bytes(data)
    assert said in problem(path)


def test_a_zip_of_something_else_is_no_spreadsheet(path):
    with ZipFile(path, "w") as made:
        made.writestr("photo.txt", "path")
    assert "no spreadsheet" in problem(path)


def test_what_is_no_file_is_named(tmp_path):
    assert "folder" in problem(tmp_path)
    assert "no file" in problem(tmp_path / "gone.csv")
    with pytest.raises(ManifestError, match="XLSX, ODS or CSV"):
        read_corrections(tmp_path / "gone.csv")
    os.mkfifo(tmp_path / "pipe")
    assert "no file" in problem(tmp_path / "pipe")


def test_a_file_beyond_all_sheets_is_refused(path):
    with path.open("wb") as file:
        file.truncate(2**31)
    assert "larger" in problem(path)


@pytest.mark.fault
@with_files
@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_never_breaks_the_program(path, data):
    xlsx_with(path, SHARED, bytes)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    try:
        read_corrections(path)
    except ManifestError as error:
        assert error.path == path


@pytest.mark.parametrize("name", [SHARED, "xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_odd_xml_within_is_refused(path, name):
    xlsx_with(path, name, lambda xml: b"<x/>")
    assert problem(path)


def test_a_big_text_in_a_csv_is_no_obstacle(path):
    path.write_text(f"path,caption\na.jpg,{'x' * 300_000}\n")
    assert len(cells(path)[0]["caption"]) == 300_000


@pytest.mark.parametrize(
    "caption",
    [
        "개",
        "바닷가를 달리는 갈색 개",
        "친구와 책을 읽는 아이들이 창가에 앉아 있다.",
        "다 큰 고양이와 café 앞의 자전거",
        "철수",
        "椅子에 앉은 사람 ①",
    ],
)
def test_korean_of_old_windows_is_told_from_utf_8(path, caption):
    for encoding in ("cp949", "utf-8") if "é" not in caption else ("utf-8",):
        path.write_bytes(f"path,caption\na.jpg,{caption}\n".encode(encoding))
        assert cells(path) == [{"path": "a.jpg", "caption": caption}]


def reads_as_utf_8(data):
    return data.decode("utf-8", "ignore").encode() == data


@given(st.text(st.characters(codec="cp949"), min_size=1))
def test_korean_that_cannot_be_told_is_refused_rather_than_changed(text):
    data = text.encode("cp949")
    assume("\0" not in text and not reads_as_utf_8(data))
    with suppress(ManifestError):
        assert _decoded(Path("x"), data) == text


@pytest.mark.parametrize(
    "header",
    [
        'ï»¿"path",caption',  # as Windows-1252 or Latin-1
        '"ï»¿""path""","caption"',  # and saved again by LibreOffice
        "ï»¿path,caption",
        "caption,ï»¿path",  # columns moved
        'Ôªø"path",caption',  # as Mac Roman
        "癤퓈ath,photo_id,caption",  # as Korean Windows' encoding
        '"癤\ufffdpath""","caption","photo_id"',
        "믯炿瑡ⱨ慣瑰潩",  # as UTF-16
        "ÿþpath,caption",  # UTF-16 as Latin-1
        "For Lee\n\nï»¿path,caption",
    ],
)
@pytest.mark.parametrize("saved_as", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_that_was_opened_in_another_encoding_is_refused(path, header, saved_as):
    path.write_text(f"{header}\na.jpg,x,y\n", encoding=saved_as)
    assert "another encoding than UTF-8" in problem(path)


def test_so_is_a_workbook_of_such_a_file(path):
    book(path, [['ï»¿"path"', "photo_id"], ["a.jpg", "ab"]])
    assert "another encoding than UTF-8" in problem(path)


def test_a_mark_too_many_does_no_harm(path):
    path.write_text('\ufeff\ufeff"path","caption"\r\n"a.jpg","개"\r\n', encoding="utf-8")
    assert cells(path) == [{"path": "a.jpg", "caption": "개"}]
