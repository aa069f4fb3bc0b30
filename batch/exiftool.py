"""ExifTool, started once and asked many times, over files that it has to itself.

A program of its own and no library: pyexiv2, which could do the same, is under the GPL, and this
project is not. ExifTool sees copies under plain names in a scratch folder, never the archive: so no
name can be taken for an option, a pipe (CVE-2022-23935) or a second line, and no photo is at stake.
"""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from batch.errors import ArchiveError

LONGEST = 120  # seconds for one command: a photo of 1 GiB takes ten
OLDEST = (12, 40)  # earlier ones run code that a hostile photo brings (CVE-2021-22204)
MISSING = (
    "writing into photos needs ExifTool 12.40 or later; install it with `apt-get install "
    "libimage-exiftool-perl`, `brew install exiftool` or from https://exiftool.org"
)
_READY, _LOG = b"{ready}\n", "complaints"
# An empty configuration: the user's own is Perl code, and could change what tags are called.
_COMMAND = ("exiftool", "-config", "", "-stay_open", "True", "-@", "-")


class ExifToolError(Exception):
    """ExifTool could not do what it was asked; the text is its own."""


@dataclass
class ExifTool:
    """An ExifTool that runs as long as it is asked, with its scratch folder.

    One that has ended, or that a damaged photo kept busy for too long, is started anew for the
    next photo.
    """

    scratch: str
    _complaints: BinaryIO
    _program: subprocess.Popen[bytes] | None = None

    def put(self, name: str, data: bytes) -> str:
        """Write a file into the scratch folder, in the place of one of that name."""
        path = os.path.join(self.scratch, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def take(self, name: str) -> bytes:
        """Read a file of the scratch folder and remove it. Raises ExifToolError."""
        path = os.path.join(self.scratch, name)
        try:
            with open(path, "rb") as file:
                data = file.read()
            os.unlink(path)
        except FileNotFoundError as error:
            raise ExifToolError("ExifTool wrote nothing") from error
        return data

    def ask(self, *arguments: str) -> bytes:
        """Run one command and give what it prints. Raises ExifToolError where it failed."""
        if self._program is None or self._program.poll() is not None:
            self.end()
            self._program = self._start()
        watch = threading.Timer(LONGEST, self._program.kill)
        watch.start()
        try:
            printed = _answer(self._program, "\n".join([*arguments, "-execute", ""]))
        except ExifToolError:
            self._program.kill()
            self._program.wait()
            raise
        finally:
            watch.cancel()
        self._check()
        return printed

    def end(self) -> None:
        """End the program, where one runs."""
        if self._program is not None:
            with suppress(BrokenPipeError):  # it has ended by itself, with something unread
                self._program.communicate(b"-stay_open\nFalse\n")
            self._program.wait()
            self._program = None

    def _start(self) -> subprocess.Popen[bytes]:
        with open(os.path.join(self.scratch, _LOG), "ab") as sink:
            return subprocess.Popen(  # noqa: S603 - a fixed command
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink
            )

    def _check(self) -> None:
        said = self._complaints.read().decode("utf-8", "replace")
        errors = [line for line in said.splitlines() if line.startswith(("Error", "Can't"))]
        if errors:
            raise ExifToolError(errors[0].partition(" - ")[0])


def _answer(program: subprocess.Popen[bytes], command: str) -> bytes:
    assert program.stdin is not None  # both are pipes
    assert program.stdout is not None
    printed = b""
    try:
        program.stdin.write(command.encode())
        program.stdin.flush()
        while not printed.endswith(_READY):
            part = os.read(program.stdout.fileno(), 65_536)
            if not part:
                raise ExifToolError("ExifTool has ended, or was too slow")
            printed += part
    except BrokenPipeError as error:
        raise ExifToolError("ExifTool has ended") from error
    return printed.removesuffix(_READY)


@contextmanager
def running() -> Iterator[ExifTool]:
    """Give an ExifTool, and end it after the block. Raises ArchiveError where there is none."""
    _check_version()
    with tempfile.TemporaryDirectory(prefix="photo-captions-") as scratch:
        log = os.path.join(scratch, _LOG)
        with open(log, "wb"), open(log, "rb") as complaints:
            tool = ExifTool(scratch, complaints)
            try:
                yield tool
            finally:
                tool.end()


def _check_version() -> None:
    if shutil.which(_COMMAND[0]) is None:
        raise ArchiveError(MISSING)
    asked = [*_COMMAND[:3], "-ver"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - a fixed command
    version = found.stdout.strip()
    if not version.replace(".", "", 1).isdigit() or _parts(version) < OLDEST:
        raise ArchiveError(f"{MISSING}; found: {version or found.stderr.strip() or 'none'}")


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
