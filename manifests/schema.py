"""The columns of the manifest in Arrow, and how they are told from another file's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from manifests.errors import ManifestError

VERSION: Final = 3
"""2 has columns for several languages, 3 photos that are no scenes; what has neither is still 1."""

_VERSION_KEY: Final = b"photo_captions.schema"
_ARCHIVE_KEY: Final = b"photo_captions.archive"

SCHEMA: Final = pa.schema(
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
    added = schema.names[len(SCHEMA.names) :: len(_LANGUAGE_TYPES)]
    return [name.removeprefix("caption_") for name in added]


def _with_languages(languages: Sequence[str]) -> pa.Schema:
    types = list(_LANGUAGE_TYPES.values())
    added = [
        pa.field(name, kind)
        for language in languages
        for name, kind in zip(language_columns(language), types, strict=True)
    ]
    return pa.schema([*SCHEMA, *added])


def schema_for(
    archive: str, languages: Sequence[str] = (), *, no_scenes: bool = False
) -> pa.Schema:
    """Return the schema with its version and the archive in the metadata.

    `no_scenes` says that some rows have the status `not_a_scene`, which older readers don't know.
    """
    version = VERSION if no_scenes else 2 if languages else 1
    return _with_languages(languages).with_metadata(
        {
            _VERSION_KEY: str(version).encode(),
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
        raise ManifestError(
            path,
            f"it was made by a newer version of this program (schema {int(version)})",
            "Update the program, or write to another folder",
        )
    ours = version in (b"1", b"2", b"3") and _ARCHIVE_KEY in metadata
    if not (ours and schema.equals(_with_languages(languages_in(schema)))):
        raise ManifestError(
            path,
            "it is not a manifest of this program",
            "Move it away, or write to another folder",
        )
