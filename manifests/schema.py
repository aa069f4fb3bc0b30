"""The columns of the manifest in Arrow, and how they are told from another file's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from manifests.errors import ManifestError, NewerError

VERSION: Final = 4
"""2 has columns for several languages, 3 photos that are no scenes, 4 people's reviews."""

_VERSION_KEY: Final = b"photo_captions.schema"
_ARCHIVE_KEY: Final = b"photo_captions.archive"

_MACHINE: Final = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("caption", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("confidence", pa.float32()),
        pa.field(
            "alternatives",
            pa.list_(pa.field("element", pa.string(), nullable=False)),
            nullable=False,
        ),
        pa.field("log_prob", pa.float32()),
        pa.field("photo_id", pa.string()),
        pa.field("captioner", pa.string()),
        pa.field("decode", pa.string()),
        pa.field("width", pa.int64()),  # a broken header may claim more than 32 bits hold
        pa.field("height", pa.int64()),
        pa.field("format", pa.string()),
        pa.field("frames", pa.int64()),
        pa.field("taken_at", pa.string()),
        pa.field("error", pa.string()),
        pa.field("raw_path", pa.binary(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
    ]
)

_TEXT: Final = pa.string()


def _texts(*names: str, missing: str = "") -> pa.DataType:
    """Describe a list of structures of texts, of which one may be missing."""
    fields = [pa.field(name, _TEXT, nullable=name == missing) for name in names]
    return pa.list_(pa.field("element", pa.struct(fields), nullable=False))


REVIEWS: Final = pa.schema(
    [
        pa.field("language", _TEXT),
        # What a person said of `caption`, for readers that want one column; the whole is below.
        pa.field("caption_human", _TEXT),
        pa.field("review_status", _TEXT, nullable=False),
        pa.field(
            "reviews",
            _texts(
                *("language", "status", "caption", "reviewer", "notes", "like", "at"),
                missing="caption",
            ),
            nullable=False,
        ),
        pa.field("offers", _texts("language", "caption", "why"), nullable=False),
    ]
)
"""The columns that version 4 added, behind those that every version has."""

SCHEMA: Final = pa.schema([*_MACHINE, *REVIEWS])

_LANGUAGE_TYPES: Final = {
    "caption": pa.string(),
    "confidence": pa.float32(),
    "captioner": pa.string(),
}
"""The columns of each language, where several were asked for: `caption_ko` and so on."""


def language_columns(language: str) -> list[str]:
    """Name the columns of a language."""
    return [f"{name}_{language}" for name in _LANGUAGE_TYPES]


def languages_in(schema: pa.Schema) -> list[str]:
    """Tell which languages a schema has columns for."""
    own = len(_own(schema).names)
    return [name.removeprefix("caption_") for name in schema.names[own :: len(_LANGUAGE_TYPES)]]


def has_reviews(schema: pa.Schema) -> bool:
    """Tell whether a schema has the columns of people's reviews: those before version 4 do not."""
    return "reviews" in schema.names


def _own(schema: pa.Schema) -> pa.Schema:
    return SCHEMA if has_reviews(schema) else _MACHINE


def _with_languages(own: pa.Schema, languages: Sequence[str]) -> pa.Schema:
    types = list(_LANGUAGE_TYPES.values())
    added = [
        pa.field(name, kind)
        for language in languages
        for name, kind in zip(language_columns(language), types, strict=True)
    ]
    return pa.schema([*own, *added])


def schema_for(archive: str, languages: Sequence[str] = ()) -> pa.Schema:
    """Return the schema with its version and the archive in the metadata."""
    return _with_languages(SCHEMA, languages).with_metadata(
        {
            _VERSION_KEY: str(VERSION).encode(),
            # The root's name may hold bytes that are no text, as os.fsdecode gives them.
            _ARCHIVE_KEY: archive.encode("utf-8", "surrogateescape"),
        }
    )


def archive_of(schema: pa.Schema) -> str:
    """Return the archive that `schema_for` was given."""
    return schema.metadata[_ARCHIVE_KEY].decode("utf-8", "surrogateescape")


def check_schema(path: Path, schema: pa.Schema) -> None:
    """Raise ManifestError unless `schema`, found in the file at `path`, is this version's."""
    metadata = schema.metadata or {}
    version = metadata.get(_VERSION_KEY, b"")
    if version.isdigit() and int(version) > VERSION:
        raise NewerError(
            path,
            f"it was made by a newer version of this program (schema {int(version)})",
            "Update the program, or write to another folder",
        )
    ours = version in (b"1", b"2", b"3", b"4") and _ARCHIVE_KEY in metadata
    reviewed = has_reviews(schema) == (version == b"4")
    if not (
        ours and reviewed and schema.equals(_with_languages(_own(schema), languages_in(schema)))
    ):
        raise ManifestError(
            path,
            "it is not a manifest of this program",
            "Move it away, or write to another folder",
        )
