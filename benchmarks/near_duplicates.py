"""How well near-duplicates are told from other photos, and found, by the cosine of pooled features.

    make features DIR=PHOTOS
    python -m benchmarks.near_duplicates --photos PHOTOS [--captioner flickr8k-en] [--sheet FILE]

Makes near-duplicates of some photos by code, in memory and a temporary folder, encodes them, and
prints: how many of them each threshold finds; how many pairs of different photos it takes for
near-duplicates, all pairs compared; the closest of these, to be looked at (`--sheet` draws them
as a PNG: real archives hold real bursts); what share of all close pairs the codes find; seconds.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from batch.config import CAPTIONER, FEATURES, captioner_folder
from batch.encode import encode_photos
from batch.neighbours import find_links
from batch.photos import load
from batch.scan import Photo, scan
from batch.similar import THRESHOLD, find_groups
from batch.vectors import VectorCache, Vectors
from manifests.record import Record, Status

THRESHOLDS = (0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92, 0.90)
_BLOCK = 1024  # photos compared with all others at once

Change = Callable[[Image.Image], Image.Image]


def cropped(left: float, right: float) -> Change:
    """Cut a share of the width and of the height off, more on one side than on the other."""

    def change(image: Image.Image) -> Image.Image:
        width, height = image.size
        box = (left * width, left * height, (1 - right) * width, (1 - right) * height)
        return image.crop(tuple(map(round, box)))

    return change


def resized(share: float) -> Change:
    """Make a photo smaller on both sides."""
    return lambda image: image.resize(tuple(max(1, round(share * side)) for side in image.size))


def brighter(factor: float) -> Change:
    """Make a photo brighter or darker."""
    return lambda image: ImageEnhance.Brightness(image).enhance(factor)


CHANGES: dict[str, tuple[Change, int]] = {
    "JPEG, quality 50": (lambda image: image, 50),
    "half the size": (resized(0.5), 90),
    "cropped by 2%": (cropped(0.02, 0.0), 90),
    "cropped by 5%": (cropped(0.0, 0.05), 90),
    "cropped by 10%": (cropped(0.08, 0.02), 90),
    "brighter by 20%": (brighter(1.2), 90),
    "darker by 30%": (brighter(0.7), 90),
    "mirrored": (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90),
}
"""What is done to a photo, and the JPEG quality that it is saved with."""


def changed_copies(originals: Sequence[Photo], folder: str) -> Iterator[tuple[Photo, str]]:
    """Save each photo in every changed form; give the file, and which change it had."""
    for number, photo in enumerate(originals):
        with Image.open(photo.location) as image:
            upright = image.convert("RGB")
        for form, (change, quality) in enumerate(CHANGES):
            name = f"{number}-{form}.jpg"
            change, quality = CHANGES[list(CHANGES)[form]]
            change(upright).save(Path(folder, name), quality=quality)
            yield Photo(folder, name, 0, 0), list(CHANGES)[form]
