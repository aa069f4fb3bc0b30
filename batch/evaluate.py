"""Score a captioner on photos that people have captioned, and show where it does well or badly.

Writes scores.json, captions.csv with a row a photo, and index.html to look at.
"""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache as remembered
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from batch.config import is_within
from batch.corpora.corpus import CaptionedPhoto
from batch.device import has_bfloat16
from batch.encode import Encode, batched, encode_into_cache, load_and_encode
from batch.errors import ArchiveError
from batch.features import SHARD_PHOTOS, FeatureCache
from batch.judge import Evaluation, Judged, judge
from batch.pages import Card, Section, evaluation_page, picture_of
from batch.photos import PhotoError
from batch.scan import Photo
from manifests.durable import atomic_write, write_json
from manifests.text import escape_cell
from models.captioner import (
    Caption,
    Captioner,
    captioner_fingerprint,
    encoder_fingerprint,
    load_encoder,
)

SHOWN = 12  # photos in each section of the page
COLUMNS = ("path", "caption", "confidence", "CIDEr", "references")


def evaluate(
    captioner_folder: str,
    photos: Sequence[CaptionedPhoto],
    folder: str,
    cache_root: str,
    out: str,
    search: Mapping[str, Any],
) -> Evaluation:
    """Caption the photos of `folder`, score the captions, and write what was found under `out`.

    Features are kept under `cache_root`; `search` changes settings of the captioner's search.
    METEOR is for English alone. Raises ArchiveError naming a photo that cannot be read or has no
    captions, CheckpointError where the captioner cannot be loaded.
    """
    _check(photos, folder, {"the features": cache_root, "the results": out})
    captioner = Captioner.load(captioner_folder, **search)
    cache = FeatureCache(os.path.join(cache_root, encoder_fingerprint(captioner_folder)))
    stage = _Stage(folder, cache, _encoder(captioner_folder), captioner)
    captions = stage.caption([photo.path for photo in photos])
    evaluation = judge(captioner, captioner_fingerprint(captioner_folder), photos, captions)
    _write(evaluation, folder, out)
    return evaluation


def _check(photos: Sequence[CaptionedPhoto], folder: str, places: Mapping[str, str]) -> None:
    if not photos:
        raise ArchiveError("there are no photos to score captions on")
    for photo in photos:
        if not photo.captions:
            raise ArchiveError(f"{photo.path}: nobody's caption to compare with; leave it out")
    for what, place in places.items():
        if is_within(place, folder):
            raise ArchiveError(f"{place!r} is inside the photo folder; give {what} another place")


def _encoder(captioner_folder: str) -> Encode:
    """Encode with the captioner's encoder, which is built when a first photo needs it."""

    @remembered
    def build() -> keras.Model:
        return load_encoder(captioner_folder, bfloat16=has_bfloat16())

    return lambda pixels: build().predict_on_batch(pixels)


@dataclass(frozen=True)
class _Stage:
    """What captioning needs beside the photos' paths."""

    folder: str
    cache: FeatureCache
    encode: Encode
    captioner: Captioner

    def caption(self, paths: Sequence[str]) -> dict[str, Caption]:
        """Caption photos, a shard at a time, from features that are all in the cache by then."""
        identities = encode_into_cache(paths, self.folder, self.cache, self.encode)
        captions: dict[str, Caption] = {}
        with tqdm(total=len(paths), desc="captioning", unit="photo", disable=None) as bar:
            for shard in batched(paths, SHARD_PHOTOS):
                features = self.read({path: identities[path] for path in shard})
                grids = np.stack([features[identities[path]] for path in shard])
                captions |= zip(shard, self.captioner.caption(grids), strict=True)
                bar.update(len(shard))
        return captions

    def read(self, identities: Mapping[str, str]) -> dict[str, np.ndarray]:
        """Give features by identity; those that were damaged on the disk are made again."""
        features = self.cache.read(set(identities.values()))
        lost = [path for path, photo_id in identities.items() if photo_id not in features]
        photos = [Photo(self.folder, path, 0, 0) for path in lost]
        for _, new in load_and_encode(photos, (), self.encode) if photos else ():
            features |= new
        self.cache.write(features)
        return features


def _write(evaluation: Evaluation, folder: str, out: str) -> None:
    os.makedirs(out, exist_ok=True)
    write_json(Path(out, "scores.json"), evaluation.as_json())
    _write_captions(Path(out, "captions.csv"), evaluation.photos)
    page = evaluation_page(
        f"{evaluation.captioner} on {len(evaluation.photos):,} photos",
        evaluation.language,
        evaluation.shown_scores(),
        evaluation.facts(),
        _sections(evaluation.photos, folder),
    )
    with atomic_write(Path(out, "index.html")) as file:
        file.write(page.encode())


def _write_captions(path: Path, photos: Iterable[Judged]) -> None:
    """Write a CSV file that a spreadsheet opens safely, as the manifest's view is."""
    with atomic_write(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", errors="backslashreplace", newline="")
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_row, photos))
        text.detach()  # writes the rest; the file is not ours to close


def _row(photo: Judged) -> list[str]:
    references = " | ".join(photo.references)
    numbers = [f"{photo.confidence:.3f}", f"{photo.cider:.1f}"]
    return [escape_cell(photo.path), escape_cell(photo.caption), *numbers, escape_cell(references)]


def _sections(photos: Sequence[Judged], folder: str) -> list[Section]:
    """Choose the photos to show; of few photos each is shown once."""
    ranked = sorted(photos, key=lambda photo: (-photo.cider, photo.path))
    size = min(SHOWN, -(-len(ranked) // 3))
    best, rest = ranked[:size], ranked[size:]
    middle, worst = rest[:-size], rest[-size:]
    start = max(0, len(middle) - size) // 2
    return [
        _section("Best", "by CIDEr, the highest first", best, folder),
        _section("Median", "around the middle", middle[start : start + size], folder),
        _section("Worst", "the lowest first", worst[::-1], folder),
    ]


def _section(heading: str, note: str, photos: Iterable[Judged], folder: str) -> Section:
    return Section(heading, note, [_card(photo, folder) for photo in photos])


def _card(photo: Judged, folder: str) -> Card:
    location = os.path.join(folder, photo.path)
    try:
        with open(location, "rb") as file:
            picture = picture_of(file.read())
    except (OSError, PhotoError) as error:
        raise ArchiveError(f"{location}: {error}") from error
    figures = {"CIDEr": f"{photo.cider:.1f}", "confidence": f"{photo.confidence:.2f}"}
    return Card(photo.path, picture, photo.caption, figures, photo.references)
