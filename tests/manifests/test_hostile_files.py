"""Sheets, captions and manifests that were made to do harm are refused: soon, in little memory."""

import hashlib
import io
import json
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from manifests.corrections import read_corrections
from manifests.errors import ManifestError
from manifests.foreign import Columns
from manifests.foreign_files import read_captions
from manifests.formers import read_formers
from manifests.groups import read_apart, read_groups
from manifests.journal import Journal
from manifests.manifest import read_records, write_records
from manifests.samples import last_sample
from manifests.schema import schema_for
from manifests.sidecar import read_xmp
from tests.hostile import bounded
from tests.manifests.examples import record

ODS = "urn:oasis:names:tc:opendocument:xmlns:"


def captions(path):
    return list(read_captions(path, Columns(), read_xmp))


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in members.items():
            package.writestr(name, data)
    return path


def workbook_parts():
    """Give the parts of a workbook of one row."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["path", "caption"])
        sheet.write_row(1, 0, ["a.jpg", "words"])
    with zipfile.ZipFile(file) as package:
        return {name: package.read(name) for name in package.namelist()}


def ods_parts(rows):
    content = f'<o xmlns:table="{ODS}table:1.0" xmlns:text="{ODS}text:1.0">{rows}</o>'
    return {"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": content}


def test_a_doctype_is_refused_in_a_part_of_any_name(tmp_path):
    parts = workbook_parts()
    sheet = parts.pop("xl/worksheets/sheet1.xml")
    parts["xl/worksheets/sheet1.bin"] = b'<!DOCTYPE a [<!ENTITY b "c">]>\n' + sheet
    for name in ("xl/_rels/workbook.xml.rels", "[Content_Types].xml"):
        parts[name] = parts[name].replace(b"sheet1.xml", b"sheet1.bin")
    with pytest.raises(ManifestError, match="DTDForbidden"):
        read_corrections(write_zip(tmp_path / "a.xlsx", parts))


def test_a_long_text_that_many_cells_share_is_refused_and_not_copied(tmp_path):
    parts = workbook_parts()
    cells = '<row><c t="s"><v>0</v></c><c t="s"><v>2</v></c></row>'
    head = '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>'
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    parts["xl/sharedStrings.xml"] = (
        f"<sst {main}><si><t>path</t></si><si><t>caption</t></si>"
        f"<si><t>{chr(92)}x07{'a' * 4_000_000}</t></si></sst>"
    )
    parts["xl/worksheets/sheet1.xml"] = (
        f"<worksheet {main}><sheetData>{head}{cells * 100_000}</sheetData></worksheet>"
    )
    path = write_zip(tmp_path / "a.xlsx", parts)
    assert path.stat().st_size < 100_000
    with bounded(1_500), pytest.raises(ManifestError, match="letters"):
        read_corrections(path)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (
            "<table:table>"
            "<table:table-row><table:table-cell><text:p>path</text:p></table:table-cell>"
            "</table:table-row>"
            '<table:table-row table:number-rows-repeated="1048575">'
            f"<table:table-cell><text:p>{'a' * 5_000}</text:p></table:table-cell>"
            "</table:table-row></table:table>",
            "letters",
        ),
        (
            '<table:table><table:table-row table:number-rows-repeated="1048576"><table:table-cell>'
            "<text:p>a</text:p></table:table-cell></table:table-row></table:table>" * 500,
            "rows",
        ),
    ],
    ids=["a long text over and over", "a table over and over"],
)
def test_rows_that_an_ods_repeats_without_end_are_refused(tmp_path, rows, why):
    path = write_zip(tmp_path / "a.ods", ods_parts(rows))
    with bounded(1_500), pytest.raises(ManifestError, match=why):
        read_corrections(path)


@pytest.mark.parametrize("separator", [b",", b";", b"\t"])
def test_a_line_of_a_million_cells_is_refused_before_it_is_taken_apart(tmp_path, separator):
    path = tmp_path / "a.csv"
    path.write_bytes(b"path,caption\n" + separator * 20_000_000)
    with bounded(300), pytest.raises(ManifestError, match="cells"):
        read_corrections(path)


def test_a_csv_with_a_nul_is_no_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"path,caption\na.jpg,\0\n")
    with pytest.raises(ManifestError, match="no table"):
        read_corrections(path)


def test_a_spreadsheet_s_links_and_formulas_are_texts_that_nothing_follows(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["path", "caption"])
    book.active.append(["a.jpg", '=WEBSERVICE("http://127.0.0.1:9/")'])
    book.active.append(["b.jpg", "='[/etc/passwd]Sheet1'!A1"])
    book.save(tmp_path / "a.xlsx")
    said = [each.cells["caption"] for each in read_corrections(tmp_path / "a.xlsx")]
    assert said == ['=WEBSERVICE("http://127.0.0.1:9/")', "='[/etc/passwd]Sheet1'!A1"]


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1"])
def test_json_of_nothing_but_brackets_is_refused_before_it_is_read(tmp_path, value):
    path = tmp_path / "a.json"
    path.write_bytes(b"[" + b",".join([value] * 10_000_000) + b"]")
    with bounded(200), pytest.raises(ManifestError, match="brackets"):
        captions(path)


@pytest.mark.parametrize("depth", [100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_that_is_nested_too_deep_is_told(tmp_path, opening, depth):
    path = tmp_path / "a.json"
    path.write_text(opening * depth, "ascii")
    with pytest.raises(ManifestError, match="deep"):
        captions(path)


def journal_of(out, *lines):
    """Write a journal by hand, its name as true as its bytes."""
    data = "".join(f"{line}\n" for line in lines).encode()
    (out / "reviews").mkdir()
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = out / "reviews" / f"000001-{digest}.jsonl"
    path.write_bytes(data)
    return path


HEAD = {"photo_captions.reviews": 1, "kind": "merge", "at": "", "source": "", "undoes": None}


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"is": "said"}',
        '{"is": "__import__", "path": "a", "photo_id": "b"}',
        '{"is": "said", "path": "a", "photo_id": "b", "status": "no status", "language": ""}',
    ],
)
def test_a_journal_from_elsewhere_is_told_and_nothing_is_written(tmp_path, line):
    path = journal_of(tmp_path, json.dumps(HEAD), line)
    with pytest.raises(ManifestError, match="damaged"):
        Journal(tmp_path).read()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("groups.parquet", read_groups),
        ("apart.json", read_apart),
        ("sample-0001.json", last_sample),
    ],
)
def test_what_stands_beside_the_journal_is_refused_where_it_is_something_else(tmp_path, name, read):
    (tmp_path / name).write_text("[" * 100_000, "ascii")
    with pytest.raises(ManifestError, match=name):
        read(tmp_path)


def manifest_of_nothing(path, rows):
    """Write a manifest whose rows are all alike: a million in a few thousand bytes."""
    schema = schema_for("/photos")
    one = {
        name: [value] * 1_000_000
        for name, value in {
            "path": "a.jpg",
            "status": "captioned",
            "alternatives": [],
            "raw_path": b"a.jpg",
            "size": 1,
            "mtime_ns": 1,
            "review_status": "unreviewed",
            "reviews": [],
            "offers": [],
        }.items()
    }
    columns = [
        pa.array(one[field.name], field.type)
        if field.name in one
        else pa.nulls(1_000_000, field.type)
        for field in schema
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for _ in range(rows // 1_000_000):
            writer.write_batch(batch)


def test_a_small_manifest_that_claims_many_rows_is_refused_before_they_are_read(tmp_path):
    path = tmp_path / "captions.parquet"
    manifest_of_nothing(path, 3_000_000)
    assert path.stat().st_size < 300_000
    with bounded(100), pytest.raises(ManifestError, match="3,000,000 rows"):
        read_records(path)


def test_a_text_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "captions.parquet"
    write_records(path, [record(b"a.jpg", caption="a" * 200_000_000)], "/photos")
    assert path.stat().st_size < 100_000
    with bounded(100), pytest.raises(ManifestError, match="unpacks"):
        read_records(path)


def test_an_extension_type_in_a_manifest_is_never_made(tmp_path):
    path = tmp_path / "captions.parquet"
    schema = schema_for("/photos")
    uuid = pa.field("photo_id", pa.uuid())
    schema = schema.set(schema.get_field_index("photo_id"), uuid)
    pq.write_table(schema.empty_table(), path)
    with pytest.raises(ManifestError, match="not a manifest"):
        read_records(path)


@pytest.mark.parametrize("read", [read_formers, lambda out: read_groups(out / "reviews")])
def test_tables_beside_the_journal_are_held_to_their_size_too(tmp_path, read):
    (tmp_path / "reviews").mkdir()
    schema = pa.schema(
        [pa.field("photo_id", pa.string(), False), pa.field("leader", pa.string(), False)],
        {
            b"photo_captions.groups": b"1",
            b"photo_captions.made_from": b"",
            b"photo_captions.compared": b"0",
        },
    )
    table = pa.table([pa.array(["a"] * 5_000_000)] * 2, schema=schema)
    for name in ("groups.parquet", "former-a.parquet"):
        pq.write_table(table.rename_columns(["photo_id", "leader"]), tmp_path / "reviews" / name)
    with bounded(100), pytest.raises(ManifestError, match="5,000,000 rows"):
        read(tmp_path)


XMP_BOMBS = {
    "a billion laughs": b'<!DOCTYPE x [<!ENTITY a "aaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
    "an entity of another file": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "a DOCTYPE in UTF-16": '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'.encode("utf-16"),
    "more bytes than any sidecar": b"<x>" + b" " * 11_000_000 + b"</x>",
    "elements within elements": b"<x>" * 1_000_000,
    "a text of many megabytes": b"<x>" + b"a" * 9_900_000 + b"</x>",
    "many attributes": b"<x " + b" ".join(b'a%d="b"' % at for at in range(500_000)) + b"/>",
}


@pytest.mark.parametrize("data", XMP_BOMBS.values(), ids=XMP_BOMBS)
def test_xmp_that_was_made_to_do_harm_is_refused_in_little_memory(data):
    with bounded(300), pytest.raises(ValueError, match=r"DOCTYPE|bytes|well-formed|rdf:RDF"):
        read_xmp(data)
