"""Parquet files that may come from anyone, opened with care.

A few thousand bytes of Parquet can claim a billion rows (runs of one value take no room), so what a
file claims is held against its size before any of it is read. Page checksums are verified, and no
extension type is made of what a file names.
"""

from typing import BinaryIO, Final

import pyarrow.parquet as pq

_FREE: Final = 1 << 20  # rows and bytes: what is no more does no harm
_UNPACKED: Final = 200  # bytes of each that is there; tables of names and captions have ten


def opened(handle: BinaryIO) -> pq.ParquetFile:
    """Open a file of Parquet.

    Raises ValueError where it claims more than it can hold, and Arrow's errors where it is damaged.
    """
    size = handle.seek(0, 2)
    handle.seek(0)
    file = pq.ParquetFile(handle, page_checksum_verification=True, arrow_extensions_enabled=False)
    metadata = file.metadata
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    # Columns of a group are not asked for: of a damaged file, that ends the process (pyarrow 26).
    if metadata.num_rows > _FREE + size:
        raise ValueError(f"claims {metadata.num_rows:,} rows in {size:,} bytes")
    if sum(group.total_byte_size for group in groups) > _FREE + _UNPACKED * size:
        raise ValueError("unpacks to more than such a file can hold")
    return file
