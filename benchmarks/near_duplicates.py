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
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from batch.config import CAPTIONER, FEATURES, captioner_folder
from batch.encode import encode_photos
from batch.neighbours import find_links
from batch.quiet import start_tensorflow
from batch.scan import Photo, scan
from batch.similar import find_groups
from batch.tables import Table
from batch.vectors import VectorCache, Vectors, pooled, unit
from manifests.durable import sha256_file
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


def main() -> None:
    """Measure and print."""
    options = _options()
    start_tensorflow()
    photos = list(scan(options.photos))
    start = time.perf_counter()
    found, places = _read(photos, options)
    print(f"{len(found.photo_ids)} photos' vectors read in {time.perf_counter() - start:.1f} s\n")
    originals = [places[photo_id] for photo_id in found.photo_ids]
    random = np.random.default_rng(1)
    drawn = sorted(random.choice(len(originals), min(options.changed, len(originals)), False))
    print(_changes_table(found, drawn, originals, captioner_folder(options.captioner)))
    closest = _closest_pairs(found, THRESHOLDS[-1])
    print(_distinct_table(found, closest, originals))
    for cosine, one, other in closest[: options.listed]:
        print(f"{cosine:.3f} {originals[one].path} {originals[other].path}")
    if options.sheet:
        _draw_sheet(closest[: options.listed], originals, options.sheet)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", required=True, help="a folder whose features are in the cache")
    parser.add_argument("--features", default=FEATURES)
    parser.add_argument("--captioner", default=CAPTIONER)
    parser.add_argument("--changed", type=int, default=120, help="photos to make duplicates of")
    parser.add_argument("--listed", type=int, default=24, help="closest pairs to list")
    parser.add_argument("--sheet", help="a PNG to draw these pairs in")
    return parser.parse_args()


def _read(photos: Sequence[Photo], options: argparse.Namespace) -> tuple[Vectors, dict[str, Photo]]:
    """Read the vectors of photos, and tell where each photo is by its identity."""
    from models.captioner import encoder_fingerprint

    encoder = encoder_fingerprint(captioner_folder(options.captioner))
    places = {sha256_file(Path(photo.location)): photo for photo in photos}
    with tempfile.TemporaryDirectory() as scratch:
        return VectorCache(options.features, encoder).read(places, scratch), places


def _changes_table(
    found: Vectors, drawn: Sequence[int], originals: Sequence[Photo], captioner: str
) -> str:
    """Tell how near changed copies are to their photos, and how many each threshold finds."""
    from batch.caption import encode_with

    cosines: dict[str, list[float]] = {name: [] for name in CHANGES}
    with tempfile.TemporaryDirectory() as folder:
        copies = [each for row in drawn for each in _copies(row, originals[row], folder)]
        features = encode_photos((copy.photo for copy in copies), encode_with(captioner))
        for copy in copies:
            seen = features[sha256_file(Path(copy.photo.location))]
            original = found.rows[copy.row].astype(np.float32)
            cosines[copy.change].append(float(unit(pooled(seen)) @ original))
    rows = [
        [name, f"{np.median(each):.3f}", f"{min(each):.3f}"]
        + [f"{np.mean(np.array(each) >= threshold):.1%}" for threshold in THRESHOLDS]
        for name, each in cosines.items()
    ]
    header = ("", "median cosine", "least", *map(str, THRESHOLDS))
    return Table("", rows, header).as_markdown()


@dataclass(frozen=True)
class _Copy:
    photo: Photo
    row: int  # of its original
    change: str


def _copies(row: int, original: Photo, folder: str) -> Iterator[_Copy]:
    """Save a photo in each changed form."""
    with Image.open(original.location) as image:
        upright = image.convert("RGB")
    for number, (name, (change, quality)) in enumerate(CHANGES.items()):
        copy = _Copy(Photo(folder, f"{row}-{number}.jpg", 0, 0), row, name)
        change(upright).save(copy.photo.location, quality=quality)
        yield copy


def _closest_pairs(found: Vectors, threshold: float) -> list[tuple[float, int, int]]:
    """Compare all photos with all others: cosine and rows of the near ones, nearest first."""
    rows = found.rows.astype(np.float32)
    pairs = []
    for start in range(0, len(rows), _BLOCK):
        cosines = rows[start : start + _BLOCK] @ rows[start:].T
        for one, other in np.argwhere(cosines >= threshold):
            if one < other:
                pairs.append((float(cosines[one, other]), int(start + one), int(start + other)))
    return sorted(pairs, reverse=True)


def _distinct_table(
    found: Vectors, closest: Sequence[tuple[float, int, int]], originals: Sequence[Photo]
) -> str:
    """Tell how many pairs of the photos are near, how many are found without comparing all."""
    records = list(map(_record, found.photo_ids, originals))
    rows = []
    for threshold in THRESHOLDS:
        near = sum(cosine >= threshold for cosine, *_ in closest)
        start = time.perf_counter()
        linked = sum(map(len, find_links(found, records, threshold).values())) // 2
        seconds = time.perf_counter() - start
        groups = find_groups(found, records, threshold)
        counts = threshold, near, linked, len(groups), sum(map(len, groups))
        rows.append([*map(str, counts), f"{seconds:.1f}"])
    header = ("threshold", "near pairs", "found", "groups", "photos in them", "seconds")
    return Table("", rows, header).as_markdown()


def _record(photo_id: str, photo: Photo) -> Record:
    nothing = dict.fromkeys(field.name for field in fields(Record) if field.default is MISSING)
    known = {"path": photo.path, "raw_path": photo.raw_path, "photo_id": photo_id}
    return Record(**nothing | known | {"status": Status.CAPTIONED, "caption": ""})


def _draw_sheet(
    pairs: Sequence[tuple[float, int, int]], originals: Sequence[Photo], path: str
) -> None:
    """Draw pairs of photos under their cosines, four in a row."""
    sheet = Image.new("RGB", (4 * 480, -(-len(pairs) // 4) * 200), "white")
    for number, (cosine, *rows) in enumerate(pairs):
        x, y = number % 4 * 480, number // 4 * 200
        ImageDraw.Draw(sheet).text((x, y), f"{cosine:.3f}", fill="black")
        for side, row in enumerate(rows):
            with Image.open(originals[row].location) as image:
                image.thumbnail((230, 180))
                sheet.paste(image.convert("RGB"), (x + 235 * side, y + 15))
    sheet.save(path)


if __name__ == "__main__":
    main()
