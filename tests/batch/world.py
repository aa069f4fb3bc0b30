"""An archive whose deeds run in processes of their own, to be disturbed, and what must hold after.

A process is forked from one that has imported everything: a run takes a third of a second. Fork
from a process that has started no network: TensorFlow's threads would not be there in the child.
"""

import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from batch.__main__ import main
from batch.scan import scan
from batch.summary import INTERRUPTED
from manifests.manifest import read_records
from tests.batch.archives import (
    Archive,
    FakeEncoder,
    StubCaptioner,
    caption_of,
    draw,
    save_captioner,
    state_of,
)
from tests.batch.reviewers import Sheet

DEEDS = ("caption", "merge", "overwrite")
ENDED = (0, 3)  # complete, complete with failed photos
CRASHED, HUNG = 99, -signal.SIGALRM
POLITE = (signal.SIGTERM, signal.SIGINT)
PATIENCE = 60  # seconds until a deed counts as hung
Prepare = Callable[[], object]


def stand_in() -> None:
    """Let this process caption with stand-ins for the networks."""
    import batch.caption

    encoder, captioner = FakeEncoder(), StubCaptioner()
    batch.caption.load_encoder = lambda folder, bfloat16: encoder
    batch.caption.has_bfloat16 = lambda: False
    batch.caption.Captioner.load = captioner.loaded  # type: ignore[method-assign,assignment]


def in_small_shards_at_one_time() -> None:
    """Let this process' runs have several shards, and whatever it writes the same time."""
    import batch.caption
    import batch.encode
    import batch.merging
    import manifests.journal

    batch.caption.SHARD_PHOTOS = batch.encode.CHUNK = 4  # type: ignore[misc]
    manifests.journal.now = batch.merging.now = lambda: "2026-01-01T00:00:00.000000+00:00"


