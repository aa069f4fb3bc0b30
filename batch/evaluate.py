"""Score a captioner on photos that people have captioned, and show where it does well or badly.

Writes scores.json, scored.csv with a row a photo, index.html to look at, and confidence.png.
"""

import csv
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from batch.caption import Stage
from batch.captioned import small_picture
from batch.config import keep_out_of
from batch.corpora.corpus import CaptionedPhoto, Problem, Tell, stop
from batch.damage import PhotoError
from batch.errors import ArchiveError
from batch.evaluation import FAULTS, Evaluation, Judged
from batch.figures import save
from batch.judge import judge
from batch.pages import PICTURE, Card, Plot, Section, data_address, evaluation_page
from batch.photos import read_bytes
from batch.reliability import DRAWINGS, Reliability, as_address, draw
from batch.scan import Photo
from manifests.durable import atomic_write, write_json
from manifests.record import Record
from manifests.text import escape_cell
from models.captioner import captioner_fingerprint

SHOWN = 12  # photos in each section of the page
EXAMPLES = 4  # photos in each section of what is wrong
COLUMNS = ("path", "caption", "confidence", "CIDEr", "kinds", "faults", "references")


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
                if record.failed:
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
        evaluation.tables(),
        _draw(evaluation.reliability, out),
        [*_sections(evaluation.photos, folder), *_examples(evaluation, folder)],
    )
    with atomic_write(Path(out, "index.html")) as file:
        file.write(page.encode())


def _draw(reliability: Reliability | None, out: str) -> list[Plot]:
    """Draw what there is of confidence: as confidence.png, and for the page."""
    if reliability is None:
        return []
    try:
        save(draw(reliability, *DRAWINGS.values()), os.path.join(out, "confidence.png"))
    except ImportError:
        text = "no confidence.png: matplotlib is not installed (pip install matplotlib)"
        logging.getLogger(__name__).warning(text)
        return []
    return [
        Plot(told, *(as_address(draw(reliability, each, dark=dark)) for dark in (False, True)))
        for told, each in DRAWINGS.items()
    ]


def _write_captions(path: Path, photos: Iterable[Judged]) -> None:
    """Write a CSV file that a spreadsheet opens safely, as the manifest's view is."""
    table = pd.DataFrame(map(_row, photos), columns=COLUMNS)
    options = {"quoting": csv.QUOTE_ALL, "lineterminator": "\r\n", "errors": "backslashreplace"}
    with atomic_write(path) as file:
        table.to_csv(file, index=False, encoding="utf-8-sig", **options)


def _row(photo: Judged) -> list[str]:
    references = " | ".join(photo.references)
    numbers = [f"{photo.confidence:.3f}", f"{photo.cider:.1f}"]
    told = [" ".join(photo.kinds), " ".join(sorted(photo.faults))]
    names = [escape_cell(photo.path), escape_cell(photo.caption)]
    return [*names, *numbers, *told, escape_cell(references)]


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


def _examples(evaluation: Evaluation, folder: str) -> list[Section]:
    """Choose a few photos of each fault, and of those that were taken for no scene."""
    photos = evaluation.photos
    sections = [
        _section(
            FAULTS[fault],
            f"{share:.1%} of the captions, {people:.1%} of people's",
            [photo for photo in photos if fault in photo.faults][:EXAMPLES],
            folder,
        )
        for fault, (share, people) in evaluation.faults.items()
    ]
    refused = [photo for photo in photos if not photo.caption][:EXAMPLES]
    return [*sections, _section("Taken for no scene", "without a caption", refused, folder)]


def _section(heading: str, note: str, photos: Iterable[Judged], folder: str) -> Section:
    return Section(heading, note, [_card(photo, folder) for photo in photos])


def _card(photo: Judged, folder: str) -> Card:
    location = os.path.join(folder, photo.path)
    try:
        picture = data_address(small_picture(read_bytes(location), PICTURE))
    except PhotoError as error:
        raise ArchiveError(f"{location}: {error}") from error
    figures = {"CIDEr": f"{photo.cider:.1f}", "confidence": f"{photo.confidence:.2f}"}
    return Card(photo.path, picture, photo.caption, figures, photo.references)
