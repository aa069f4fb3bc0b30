"""Photos by URL: the list of them, and what a URL is to the stages that know files."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from batch.errors import ArchiveError
from batch.scan import Photo, RemotePhoto, is_chosen


@dataclass(frozen=True)
class Limits:
    """What a fetch may take, and where it may go."""

    connect_s: float = 10
    read_s: float = 10  # of silence
    total_s: float = 60  # redirects included
    max_bytes: int = 64 << 20
    redirects: int = 5
    allow_private: bool = False  # hosts of this machine and of the local network


@dataclass(frozen=True)
class UrlPhoto(RemotePhoto):
    """A photo on the web: `relative` is its URL as it was written, and its path in the manifest."""

    limits: Limits = Limits()

    @property
    def raw_path(self) -> bytes:
        """The URL's bytes, as they are in the list."""
        return _raw(self.relative)

    @property
    def location(self) -> str:
        """The URL."""
        return self.relative

    def is_as_it_was(self, size: int, mtime_ns: int) -> bool:  # noqa: ARG002 - files need them
        """Take what is behind a URL as unchanged: finding out would be fetching it."""
        return True

    def fetch(self) -> bytes:
        """Fetch what is behind the URL. Raises PhotoError, which says what is wrong."""
        from batch.fetch import fetch  # what it needs is there only where URLs are captioned

        return fetch(self.relative, self.limits)


def url_photos(
    urls: Iterable[str], include: Sequence[str], exclude: Sequence[str], limits: Limits
) -> Iterator[Photo]:
    """Give the photos behind URLs in their order; `include` and `exclude` are globs."""
    for url in urls:
        if is_chosen(url, include, exclude):
            yield UrlPhoto("", url, 0, 0, limits)


def absent_from(urls: Iterable[str]) -> Callable[[bytes], bool]:
    """Give what tells whether a raw path is none of these URLs."""
    there = {_raw(url) for url in urls}
    return lambda raw_path: raw_path not in there


def _raw(url: str) -> bytes:
    return url.encode("utf-8", "surrogateescape")


def read_list(path: str) -> tuple[str, ...]:
    """Read a list of URLs in UTF-8, one a line; empty lines and those with a leading # are none.

    A line that is no URL stays: it becomes a row that says so. One that repeats counts once. Bytes
    that are no text ride along as in os.fsdecode.
    Raises ArchiveError where there is no such list.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        if re.match("https?://", path, re.IGNORECASE):
            raise ArchiveError(
                "this is a URL: URLS= (--urls) is a file with one a line; --url takes one itself"
            ) from error
        raise ArchiveError(f"the list {path!r} cannot be read: {error.strerror}") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ArchiveError(f"the list {path!r} is UTF-16: save it as UTF-8")
    if b"\0" in data:
        raise ArchiveError(f"{path!r} is no text; URLS= is a list of URLs, one a line")
    text = data.removeprefix(b"\xef\xbb\xbf")
    lines = [line.strip(b" \t") for line in re.split(rb"[\r\n]", text)]
    urls = [line.decode("utf-8", "surrogateescape") for line in lines if line and line[:1] != b"#"]
    return tuple(dict.fromkeys(urls))
