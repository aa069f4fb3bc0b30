"""Encoder and decoder on a GPU: photos a second by batch, how near its limit, and what comes next.

    KERAS_BACKEND=jax python -m benchmarks.gpu [--batches N...] [--precisions bf16 f32]
        [--captioner NAME] [--json FILE]

With KERAS_BACKEND=tensorflow the same by TensorFlow; with jax none is needed. For each precision of
the encoder (the decoder has float32, as in runs) and batch: photos a second of the encoder and of
the decoder (beam 4) on the device alone, and of both as a run has them, the pixels going to the
device, features and captions coming back; the share of the limit, which is what a large product of
matrices reaches there and then; and photos a second that this machine's cores load, of 12
megapixels and small ones: the least of these is the next bottleneck. Without a GPU it measures the
processor, which such a product may not keep busy. Prints JSON.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

from batch.config import CAPTIONER, captioner_folder
from batch.device import cores
from batch.encode import load_chunks
from batch.sandbox import WORKERS
from batch.scan import scan
from benchmarks.bench.drawn import LARGE, SIZES, SMALL, draw_photos
from benchmarks.flops import encoder_flops
from benchmarks.on_device import compiled, device, matrix_flops, rate_of
from models.captioner import Captioner, load_encoder
from models.encoder import IMAGE_SIZE
from models.search import CaptionSearch

NUMBERS = {SMALL: 512, LARGE: 128}  # photos loaded

Found = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print what was found."""
    options = _options(arguments)
    folder = captioner_folder(options.captioner)
    found: Found = {"backend": keras.backend.backend(), "device": device(), "cores": cores()}
    found["encoder GFLOP a photo"] = round(encoder_flops() / 1e9, 2)
    for precision in options.precisions:
        found[precision] = _by_batch(folder, precision, options.batches)
    found["loaded photos/s"] = {name: round(rate, 1) for name, rate in _loading(options.loaded)}
    found["next bottleneck"] = bottleneck(found, options.precisions[0])
    text = json.dumps(found, indent=2)
    print(text)
    if options.json:
        options.json.write_text(f"{text}\n")


def _by_batch(folder: str, precision: str, batches: Sequence[int]) -> Found:
    limit = matrix_flops(precision)
    encoder = load_encoder(folder, bfloat16=precision == "bf16")
    found: Found = {"limit TFLOP/s": round(limit / 1e12, 2), "batches": {}}
    for batch in batches:
        pixels = np.random.default_rng(1).integers(0, 256, _shape(batch), dtype=np.uint8)
        # A search is compiled for one number of photos: another one for each batch.
        searching = _search(folder)
        on_device = rate_of(compiled(encoder), ops.convert_to_tensor(pixels), batch)
        features = encoder.predict_on_batch(pixels)
        decoded = rate_of(compiled(searching), ops.convert_to_tensor(_halves(features)), batch)

        def caption(pixels: Any, searching: Any = searching) -> Any:
            return searching.predict_on_batch(_halves(encoder.predict_on_batch(pixels)))

        found["batches"][str(batch)] = {
            "encoder photos/s": round(on_device, 1),
            "share of the limit": round(on_device * encoder_flops() / limit, 3),
            "decoder photos/s": round(decoded, 1),
            "both and the way there and back photos/s": round(rate_of(caption, pixels, batch), 1),
        }
    return found


def _shape(batch: int) -> tuple[int, ...]:
    return (batch, IMAGE_SIZE, IMAGE_SIZE, 3)


def _halves(features: Any) -> np.ndarray:
    return np.asarray(features).astype(np.float16)


def _search(folder: str) -> CaptionSearch:
    captioner = Captioner.load(folder)
    search, unsayable = captioner.config.search, captioner.vocabulary.unsayable
    searching = CaptionSearch(captioner.decoder, search, unsayable)
    searching.built = True  # by its decoder
    return searching


def _loading(most: int | None) -> Iterator[tuple[str, float]]:
    """Give photos a second that the cores load, by kind."""
    for name, number in NUMBERS.items():
        with tempfile.TemporaryDirectory() as work:
            draw_photos(Path(work), SIZES[name], min(number, most or number))
            list(load_chunks(islice(scan(work), WORKERS), ()))
            start = time.perf_counter()
            loaded = sum(len(chunk) for chunk in load_chunks(scan(work), ()))
            yield name, loaded / (time.perf_counter() - start)


def bottleneck(found: Found, precision: str) -> Found:
    """Tell what a run would wait for, by the best batch: the slowest of its parts, by photos."""
    batches = found[precision]["batches"].values()
    parts = {
        part: max(each[f"{part} photos/s"] for each in batches) for part in ("encoder", "decoder")
    }
    return {
        name: min({"loading": rate} | parts, key=({"loading": rate} | parts).__getitem__)
        for name, rate in found["loaded photos/s"].items()
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--batches", type=int, nargs="+", default=[32, 64, 128, 256, 512], metavar="N")
    add("--precisions", nargs="+", choices=("bf16", "f32"), default=["bf16", "f32"])
    add("--captioner", default=CAPTIONER, metavar="NAME")
    add("--loaded", type=int, metavar="N", help="photos of each size to load, at most")
    add("--json", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
