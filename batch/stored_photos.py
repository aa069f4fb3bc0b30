"""Photos in object storage: find them as on a disk, in the same order, and fetch their bytes.

A folder of a store is what its objects' names share up to a `/`. It is listed folder by folder, so
that memory holds those folders alone that lead to where the walk is, and a few that come next.
"""

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from batch.damage import PhotoError
from batch.errors import ArchiveError
from batch.photos import MAX_BYTES
from batch.scan import Listing, Photo, RemotePhoto, Walk, is_chosen, left_out
from batch.stores import Entry, entry_of, listing, read

LISTED_AHEAD = 8  # of the folders in each folder that leads to where the walk is
_NAMELESS = "holds a folder without a name (`//`), whose photos are left out: rename it"


@dataclass(frozen=True)
class StoredPhoto(RemotePhoto):
    """A photo in a store: `root` is the URL of the archive, `mtime_ns` when it was last written."""

    @property
    def location(self) -> str:
        """The photo's own URL."""
        return f"{self.root}/{self.relative}"

    def fetch(self) -> bytes:
        """Fetch its bytes. Raises PhotoError, which says what is wrong."""
        return read_object(self.location, self.size)


def scan_store(
    root: str,
    include: Sequence[str],
    exclude: Sequence[str],
    on_error: Callable[[str, OSError], None],
) -> Iterator[Photo]:
    """Give every photo below a URL, as `batch.scan.scan` does below a folder.

    Raises ArchiveError at once where there is nothing, or it cannot be listed.
    """
    try:
        top = listing(root)
    except FileNotFoundError:
        raise ArchiveError(
            f"there is nothing at {root!r}: check the names of the bucket and of the folder"
        ) from None
    except OSError as error:
        raise ArchiveError(f"{root!r} {error.strerror}") from error
    return _StoreWalk(root, tuple(include), tuple(exclude), on_error, top).photos()


@dataclass(eq=False)
class _StoreWalk(Walk):
    """A walk through a store; there are no links."""

    top: Sequence[Entry]

    def __post_init__(self) -> None:
        self._found: dict[str, Entry] = {}  # photos that were listed and not given yet
        self._ahead: dict[str, Future[list[Entry]]] = {}  # listings of folders that come next
        self._coming: dict[str, deque[str]] = {}  # by folder, those in it that were not asked for

    def photos(self) -> Iterator[Photo]:
        """Give the photos, in order; folders are listed ahead, since a store takes its time."""
        with ThreadPoolExecutor(LISTED_AHEAD) as self._pool:
            yield from super().photos()

    def listing(self, relative: str) -> Listing:
        """List the folders and photos of one folder, sorted by the bytes of their names."""
        try:
            found = self._ahead.pop(relative).result() if relative else self.top
        except OSError as error:
            self.on_error(relative, error)
            found = []
        entries = sorted(self._told(relative, found), key=lambda each: (os.fsencode(each[0]), each))
        below = (_below(relative, name) for name, is_folder, _ in entries if is_folder)
        self._coming[relative] = deque(each for each in below if not self.is_excluded(each))
        for _ in range(LISTED_AHEAD):
            self._list_next_in(relative)
        if relative:
            self._list_next_in(relative.rpartition("/")[0])
        return iter(entries)

    def _told(self, folder: str, found: Sequence[Entry]) -> Listing:
        """Give the folders of a listing and its photos, which are remembered."""
        if any(not entry.name for entry in found):
            self.on_error(folder, OSError(errno.EINVAL, _NAMELESS))
        for entry in found:
            path = _below(folder, entry.name)
            if not entry.name or left_out(entry.name):
                continue
            if entry.is_folder:
                yield entry.name, True, False
            elif self.is_photo(entry.name) and is_chosen(path, self.include, self.exclude):
                self._found[path] = entry
                yield entry.name, False, False

    def _list_next_in(self, folder: str) -> None:
        """Ask for one more of a folder's folders."""
        coming = self._coming.get(folder)
        if coming:
            name = coming.popleft()
            self._ahead[name] = self._pool.submit(listing, f"{self.root}/{name}")
        else:
            self._coming.pop(folder, None)

    def photo(self, relative: str) -> Photo:
        found = self._found.pop(relative)
        return StoredPhoto(self.root, relative, found.size, found.mtime_ns)


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def gone_from_store(archive: str) -> Callable[[bytes], bool]:
    """Tell which raw paths are gone from a store, as `batch.plan.gone_from` does for a folder."""

    @lru_cache(maxsize=64)  # rows come folder by folder
    def names(folder: str) -> frozenset[str]:
        place = f"{archive}/{folder}" if folder else archive
        return frozenset(entry.name for entry in listing(place) if not entry.is_folder)

    def is_gone(raw_path: bytes) -> bool:
        folder, name = os.path.split(os.fsdecode(raw_path))
        try:
            return name not in names(folder)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # cannot be told

    return is_gone


def read_object(url: str, size: int | None = None) -> bytes:
    """Read a photo's object, of `size` bytes as it was listed.

    Raises PhotoError with `vanished`, `denied`, `too_large`, `unstable` where it keeps changing,
    and `io` for what may pass.
    """
    try:
        data = _read_whole(url, entry_of(url).size if size is None else size)
        if data is None:  # it was replaced since
            data = _read_whole(url, entry_of(url).size)
    except OSError as error:
        raise _failed(error) from error
    if data is None:
        raise PhotoError("unstable", "changed while it was read: run again when it is all copied")
    return data


def _read_whole(url: str, size: int) -> bytes | None:
    """Read an object of a size; None where it has another one. Raises OSError, PhotoError."""
    if size > MAX_BYTES:
        text = f"has {size:,} bytes, more than {MAX_BYTES:,}: save a smaller copy"
        raise PhotoError("too_large", text)
    data = read(url, size + 1) if size else b""  # one more byte shows that it grew
    return data if len(data) == size else None


def _failed(error: OSError) -> PhotoError:
    if error.errno == errno.ENOENT:
        return PhotoError("vanished", "is no longer there: run again")
    status = "denied" if error.errno == errno.EACCES else "io"
    return PhotoError(status, f"{error.strerror}, run again")
