"""What captions make of each way to compute the encoder, on the same photos.

python -m benchmarks.encoder_backends --captions Flickr8k.token.txt --photos images \
    --dev-list Flickr_8k.devImages.txt [--limit N] [--only NAME...] [--work FOLDER]

Each in a process of its own: how far features are from those of Keras in float32, the share of
captions that are equal, and CIDEr. What is not installed is left out, with a word. WORK keeps the
features: a later call does the rest. Prints JSON and Markdown. How fast they are: `make bench`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from batch.config import CAPTIONER, captioner_folder, language_of
from batch.quiet import start_tensorflow
from batch.tables import Table
from benchmarks.bench.encoders import onnx, ours
from benchmarks.scored_on import add_photos, read_photos

REFERENCE = "keras float32"
BATCH = 32
_BLOCK = 128  # photos compared at once


def _keras(folder: str, *, bfloat16: bool) -> Any:
    from models.captioner import load_encoder

    return load_encoder(folder, bfloat16=bfloat16)


BACKENDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    REFERENCE: ("keras", lambda folder: _keras(folder, bfloat16=False)),
    "keras bfloat16": ("keras", lambda folder: _keras(folder, bfloat16=True)),
    "ours float32": ("keras", lambda folder: ours(folder, "tensorflow", "f32")),
    "ours bfloat16": ("keras", lambda folder: ours(folder, "tensorflow", "bf16")),
    "openvino float32": ("openvino", lambda folder: ours(folder, "openvino", "f32")),
    "openvino bfloat16": ("openvino", lambda folder: ours(folder, "openvino", "bf16")),
    "openvino int8": ("openvino", lambda folder: ours(folder, "openvino", "int8")),
    "onnxruntime float32": ("onnxruntime onnx", onnx),
}
"""What each needs installed, and what gives its encoder for a captioner's folder."""


def main() -> None:
    """Compare, or, as a process of its own, encode in one of the ways."""
    options = _options()
    if options.encode:
        _encode(options)
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(options.work or temporary)
        work.mkdir(parents=True, exist_ok=True)
        folder = captioner_folder(options.captioner)
        dev = read_photos(options, language_of(folder))[: options.limit]
        if not (work / "pixels.npy").exists():
            _load([photo.path for photo in dev], options.photos, work / "pixels.npy")
        names = [name for name in options.only or BACKENDS if _installed(name)]
        found = {name: _distance(name, folder, work) for name in dict.fromkeys([REFERENCE, *names])}
        _caption(found, folder, work, {photo.path: photo.captions for photo in dev})
        print(json.dumps(found, indent=2))
        print(Table("", _rows(found), ("", *next(iter(found.values())))).as_markdown())


def _installed(name: str) -> bool:
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


def _features(name: str, folder: str, work: Path) -> np.ndarray:
    """Give a way's features, made by a process of its own unless they are there."""
    path = work / f"{name}.npy"
    if not path.exists():
        command = [sys.executable, "-m", "benchmarks.encoder_backends", "--encode", name]
        subprocess.run([*command, "--work", str(work), "--captioner", folder], check=True)
    features: np.ndarray = np.load(path, mmap_mode="r")
    return features


def _encode(options: argparse.Namespace) -> None:
    """Encode all photos, and keep the features."""
    start_tensorflow()
    work = Path(options.work)
    encoder = BACKENDS[options.encode][1](options.captioner)
    pixels = np.load(work / "pixels.npy", mmap_mode="r")
    batches = (pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH))
    features = [encoder.predict_on_batch(np.ascontiguousarray(some)) for some in batches]
    halves = [np.asarray(some).astype(np.float16) for some in features]
    np.save(work / f"{options.encode}.npy", np.concatenate(halves))


def _distance(name: str, folder: str, work: Path) -> dict[str, float]:
    """Tell how far features are from the reference's, a block of photos at a time."""
    single, other = (_features(each, folder, work) for each in (REFERENCE, name))
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
        features = _features(name, folder, work)
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
    encoding = "--encode" in sys.argv
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    if not encoding:
        add_photos(parser)
    add("--captioner", default=CAPTIONER)
    add("--limit", type=int, help="only the first photos")
    add("--only", nargs="+", choices=list(BACKENDS))
    add("--work", help="keep pixels and features here")
    add("--encode", choices=list(BACKENDS), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
