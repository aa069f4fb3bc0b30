"""One machine at a time for results in object storage: a lock that is an object beside them.

A kernel's lock ends with its process; an object does not. So whoever holds it writes it anew every
minute, and one that nobody has written for a quarter of an hour is a dead machine's, and is taken
over. Its age is told by the store's clock: machines' own may lie.
"""

import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from batch.errors import LockedError
from batch.stores import entry_of, read, remove, write

NAME = ".run-lock"
STALE_S = 15 * 60.0
EVERY_S = 60.0
SETTLE_S = 2.0  # between taking over and being sure that nobody else has at the same moment


class StoreLock:
    """The lock of a folder of results; `token` tells whose it is."""

    def __init__(self, folder: str) -> None:
        self.folder, self.url = folder, f"{folder}/{NAME}"
        self.token = secrets.token_hex(16)
        self._ended = threading.Event()
        self._refreshing = threading.Thread(target=self._refresh, daemon=True)

    def take(self, left_behind: Collection[str] = ()) -> None:
        """Take the lock, and hold on to it.

        `left_behind` are tokens of runs of this machine that are known to be dead. Raises
        LockedError, which says who holds it, or OSError.
        """
        held = self.held_by()
        try:
            if held is None:
                write(self.url, self._said(), new=True)
            elif held.get("token") in left_behind:
                write(self.url, self._said())
            else:
                self._take_over(held)
        except FileExistsError as error:
            raise self._lost(None) from error
        self.check()
        self._refreshing.start()

    def check(self) -> None:
        """Raise LockedError where another machine has taken the lock; OSError."""
        held = self.held_by()
        if not self._is_ours(held):
            raise self._lost(held)

    def leave(self) -> None:
        """Let go of the lock, if it is still held. Raises OSError."""
        self._ended.set()
        if self._refreshing.is_alive():
            self._refreshing.join()
        if self._is_ours(self.held_by()):
            remove(self.url)

    def held_by(self) -> dict[str, Any] | None:
        """Read who holds the lock; None where nobody does, empty where it does not tell."""
        try:
            found = json.loads(read(self.url))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _is_ours(self, held: dict[str, Any] | None) -> bool:
        return held is not None and held.get("token") == self.token

    def _lost(self, held: dict[str, Any] | None) -> LockedError:
        who = _who(held) if held else "another machine"
        return LockedError(f"{self.folder} was taken over by {who}: wait for it to end")

    def _take_over(self, held: dict[str, Any]) -> None:
        """Take a dead machine's lock. Raises LockedError where it is not dead, or another did."""
        age = self._age()
        if age < STALE_S:
            wait = f"wait for it to end; if it is dead, in {_minutes(STALE_S - age)} this goes on"
            raise LockedError(f"{_who(held)} is writing to {self.folder}: {wait}")
        now = self.held_by()
        if now is None or now.get("token") != held.get("token"):
            raise self._lost(now)
        write(self.url, self._said())
        time.sleep(SETTLE_S)  # then `check` tells who was the last to write it

    def _age(self) -> float:
        """Give the seconds since the lock was last written, by the clock of the store."""
        probe = f"{self.url}-{self.token}"
        write(probe, b"")
        try:
            return (entry_of(probe).mtime_ns - entry_of(self.url).mtime_ns) / 10**9
        except FileNotFoundError:
            return 0.0  # it was let go of just now: who tries again has it
        finally:
            remove(probe)

    def _said(self) -> bytes:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        who = {"token": self.token, "host": platform.node(), "process": os.getpid(), "at": at}
        return json.dumps(who).encode()

    def _refresh(self) -> None:
        while not self._ended.wait(EVERY_S):
            with suppress(OSError):  # the next try may get through; who brings results will tell
                if not self._is_ours(self.held_by()):
                    return
                write(self.url, self._said())


def holder_of(folder: str) -> str | None:
    """Tell which machine writes to a folder of results now, if one does. Raises OSError."""
    held = StoreLock(folder).held_by() or {}
    try:
        since = datetime.now(UTC) - datetime.fromisoformat(str(held.get("at")))
    except (ValueError, TypeError):
        return None
    return _who(held) if since.total_seconds() < STALE_S else None


def _who(held: dict[str, Any]) -> str:
    return f"{held.get('host')} (process {held.get('process')}, last heard of at {held.get('at')})"


def _minutes(seconds: float) -> str:
    return f"{max(1, round(seconds / 60))} minutes"
