"""Caption an archive anew from its cached features: no photo is opened, its disk may be away.

What a person has decided stays as it is, the machine's words beside it too.
"""

import os
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from batch.amounts import counted
from batch.caption import Stage
from batch.captioned import Captioned, open_captioned
from batch.changed import changes_of, write_changes
from batch.config import keep_out_of
from batch.encode import batched
from batch.errors import ArchiveError
from batch.features import SHARD_PHOTOS, pooled_folder
from batch.lock import locked
from batch.results import Results
from batch.stored_results import keep_safe
from batch.stores import is_there
from batch.summary import Summary
from batch.undecided import Standing, reworded, standing
from manifests.record import Record, Status
from models.captioner import encoder_fingerprint

ENCODE = "make caption EXISTING=overwrite with the photos at hand"


@dataclass
class RecaptionSummary(Summary):
    """What captioning anew found and did; `captioned` rows were, `changed` of them say another."""

    verb: str = "recaptioned"
    changed: int = 0
    decided: int = 0  # by people
    same: int = 0  # by these captioners already
    not_cached: int = 0
    dry: bool = False

    def count_rows(self, rows: Collection[Record]) -> None:
        """Count the rows of the manifest to be."""
        self.photos = len(rows)
        self.not_a_scene = sum(row.status is Status.NOT_A_SCENE for row in rows)
        self.missing = sum(row.status is Status.MISSING for row in rows)
        self.failed = Counter(row.status.value for row in rows if row.failed)
        self._seconds = time.monotonic() - self._start

    def told(self) -> dict[str, int]:
        """Say what became of the rows."""
        return {
            "captioned anew": self.captioned,
            "as people decided": self.decided,
            "had these captions": self.same,
            "not cached": self.not_cached,
            "not readable": self.failed.total(),
        }

    def __str__(self) -> str:
        done, *others = self.told().items()
        new = "to caption anew" if self.dry else f"captioned anew, {self.changed:,} say otherwise"
        parts = [counted(self.photos, "photo"), f"{done[1]:,} {new}"]
        parts += [f"{number:,} {what}" for what, number in others if number]
        if self.not_cached:
            parts.append(f"for those not cached: {ENCODE}")
        if self.set_aside:
            parts.append(f"your edited spreadsheet is kept as {self.set_aside}")
        return f"{', '.join(parts)}: {self.result}"


def recaption(
    out: str,
    captioners: Sequence[str],
    features: str,
    search: Mapping[str, Any],
    *,
    dry_run: bool = False,
) -> RecaptionSummary:
    """Caption the photos of a run's folder with other captioners, from the feature cache alone.

    captioners: their folders; features: the root of the caches; search: settings to change. Only
    rows that no person has decided change; a caption in a language that was not there before comes
    beside the row's own. What was done before an interruption is not done again. Beside the
    manifest comes changed.html. Raises ArchiveError, LockedError, ManifestError or CheckpointError.
    """
    if not os.path.exists(os.path.join(out, "captions.parquet")):
        open_captioned(out)  # says so, before the lock makes the folder
    stage = _open_stage(captioners, features, search)
    with nullcontext() if dry_run else locked(out):
        found = open_captioned(out)
        if is_there(found.archive):
            keep_out_of(found.archive, {"FEATURES": features})
        summary = RecaptionSummary(found.archive, os.path.join(out, "changed.html"), dry=dry_run)
        results = Results(out, found.archive)
        results.claim(moved=False)
        if dry_run:
            rows = results.read().rows
            summary.captioned = len(_todo(rows, stage, summary))
            summary.count_rows(rows)
        else:
            with results.noted(summary):
                _recaption(found, results, stage, summary)
    return summary


def _open_stage(captioners: Sequence[str], features: str, search: Mapping[str, Any]) -> Stage:
    """Load captioners. Raises ArchiveError where there are no features of their encoder."""
    for folder in captioners:
        place = os.path.join(features, encoder_fingerprint(folder))
        if not (is_there(place) or is_there(pooled_folder(place))):
            raise ArchiveError(_none_cached(place, folder))
    return Stage.load(captioners, features, search)


def _none_cached(place: str, captioner: str) -> str:
    return (
        f"{place} holds no features of these photos, as the encoder of {captioner} sees them; with "
        f"the photos at hand, `make features DIR=… CAPTIONER={captioner}` makes them"
    )


def _recaption(found: Captioned, results: Results, stage: Stage, summary: RecaptionSummary) -> None:
    rows = {record.raw_path: record for record in results.read().rows}
    todo = _todo(rows.values(), stage, summary)
    with tqdm(total=len(todo), desc="captioning", unit="photo", disable=None) as bar:
        for records, new in _shards(todo, stage):
            results.keep(new)
            keep_safe(found.out)
            rows |= {record.raw_path: record for record in new}
            summary.captioned += len(new)
            summary.not_cached += len(records) - len(new)  # their features were damaged
            bar.update(len(records))
    before = {record.raw_path: record for record in found.records}
    changes = changes_of((before[path], row) for path, row in rows.items() if path in before)
    summary.changed = len({change.after.raw_path for change in changes})
    summary.count_rows(rows.values())
    if changes:  # else the page of the run before stays
        write_changes(found, changes, stage.captioners, summary.told())
    if not os.path.exists(summary.result):  # nothing has ever changed
        summary.result = str(results.csv)
    summary.set_aside = results.commit_reworded(rows.values())


def _todo(rows: Collection[Record], stage: Stage, summary: RecaptionSummary) -> list[Record]:
    """Give the rows to caption anew, and count the others.

    Raises ArchiveError where the cache holds no photo of the archive.
    """
    places = defaultdict(list)
    for row in rows:
        places[standing(row, stage.captioners)].append(row)
    there = [row for row in places[Standing.OPEN] if row.photo_id in stage.cache]
    if places[Standing.OPEN] and not any(row.photo_id in stage.cache for row in rows):
        raise ArchiveError(_none_cached(stage.cache.folder, stage.captioner.config.name))
    summary.decided, summary.same = len(places[Standing.DECIDED]), len(places[Standing.SAME])
    summary.not_cached = len(places[Standing.OPEN]) - len(there)
    return there


def _shards(todo: Iterable[Record], stage: Stage) -> Iterator[tuple[list[Record], list[Record]]]:
    """Caption rows, copies together, a shard of photos at a time: old rows, new rows.

    A row whose features turn out to be damaged has no new one.
    """
    copies: dict[str, list[Record]] = defaultdict(list)
    for row in todo:
        copies[str(row.photo_id)].append(row)
    for batch in batched(copies.items(), SHARD_PHOTOS):
        answers = stage.answer(stage.cache.read(photo_id for photo_id, _ in batch))
        old = [row for _, rows in batch for row in rows]
        yield (
            old,
            [
                reworded(row, answers[str(row.photo_id)], stage.captioners)
                for row in old
                if row.photo_id in answers
            ],
        )
