"""Small archives to run over, and stand-ins for the networks, whose answers can be foretold."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from batch.config import Config
from batch.photos import load
from batch.scan import Photo
from manifests.manifest import read_records
from manifests.record import Record
from tests.pictures import encoded, noise

if TYPE_CHECKING:
    from models.captioner import Caption

# TensorFlow takes seconds to import: what needs it is imported where it is used.

WORDS = "a dog cat runs sits on the grass sofa red ball with two children and man"


class FakeEncoder:
    """Features that follow from a photo's colours, without a network.

    `photos` counts those it was given, the black ones that fill up a batch left out.
    """

    def __init__(self) -> None:
        self.photos = 0
        self.sizes: list[int] = []

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """Give (photos, 8, 8, 2048): an 8x8 grid of pixels, their three colours over and over."""
        self.sizes.append(len(pixels))
        self.photos += int(pixels.any(axis=(1, 2, 3)).sum())
        grid = (pixels[:, 18::37, 18::37] / 255).astype(np.float16)
        return np.tile(grid, 683)[..., :2048]


class StubCaptioner:
    """Captions that spell the features they were made from; `asked` counts them."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(
            name="tiny", search="", architecture="attention", language="en"
        )
        self.asked = 0
        self.accent = ""  # of another captioner

    def loaded(self, folder: str, **search: Any) -> "StubCaptioner":
        """Stand in for Captioner.load."""
        self.config.search = f"search {search}"
        return self

    def caption(self, features: np.ndarray) -> "list[Caption]":
        """Caption features (photos, 8, 8, 2048)."""
        self.asked += len(features)
        said = [spelled(grid) for grid in features]
        return [replace(each, text=each.text + self.accent) for each in said]


def spelled(grid: np.ndarray) -> "Caption":
    """Give the caption that belongs to one photo's features, and to no other's."""
    from models.captioner import Caption

    digest = sha256(np.ascontiguousarray(grid, np.float16).tobytes())
    share = int.from_bytes(digest.digest()[:6], "big") / 2**48
    texts = (f"{digest.hexdigest()[:12]}, otherwise",)
    return Caption(f"a photo of {digest.hexdigest()[:12]}", -10 * share, share, texts)


def caption_of(path: Path) -> str:
    """Give the caption that the stand-ins make of a photo's bytes as they are now."""
    pixels = load(Photo(str(path.parent), path.name, 0, 0)).pixels
    return spelled(FakeEncoder().predict_on_batch(pixels[None])[0]).text


def draw(path: Path, seed: int = 0) -> Path:
    """Save a photo; another seed is another photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photo(seed))
    return path


def photo(seed: int) -> bytes:
    """Give a photo's bytes."""
    return encoded(noise(8, 8, seed).resize((48, 32), resample=0), "PNG")


def save_captioner(folder: Path, encoder: str = "imagenet") -> str:
    """Save a captioner of random weights, large enough that photos differ in captions."""
    from models.attention_decoder import AttentionDecoder, DecoderConfig
    from models.captioner import Captioner, CaptionerConfig
    from models.search import SearchConfig
    from models.vocabulary import Vocabulary

    vocabulary = Vocabulary.from_captions([WORDS], 1)
    decoder = AttentionDecoder(DecoderConfig(len(vocabulary), 8, 8, 8, 16))
    random = np.random.default_rng(5)
    for variable in decoder.weights:
        spread = 0.05 if "projection" in variable.path else 2.0
        variable.assign(random.normal(0, spread, variable.shape))
    search = SearchConfig(num_beams=2, max_length=6)
    config = CaptionerConfig("tiny", "en", decoder.config, search, encoder=encoder)
    Captioner(config, vocabulary, decoder).save(str(folder))
    return str(folder)


def save_encoder(folder: str) -> str:
    """Put an encoder of random weights, which keep numbers of one size, into a captioner's folder.

    Returns the path of the weights; the captioner is to name `encoder.weights.h5`.
    """
    from models.checkpoint import save_variables
    from models.encoder import build_encoder
    from models.fingerprints import ENCODER_FILE

    encoder = build_encoder()
    random = np.random.default_rng(2)
    for weight in encoder.weights:
        width = np.prod(weight.shape[:-1]) if weight.name == "kernel" else 25
        weight.assign(random.normal(0, np.sqrt(2 / width), weight.shape))
    save_variables(encoder.weights, Path(folder, ENCODER_FILE), half=True)
    return f"{folder}/{ENCODER_FILE}"


class Archive:
    """A folder of photos, and where its runs write."""

    def __init__(self, root: Path, out: Path, features: Path, captioner: str) -> None:
        self.root, self.out, self.features, self.captioner = root, out, features, captioner
        root.mkdir()

    def draw(self, *names: str, seed: int = 0) -> None:
        """Draw a photo for each name, each another one."""
        for number, name in enumerate(names):
            draw(self.root / name, seed + number)

    def config(self, **changes: Any) -> Config:
        """Ask for a run."""
        asked = {"captioner": self.captioner} | changes
        return Config(str(self.root), str(self.out), str(self.features), **asked)

    @property
    def records(self) -> dict[str, Record]:
        """What the manifest holds, by path, in its order."""
        return {record.path: record for record in read_records(self.out / "captions.parquet")}

    @property
    def captions(self) -> dict[str, str | None]:
        """The captions of the manifest, by path."""
        return {path: record.caption for path, record in self.records.items()}

    @property
    def csv_rows(self) -> list[dict[str, str]]:
        """What captions.csv holds."""
        with (self.out / "captions.csv").open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))

    @property
    def last_run(self) -> dict[str, Any]:
        """What last_run.json holds."""
        return json.loads((self.out / "last_run.json").read_text(encoding="utf-8"))

    @property
    def results(self) -> tuple[bytes, bytes]:
        """The bytes of the manifest and of its view."""
        names = ("captions.parquet", "captions.csv")
        parquet, table = ((self.out / name).read_bytes() for name in names)
        return parquet, table


_SLOW_RUN = """
import sys, time
from batch.quiet import start_tensorflow
start_tensorflow()
import batch.caption, batch.encode
from batch.__main__ import main
from tests.batch.archives import FakeEncoder, StubCaptioner

class Slow(FakeEncoder):
    def predict_on_batch(self, pixels):
        print("encoding", flush=True)
        time.sleep(0.2)
        return super().predict_on_batch(pixels)

batch.encode.CHUNK = batch.caption.SHARD_PHOTOS = 2
batch.caption.load_encoder = lambda folder, bfloat16: Slow()
batch.caption.Captioner.load = StubCaptioner().loaded
sys.exit(main(sys.argv[1:]))
"""


def slow_run(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """Start the program over stand-ins: shards of two photos, a fifth of a second each.

    It prints `encoding` for each shard that it begins.
    """
    return subprocess.Popen(
        [sys.executable, "-c", _SLOW_RUN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment,
        # a shell may have told its background jobs to ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def state_of(folder: Path) -> dict[str, tuple[object, ...]]:
    """Tell all there is in a folder, to see whether anything changed: bytes, time, mode, inode."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        data = path.read_bytes() if path.is_file() else None
        stat = path.lstat()
        found[str(path)] = (data, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_mode, stat.st_ino)
    return found
