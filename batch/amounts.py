"""Times and sizes, as people read them."""

import os
from contextlib import suppress


def counted(number: int, what: str, several: str = "") -> str:
    """Say how many of what there are: `1 photo`, `2,000 photos`.

    several: how more than one are called, where that is not by an s.
    """
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"


def duration(seconds: float) -> str:
    """Say how long something takes: to the minute, or to the second where it is less than one."""
    if 0 < seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if seconds else "none"


def size_text(size: float) -> str:
    """Say how large something is, in the unit that fits; size: in bytes."""
    for unit, bytes_each in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= bytes_each:
            return f"{size / bytes_each:,.1f} {unit}"
    return f"{size:.0f} bytes"


def size_of(folder: str) -> int:
    """Add up the sizes of the files in a folder and below, in bytes; what goes meanwhile is 0."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
