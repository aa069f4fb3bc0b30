"""The manifest: one Parquet file, one row a photo, the truth that the other views are made from.

Equal records give equal bytes. Numbers that are kept as float32 come back as floats that give the
same float32 again.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.columns import batch_of, records_of
from manifests.durable import Digest, atomic_write, sha256_file, sha256_of
from manifests.errors import ManifestError
from manifests.parquet_files import opened
from manifests.record import Record, languages_of, sort_key
from manifests.schema import archive_of, check_schema, schema_for

_ROWS_AT_A_GLANCE: Final = 8_192  # in memory as columns, beside the records
_ROWS_IN_A_GROUP: Final = 65_536


def write_records(path: Path, records: Iterable[Record], archive: str) -> str:
    """Write the manifest of `archive`, sorted by path, and return the SHA-256 of its bytes.

    Raises ValueError where two records have the same raw path: one row a photo. On any error the
    old manifest stays as it was.
    """
    ordered = sorted(records, key=sort_key)
    _check_one_row_each(ordered)
    with atomic_write(path) as handle:
        _write(handle, ordered, archive)
        _check_row_count(path, handle, len(ordered))
        return sha256_of(handle)


def read_records(path: Path) -> list[Record]:
    """Read the manifest's rows, in their order.

    Raises ManifestError where the file is damaged, another program's or a newer version's, and
    OSError where it can't be reached.
    """
    with _opened(path) as file:
        # Without threads: with them, after a damaged file, a process may abort as it ends.
        batches = file.iter_batches(batch_size=_ROWS_AT_A_GLANCE, use_threads=False)
        records = [record for batch in batches for record in records_of(batch)]
        if len(records) != file.metadata.num_rows:
            raise ValueError(f"{len(records)} rows instead of {file.metadata.num_rows}")
    return records


def read_archive(path: Path) -> str:
    """Read which archive the manifest is of; raises the errors of `read_records`."""
    with _opened(path) as file:
        return archive_of(file.schema_arrow)


def read_names(path: Path) -> set[str]:
    """Read the identities and paths of the photos that a manifest has; raises as `read_records`."""
    with _opened(path) as file:
        table = file.read(columns=["photo_id", "path"], use_threads=False)
    return {name for column in table.columns for name in column.drop_null().to_pylist()}


def read_columns(path: Path, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Give some columns of each row, in their order; few rows are held at a time.

    Raises the errors of `read_records`.
    """
    with _opened(path) as file:
        for batch in file.iter_batches(
            batch_size=_ROWS_AT_A_GLANCE, columns=list(names), use_threads=False
        ):
            batch.validate(full=True)
            yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def read_identities(path: Path) -> set[str]:
    """Read the identities of the photos that a manifest has; raises as `read_records`."""
    with _opened(path) as file:
        return {
            *file.read(columns=["photo_id"], use_threads=False)["photo_id"].drop_null().to_pylist()
        }


def is_as_written(path: Path, records: Sequence[Record]) -> bool | None:
    """Tell whether a manifest has the very bytes that its rows give when they are written.

    That covers the footer, which has no checksum of its own. None where another version wrote it,
    whose bytes may differ. Raises the errors of `read_records`.
    """
    with _opened(path) as file:
        archive, schema = archive_of(file.schema_arrow), file.schema_arrow
        ours = file.metadata.created_by == f"parquet-cpp-arrow version {pa.__version__}"
    if not ours or schema.metadata != schema_for(archive).metadata:
        return None
    written = Digest()
    _write(written, records, archive)
    return written.sha256.hexdigest() == sha256_file(path)


def _check_one_row_each(ordered: Sequence[Record]) -> None:
    for before, after in pairwise(ordered):
        if before.raw_path == after.raw_path:
            raise ValueError(f"two records for one photo: {after.raw_path!r}")


def _write(handle: BinaryIO | Digest, records: Sequence[Record], archive: str) -> None:
    schema = schema_for(archive, languages_of(records))
    with pq.ParquetWriter(handle, schema, compression="zstd", write_page_checksum=True) as writer:
        for start in range(0, len(records), _ROWS_IN_A_GROUP):
            writer.write_batch(batch_of(records[start : start + _ROWS_IN_A_GROUP], schema))


def _check_row_count(path: Path, handle: BinaryIO, expected: int) -> None:
    handle.seek(0)
    found = pq.ParquetFile(handle).metadata.num_rows
    if found != expected:
        raise ManifestError(
            path, f"{found} rows were written instead of {expected}", "Check the disk and run again"
        )


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a manifest of this version; what is wrong inside the block is told as ManifestError.

    Errors of the disk itself stay OSErrors: they have an errno, Arrow's complaints have none.
    """
    with path.open("rb") as handle:
        try:
            file = opened(handle)
            check_schema(path, file.schema_arrow)
            _check_metadata(file)
            yield file
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise ManifestError(
                path,
                f"the manifest is damaged ({' '.join(str(error).split())})",
                "`make verify REPAIR=1` takes it from its copy, or makes it anew",
            ) from error


def _check_metadata(file: pq.ParquetFile) -> None:
    """Compare the two copies of the metadata in the footer, which has no checksum of its own."""
    copy = file.metadata.metadata
    if any(copy.get(key) != value for key, value in file.schema_arrow.metadata.items()):
        raise ValueError("the two copies of its metadata differ")
