"""How memory grows over a long run, and what a run costs that finds nothing new.

python -m benchmarks.long_run [--photos 100000] [--home /a/large/disk]

Small photos are drawn and captioned with stand-ins in place of the networks: what is measured is
all the rest. Memory is that of the program and of the processes that it starts.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from batch.__main__ import main as program
from batch.features import SHARD_PHOTOS
from batch.quiet import quiet
from batch.tables import Table
from benchmarks.processes import resident
from tests.batch.archives import save_captioner
from tests.batch.world import stand_in
from tests.pictures import encoded, noise

A_FOLDER = 1000  # photos
HEADER = ("", "MiB at most since the last row", "seconds")


def main() -> None:
    """Draw, caption, caption again, walk; print what each took."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="long-run-", dir=options.home) as home:
        root = Path(home, "photos")
        _draw(root, options.photos)
        with quiet():
            import tensorflow  # noqa: F401 - before the fork: its import is not what is measured

            stand_in()
            captioner = save_captioner(Path(home, "tiny"))
        asked = ["caption", "--out", f"{home}/out", "--features", f"{home}/features"]
        asked += ["--captioner", captioner, str(root)]
        print(_first_run(asked, Path(home, "out"), options.photos).as_markdown())
        print(_second_run(asked, root).as_markdown())


def _draw(root: Path, photos: int) -> None:
    for number in tqdm(range(photos), desc="drawing", unit="photo", disable=None):
        folder = root / f"{number // A_FOLDER:04}"
        folder.mkdir(parents=True, exist_ok=True)
        picture = noise(6, 4, number).resize((60, 40), resample=0)
        (folder / f"{number % A_FOLDER:03}.jpg").write_bytes(encoded(picture, quality=80))


def _first_run(asked: list[str], out: Path, photos: int) -> Table:
    """Caption; tell the memory each time that a tenth of the photos was kept."""
    start = time.monotonic()
    pid = _forked(asked)
    rows, tenth, memory = [], 1, 0
    while _is_running(pid):
        memory = max(memory, resident(pid))
        if _kept(out) >= photos * tenth // 10 > 0:
            rows.append(_row(f"{photos * tenth // 10:,} photos", memory, start))
            tenth, memory = tenth + 1, 0
        time.sleep(0.05)
    return Table("first", [*rows, _row("the end", memory, start)], HEADER, numbers=True)


def _second_run(asked: list[str], root: Path) -> Table:
    """Caption again, which finds nothing new; and walk over the folders, asking for each file."""
    start, memory = time.monotonic(), 0
    pid = _forked(asked)
    while _is_running(pid):
        memory = max(memory, resident(pid))
        time.sleep(0.05)
    rows = [_row("a run with nothing new", memory, start)]
    start = time.monotonic()
    for folder, _, names in os.walk(root):
        for name in names:
            os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 - the quickest there is
    return Table("again", [*rows, _row("os.walk and os.stat", 0, start)], HEADER, numbers=True)


def _row(what: str, memory: int, start: float) -> list[str]:
    return [what, f"{memory / 2**20:,.0f}", f"{time.monotonic() - start:,.1f}"]


def _forked(asked: list[str]) -> int:
    """Run the program in a process that has imported everything."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = program(asked)
        finally:
            os._exit(code)
    return pid


def _is_running(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG) == (0, 0)


def _kept(out: Path) -> int:
    """Count the photos whose rows are kept; the last shard may be smaller."""
    return SHARD_PHOTOS * sum(1 for _ in out.glob(".parts/*/*.parquet"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=100_000, metavar="N")
    parser.add_argument(
        "--home", metavar="FOLDER", help="where the photos and results go meanwhile"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
