"""The copy of a folder of results in object storage: what changed on either side, and which way.

`state.json` beside the copy tells what both had in common last: of each file its size and time
here, and the object's tag. What is lost here by other hands is fetched again, never removed there.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from batch.config import OUTPUTS
from batch.errors import ArchiveError
from batch.result_files import (
    GROWING,
    LAST,
    MADE_AGAIN,
    PARTS,
    RESULTS,
    VIEW,
    Sign,
    can_be_file,
    can_be_key,
    files_below,
    sign_of,
)
from batch.run_log import LOG_FILE
from batch.store_lock import StoreLock
from batch.stores import Entry, entry_of, get, objects_below, put, read, remove
from manifests.durable import atomic_write, write_json

COPIES = os.path.join(OUTPUTS, ".stored")
AT_ONCE = 8  # files on their way


class WorkingCopy:
    """The copy of a folder of results, and what it and the store had in common last."""

    def __init__(self, url: str) -> None:
        name = f"{url.rpartition('/')[2][:40]}-{sha256(url.encode()).hexdigest()[:8]}"
        self.url = url
        self.base = os.path.join(COPIES, name)
        self.folder = os.path.join(self.base, "results")
        self.lock: StoreLock | None = None
        self._state = Path(self.base, "state.json")
        self._known: dict[str, tuple[Sign, str]] = {}  # name -> the file here, the object's tag

    def hold(self, lock: StoreLock) -> None:
        """Take the lock; that of a run that died on this machine is known by its token."""
        before = self._read_state()
        # Those of tries that got no answer stay: one of them may be in the store, or will be seen.
        tokens = before.get("tokens", [])
        write_json(self._state, {**before, "url": self.url, "tokens": [*tokens, lock.token]})
        try:
            lock.take(tokens)
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        self.lock = lock

    def pull(self, tell: Callable[[str], None], *, by_ourselves: bool) -> None:
        """Have the copy hold what the store does, and what waits here to be brought there.

        Where both have changed, what is here goes aside, unless a run makes it anew: another
        machine has gone on meanwhile. Raises OSError, ArchiveError.
        """
        there, here = self._objects(), files_below(self.folder)
        self._known = _known_in(self._read_state())
        lost = {n for n in self._known if n not in here and not n.startswith(PARTS)}
        lost = {n for n in lost if self._has_tag(n, there)}  # by other hands: no run's doing
        names = here.keys() | there.keys() | self._known.keys()
        ours = {n for n in names - lost if not self._is_known(n, here)}
        theirs = {n for n in names if not self._has_tag(n, there)}
        for name in ours & theirs:
            self._settle(name, here, there, ours, theirs)
        if here and theirs and not there:
            self._set_aside(f"{self.url} holds nothing any more", tell)
        elif ours and theirs and not all(name.startswith(MADE_AGAIN) for name in ours):
            self._set_aside(f"another machine has gone on with {self.url} meanwhile", tell)
        if theirs or not ours:
            lost = self._clear(there)
        self._fetch_all({name: there[name] for name in lost}, by_ourselves=by_ourselves)
        self._write_state()

    def push(self, *, shard: bool = False) -> int:
        """Bring files that have changed to the store, and remove there what is gone.

        shard: only what a shard changes, without the log, which grows with each. Returns how many
        were brought. Raises LockedError where the lock is another's by now, OSError.
        """
        here = files_below(self.folder, GROWING if shard else ())
        new = [name for name in here if not self._is_known(name, here) and can_be_key(name)]
        gone = [name for name in self._known if name not in here]
        if shard:
            new = [name for name in new if not name.startswith(LOG_FILE)]
            gone = [name for name in gone if name.startswith(PARTS)]
        if not new and not gone:
            return 0
        if self.lock is not None:
            self.lock.check()
        try:
            if VIEW in new:
                self._known.pop(VIEW, None)
                remove(f"{self.url}/{VIEW}")
            self._put_all((name for name in new if name not in LAST), here)
            for name in (name for name in LAST[:-1] if name in new):
                self._put(name, here)
            _at_once(self._remove, gone)
            if VIEW in new:
                self._put(VIEW, here)
        finally:
            self._write_state()
        return len(new)

    def bring_all(self, tell: Callable[[str], None]) -> int:
        """Bring all that has changed at the end of a command; do as `push`, but for ArchiveError.

        That is raised where the store cannot be reached, and says where all is.
        """
        try:
            brought = self.push()
        except OSError as error:
            raise ArchiveError(
                f"the results could not be brought to {self.url} ({error.strerror}); they are "
                f"whole in {self.folder}, and the next command with this OUT= brings them"
            ) from error
        left = [name for name in files_below(self.folder) if not can_be_key(name)]
        if left:
            why = f"{len(left):,} files have names that no store can hold, and stay there"
            tell(f"{self.folder}: {why}, such as {left[0]}")
        return brought

    def _objects(self) -> dict[str, Entry]:
        """List what the store has of results; what cannot be a file here is none."""
        try:
            found = objects_below(self.url)
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        found = {name: entry for name, entry in found.items() if can_be_file(name)}
        if found and not any(name.startswith(RESULTS) for name in found):
            raise ArchiveError(
                f"{self.url} holds {next(iter(found))} and no results; give OUT= a place of its own"
            )
        return found

    def _no_bucket(self) -> ArchiveError:
        return ArchiveError(f"{self.url}: there is no such bucket; make it first")

    def _is_known(self, name: str, here: Mapping[str, Sign]) -> bool:
        known = self._known.get(name)
        return (known and known[0]) == here.get(name)

    def _has_tag(self, name: str, there: Mapping[str, Entry]) -> bool:
        known, found = self._known.get(name), there.get(name)
        return (known and known[1]) == (found and found.tag)

    def _settle(
        self,
        name: str,
        here: Mapping[str, Sign],
        there: Mapping[str, Entry],
        ours: set[str],
        theirs: set[str],
    ) -> None:
        """Tell what a push that was killed has done from what another machine has."""
        if name in there and name in here and self._is_alike(name, here, there):
            self._known[name] = here[name], there[name].tag
            ours.discard(name)
            theirs.discard(name)
        elif name not in there and (name not in here or name == VIEW):
            self._known.pop(name, None)
            theirs.discard(name)
            if name not in here:
                ours.discard(name)

    def _is_alike(self, name: str, here: Mapping[str, Sign], there: Mapping[str, Entry]) -> bool:
        if here[name][0] != there[name].size:
            return False
        return Path(self.folder, name).read_bytes() == read(f"{self.url}/{name}")

    def _set_aside(self, why: str, tell: Callable[[str], None]) -> None:
        aside = next(p for n in count(1) if not os.path.lexists(p := f"{self.base}/unbrought-{n}"))
        os.rename(self.folder, aside)
        tell(
            f"{why}: the results that this machine had are kept in {aside}; merge what people said "
            "from there, then remove it"
        )

    def _clear(self, there: Mapping[str, Entry]) -> set[str]:
        """Remove what the store does not have; name what is to be fetched from there."""
        here = files_below(self.folder)
        for name in here.keys() - there.keys():
            os.unlink(os.path.join(self.folder, name))
            if "/" in name:
                with suppress(OSError):  # it holds more
                    os.rmdir(os.path.join(self.folder, os.path.dirname(name)))
        whole = {n for n in there if self._is_known(n, here) and self._has_tag(n, there)}
        self._known = {name: self._known[name] for name in whole}
        return there.keys() - whole

    def _fetch_all(self, wanted: Mapping[str, Entry], *, by_ourselves: bool) -> None:
        def fetch(name: str) -> None:
            path = Path(self.folder, name)
            try:
                os.makedirs(path.parent, exist_ok=True)
                with atomic_write(path) as file:
                    get(f"{self.url}/{name}", str(file.name))
            except FileNotFoundError:
                if by_ourselves:
                    raise
                return  # whoever writes there has just removed it
            self._known[name] = sign_of(path), wanted[name].tag

        _at_once(fetch, wanted)

    def _put_all(self, names: Iterable[str], here: Mapping[str, Sign]) -> None:
        _at_once(lambda name: self._put(name, here), names)

    def _put(self, name: str, here: Mapping[str, Sign]) -> None:
        url = f"{self.url}/{name}"
        put(os.path.join(self.folder, name), url)
        self._known[name] = here[name], entry_of(url).tag

    def _remove(self, name: str) -> None:
        remove(f"{self.url}/{name}")
        del self._known[name]

    def _read_state(self) -> dict[str, Any]:
        try:
            found = json.loads(self._state.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write_state(self) -> None:
        files = {name: [*sign, tag] for name, (sign, tag) in sorted(self._known.items())}
        tokens = [self.lock.token] if self.lock else self._read_state().get("tokens", [])
        write_json(self._state, {"url": self.url, "tokens": tokens, "files": files})


def _known_in(state: Mapping[str, Any]) -> dict[str, tuple[Sign, str]]:
    files: dict[str, Any] = state.get("files") or {}
    return {name: ((size, mtime_ns), tag) for name, (size, mtime_ns, tag) in files.items()}


def _at_once(work: Any, names: Iterable[str]) -> None:
    """Do something for some files at once. After an error, which is raised, no more are begun."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for done in [pool.submit(work, name) for name in names]:
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
