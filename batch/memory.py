"""Memory that a process has done with is kept for what it needs next."""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of mallopt(3)
_LARGEST = 32 << 20  # bytes of a block that is kept: the library takes no larger number


def keep_memory(spare: int) -> None:
    """Have GNU's C library keep what is freed, up to `spare` bytes; other libraries do as they do.

    By default it gives large blocks back to the system, and gets them again page by page, each of
    which the system fills with zeros: that is a third of the time that a small photo takes to load,
    and of a search, which packs its matrices anew for each word. All threads are to share one pool,
    since it gives back that of a thread whatever it is told. For processes without threads yet.
    """
    with suppress(AttributeError, OSError, TypeError):  # no such library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, spare)
