"""What a look at all that was written has found: what is broken, and what is only waiting."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batch.amounts import counted, size_text
from manifests.errors import ManifestError, NewerError

if TYPE_CHECKING:
    from tqdm import tqdm


_CHECK: Final = "It may be whole: check the disk and the permissions; REPAIR=1 leaves it alone"


class Kind(StrEnum):
    """What a file is, for who repairs it."""

    MANIFEST = "manifest"
    COPY = "copy of the manifest"
    ROWS = "rows of the manifest"
    CSV = "view"
    NOTE = "note"
    KEY = "key of the gallery"
    JOURNAL = "journal"
    REVIEWS = "beside the journal"
    PART = "part"
    SHARD = "shard of features"
    CAPTIONER = "captioner"
    ORIGINAL = "photo"
    DISK = "not given by the disk"  # it may be whole
    NEWER = "newer version's"  # whole, as far as can be told


@dataclass(frozen=True)
class Broken:
    """A file that is not as it was written: what is wrong, and what to do."""

    kind: Kind
    path: Path
    problem: str
    remedy: str

    def __str__(self) -> str:
        place = re.sub("^([a-z0-9]+):/(?=[^/])", r"\1://", str(self.path))  # a URL, as a Path
        return f"broken: {place}: {self.problem}. {self.remedy}"


@dataclass
class Findings:
    """What was looked at and found. `bar` goes on with every byte read."""

    files: int = 0
    size: int = 0  # bytes
    photos: int = 0
    unsealed: int = 0  # files of older versions: whole, as far as their pages tell
    broken: list[Broken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bar: "tqdm[None] | None" = None

    def read(self, path: Path) -> bytes:
        """Read a file that is looked at. Raises OSError."""
        data = path.read_bytes()
        self.count(len(data))
        return data

    def count(self, size: int) -> None:
        """Count a file that was read."""
        self.files += 1
        self.size += size
        if self.bar is not None:
            self.bar.update(size)

    def tell(self, kind: Kind, path: Path, problem: str, remedy: str) -> None:
        """Say that a file is broken."""
        self.broken.append(Broken(kind, path, problem, remedy))

    def note(self, number: int, text: str) -> None:
        """Say what is no damage, of a number of things; nothing of none."""
        if number:
            self.notes.append(f"{number:,} {text}")

    @contextmanager
    def looking(self, kind: Kind, path: Path, remedy: str) -> Iterator[None]:
        """Tell what goes wrong inside the block as a broken file."""
        import pyarrow as pa

        try:
            yield
        except FileNotFoundError:
            if os.path.lexists(path):
                self.tell(kind, path, "it is a link to nowhere", remedy)
        except NewerError as error:
            self.tell(Kind.NEWER, path, error.problem, error.remedy)
        except ManifestError as error:
            self.tell(kind, path, error.problem, remedy)
        except OSError as error:
            if error.errno is None:  # Arrow's complaints have none
                self.tell(kind, path, _damaged(error), remedy)
            else:
                why = f"the disk did not give it ({error.strerror})"
                self.tell(Kind.DISK, path, why, _CHECK)
        except (pa.ArrowException, ValueError, LookupError, TypeError) as error:
            self.tell(kind, path, _damaged(error), remedy)

    def __str__(self) -> str:
        size = size_text(self.size)
        looked = f"{counted(self.files, 'file')}, {size}, {counted(self.photos, 'photo')}"
        if self.broken:
            return f"{looked}: {len(self.broken):,} broken"
        unsealed = f" ({self.unsealed:,} without a checksum of the whole file)"
        return f"{looked}: all well{unsealed if self.unsealed else ''}"


def _damaged(error: Exception) -> str:
    return f"it is damaged ({' '.join(str(error).split()) or type(error).__name__})"
