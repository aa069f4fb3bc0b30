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
from batch.store_lock import NAME, StoreLock
from batch.stores import Entry, entry_of, get, objects_below, put, read, remove
from manifests.durable import atomic_write, leftovers, write_json

COPIES = os.path.join(OUTPUTS, ".stored")
AT_ONCE = 8  # files on their way
VIEW = "captions.csv"
# Brought after all else, in this order. The view is away meanwhile: where it is not there, the next
# run makes it anew, and one that the note does not know would be taken for a person's.
LAST = (".captions-copy.parquet", "captions.parquet", "last_run.json", VIEW)
GROWING = (".parts", "reviews")  # what a shard changes, beside the files at the top
_PARTS = ".parts/"
_AGAIN = (_PARTS, "last_run.json", "log.jsonl", "gallery/")  # what a run makes anew
Sign = tuple[int, int]  # a file's size and mtime_ns


class WorkingCopy:
    """The copy of a folder of results, and what it and the store had in common last."""

    def __init__(self, url: str) -> None:
        name = f"{url.rpartition('/')[2]}-{sha256(url.encode()).hexdigest()[:8]}"
        self.url = url
        self.base = os.path.join(COPIES, name)
        self.folder = os.path.join(self.base, "results")
        self.lock: StoreLock | None = None
        self._state = Path(self.base, "state.json")
        self._known: dict[str, tuple[Sign, str]] = {}  # name -> the file here, the object's tag

    def hold(self, lock: StoreLock) -> None:
        """Take the lock; that of a run that died on this machine is known by its token."""
        before = self._read_state()
        write_json(self._state, {**before, "url": self.url, "token": lock.token})
        try:
            lock.take(before.get("token"))
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        self.lock = lock

    def pull(self, tell: Callable[[str], None], *, by_ourselves: bool) -> None:
        """Have the copy hold what the store does, and what waits here to be brought there.

        Where both have changed, what is here goes aside, unless a run makes it anew: another
        machine has gone on meanwhile. Raises OSError, ArchiveError.
        """
        there, here = self._objects(), files_below(self.folder)
        known = _known_in(self._read_state()).items()
        # A run that was killed may have removed parts; what else is not here, was lost.
        self._known = {n: each for n, each in known if n in here or n.startswith(_PARTS)}
        ours = {n for n in here.keys() | self._known.keys() if not self._is_known(n, here)}
        theirs = {n for n in there.keys() | self._known.keys() if not self._has_tag(n, there)}
        for name in ours & theirs:
            if self._is_alike(name, here, there):  # a push that was killed got as far as this
                ours.discard(name)
                theirs.discard(name)
        if ours and theirs and not all(name.startswith(_AGAIN) for name in ours):
            self._set_aside(tell)
        if theirs or not ours:
            self._mirror(there, by_ourselves=by_ourselves)
        self._write_state()

    def push(self, here: Mapping[str, Sign], *, whole: bool = False) -> int:
        """Bring files that have changed to the store, and remove there what is gone.

        here: all files below the copy, or with the same folders left out; whole: none was left
        out. Returns how many were brought. Raises LockedError where the lock is another's, OSError.
        """
        new = [name for name in here if not self._is_known(name, here) and _can_be_key(name)]
        gone = [name for name in self._known if name not in here and (whole or _grows(name))]
        if not new and not gone:
            return 0
        if self.lock is not None:
            self.lock.check()
        try:
            if VIEW in new:
                remove(f"{self.url}/{VIEW}")
            self._put_all((name for name in new if name not in LAST), here)
            for name in (name for name in LAST[:-1] if name in new):
                self._put(name, here)
            for name in gone:
                remove(f"{self.url}/{name}")
                del self._known[name]
            if VIEW in new:
                self._put(VIEW, here)
        finally:
            self._write_state()
        return len(new)

    def bring_all(self, tell: Callable[[str], None]) -> None:
        """Bring all that has changed at the end of a command. Raises ArchiveError, LockedError."""
        here = files_below(self.folder)
        try:
            self.push(here, whole=True)
        except OSError as error:
            raise ArchiveError(
                f"the results could not be brought to {self.url} ({error.strerror}); they are "
                f"whole in {self.folder}, and the next command with this OUT= brings them"
            ) from error
        left = [name for name in here if not _can_be_key(name)]
        if left:
            text = (
                f"{len(left):,} files have names that no store can hold, and stay here: {left[0]}"
            )
            tell(f"{self.folder}: {text}")

    def _objects(self) -> dict[str, Entry]:
        """List what the store has of results; what cannot be a file here is none."""
        try:
            found = objects_below(self.url)
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        return {name: entry for name, entry in found.items() if _can_be_file(name)}

    def _no_bucket(self) -> ArchiveError:
        return ArchiveError(f"{self.url}: there is no such bucket; make it first")

    def _is_known(self, name: str, here: Mapping[str, Sign]) -> bool:
        known = self._known.get(name)
        return (known and known[0]) == here.get(name)

    def _has_tag(self, name: str, there: Mapping[str, Entry]) -> bool:
        known, found = self._known.get(name), there.get(name)
        return (known and known[1]) == (found and found.tag)

    def _is_alike(self, name: str, here: Mapping[str, Sign], there: Mapping[str, Entry]) -> bool:
        """Tell whether file and object have the same bytes, or are both gone; note it."""
        if name not in here and name not in there:
            self._known.pop(name, None)
            return True
        if name not in here or name not in there or here[name][0] != there[name].size:
            return False
        if Path(self.folder, name).read_bytes() != read(f"{self.url}/{name}"):
            return False
        self._known[name] = here[name], there[name].tag
        return True

    def _set_aside(self, tell: Callable[[str], None]) -> None:
        aside = next(p for n in count(1) if not os.path.lexists(p := f"{self.base}/unbrought-{n}"))
        os.rename(self.folder, aside)
        os.makedirs(self.folder)
        tell(
            f"another machine went on with {self.url} before all of this one's results were there; "
            f"they are kept in {aside}: merge what people said from there, then remove it"
        )

    def _mirror(self, there: Mapping[str, Entry], *, by_ourselves: bool) -> None:
        """Make the copy the same as the store."""
        here = files_below(self.folder)
        for name in here.keys() - there.keys():
            os.unlink(os.path.join(self.folder, name))
            if "/" in name:
                with suppress(OSError):  # it holds more
                    os.rmdir(os.path.join(self.folder, os.path.dirname(name)))
        whole = {n for n in there if self._is_known(n, here) and self._has_tag(n, there)}
        self._known = {name: self._known[name] for name in whole}

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
            self._known[name] = _sign(path), there[name].tag

        _at_once(fetch, there.keys() - whole)

    def _put_all(self, names: Iterable[str], here: Mapping[str, Sign]) -> None:
        _at_once(lambda name: self._put(name, here), names)

    def _put(self, name: str, here: Mapping[str, Sign]) -> None:
        url = f"{self.url}/{name}"
        put(os.path.join(self.folder, name), url)
        self._known[name] = here[name], entry_of(url).tag

    def _read_state(self) -> dict[str, Any]:
        try:
            found = json.loads(self._state.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write_state(self) -> None:
        files = {name: [*sign, tag] for name, (sign, tag) in sorted(self._known.items())}
        token = self.lock.token if self.lock else self._read_state().get("token")
        write_json(self._state, {"url": self.url, "token": token, "files": files})


def _known_in(state: Mapping[str, Any]) -> dict[str, tuple[Sign, str]]:
    files: dict[str, Any] = state.get("files") or {}
    return {name: ((size, mtime_ns), tag) for name, (size, mtime_ns, tag) in files.items()}


def _at_once(work: Any, names: Iterable[str]) -> None:
    """Do something for some files at once. Raises the first error, when the others are done."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(work, name) for name in names]:
            done.result()


def files_below(folder: str, only: tuple[str, ...] = ()) -> dict[str, Sign]:
    """Find the files of results by their names from the folder; of folders those of `only`, if any.

    Locks and files in the making are none.
    """
    found = {}
    for place, folders, names in os.walk(folder):
        if only and place == folder:
            folders[:] = [name for name in folders if name in only]
        making = {path.name for path in leftovers(Path(place))}
        for name in names:
            path = os.path.join(place, name)
            if name != ".lock" and name not in making and not os.path.islink(path):
                with suppress(FileNotFoundError):
                    found[os.path.relpath(path, folder)] = _sign(path)
    return found


def _sign(path: str | Path) -> Sign:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def _grows(name: str) -> bool:
    """Tell whether a file is one of those that are looked at after each shard."""
    return "/" not in name or name.partition("/")[0] in GROWING


def _can_be_key(name: str) -> bool:
    """Tell whether an object can have a name: it is text in UTF-8."""
    try:
        return len(name.encode()) < 900
    except UnicodeEncodeError:
        return False


def _can_be_file(name: str) -> bool:
    """Tell whether a file below the copy can have an object's name, and nothing outside of it."""
    parts = name.split("/")
    odd = name.startswith(NAME) or "\0" in name or any(len(os.fsencode(p)) > 255 for p in parts)
    return not odd and not {"", ".", ".."} & set(parts)
