"""Score a captioner on photos that people have captioned, and show where it does well or badly.

Writes scores.json, scored.csv with a row a photo, and index.html to look at.
"""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from batch.caption import Stage
from batch.config import keep_out_of
from batch.corpora.corpus import CaptionedPhoto, Problem, Tell, stop
from batch.damage import PhotoError
from batch.errors import ArchiveError
from batch.judge import Evaluation, Judged, judge
from batch.pages import Card, Section, evaluation_page, picture_of
from batch.photos import read_bytes
from batch.scan import Photo
from manifests.durable import atomic_write, write_json
from manifests.record import Record
from manifests.text import escape_cell
from models.captioner import captioner_fingerprint

SHOWN = 12  # photos in each section of the page
COLUMNS = ("path", "caption", "confidence", "CIDEr", "references")


@dataclass(frozen=True)
class Places:
    """The photos' folder, the root of the feature caches, and where scores and page go."""

    photos: str
    features: str
    out: str


def evaluate(
    captioner_folder: str,
    photos: Sequence[CaptionedPhoto],
    places: Places,
    search: Mapping[str, Any],
    tell: Tell = stop,
) -> Evaluation:
    """Caption the photos, score the captions, and write what was found.

    `search` changes settings of the captioner's search; `tell` is told of photos that cannot be
    read, which are not scored. METEOR is for English alone. Raises ArchiveError where no photo is
    left or one has no captions, CheckpointError where the captioner cannot be loaded.
    """
    _check(photos)
    keep_out_of(places.photos, {"FEATURES": places.features, "OUT": places.out})
    stage = Stage.load([captioner_folder], places.features, search)
    captions = _caption(stage, photos, places.photos, tell)
    sound = [photo for photo in photos if photo.path in captions]
    if not sound:
        raise ArchiveError(f"{places.photos}: none of the photos to score on can be read")
    fingerprint = captioner_fingerprint(captioner_folder)
    evaluation = judge(stage.captioner, fingerprint, sound, captions)
    _write(evaluation, places.photos, places.out)
    return evaluation


def _check(photos: Sequence[CaptionedPhoto]) -> None:
    if not photos:
        raise ArchiveError("there are no photos to score captions on")
    for photo in photos:
        if not photo.captions:
            raise ArchiveError(f"{photo.path}: nobody's caption to compare with; leave it out")


def _caption(
    stage: Stage, photos: Sequence[CaptionedPhoto], folder: str, tell: Tell
) -> dict[str, Record]:
    """Caption the photos as `make caption` does; give the rows of those that are sound."""
    found: dict[str, Record] = {}
    waiting = (Photo(folder, photo.path, 0, 0) for photo in photos)
    with tqdm(total=len(photos), desc="captioning", unit="photo", disable=None) as bar:
        for shard in stage.caption_shards(waiting, {}):
            for record in shard.records:
                path = os.fsdecode(record.raw_path)
                if record.caption is None:
                    tell(Problem(os.path.join(folder, path), "", str(record.error)))
                else:
                    found[path] = record
            bar.update(len(shard.records))
    return found


def _write(evaluation: Evaluation, folder: str, out: str) -> None:
    os.makedirs(out, exist_ok=True)
    write_json(Path(out, "scores.json"), evaluation.as_json())
    _write_captions(Path(out, "scored.csv"), evaluation.photos)
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
    table = pd.DataFrame(map(_row, photos), columns=COLUMNS)
    options = {"quoting": csv.QUOTE_ALL, "lineterminator": "\r\n", "errors": "backslashreplace"}
    with atomic_write(path) as file:
        table.to_csv(file, index=False, encoding="utf-8-sig", **options)


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
        picture = picture_of(read_bytes(location))
    except PhotoError as error:
        raise ArchiveError(f"{location}: {error}") from error
    figures = {"CIDEr": f"{photo.cider:.1f}", "confidence": f"{photo.confidence:.2f}"}
    return Card(photo.path, picture, photo.caption, figures, photo.references)
