"""Times and sizes, as people read them."""

import os
from contextlib import suppress


def duration(seconds: float) -> str:
    """Say how long something takes, to the minute."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{max(1, minutes)} min" if seconds else "none"


def gigabytes(size: float) -> str:
    """Say how large something is; size: in bytes."""
    return f"{size / 1e9:,.2f} GB"


def size_of(folder: str) -> int:
    """Add up the sizes of the files in a folder and below, in bytes; what goes meanwhile is 0."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
