"""Records to Arrow columns and back."""

import pyarrow as pa
import pytest
from hypothesis import given

from manifests.columns import batch_of, records_of
from manifests.record import languages_of
from manifests.schema import SCHEMA, schema_for
from tests.manifests.examples import RECORD_LISTS, record, with_files


@with_files
@given(RECORD_LISTS)
def test_records_come_back_from_columns(drawn):
    schema = schema_for("/photos", languages_of(drawn))
    assert list(records_of(batch_of(drawn, schema))) == drawn


def back(**changes):
    return next(iter(records_of(batch_of([record(b"a"), record(**changes)], SCHEMA).slice(1))))


def test_a_lone_surrogate_is_written_out_instead_of_losing_the_manifest():
    found = back(error="no such file: caf\udce9.jpg", alternatives=("\udce9", "바다"))
    assert found.error == r"no such file: caf\udce9.jpg"
    assert found.alternatives == (r"\udce9", "바다")


@pytest.mark.parametrize(("given_ns", "kept_ns"), [(2**64, 2**63 - 1), (-(2**70), -(2**63))])
def test_a_date_out_of_range_becomes_the_nearest_that_fits(given_ns, kept_ns):
    assert back(mtime_ns=given_ns).mtime_ns == kept_ns


def test_texts_that_many_rows_have_are_in_memory_once():
    drawn = [record(b"a.jpg"), record(b"b.jpg", caption="a cat")]
    first, second = records_of(batch_of(drawn, SCHEMA))
    for name in ("captioner", "decode", "format", "language", "width"):
        assert getattr(first, name) is getattr(second, name)


def test_lists_of_a_part_of_the_rows_are_their_own():
    drawn = [record(str(n).encode(), alternatives=tuple("abc"[:n])) for n in range(4)]
    part = batch_of(drawn, SCHEMA).slice(1, 2)
    assert [each.alternatives for each in records_of(part)] == [("a",), ("a", "b")]
    assert [*records_of(part.slice(0, 0))] == []


def test_a_status_out_of_the_list_is_an_error():
    batch = batch_of([record()], SCHEMA).set_column(
        SCHEMA.get_field_index("status"), SCHEMA.field("status"), pa.array(["maybe"])
    )
    with pytest.raises(ValueError, match="maybe"):
        list(records_of(batch))