class World:
    """An archive that was captioned, reviewed and then rearranged, and its results before that.

    `after` are the bytes of manifest and CSV that each deed leaves when nothing disturbs it, one
    after the other; `usual` is how long each takes, in seconds.
    """

    def __init__(self, home: Path) -> None:
        stand_in()
        in_small_shards_at_one_time()
        self.home, self.root = home, home / "photos"
        self.archive = Archive(
            self.root, home / "first", home / "first-features", save_captioner(home / "tiny")
        )
        self.sheet = self._review()
        self._rearrange()
        self.originals = state_of(self.root)
        self.captions = {
            str(path.relative_to(self.root)): caption_of(path) for path in self.root.rglob("*.png")
        }
        self.before = {DEEDS[0]: self.archive.out}
        self.after: dict[str, tuple[bytes, bytes]] = {}
        self.usual: dict[str, float] = {}
        self._do_undisturbed()

    def _review(self) -> Path:
        """Caption twelve photos and a broken one; merge one correction, write nine more."""
        self.archive.draw(*(f"{number % 3}/{number:02}.png" for number in range(12)))
        (self.root / "broken.jpg").write_bytes(b"no photo")
        self.must(self.archive.out, "caption")
        Sheet(self.archive).write("0/00.png", caption="said before", reviewer="Kim").bring_back()
        later = Sheet(self.archive, "later.csv")
        for number in range(1, 10):
            later.write(f"{number % 3}/{number:02}.png", caption=f"사람의 말 {number}")
        return later.save()

    def _rearrange(self) -> None:
        for number in range(12, 20):
            draw(self.root / f"new/{number}.png", number)
        (self.root / "0/03.png").rename(self.root / "moved.png")
        (self.root / "1/01.png").unlink()
        draw(self.root / "2/02.png", 99)
        shutil.copy2(self.root / "0/00.png", self.root / "copy.png")

    def _do_undisturbed(self) -> None:
        out = self.copy(self.archive.out, "undisturbed")
        for number, deed in enumerate(DEEDS):
            start = time.monotonic()
            self.must(out, deed)
            self.usual[deed] = time.monotonic() - start
            self.after[deed] = results(out)
            if number + 1 < len(DEEDS):
                self.before[DEEDS[number + 1]] = self.copy(out, f"after {deed}")

    def copy(self, out: Path, name: str, place: Path | None = None) -> Path:
        """Copy results, and the cache that goes with them."""
        target = (place or self.home) / name
        for source, copied in ((out, target), (features(out), features(target))):
            shutil.rmtree(copied, ignore_errors=True)
            shutil.copytree(source, copied)
        return target

    def arguments(self, out: Path, deed: str) -> list[str]:
        """Give the command line of a deed."""
        if deed == "merge":
            return ["merge-review", "--out", str(out), "--", str(self.sheet)]
        more = ["--existing", "overwrite"] if deed == "overwrite" else []
        where = ["--out", str(out), "--features", str(features(out))]
        return ["caption", *where, "--captioner", self.archive.captioner, *more, str(self.root)]

    def start(self, out: Path, deed: str, prepare: Prepare = int) -> int:
        """Begin a deed in a process of its own, after `prepare` there; give the process' number."""
        signal.pthread_sigmask(signal.SIG_BLOCK, POLITE)  # until the program can answer them
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, POLITE)
            return pid
        code, arguments, has_begun = CRASHED, self.arguments(out, deed), False
        try:
            os.setsid()
            log = os.open(self.home / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            prepare()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, POLITE)
            has_begun = True
            code = main(arguments)
        except BaseException as error:  # noqa: BLE001 - a forked process must not go on as its parent
            traceback.print_exc()
            if isinstance(error, KeyboardInterrupt) and not has_begun:
                code = INTERRUPTED
        finally:
            os._exit(code)

    def attempt(self, out: Path, deed: str, prepare: Prepare = int) -> int:
        """Do a deed; give its exit code, or minus the signal that it died of."""
        return wait(self.start(out, deed, prepare))

    def must(self, out: Path, deed: str) -> None:
        """Do a deed that nothing disturbs."""
        code = self.attempt(out, deed)
        if code not in ENDED:
            raise RuntimeError(f"{deed} ended with {code}: {self.said()}")

    def said(self) -> str:
        """Give the last line that a deed said."""
        text = (self.home / "log").read_text(encoding="utf-8", errors="replace")
        return text.rstrip().rpartition("\n")[2]

    def faults(self, out: Path, deed: str, *, view: bool = True) -> Iterator[str]:
        """Tell what is not as this deed leaves it where nothing disturbs it, with the `view`."""
        rows = {row.path: row for row in read_records(out / "captions.parquet")}
        if lost := {photo.path for photo in scan(self.root)} - rows.keys():
            yield f"rows lost: {sorted(lost)}"
        if wrong := [path for path, text in self.captions.items() if rows[path].caption != text]:
            yield f"captions on wrong photos: {wrong}"
        files = 2 if view else 1
        if results(out)[:files] != self.after[deed][:files]:
            yield "other bytes than those of an undisturbed run"
        if state_of(self.root) != self.originals:
            yield "originals changed"


def features(out: Path) -> Path:
    """Name the cache that goes with results."""
    return out.with_name(f"{out.name} features")


def results(out: Path) -> tuple[bytes, bytes]:
    """Give the bytes of the manifest and of its view."""
    return (out / "captions.parquet").read_bytes(), (out / "captions.csv").read_bytes()


def wait(pid: int) -> int:
    """Wait for a process' exit code, or minus the signal it died of; HUNG where there is no end."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return HUNG


class Steps:
    """Acts at the Nth step that a process takes on the disk, and `lasting` at all from then on.

    A step is a file opened to be written, a rename, a removal, a new folder, or an fsync, in the
    results or their cache.
    """

    def __init__(self, out: Path, at: int, act: Callable[[], object], *, lasting: bool) -> None:
        self.places = (str(out), str(features(out)))
        self.at, self.act, self.lasting, self.taken = at, act, lasting, 0

    def watch(self) -> None:
        """Watch this process; there is no way back."""
        fsync = os.fsync

        def watched(descriptor: int) -> None:
            self._step()
            fsync(descriptor)

        os.fsync = watched
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        changes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
        if (writes or changes) and self._is_ours(arguments[0]):
            self._step()

    def _is_ours(self, path: object) -> bool:
        text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        return text.startswith(self.places)

    def _step(self) -> None:
        self.taken += 1
        if self.taken == self.at or (self.lasting and self.taken > self.at):
            self.act()
