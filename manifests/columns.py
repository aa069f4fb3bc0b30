"""Records to Arrow columns and back, a column at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final

import pyarrow as pa

from manifests.record import LanguageCaption, Record, Status
from manifests.review import Offer, Review, ReviewStatus
from manifests.schema import REVIEWS, SCHEMA, has_reviews, language_columns, languages_in

_INT64: Final = (-(2**63), 2**63 - 1)
_ALIKE: Final = frozenset({"captioner", "decode", "width", "height", "format", "frames", "error"})
"""Columns in which few values differ from one row to the next."""


def batch_of(records: Sequence[Record], schema: pa.Schema) -> pa.RecordBatch:
    """Return the records as columns; `schema` is that of `schema_for`."""
    columns = [_column(field, map(_reader(field.name), records)) for field in SCHEMA]
    for language in languages_in(schema):
        said = [_in_language(record, language) for record in records]
        for name in language_columns(language):
            values = (getattr(each, name.partition("_")[0], None) for each in said)
            columns.append(_column(schema.field(name), values))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def records_of(batch: pa.RecordBatch) -> Iterator[Record]:
    """Return the rows of a batch; raises ValueError where one is not as a record must be."""
    batch.validate(full=True)
    names = [name for name in SCHEMA.names if name not in REVIEWS.names]
    columns = (_values(name, batch.column(name)) for name in names)
    reviewed = _reviews_of(batch) if has_reviews(batch.schema) else ()
    return map(Record, *columns, _languages_of(batch), *reviewed)


def _values(name: str, column: pa.Array) -> Iterable[Any]:
    if name == "alternatives":
        return _rows_of(column)
    values = column.to_pylist()
    if name == "status":
        return map(_Once(Status).__getitem__, values)
    return map(_Once().__getitem__, values) if name in _ALIKE else values


class _Once(dict[Any, Any]):
    """What is made of a value, made once: in a column in which few differ, that saves memory."""

    def __init__(self, make: Callable[[Any], Any] = lambda value: value) -> None:
        self._make = make

    def __missing__(self, value: Any) -> Any:
        self[value] = made = self._make(value)
        return made


def _rows_of(
    column: pa.Array, make: Callable[[Any], Any] = lambda value: value
) -> list[tuple[Any, ...]]:
    """Give the lists of a column, with what is made of each value.

    By hand: what Arrow has for it imports its compute functions, or pandas, which takes longer.
    """
    first, *ends = column.offsets.to_pylist()
    last = ends[-1] if ends else first
    values = [*map(make, column.values.slice(first, last - first).to_pylist())]
    return [tuple(values[start - first : end - first]) for start, end in pairwise([first, *ends])]


def _reviews_of(batch: pa.RecordBatch) -> tuple[Iterable[Any], ...]:
    """Return each row's language, reviews and offers."""
    return (
        map(_Once().__getitem__, batch.column("language").to_pylist()),
        _rows_of(batch.column("reviews"), _review),
        _rows_of(batch.column("offers"), lambda values: Offer(**values)),
    )


def _review(values: dict[str, Any]) -> Review:
    return Review(**values | {"status": ReviewStatus(values["status"])})


def _reader(name: str) -> Callable[[Record], Any]:
    """Give what reads a column's value from a record."""
    match name:
        case "caption_human":
            return attrgetter("review.caption")
        case "review_status":
            return attrgetter("review.status")
        case "reviews" | "offers":
            return lambda record: tuple(map(asdict, getattr(record, name)))
    return attrgetter(name)


def _languages_of(batch: pa.RecordBatch) -> list[tuple[LanguageCaption, ...]]:
    """Return each row's captions by language; a row may lack some of them."""
    languages = languages_in(batch.schema)
    if not languages:
        return [()] * batch.num_rows
    found: list[list[LanguageCaption]] = [[] for _ in range(batch.num_rows)]
    for language in languages:
        columns = [batch.column(name).to_pylist() for name in language_columns(language)]
        for row, (caption, *rest) in enumerate(zip(*columns, strict=True)):
            if caption is not None:
                found[row].append(LanguageCaption(language, caption, *rest))
    return [tuple(each) for each in found]


def _in_language(record: Record, language: str) -> LanguageCaption | None:
    return next((each for each in record.languages if each.language == language), None)


def _column(field: pa.Field, given: Iterable[Any]) -> pa.Array:
    values = list(given)
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
        case dict():
            return {name: _storable(each) for name, each in value.items()}
        case int():
            return min(max(value, _INT64[0]), _INT64[1])
    return value
