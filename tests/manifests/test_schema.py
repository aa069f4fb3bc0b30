"""The schema in Arrow, and how a manifest is told from another file."""

from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pytest

from manifests.errors import ManifestError
from manifests.record import Record
from manifests.schema import SCHEMA, archive_of, check_schema, languages_in, schema_for

PATH = Path("out/manifest.parquet")


def test_columns_are_the_records_fields():
    views = ("caption_human", "review_status")  # what `reviews` says of the row's own caption
    names = {name for name in SCHEMA.names if name not in views}
    assert names | {"languages"} == {field.name for field in fields(Record)}


@pytest.mark.parametrize("archive", ["/photos/바다", "", "/caf\udce9/\n"])
def test_the_archive_comes_back_whatever_its_name(archive):
    schema = schema_for(archive)
    check_schema(PATH, schema)
    assert archive_of(schema) == archive


def test_the_version_stands_in_the_metadata():
    assert schema_for("/photos", ["en"]).metadata[b"photo_captions.schema"] == b"4"


def test_languages_have_columns_of_their_own():
    schema = schema_for("/photos", ["en", "zh-Hant"])
    check_schema(PATH, schema)
    assert schema.names[len(SCHEMA) :] == [
        *("caption_en", "confidence_en", "captioner_en"),
        *("caption_zh-Hant", "confidence_zh-Hant", "captioner_zh-Hant"),
    ]
    assert languages_in(schema) == ["en", "zh-Hant"]


def test_a_newer_version_asks_for_an_update():
    newer = SCHEMA.with_metadata({b"photo_captions.schema": b"5"})
    with pytest.raises(ManifestError, match=r"out/manifest.parquet: .*newer.*Update"):
        check_schema(PATH, newer)


@pytest.mark.parametrize(
    "other",
    [
        SCHEMA,
        schema_for("/photos").remove(0),
        schema_for("/photos").set(0, pa.field("path", pa.binary(), nullable=False)),
        schema_for("/photos").append(pa.field("more", pa.string())),
        schema_for("/photos", ["en"]).remove(len(SCHEMA) + 1),
        schema_for("/photos", ["en"]).set(len(SCHEMA), pa.field("caption_en", pa.int64())),
        SCHEMA.with_metadata({b"photo_captions.schema": b"1"}),
        SCHEMA.with_metadata({b"photo_captions.schema": b"x", b"photo_captions.archive": b"/"}),
    ],
)
def test_any_other_schema_is_refused(other):
    with pytest.raises(ManifestError, match="not a manifest"):
        check_schema(PATH, other)
