"""ExifTool, started once and asked many times, over files that it has to itself.

A program of its own and no library: pyexiv2, which could do the same, is under the GPL, and this
project is not. ExifTool sees copies under plain names in a scratch folder, never the archive: so no
name can be taken for an option, a pipe (CVE-2022-23935) or a second line, and no photo is at stake.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from batch.errors import ArchiveError

OLDEST = (12, 40)  # earlier ones run code that a hostile photo brings (CVE-2021-22204)
MISSING = (
    "writing into photos needs ExifTool 12.40 or later; install it with `apt-get install "
    "libimage-exiftool-perl`, `brew install exiftool` or from https://exiftool.org"
)
_READY = b"{ready}\n"
# An empty configuration: the user's own is Perl code, and could change what tags are called.
_COMMAND = ("exiftool", "-config", "", "-stay_open", "True", "-@", "-")


class ExifToolError(Exception):
    """ExifTool could not do what it was asked; the text is its own."""


@dataclass
class ExifTool:
    """A running ExifTool with its scratch folder."""

    scratch: str
    _program: subprocess.Popen[bytes]
    _complaints: BinaryIO

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
        stdin, stdout = self._program.stdin, self._program.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write("\n".join([*arguments, "-execute", ""]).encode())
            stdin.flush()
        except BrokenPipeError as error:
            raise ExifToolError("ExifTool has ended") from error
        printed = b""
        while not printed.endswith(_READY):
            part = stdout.read1(65_536)  # type: ignore[attr-defined]
            if not part:
                raise ExifToolError("ExifTool has ended")
            printed += part
        self._check()
        return printed.removesuffix(_READY)

    def _check(self) -> None:
        said = self._complaints.read().decode("utf-8", "replace")
        errors = [line for line in said.splitlines() if line.startswith(("Error", "Can't"))]
        if errors:
            raise ExifToolError(errors[0].partition(" - ")[0])


@contextmanager
def running() -> Iterator[ExifTool]:
    """Start ExifTool, and end it after the block. Raises ArchiveError where it is not there."""
    _check_version()
    with tempfile.TemporaryDirectory(prefix="photo-captions-") as scratch:
        log = os.path.join(scratch, "complaints")
        with (
            open(log, "wb") as sink,
            open(log, "rb") as complaints,
            subprocess.Popen(  # noqa: S603 - a fixed command
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink
            ) as program,
        ):
            try:
                yield ExifTool(scratch, program, complaints)
            finally:
                if program.stdin is not None and program.poll() is None:
                    program.stdin.write(b"-stay_open\nFalse\n")


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
