"""Records to Arrow columns and back, a column at a time."""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, Final

import pyarrow as pa

from manifests.record import Record, Status
from manifests.schema import SCHEMA

_INT64: Final = (-(2**63), 2**63 - 1)


def batch_of(records: Sequence[Record], schema: pa.Schema) -> pa.RecordBatch:
    """Return the records as columns; `schema` is SCHEMA with its metadata."""
    columns = [_column(field, records) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def records_of(batch: pa.RecordBatch) -> Iterator[Record]:
    """Return the rows of a batch; raises ValueError where one is not as a record must be."""
    batch.validate(full=True)
    columns = {name: batch.column(name).to_pylist() for name in SCHEMA.names}
    columns["status"] = map(Status, columns["status"])
    columns["alternatives"] = map(tuple, columns["alternatives"])
    return map(Record, *columns.values())


def _column(field: pa.Field, records: Sequence[Record]) -> pa.Array:
    values = list(map(attrgetter(field.name), records))
    try:
        return pa.array(values, field.type)
    except (UnicodeEncodeError, OverflowError):
        return pa.array([_storable(value) for value in values], field.type)


def _storable(value: Any) -> Any:
    """Change what Arrow can't hold: one odd photo must not cost the whole manifest.

    Lone surrogates (a name in the message of an OSError) are written out; an integer (a date past
    2262 in nanoseconds) becomes the nearest that 64 bits hold.
    """
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case tuple():
            return tuple(map(_storable, value))
        case int():
            return min(max(value, _INT64[0]), _INT64[1])
    return value
