"""Find the photos of an archive: stream them in one fixed order, whatever their names."""

import logging
import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from batch.errors import ArchiveError
from batch.formats import extensions
from batch.stores import is_url

# What cameras, phones, desktops and storage boxes keep beside photos; names with a leading dot
# (.Trash, .thumbnails, the ._ files of macOS) are left out as well.
LEFT_OUT = frozenset(
    ["@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found", "thumbs.db"]
)
Listing = Iterator[tuple[str, bool, bool]]  # name, is a folder, is a link


@dataclass(frozen=True, slots=True)
class Photo:
    """Where a photo is, and its size and time when it was found.

    `relative` is POSIX, in the form of os.fsdecode: bytes that are no text ride along in it.
    """

    root: str
    relative: str
    size: int
    mtime_ns: int

    @property
    def raw_path(self) -> bytes:
        """The true bytes of the path below the root."""
        return os.fsencode(self.relative)

    @property
    def path(self) -> str:
        r"""The path below the root as text to show; bytes that are no text look like `\xff`."""
        return self.raw_path.decode("utf-8", "backslashreplace")

    @property
    def location(self) -> str:
        """The path to open."""
        return os.path.join(self.root, self.relative)

    def is_as_it_was(self, size: int, mtime_ns: int) -> bool:
        """Tell whether it shows no sign of change since it had this size and time."""
        return (self.size, self.mtime_ns) == (size, mtime_ns)


class RemotePhoto(Photo):
    """A photo that the run itself fetches, and hands to the process that decodes it."""

    def fetch(self) -> bytes:
        """Fetch its bytes. Raises PhotoError, which says what is wrong."""
        raise NotImplementedError


def log_error(relative: str, error: OSError) -> None:
    """Say which folder could not be listed."""
    logging.getLogger(__name__).warning("cannot list the folder %r: %s", relative, error.strerror)


def scan(
    root: str | os.PathLike[str],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    on_error: Callable[[str, OSError], None] = log_error,
) -> Iterator[Photo]:
    """Give every photo below `root`, in the order of `raw_path.split(b"/")`.

    A photo is whatever has a photo's name ending: pipes and links to nowhere too, loading says of
    each what it is. `include` and `exclude` are globs, matched with the path below the root and
    with the bare name; an excluded folder is not walked. A folder that cannot be listed is told to
    `on_error` and passed over.

    Raises ArchiveError at once where the root itself cannot be listed. It may be a URL of a store.
    """
    top = os.fspath(root)
    if is_url(top):
        from batch.stored_photos import scan_store

        return scan_store(top, include, exclude, on_error)
    try:
        with os.scandir(top):
            pass
    except FileNotFoundError:
        raise ArchiveError(f"{top!r} does not exist: check the path of the archive") from None
    except NotADirectoryError:
        raise ArchiveError(f"{top!r} is not a folder: name the folder that holds it") from None
    except OSError as error:
        raise ArchiveError(f"{top!r} cannot be listed: {error.strerror}") from error
    return Walk(top, tuple(include), tuple(exclude), on_error).photos()


@dataclass(eq=False)
class Walk:
    """One walk of one archive; it holds the listings of the folders that lead to where it is."""

    root: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    on_error: Callable[[str, OSError], None]
    endings: Collection[str] = field(default_factory=extensions, init=False)

    def __post_init__(self) -> None:
        self.real_root = os.path.realpath(self.root)
        found = os.stat(self.root)
        self.seen = {(found.st_dev, found.st_ino)}  # folders that links may lead to, visited once

    def photos(self) -> Iterator[Photo]:
        """Give the photos, in order."""
        # A stack, not recursion: folders may be nested deeper than Python's calls.
        stack = [("", False, self.listing(""))]
        while stack:
            folder, by_link, entries = stack[-1]
            entry = next(entries, None)
            if entry is None:
                stack.pop()
                continue
            name, is_folder, is_link = entry
            relative = f"{folder}/{name}" if folder else name
            if self.is_excluded(relative):
                continue
            if is_folder:
                if self.is_new(relative, is_link, by_link):
                    stack.append((relative, by_link or is_link, self.listing(relative)))
            elif not self.include or _matches(relative, self.include):
                yield self.photo(relative)

    def listing(self, relative: str) -> Listing:
        """List the folders and photos of one folder, sorted by the bytes of their names."""
        entries = []
        try:
            with os.scandir(os.path.join(self.root, relative)) as found:
                for entry in found:
                    is_folder = _is_folder(entry)
                    if not left_out(entry.name) and (is_folder or self.is_photo(entry.name)):
                        entries.append((entry.name, is_folder, entry.is_symlink()))
        except OSError as error:  # what was listed before it failed still counts
            self.on_error(relative, error)
        entries.sort(key=lambda entry: os.fsencode(entry[0]))
        return iter(entries)

    def is_new(self, relative: str, is_link: bool, by_link: bool) -> bool:
        """Tell whether to walk a folder: always, but through links only where nothing repeats.

        A link to a folder of the archive is passed over, that folder is walked under its own name.
        """
        if not (is_link or by_link):
            return True
        location = os.path.join(self.root, relative)
        if is_link and self.is_walked_anyway(os.path.realpath(location)):
            return False
        try:
            found = os.stat(location)
        except OSError as error:
            self.on_error(relative, error)
            return False
        identity = (found.st_dev, found.st_ino)
        if identity in self.seen:
            return False
        self.seen.add(identity)
        return True

    def is_walked_anyway(self, target: str) -> bool:
        """Tell whether a real path is in the archive, and in no folder that the walk leaves out."""
        if target == self.real_root:
            return True
        prefix = os.path.join(self.real_root, "")
        if not target.startswith(prefix):
            return False
        parts = target.removeprefix(prefix).split("/")
        paths = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        return not any(left_out(part) for part in parts) and not any(
            _matches(path, self.exclude) for path in paths
        )

    def is_excluded(self, relative: str) -> bool:
        """Tell whether a path is left out, as was asked for."""
        return bool(self.exclude) and _matches(relative, self.exclude)

    def is_photo(self, name: str) -> bool:
        """Tell a photo's name."""
        return os.path.splitext(name)[1].lower() in self.endings

    def photo(self, relative: str) -> Photo:
        """Give what was found under a photo's name."""
        try:
            found = os.stat(os.path.join(self.root, relative))
        except OSError:  # a link to nowhere, or gone since it was listed: loading will say so
            return Photo(self.root, relative, 0, 0)
        size = found.st_size if stat.S_ISREG(found.st_mode) else 0
        return Photo(self.root, relative, size, found.st_mtime_ns)


def left_out(name: str) -> bool:
    """Tell names that never belong to a photo or to a folder of photos."""
    return name.startswith(".") or name.lower() in LEFT_OUT


def is_chosen(relative: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Tell whether a path is one that `include` asks for, if it asks, and `exclude` lets in."""
    wanted = not include or _matches(relative, include)
    return wanted and not _matches(relative, exclude)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()  # of what a link leads to
    except OSError:  # a link in a loop: no folder
        return False


def _matches(relative: str, globs: Sequence[str]) -> bool:
    path = relative.casefold()  # IMG_1.JPG is a *.jpg to everyone
    name = path.rpartition("/")[2]
    folded = [glob.casefold() for glob in globs]
    return any(fnmatchcase(path, glob) or fnmatchcase(name, glob) for glob in folded)
