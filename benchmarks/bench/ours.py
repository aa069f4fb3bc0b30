"""This program's own way: whole, and stage by stage."""

import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from batch.features import FeatureCache
from batch.quiet import start_tensorflow
from batch.scan import Photo, scan
from benchmarks.bench.way import Task, Work

SCANS = 100  # of a folder, one takes a millisecond
ROWS = 10_000  # of the manifest that is written


def command(task: Task) -> Work:
    """Make ready to run the command; its first run, over one photo, is the start-up."""
    runs = count()

    def run(number: int) -> int:
        home = Path(task.work, str(next(runs)))
        asked = ["caption", task.folder, "--limit", str(number), "--captioner", task.captioner]
        asked += ["--out", str(home / "out"), "--features", str(home / "features")]
        subprocess.run([sys.executable, "-m", "batch", *asked], check=True)
        return number

    run(1)
    return lambda: run(len(task.paths))


def caption_photos(task: Task) -> Work:
    """Make ready to caption photos in this process, from the scan to the manifest."""
    start_tensorflow()
    from batch.caption import Stage
    from batch.results import Results

    stage, runs = Stage.load([task.captioner], f"{task.work}/first", {}), count()

    def run(number: int) -> int:
        home = Path(task.work, str(next(runs)))
        cold = replace(stage, cache=FeatureCache(str(home / "features")))
        shards = cold.caption_shards(_photos(task, number), {})
        records = [record for shard in shards for record in shard.records]
        (home / "out").mkdir()
        Results(str(home / "out"), task.folder).commit(records)
        shutil.rmtree(home)
        return sum(record.caption is not None for record in records)

    run(1)
    return lambda: run(task.number)


def load_and_encode(task: Task) -> Work:
    """Make ready to load and encode photos, which are kept nowhere."""
    start_tensorflow()
    from batch.caption import encode_with
    from batch.encode import encode_photos

    encode = encode_with(task.captioner)

    def run(number: int) -> int:
        return len(encode_photos(_photos(task, number), encode))

    run(1)
    return lambda: run(task.number)


def find(task: Task) -> Work:
    """Make ready to scan."""
    return lambda: sum(len(list(scan(task.folder))) for _ in range(SCANS))


def load(task: Task) -> Work:
    """Make ready to load photos: read, hash, decode, scale; in processes of their own."""
    from batch.encode import load_chunks
    from batch.sandbox import WORKERS

    def run(number: int) -> int:
        chunks = load_chunks(_photos(task, number), ())
        return sum(photo.pixels is not None for chunk in chunks for photo in chunk)

    run(WORKERS)
    return lambda: run(task.number)


def caption_from_cache(task: Task) -> Work:
    """Make ready to caption photos whose features are in the cache."""
    from models.captioner import Captioner

    features = _features(task)
    FeatureCache(task.work).write(features)
    captioner = Captioner.load(task.captioner)

    def run() -> int:
        kept = FeatureCache(task.work).read(features)
        return len(captioner.caption(np.stack(list(kept.values()))))

    run()
    return run


def keep(task: Task) -> Work:
    """Make ready to write photos' features into the cache."""
    features, runs = _features(task), count()

    def run() -> int:
        FeatureCache(str(Path(task.work, str(next(runs))))).write(features)
        return len(features)

    return run


def write(task: Task) -> Work:
    """Make ready to write a manifest and its CSV view of many rows, which differ."""
    from batch.results import Results

    records, runs = _records(task), count()

    def run() -> int:
        out = Path(task.work, str(next(runs)))
        out.mkdir()
        Results(str(out), task.folder).commit(records)
        return len(records)

    return run


def _records(task: Task) -> list[Any]:
    from batch.photos import load
    from batch.rows import make_record
    from manifests.record import Status

    [photo] = _photos(task, 1)
    first = replace(
        make_record(load(photo), Status.CAPTIONED, None),
        alternatives=("a dog on a beach", "two dogs on a beach", "a dog and a ball"),
        captioner="flickr8k-en",
        language="en",
        confidence=0.5,
    )
    numbered = ((number, f"{number:06}.jpg") for number in range(ROWS))
    return [
        replace(
            first,
            path=name,
            raw_path=name.encode(),
            photo_id=f"{number:064x}",
            caption=f"a dog runs on beach {number}",
        )
        for number, name in numbered
    ]


def _features(task: Task) -> dict[str, np.ndarray]:
    start_tensorflow()
    from batch.caption import encode_with
    from batch.encode import encode_photos

    return encode_photos(_photos(task, task.number), encode_with(task.captioner))


def _photos(task: Task, number: int) -> list[Photo]:
    return list(islice(scan(task.folder), number))
