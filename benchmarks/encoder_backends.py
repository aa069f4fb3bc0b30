"""Ways to compute the encoder side by side, on the same photos, and what the captions make of them.

python -m benchmarks.encoder_backends --captions Flickr8k.token.txt --photos images \
    --dev-list Flickr_8k.devImages.txt [--limit N] [--only NAME...] [--work FOLDER] [--speed]

Each in a process of its own: the seconds to its first batch, photos and CPU seconds by its median
batch, peak memory, how far features are from those of Keras in float32, the share of captions that
are equal, and CIDEr. What is not installed is left out, with a word. WORK keeps what was measured:
a later call does the rest. With --speed nothing is captioned. Prints JSON and Markdown.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from batch.config import CAPTIONER, captioner_folder, language_of
from batch.quiet import start_tensorflow
from batch.tables import Table
from benchmarks.scored_on import add_photos, read_photos

REFERENCE = "keras float32"
BATCH = 32
_BLOCK = 128  # photos compared at once


def _keras(folder: str, *, bfloat16: bool) -> Any:
    from models.captioner import load_encoder

    return load_encoder(folder, bfloat16=bfloat16)


def _ours(folder: str, *, bfloat16: bool, backend: str) -> Any:
    from batch.frozen import load_encoder

    os.environ["ENCODER_BACKEND"] = backend
    return load_encoder(folder, bfloat16=bfloat16)


def _onnx(folder: str) -> Any:
    from benchmarks.onnx_encoder import OnnxEncoder
    from models.captioner import CaptionerConfig
    from models.encoder import read_encoder_weights
    from models.inference import Weights

    path = CaptionerConfig.read(folder).encoder_weights(folder)
    return OnnxEncoder(Weights(read_encoder_weights(path), path))


BACKENDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    REFERENCE: ("keras", lambda folder: _keras(folder, bfloat16=False)),
    "keras bfloat16": ("keras", lambda folder: _keras(folder, bfloat16=True)),
    "ours float32": ("keras", lambda f: _ours(f, bfloat16=False, backend="tensorflow")),
    "ours bfloat16": ("keras", lambda f: _ours(f, bfloat16=True, backend="tensorflow")),
    "openvino float32": ("openvino", lambda f: _ours(f, bfloat16=False, backend="openvino")),
    "openvino bfloat16": ("openvino", lambda f: _ours(f, bfloat16=True, backend="openvino")),
    "onnxruntime float32": ("onnxruntime onnx", _onnx),
}
"""What each needs installed, and what gives its encoder for a captioner's folder."""


