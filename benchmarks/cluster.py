"""How a run grows with workers: one of one core, two of one core each, and one process of two.

    python -m benchmarks.cluster FOLDER [--limit 2048] [--captioner FOLDER]

The command captions the same photos three times, each time with an empty cache. The rate is that of
the steady run, from when each worker has given its first shard, by the run's own log: start-up is
left out, and is in `seconds`. Processor time is of all processes, start-up included: where the
machine has other work, look there. Stops where manifest or CSV are not equal to the byte. Prints
JSON. Give some thousand photos: a shard has 256, and what is left over at the end keeps only one
worker busy.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from batch.config import CAPTIONER

WAYS = {"one_worker": ("--workers=1", 1), "two_workers": ("--workers=2", 2), "one_process": ("", 2)}


def main() -> None:
    """Measure the three ways and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--limit", type=int, default=2048)
    parser.add_argument("--captioner", default=CAPTIONER)
    options = parser.parse_args()
    asked = ["--captioner", options.captioner, "--limit", str(options.limit), options.folder]
    with tempfile.TemporaryDirectory() as work:
        found = {name: measure(Path(work, name), *WAYS[name], asked) for name in WAYS}
        for name in ("captions.parquet", "captions.csv"):
            if len({Path(work, way, name).read_bytes() for way in WAYS}) != 1:
                sys.exit(f"{name} is not the same in all ways")
    rates = {name: way["photos_per_second"] for name, way in found.items()}
    times = {f"{name}_over_one_worker": rates[name] / rates["one_worker"] for name in WAYS}
    print(json.dumps(found | {name: round(value, 2) for name, value in times.items()}, indent=2))


def measure(out: Path, way: str, cores: int, asked: list[str]) -> dict[str, Any]:
    """Run the command on so many cores; give its rate and its cost."""
    places = ["--out", str(out), "--features", f"{out} features"]
    command = [sys.executable, "-m", "batch", "caption", *filter(None, [way]), *places, *asked]
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    photos, rate = steady(out / "log.jsonl", 1 if cores == 1 else 2)
    return {
        "photos_per_second": round(rate, 2),
        "cpu_ms_a_photo": round(1000 * used / photos, 1),
        "seconds": round(seconds, 1),
        "photos": photos,
    }


def steady(log: Path, first: int) -> tuple[int, float]:
    """Give how many photos a run has captioned, and how many a second after the `first` shards."""
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    shards = [event for event in events if event["event"] == "shard kept"]
    if len(shards) <= first:
        sys.exit(f"{len(shards)} shards tell no rate: give more photos")
    start, *times = [datetime.fromisoformat(shard["time"]) for shard in shards[first - 1 :]]
    seconds = (times[-1] - start).total_seconds()
    counts = [shard["photos"] for shard in shards]
    return sum(counts), sum(counts[first:]) / seconds


if __name__ == "__main__":
    main()
