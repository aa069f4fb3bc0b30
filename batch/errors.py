"""What can go wrong, in words a person can act on."""


class ArchiveError(Exception):
    """The photo archive, or what a run needs beside it, cannot be used as it is."""


class NoRoomError(ArchiveError):
    """The feature cache may not grow, and all that is in it is still needed."""


class LockedError(Exception):
    """Another run is writing to the same folder."""