def main() -> None:
    """Measure, or, as a process of its own, one of the ways."""
    options = _options()
    if options.measure:
        print(json.dumps(_measure(options)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(options.work or temporary)
        work.mkdir(parents=True, exist_ok=True)
        folder = captioner_folder(options.captioner)
        dev = read_photos(options, language_of(folder))[: options.limit]
        if not (work / "pixels.npy").exists():
            _load([photo.path for photo in dev], options.photos, work / "pixels.npy")
        names = [name for name in options.only or BACKENDS if _installed(name)]
        found = {name: _figures(name, folder, work) for name in dict.fromkeys([REFERENCE, *names])}
        for name, figures in found.items():
            figures |= _distance(work, name)
        if not options.speed:
            _caption(found, folder, work, {photo.path: photo.captions for photo in dev})
        print(json.dumps(found, indent=2))
        print(Table("", _rows(found), ("", *next(iter(found.values())))).as_markdown())


def _installed(name: str) -> bool:
    from importlib.util import find_spec

    missing = [package for package in BACKENDS[name][0].split() if find_spec(package) is None]
    for package in missing:
        print(f"{name}: left out, {package} is not installed", file=sys.stderr)
    return not missing


def _load(names: Sequence[str], folder: str, path: Path) -> None:
    """Decode the photos once, for all."""
    from batch.photos import load
    from batch.scan import Photo

    pixels = [load(Photo(folder, name, 0, 0)).pixels for name in names]
    np.save(path, np.stack([each for each in pixels if each is not None]))


def _figures(name: str, folder: str, work: Path) -> dict[str, float]:
    kept = work / f"{name}.json"
    if not kept.exists():
        command = [sys.executable, "-m", "benchmarks.encoder_backends", "--measure", name]
        command += ["--work", str(work), "--captioner", folder, "--began", str(time.time())]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        kept.write_text(done.stdout.splitlines()[-1])
    figures: dict[str, float] = json.loads(kept.read_text())
    return figures


def _measure(options: argparse.Namespace) -> dict[str, float]:
    """Encode all whole batches, and keep the features."""
    start_tensorflow()
    work = Path(options.work)
    encoder = BACKENDS[options.measure][1](options.captioner)
    pixels = np.load(work / "pixels.npy", mmap_mode="r")
    first, seconds, cpu, features = 0.0, [], [], []
    for start in range(0, len(pixels), BATCH):
        some = np.ascontiguousarray(pixels[start : start + BATCH])
        before, before_cpu = time.perf_counter(), time.process_time()
        features.append(np.asarray(encoder.predict_on_batch(some)).astype(np.float16))
        first = first or time.time() - options.began
        if len(some) == BATCH:
            seconds.append((time.perf_counter() - before) / BATCH)
            cpu.append((time.process_time() - before_cpu) / BATCH)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.save(work / f"{options.measure}.npy", np.concatenate(features))
    return {
        "first batch s": round(first, 1),
        "photos/s": round(1 / median(seconds), 1),
        "photos/s at best": round(1 / min(seconds), 1),
        "CPU ms a photo": round(1000 * median(cpu), 1),
        "peak MiB": round(peak),
    }


def _distance(work: Path, name: str) -> dict[str, float]:
    """Tell how far features are from the reference's, a block of photos at a time."""
    single, other = (np.load(work / f"{each}.npy", mmap_mode="r") for each in (REFERENCE, name))
    most, total = 0.0, 0.0
    for start in range(0, len(single), _BLOCK):
        block = slice(start, start + _BLOCK)
        gap = np.abs(single[block].astype(np.float32) - other[block].astype(np.float32))
        most, total = max(most, float(gap.max())), total + float(gap.sum(dtype=np.float64))
    return {"most apart": round(most, 4), "apart": round(total / single.size, 6)}


def _caption(
    found: Mapping[str, dict[str, float]],
    folder: str,
    work: Path,
    references: Mapping[str, Sequence[str]],
) -> None:
    """Add what captions are like."""
    start_tensorflow()
    from models.captioner import Captioner
    from models.metrics import score, splitter

    captioner = Captioner.load(folder)
    split = splitter(captioner.config.language).split
    captions: dict[str, list[str]] = {}
    for name, figures in found.items():
        features = np.load(work / f"{name}.npy", mmap_mode="r")
        captions[name] = [caption.text for caption in captioner.caption(features)]
        same = [a == b for a, b in zip(captions[REFERENCE], captions[name], strict=True)]
        texts = dict(zip(references, captions[name], strict=True))
        figures["equal captions %"] = round(100 * sum(same) / len(same), 1)
        figures["CIDEr"] = round(score(texts, references, split).as_dict()["CIDEr"], 2)


def _rows(found: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    return [
        [name, *(f"{value:g}" for value in figures.values())] for name, figures in found.items()
    ]


def _options() -> argparse.Namespace:
    measuring = "--measure" in sys.argv
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    if not measuring:
        add_photos(parser)
    add("--captioner", default=CAPTIONER)
    add("--limit", type=int, help="only the first photos")
    add("--only", nargs="+", choices=list(BACKENDS))
    add("--work", help="keep pixels, features and figures here")
    add("--speed", action="store_true", help="caption nothing")
    add("--measure", choices=list(BACKENDS), help=argparse.SUPPRESS)
    add("--began", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
