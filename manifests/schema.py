"""The columns of the manifest in Arrow, and how they are told from another file's."""

from pathlib import Path
from typing import Final

import pyarrow as pa

from manifests.errors import ManifestError

VERSION: Final = 1

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


def schema_for(archive: str) -> pa.Schema:
    """Return the schema with its version and the archive in the metadata."""
    return SCHEMA.with_metadata(
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
        raise ManifestError(
            path,
            f"it was made by a newer version of this program (schema {int(version)})",
            "Update the program, or write to another folder",
        )
    ours = version == str(VERSION).encode() and _ARCHIVE_KEY in metadata
    if not (ours and schema.equals(SCHEMA)):
        raise ManifestError(
            path,
            "it is not a manifest of this program",
            "Move it away, or write to another folder",
        )
