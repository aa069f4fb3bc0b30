"""ZIP packages that hold a spreadsheet (XLSX, ODS), opened with care: they may come from anyone.

Before anything is parsed, sizes are summed up (a small ZIP may unpack to terabytes; D. Fifield,
"A better zip bomb", WOOT 2019), and any DOCTYPE is refused, since neither format has one and
entities grow as ZIPs do. Nothing is ever unpacked to disk.
"""

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from defusedxml.ElementTree import iterparse

from manifests.errors import ManifestError

_MEMBER_LIMIT: Final = 2**27  # bytes: a sheet of 5,000 rows takes about 2**23
_LIMIT: Final = 2**30  # bytes: thumbnails of 5,000 rows take about 2**27
_MOST_ROWS: Final = 2**22  # of all sheets
ROWS_READ: Final = 2**20  # of a sheet: as many as spreadsheet programs have
COLUMNS_READ: Final = 256
_XML: Final = (b"<", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SAVE_ANEW: Final = "Open it in a spreadsheet program and save it as XLSX or as CSV (UTF-8)"


def check_rows(path: Path, count: int) -> None:
    """Raise ManifestError where all sheets together have more rows than anybody reviews."""
    if count > _MOST_ROWS:
        raise ManifestError(path, f"has more than {_MOST_ROWS:,} rows", "Split it")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong within the block into a ManifestError that names the file."""
    try:
        yield
    except ManifestError:
        raise
    except Exception as error:  # readers of ZIP, XML and XLSX raise errors of all kinds
        raise ManifestError(path, f"is damaged ({error or error!r})", SAVE_ANEW) from error


def open_package(path: Path, data: bytes) -> ZipFile:
    """Open the bytes of a package. Raises ManifestError where they are damaged or hostile."""
    with readable(path):
        package = ZipFile(io.BytesIO(data))
        sizes = [member.file_size for member in package.infolist()]
        if max(sizes, default=0) > _MEMBER_LIMIT or sum(sizes) > _LIMIT:
            raise ManifestError(
                path, f"unpacks to {sum(sizes)} bytes", "Split it, or save it as CSV"
            )
        for name in package.namelist():
            _refuse_doctype(package, name)
    return package


def _refuse_doctype(package: ZipFile, name: str) -> None:
    """Read what may be XML, whatever its name, to the first element: a DOCTYPE stands before it."""
    if not name.endswith((".xml", ".rels")):
        with package.open(name) as member:
            if not member.read(64).lstrip().startswith(_XML):
                return
    with package.open(name) as member:
        next(iterparse(member, events=("start",), forbid_dtd=True), None)
