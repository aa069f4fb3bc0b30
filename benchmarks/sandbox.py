"""Photos loaded a second: by threads of one process, and by workers of their own.

    python -m benchmarks.sandbox [--limit N] [--rounds N] [--encode]

Loads the same drawn photos both ways, in turns: small ones (224x224), and ones of 12 megapixels,
both JPEG: how many a second, and milliseconds of the processor for one, in the run's process and in
its workers together; medians of the rounds. `--encode` has the encoder see them as well, as in a
run. Tells what the first photo waits for its worker, too. Prints JSON. For Linux; the photos a
second mean little where something else runs meanwhile.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

from batch import photos, sandbox
from batch.config import CAPTIONER, captioner_folder
from batch.encode import Encode, load_and_encode, load_chunks
from batch.quiet import start_tensorflow
from batch.scan import Photo, scan
from benchmarks.bench.drawn import LARGE, SIZES, SMALL, draw_photos
from benchmarks.processes import cpu_seconds

Load = Callable[..., photos.LoadedPhoto]
NUMBERS = {SMALL: 600, LARGE: 60}


def load_all(folder: Path, load: Load, encode: Encode | None) -> tuple[float, float]:
    """Load a folder, and encode it where there is an encoder; seconds, and the processor's."""
    with patch("batch.encode.load", load):
        start, cpu_start = time.perf_counter(), cpu_seconds(os.getpid())
        if encode is None:
            chunks = load_chunks(scan(folder), ())
        else:
            chunks = (chunk for chunk, _ in load_and_encode(scan(folder), (), encode))
        loaded = [photo for chunk in chunks for photo in chunk]
        took, cpu = time.perf_counter() - start, cpu_seconds(os.getpid()) - cpu_start
    if any(photo.status != "ok" for photo in loaded):
        raise SystemExit(f"a photo in {folder} was not loaded")
    return took / len(loaded), cpu / len(loaded)


def compare(folder: Path, rounds: int, encode: Encode | None) -> dict[str, float]:
    """Load a folder both ways in turns; the medians, the first round left out."""
    ways = {"threads": photos.load, "workers": sandbox.load}
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, load in ways.items():
            took[name].append(load_all(folder, load, encode))
    found: dict[str, float] = {}
    for name, each in took.items():
        clock, cpu = (statistics.median(numbers[1:]) for numbers in zip(*each, strict=True))
        found |= {f"{name}_photos_s": round(1 / clock, 1), f"{name}_cpu_ms": round(1000 * cpu, 2)}
    return found


def encoder() -> Encode:
    """Load the encoder of the captioner that ships."""
    start_tensorflow()
    from batch.caption import encode_with

    return encode_with(captioner_folder(CAPTIONER))


def first_photo(folder: Path) -> float:
    """Time the first photo, a worker's start with it."""
    sandbox.end_workers()
    start = time.perf_counter()
    sandbox.load(Photo(str(folder), "0000.jpg", 0, 0))
    return round(time.perf_counter() - start, 3)


def folders(work: Path, limit: int | None) -> Iterator[tuple[str, Path]]:
    """Draw the photos."""
    for name, number in NUMBERS.items():
        folder = work / name
        draw_photos(folder, SIZES[name], min(number, limit or number))
        yield name, folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, help="photos of each size at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--encode", action="store_true", help="with the encoder at work")
    options = parser.parse_args(arguments)
    encode = encoder() if options.encode else None
    found: dict[str, object] = {"workers": sandbox.WORKERS}
    with tempfile.TemporaryDirectory() as work:
        for name, folder in folders(Path(work), options.limit):
            found[name] = compare(folder, options.rounds, encode)
        found["first_photo_s"] = first_photo(folder)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
