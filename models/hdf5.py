"""HDF5 files that may come from anyone, opened with care: arrays in the file itself, no more.

HDF5 lets a file point into others (external and soft links, external storage, virtual datasets),
claim arrays of any size that it does not hold, and ask for filters that are loaded as plugins. No
file of weights needs any of it, and readers that follow it read whatever the file names
(CVE-2026-1669). So all of it is refused before the first array is read.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import h5py

LARGEST: Final = 1 << 28  # numbers in a file: ten times those of the largest encoder here
_FILTERS: Final = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}  # those built in
_SMALL: Final = 1 << 20  # bytes
_DENSE: Final = 100  # bytes claimed for each that is there; weights hardly shrink when packed
_DEEPEST: Final = 100  # groups in groups


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading. Raises ValueError where it is not safe, and h5py's errors."""
    with h5py.File(path, "r") as file:
        datasets = datasets_of(file)
        for name, dataset in datasets.items():
            _check(name, dataset)
        if sum(each.size or 0 for each in datasets.values()) > LARGEST:
            raise ValueError(f"holds more than {LARGEST:,} numbers")
        yield file


def datasets_of(file: h5py.File) -> dict[str, Any]:
    """Give the datasets of a file by their full names. Raises ValueError where it has links."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    groups: list[tuple[str, Any]] = [("", file)]
    while groups:
        prefix, group = groups.pop()
        for name in group:
            whole = f"{prefix}{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{whole[:80]} is a link")
            node = group[name]
            if isinstance(node, h5py.Dataset):
                found[whole] = node
            elif isinstance(node, h5py.Group):
                _check_new(node, seen, whole)
                groups.append((f"{whole}/", node))
    return found


def _check_new(group: Any, seen: set[int], name: str) -> None:
    """Refuse a group that is met twice: it may hold itself."""
    address = h5py.h5o.get_info(group.id).addr
    if address in seen or name.count("/") > _DEEPEST:
        raise ValueError(f"{name[:80]} is there twice, or too deep")
    seen.add(address)


def _check(name: str, dataset: Any) -> None:
    """Raise ValueError unless a dataset's bytes are in the file, as many as it claims."""
    layout = dataset.id.get_create_plist()
    filters = {layout.get_filter(at)[0] for at in range(layout.get_nfilters())}
    size = dataset.nbytes if dataset.shape is not None else 0
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{name[:80]} takes its numbers from another file")
    if filters - _FILTERS.keys():
        raise ValueError(f"{name[:80]} is packed in a way that is not known here")
    if size > _SMALL + _DENSE * dataset.id.get_storage_size():
        raise ValueError(f"{name[:80]} claims {size:,} bytes that are not there")
