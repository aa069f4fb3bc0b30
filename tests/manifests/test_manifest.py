"""The Parquet manifest: whole, equal to what was written, and never silently wrong."""

import random
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import manifest
from manifests.columns import batch_of
from manifests.durable import sha256_file
from manifests.errors import ManifestError
from manifests.manifest import read_archive, read_records, write_records
from manifests.record import Status, sort_key
from manifests.schema import SCHEMA
from tests.manifests.examples import PLAIN, RECORD_LISTS, names, record, with_files


@pytest.fixture
def path(tmp_path):
    return tmp_path / "manifest.parquet"


def some_records(count):
    chance = random.Random(7)
    return [
        record(
            f"{number % 7}/{number:05}.jpg".encode(),
            caption=f"{chance.random()}",
            photo_id=chance.randbytes(32).hex(),
            confidence=chance.random(),
        )
        for number in range(count)
    ]


@with_files
@given(RECORD_LISTS)
def test_records_come_back_sorted(path, drawn):
    write_records(path, drawn, "/photos")
    assert read_records(path) == sorted(drawn, key=sort_key)


@with_files
@given(st.lists(st.floats(allow_nan=True), max_size=20))
def test_any_number_read_back_and_written_again_gives_equal_bytes(path, numbers):
    drawn = [record(b"%d" % i, confidence=n, log_prob=n) for i, n in enumerate(numbers)]
    first = write_records(path, drawn, "/photos")
    assert write_records(path, read_records(path), "/photos") == first


def test_equal_records_in_any_order_give_equal_bytes(path, tmp_path):
    rows = some_records(500)
    write_records(path, rows, "/photos")
    write_records(tmp_path / "other.parquet", reversed(rows), "/photos")
    assert path.read_bytes() == (tmp_path / "other.parquet").read_bytes()


def test_the_sha256_of_the_file_is_returned(path):
    assert write_records(path, some_records(3), "/photos") == sha256_file(path)


def test_rows_of_many_row_groups_come_back(path, monkeypatch):
    monkeypatch.setattr(manifest, "_ROWS_IN_A_GROUP", 10)
    rows = sorted(some_records(101), key=sort_key)
    write_records(path, rows, "/photos")
    assert pq.ParquetFile(path).num_row_groups == 11
    assert [each.photo_id for each in read_records(path)] == [each.photo_id for each in rows]


def test_the_archive_is_told(path):
    write_records(path, [], "/caf\udce9")
    assert read_archive(path) == "/caf\udce9"
    assert read_records(path) == []


def test_pandas_reads_it_with_nothing_but_its_own_means(path):
    write_records(path, [record(b"caf\xe9.jpg"), record(b"b.jpg", caption=None)], "/photos")
    table = pd.read_parquet(path)
    assert list(table["raw_path"]) == [b"b.jpg", b"caf\xe9.jpg"]
    assert list(table["path"]) == ["b.jpg", r"caf\xe9.jpg"]
    assert list(table["caption"].isna()) == [True, False]


def test_pages_are_zstd(path):
    write_records(path, some_records(5), "/photos")
    group = pq.ParquetFile(path).metadata.row_group(0)
    assert {group.column(i).compression for i in range(group.num_columns)} == {"ZSTD"}


def test_two_rows_for_one_photo_are_refused_and_the_old_manifest_stays(path):
    before = write_records(path, some_records(3), "/photos")
    with pytest.raises(ValueError, match=r"two records for one photo: b'a\\xe9.jpg'"):
        write_records(path, [record(b"a\xe9.jpg"), record(b"b"), record(b"a\xe9.jpg")], "/photos")
    assert sha256_file(path) == before


def test_a_failed_write_leaves_the_old_manifest_alone(path, monkeypatch):
    before = write_records(path, some_records(3), "/photos")

    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", fail)
    with pytest.raises(OSError, match="No space left"):
        write_records(path, some_records(5), "/photos")
    assert sha256_file(path) == before
    assert names(path.parent) == [path.name]


def test_rows_lost_on_the_way_are_found_before_the_file_has_its_name(path, monkeypatch):
    before = write_records(path, some_records(3), "/photos")
    monkeypatch.setattr(manifest, "batch_of", lambda rows, schema: batch_of(rows[:-1], schema))
    with pytest.raises(ManifestError, match="4 rows were written instead of 5"):
        write_records(path, some_records(5), "/photos")
    assert sha256_file(path) == before


def test_a_bit_flip_in_a_data_page_is_an_error_that_names_the_file(path):
    write_records(path, [record(b"%05d" % number) for number in range(2000)], "/photos")
    whole = path.read_bytes()
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    middle = column.data_page_offset + column.total_compressed_size // 2
    path.write_bytes(flipped(whole, middle, 4))
    with pytest.raises(
        ManifestError, match=r"manifest\.parquet: .*damaged.*CRC.*make verify REPAIR=1"
    ):
        read_records(path)


@pytest.mark.fault
@pytest.mark.slow
def test_a_bit_flip_anywhere_is_an_error_or_changes_nothing(path):
    rows = sorted(some_records(10), key=sort_key)
    write_records(path, rows, "/photos")
    whole = path.read_bytes()
    right = (read_records(path), "/photos")
    found = 0
    for at in range(0, len(whole), 5):
        path.write_bytes(flipped(whole, at, 1 << at % 8))
        try:
            assert (read_records(path), read_archive(path)) == right
        except ManifestError:
            found += 1
    assert found > len(whole) // 10


def flipped(whole, at, bit):
    return whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]


@pytest.mark.parametrize("keep", [0, 3, 100, -1, -100])
def test_a_cut_file_is_an_error(path, keep):
    write_records(path, some_records(10), "/photos")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ManifestError, match=r"manifest\.parquet"):
        read_records(path)


def test_another_programs_parquet_is_refused(path):
    pq.write_table(pa.table({"path": ["a.jpg"]}), path)
    for read in (read_records, read_archive):
        with pytest.raises(ManifestError, match="not a manifest of this program"):
            read(path)


def test_a_newer_manifest_is_refused(path):
    schema = SCHEMA.with_metadata({b"photo_captions.schema": b"5", b"photo_captions.archive": b""})
    pq.write_table(schema.empty_table(), path)
    with pytest.raises(ManifestError, match=r"manifest\.parquet: .*newer version"):
        read_records(path)


def test_a_status_out_of_the_list_is_refused(path):
    write_records(path, [replace(PLAIN, status="maybe")], "/photos")
    with pytest.raises(ManifestError, match="maybe"):
        read_records(path)


def test_a_missing_manifest_is_told_as_missing(path):
    with pytest.raises(FileNotFoundError):
        read_records(path)


def test_an_error_of_the_disk_is_not_called_a_damaged_manifest(path, monkeypatch):
    write_records(path, some_records(3), "/photos")

    def fail(self, **options):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", fail)
    with pytest.raises(OSError, match="Input/output error"):
        read_records(path)


def test_every_status_comes_back_as_itself(path):
    write_records(path, [record(status.encode(), status=status) for status in Status], "/photos")
    assert {each.status for each in read_records(path)} == set(Status)
    assert all(isinstance(each.status, Status) for each in read_records(path))
