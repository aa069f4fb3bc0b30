"""Memory that a process has done with is kept for what it needs next."""

import ctypes
from contextlib import suppress

FOR_SEARCHES = 256 << 20  # bytes to keep: what a search packs for a word, a few times over
FOR_PHOTOS = 64 << 20  # a photo as it is decoded
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of mallopt(3)
_LARGEST = 32 << 20  # bytes of a block that is kept: the library takes no larger number


def keep_memory(spare: int) -> None:
    """Have GNU's C library keep what is freed; other libraries do as they do.

    By default it gives large blocks back to the system, and gets them again page by page, each of
    which the system fills with zeros: that is a third of the time that a small photo takes to load,
    and of a search, which packs its matrices anew for each word. Now only blocks above 32 MiB are
    given back at once, and what lies free at the end where that is more than `spare` bytes. All
    threads are to share one pool, since whole pools of threads are given back all the same; a
    thread that is there already keeps its own. MALLOC_… of the environment count no more.
    """
    with suppress(AttributeError, OSError, TypeError):  # no such library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, spare)
