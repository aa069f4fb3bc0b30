"""What the machine said before: captions that a later captioner, or another photo, has replaced.

    reviews/former-1f0c9a3e5b7d4a21.parquet

A correction that comes back without its `base` is told from an old caption of the machine by them.
Files are only added, named by what is in them, and hold only what changed.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.durable import atomic_write
from manifests.errors import ManifestError
from manifests.journal import FOLDER
from manifests.parquet_files import opened
from manifests.record import Record
from manifests.review import digest

_SCHEMA: Final = pa.schema(
    [(name, pa.string()) for name in ("photo_id", "language", "caption")],
    metadata={b"photo_captions.formers": b"1"},
)


def keep_formers(
    out: Path, before: Mapping[bytes, Record], records: Iterable[Record]
) -> Path | None:
    """Keep the captions of `before`, by raw path, that `records` say no more.

    Returns the file, None where nothing was replaced.
    """
    rows = sorted({row for record in records for row in _replaced(before, record)})
    if not rows:
        return None
    path = Path(out, FOLDER, f"former-{_digest(rows)}.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    with atomic_write(path) as handle:
        table = pa.Table.from_arrays(columns, schema=_SCHEMA)
        pq.write_table(table, handle, compression="zstd", write_page_checksum=True)
    return path


def _digest(rows: list[tuple[str, str, str]]) -> str:
    return hashlib.sha256(repr(rows).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _replaced(before: Mapping[bytes, Record], record: Record) -> Iterator[tuple[str, str, str]]:
    old = before.get(record.raw_path)
    if old is None or old.photo_id is None:
        return
    same = old.photo_id == record.photo_id
    said = [(each.language, each.caption) for each in old.languages]
    said += [(old.language or "", old.caption)] if old.caption is not None else []
    for language, caption in said:
        if not same or caption != record.said_in(language):
            yield old.photo_id, language, caption.encode("utf-8", "backslashreplace").decode()


def read_formers(out: Path) -> dict[str, set[str]]:
    """Read the digests of a photo's former captions, in whatever language, by its identity.

    Raises ManifestError where a file is damaged.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for path in former_files(out):
        for photo_id, _, caption in read_former(path):
            found[photo_id].add(digest(caption))
    return found


def former_files(out: Path) -> list[Path]:
    """Give the files of former captions."""
    return sorted(Path(out, FOLDER).glob("former-*.parquet"))


def read_former(path: Path) -> list[tuple[str, str, str]]:
    """Read the identities, languages and captions in a file.

    Raises ManifestError where it is damaged: its name tells what must be in it.
    """
    try:
        with path.open("rb") as handle:
            table = opened(handle).read(columns=_SCHEMA.names, use_threads=False)
        columns = (table[name].to_pylist() for name in _SCHEMA.names)
        rows = list(zip(*columns, strict=True))
        if path.name != f"former-{_digest(rows)}.parquet":
            raise ValueError("its rows are not those that its name tells of")
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise ManifestError(path, f"it is damaged ({error})", "Put back a copy of it") from error
    return rows
