"""Photos a second: `make caption`'s command against the tutorial's way, on the same photos.

    python -m benchmarks.throughput FOLDER [--limit N] [--tutorial N] [--captioner FOLDER]

The command runs with an empty cache, then again with nothing new: whole processes, start-up
included, with their peak memory. Then both ways caption the photos, each in a process that one
photo has warmed up; their rates leave the start-up out. The tutorial's way is slow: `--tutorial N`
takes it over the first N photos only. Prints JSON.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from batch.config import CAPTIONER

# Runs its arguments as a command and adds the peak memory of what it ran, in MiB.
_MEASURED = (
    "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]);"
    "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024);"
    "sys.exit(done.returncode)"
)


def measure(command: list[str]) -> dict[str, Any]:
    """Run a command; give its seconds, its peak memory and the last line that it printed."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command], check=True, capture_output=True, text=True
    )
    *_, said, peak = done.stdout.strip().splitlines()
    seconds = round(time.monotonic() - start, 2)
    return {"seconds": seconds, "peak_mib": round(float(peak.split()[1])), "said": said}


def compare(photos: str, some: str, captioner: str, work: str) -> dict[str, Any]:
    """Caption a folder by `make caption`'s command twice, then in both ways once warmed up."""
    ours = [
        sys.executable, "-m", "batch", "caption", photos, "--captioner", captioner,
        "--out", f"{work}/out", "--features", f"{work}/features",
    ]  # fmt: skip
    number, fewer = (len(list(Path(folder).glob("*.jpg"))) for folder in (photos, some))
    found: dict[str, Any] = {
        "photos": number,
        "first_run": measure(ours),
        "second_run": measure(ours),
    }
    cache = sum(path.stat().st_size for path in Path(work, "features").rglob("*.parquet"))
    found["cache_kib_a_photo"] = round(cache / number / 1024, 1)
    if fewer:
        found |= {"ours": _rate("our_way", photos, captioner), "tutorial_photos": fewer}
        found["tutorial"] = _rate("tutorial_way", some, captioner)
        found["times_faster"] = round(found["ours"] / found["tutorial"], 1)
    return found


def _rate(way: str, folder: str, captioner: str) -> float:
    """Photos a second of a way, its start-up left out."""
    command = [sys.executable, "-m", f"benchmarks.{way}", folder, "--captioner", captioner]
    return float(measure(command)["said"])


def _copy(photos: list[Path], folder: Path) -> str:
    folder.mkdir()
    for photo in photos:
        shutil.copy(photo, folder)
    return str(folder)


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--limit", type=int, help="only the first photos")
    parser.add_argument(
        "--tutorial", type=int, help="the tutorial's way on the first of them; 0: not"
    )
    parser.add_argument("--captioner", default=CAPTIONER)
    options = parser.parse_args()
    photos = sorted(Path(options.folder).glob("*.jpg"))[: options.limit]
    with tempfile.TemporaryDirectory() as work:
        folder = _copy(photos, Path(work, "photos"))
        some = _copy(photos[: options.tutorial], Path(work, "some"))
        found = compare(folder, some, options.captioner, work)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
