"""The CSV view as a real spreadsheet opens it."""

from xml.etree import ElementTree

import pytest

from manifests.csv_view import COLUMNS, write_csv
from tests.manifests.examples import record
from tests.manifests.office import converted, needs_office

TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"

pytestmark = [pytest.mark.slow, needs_office]


# What its import dialog offers for such a file: comma, semicolon and tab as separators, UTF-8, and
# formulas let run, which is the worst case.
IMPORT = "Text - txt - csv (StarCalc):44/59/9,34,76,1,,0,false,true,false,false,false,0,true"


def opened(path):
    """Return the rows of a CSV file as LibreOffice sees them, each cell as text, formula, value."""
    root = ElementTree.parse(converted(path, "fods", path.parent, f"--infilter={IMPORT}")).getroot()
    return [
        [seen for cell in row.iter(f"{TABLE}table-cell") for seen in cells(cell)]
        for row in root.iter(f"{TABLE}table-row")
    ]


def cells(cell):
    """Return what one element stands for: equal neighbours are written once, with a count."""
    text = "\n".join("".join(line.itertext()) for line in cell.iter(f"{TEXT}p"))
    count = int(cell.get(f"{TABLE}number-columns-repeated", "1"))
    return [(text, cell.get(f"{TABLE}formula"), cell.get(f"{OFFICE}value"))] * count


def test_libreoffice_opens_names_captions_and_formulas_as_texts(tmp_path):
    path = tmp_path / "captions.csv"
    drawn = [
        record(b"two\nlines.jpg", caption="=1+1"),
        record(b"z.jpg", caption='=HYPERLINK("http://example.com";"x")', log_prob=-1.5),
        record(b"zz.jpg", caption="\uff1d1+1", error="bell\x07"),
        record("바다/개; 공, 원반.jpg".encode(), caption="바닷가를 달리는 개 🐕"),
    ]
    write_csv(path, drawn, None)
    header, *rows = opened(path)
    assert [text for text, _, _ in header] == list(COLUMNS)
    assert [[text for text, _, _ in row[:2]] for row in rows] == [
        ["two\nlines.jpg", "'=1+1"],
        ["z.jpg", '\'=HYPERLINK("http://example.com";"x")'],
        ["zz.jpg", "'\uff1d1+1"],
        ["바다/개; 공, 원반.jpg", "바닷가를 달리는 개 🐕"],
    ]
    assert rows[2][COLUMNS.index("error")][0] == r"bell\x07"
    assert rows[1][COLUMNS.index("log_prob")][2] == "-1.5"
    assert not [cell for row in rows for cell in row if cell[1] is not None]


def test_libreoffice_would_run_a_formula_that_is_not_escaped(tmp_path):
    path = tmp_path / "raw.csv"
    path.write_text('"path","=1+1"\r\n', "utf-8-sig", newline="")
    assert opened(path)[0][1] == ("2", "of:=1+1", "2")
