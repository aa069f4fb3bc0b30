"""The CSV view: what a spreadsheet and a program read in it, and that edits in it are kept."""

import csv
from dataclasses import fields

import pandas as pd
import pytest
from hypothesis import given

from manifests.csv_view import COLUMNS, columns_with, csv_sha256, spoken_besides, write_csv
from manifests.durable import sha256_file
from manifests.record import LanguageCaption, Record, Status, languages_of, sort_key
from manifests.review import digest
from manifests.text import unescape_cell
from tests.manifests.examples import PLAIN, RECORD_LISTS, names, record, with_files

NOTHING = digest("")
FAILED = record(
    b"a.jpg",
    **dict.fromkeys(("caption", "confidence", "log_prob", "photo_id", "captioner", "decode")),
    **dict.fromkeys(("width", "height", "format", "frames", "taken_at")),
    status=Status.TRUNCATED,
    alternatives=(),
    error='cut "short"',
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "captions.csv"


def rows(path):
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_whole_file_to_the_byte(path):
    write_csv(path, [record(b"dog \xed\x95\x9c.jpg"), FAILED], None)
    assert path.read_bytes().decode("utf-8") == (
        '\ufeff"path","caption","caption_human","review_status","reviewer","notes","suggestion",'
        '"status","confidence","alternatives","log_prob","photo_id","captioner","decode","width",'
        '"height","format","frames","taken_at","error","size","base"\r\n'
        '"a.jpg","","","unreviewed","","","","truncated","","","","","","","","","","","",'
        f'"cut ""short""","123456",".unreviewed.{NOTHING}.{NOTHING}.{NOTHING}"\r\n'
        '"dog 한.jpg","a dog runs on the beach","","unreviewed","","","","captioned","0.750",'
        '"a dog on the beach | a dog",'
        f'"-4.500","{"ab" * 32}","flickr8k@12ab","beam 3","4000","3000","JPEG","1",'
        f'"2019-05-01T10:00:00","","123456",".unreviewed.{digest(PLAIN.caption)}.{NOTHING}.{NOTHING}"\r\n'
    )


@with_files
@given(RECORD_LISTS)
def test_every_text_comes_back_through_csv(path, drawn):
    write_csv(path, drawn, None)
    in_order = sorted(drawn, key=sort_key)
    for column in ("path", "caption", "error", "taken_at"):
        expected = [getattr(each, column) or "" for each in in_order]
        assert [unescape_cell(row[column]) for row in rows(path)] == expected


@with_files
@given(RECORD_LISTS)
def test_pandas_reads_the_same_cells(path, drawn):
    write_csv(path, drawn, None)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert list(table.columns) == columns_with(languages_of(drawn), spoken_besides(drawn))
    assert table.to_dict("records") == rows(path)


def test_each_language_stands_beside_the_caption(path):
    both = (
        LanguageCaption("en", "A dog.", 0.5, "a@1"),
        LanguageCaption("ko", "개가 달린다.", 0.25, "b@2"),
    )
    write_csv(path, [record(b"a.jpg", caption="A dog.", languages=both), record(b"b.jpg")], None)
    table = pd.read_csv(path, keep_default_na=False)
    first = "path caption caption_en confidence_en caption_ko confidence_ko caption_human"
    assert list(table.columns[:7]) == first.split()
    assert table.loc[0, "caption_ko"] == "개가 달린다."
    assert list(table["confidence_ko"]) == ["0.250", ""]


def test_numbers_are_numbers_to_pandas(path):
    write_csv(path, [PLAIN], None)
    row = pd.read_csv(path).iloc[0]
    assert (row["confidence"], row["log_prob"], row["width"]) == (0.75, -4.5, 4000)


def test_a_lone_surrogate_does_not_stop_the_writing(path):
    write_csv(path, [record(error="caf\udce9")], None)
    assert rows(path)[0]["error"] == r"caf\udce9"


def test_the_sha256_is_the_files_and_is_known_beforehand(path):
    drawn = [record(b"%d" % number) for number in range(2000)]
    written = write_csv(path, drawn, None)
    assert written.sha256 == sha256_file(path) == csv_sha256(reversed(drawn))
    assert written.set_aside is None


def test_our_own_file_is_replaced_without_a_copy(path):
    first = write_csv(path, [PLAIN], None)
    second = write_csv(path, [record(caption="two dogs")], first.sha256)
    assert second.set_aside is None
    assert rows(path)[0]["caption"] == "two dogs"
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize("expected", [None, "0" * 64])
def test_a_file_that_is_not_ours_is_kept(path, expected):
    path.write_bytes(b"a person's work")
    assert write_csv(path, [PLAIN], expected).set_aside == "captions.edited-1.csv"
    assert path.with_name("captions.edited-1.csv").read_bytes() == b"a person's work"
    assert rows(path)[0]["caption"] == PLAIN.caption


def test_each_edit_is_kept_under_a_name_of_its_own(path):
    written = write_csv(path, [PLAIN], None)
    for number in (1, 2, 3):
        path.write_bytes(b"edit %d" % number)
        written = write_csv(path, [PLAIN], written.sha256)
        assert written.set_aside == f"captions.edited-{number}.csv"
    kept = [path.with_name(f"captions.edited-{number}.csv").read_bytes() for number in (1, 2, 3)]
    assert kept == [b"edit 1", b"edit 2", b"edit 3"]


def test_the_bytes_we_would_write_are_no_edit(path):
    write_csv(path, [PLAIN], None)
    assert write_csv(path, [PLAIN], "0" * 64).set_aside is None
    assert names(path.parent) == [path.name]


def test_an_edit_saved_while_we_write_is_kept(path):
    first = write_csv(path, [PLAIN], None)

    def meanwhile():
        path.write_bytes(b"saved during the run")
        yield PLAIN

    assert write_csv(path, meanwhile(), first.sha256).set_aside == "captions.edited-1.csv"
    assert path.with_name("captions.edited-1.csv").read_bytes() == b"saved during the run"


def test_a_failed_write_leaves_the_edited_file_alone(path):
    path.write_bytes(b"a person's work")

    def broken():
        yield PLAIN
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_csv(path, broken(), None)
    assert path.read_bytes() == b"a person's work"
    assert names(path.parent) == [path.name]


def test_only_what_is_for_programs_alone_is_left_out():
    left_out = {"raw_path", "mtime_ns", "languages", "language", "reviews", "offers"}
    people = {"caption_human", "review_status", "reviewer", "notes", "suggestion", "base"}
    assert {*COLUMNS} - people == {field.name for field in fields(Record)} - left_out
