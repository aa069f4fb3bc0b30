"""Photos a second: `make caption`'s command against the tutorial's way, on the same photos.

    python -m benchmarks.throughput FOLDER [--limit N] [--captioner FOLDER]

Both run as a process of their own, start-up included, one after the other; ours with an empty
cache, then again with nothing new, with the peak memory of that second run. Prints JSON.
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


def compare(folder: str, captioner: str, work: str, *, tutorial: bool) -> dict[str, Any]:
    """Caption a folder our way twice, and the tutorial's way once."""
    ours = [
        sys.executable, "-m", "batch", "caption", folder, "--captioner", captioner,
        "--out", f"{work}/out", "--features", f"{work}/features",
    ]  # fmt: skip
    theirs = [
        sys.executable, "-m", "benchmarks.tutorial_way", folder, "--captioner", captioner,
    ]  # fmt: skip
    photos = len(list(Path(folder).glob("*.jpg")))
    found: dict[str, Any] = {
        "photos": photos,
        "first_run": measure(ours),
        "second_run": measure(ours),
    }
    cache = sum(path.stat().st_size for path in Path(work, "features").rglob("*.parquet"))
    found["cache_kib_a_photo"] = round(cache / photos / 1024, 1)
    if tutorial:
        found["tutorial"] = measure(theirs)
        ratio = found["tutorial"]["seconds"] / found["first_run"]["seconds"]
        found["times_faster"] = round(ratio, 1)
    return found


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--captioner", default=CAPTIONER)
    parser.add_argument("--no-tutorial", action="store_true", help="only our own two runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        photos = Path(work, "photos")
        photos.mkdir()
        for photo in sorted(Path(options.folder).glob("*.jpg"))[: options.limit]:
            shutil.copy(photo, photos)
        found = compare(str(photos), options.captioner, work, tutorial=not options.no_tutorial)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
