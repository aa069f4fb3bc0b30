"""What a worker of the tests imports first: photos whose comment breaks what decodes them."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from batch import formats, photos


def break_down(comment: str) -> None:
    """Do what a JPEG's comment says: a word, and a file that makes it happen once."""
    word, _, once = comment.partition(" ")
    if once:
        try:
            Path(once).touch(exist_ok=False)
        except FileExistsError:
            return
    if word == "fault":
        os._name_that_is_not_there()
    if word in ("SIGSEGV", "SIGKILL", "SIGTERM"):
        os.kill(os.getpid(), getattr(signal, word))
    if word == "exit":
        os._exit(0)
    if word == "grow":
        bytearray(64 << 30)
    if word == "lie":
        os.write(int(sys.argv[2]), b"\0\0\0\7no JSON")
    while word == "loop":
        pass
    while word == "sleep":
        time.sleep(1)


def decode(image: Any, *rest: Any) -> Any:
    """Decode a picture whose comment lets it be."""
    comment = image.info.get("comment", b"").decode()
    if comment.startswith("large"):
        return _noted(image, comment, *rest)
    if comment == "busy":
        return _busy(image, *rest)
    break_down(comment)
    return _decode(image, *rest)


def _noted(image: Any, comment: str, *rest: Any) -> Any:
    """Note when the decoding of a large picture begins and ends."""
    formats.LARGE_PIXELS = 0
    real = formats.to_rgb

    def slowly(picture: Any) -> Any:
        with Path(comment.partition(" ")[2]).open("a") as file:
            file.write("begin\n")
            file.flush()
            time.sleep(0.1)
            file.write("end\n")
        return real(picture)

    formats.to_rgb = slowly
    try:
        return _decode(image, *rest)
    finally:
        formats.to_rgb = real
        formats.LARGE_PIXELS = 50_000_000


def _busy(image: Any, *rest: Any) -> Any:
    """Take a second of the processor while a picture is decoded."""
    real = formats.to_rgb

    def slowly(picture: Any) -> Any:
        until = time.process_time() + 1
        while time.process_time() < until:
            pass
        return real(picture)

    formats.to_rgb = slowly
    try:
        return _decode(image, *rest)
    finally:
        formats.to_rgb = real


def read(location: str) -> tuple[bytes, int]:
    """Read a file, unless its name says that its disk is gone."""
    name = Path(location).name
    if name.startswith("stuck"):
        time.sleep(600)
    if name.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    return _read(location)


_decode, formats.decode = formats.decode, decode
_read, photos._read = photos._read, read
