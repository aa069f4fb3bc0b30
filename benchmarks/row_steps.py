"""The steps that `benchmarks.rows` measures, each in a process of its own.

python -m benchmarks.row_steps STEP HOME PHOTOS

What a step needs beforehand is made first; its seconds are of the step alone, its memory is the
most that the process has held. Captions are made by code: what is measured is what becomes of rows.
"""

import csv
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Final

from tqdm import tqdm

import batch.pipeline
from batch.captioned import open_captioned
from batch.config import Config, captioner_folder
from batch.features import SHARD_PHOTOS
from batch.gallery import cards_of
from batch.merge_review import merge_review
from batch.pipeline import plan_run, run
from batch.prune import needed_by
from batch.results import Results
from batch.review import sheet_rows
from batch.scan import Photo, scan
from batch.status import describe
from batch.summary import Summary
from batch.verify import Place, verify
from manifests.csv_view import write_csv
from manifests.gallery import row_files
from manifests.manifest import read_records
from manifests.record import Record, Status

A_FOLDER: Final = 1_000  # photos
EDITS: Final = 1_000
_WORDS: Final = """
    dog brown white black small large two three children woman man people runs sits stands jumps
    plays grass beach water street snow field ball bench bicycle camera mountain red blue green
    shirt hat rock tree wall through over beside holding wearing looking smiling crowd group
""".split()  # noqa: SIM905 - a list of them would be a line each


class Home:
    """Where the photos, which are empty files, and the results of one size are."""

    def __init__(self, folder: str, photos: int) -> None:
        self.folder, self.photos = Path(folder), photos
        self.root, self.out = self.folder / "photos", self.folder / "out"
        self.manifest = self.out / "captions.parquet"

    def config(self, **changes: Any) -> Config:
        """Ask for a run, by the captioner that ships."""
        places = (str(self.root), str(self.out), str(self.folder / "features"))
        return Config(*places, captioner_folder("flickr8k-en"), **changes)

    def draw(self, first: int, photos: int, top: str = "") -> None:
        """Make files, in folders of a thousand."""
        for number in tqdm(range(first, first + photos), "files", unit="file", disable=None):
            folder = self.root / f"{top}{2000 + number // (20 * A_FOLDER)}" / _folder(number)
            if not number % A_FOLDER or number == first:
                folder.mkdir(parents=True, exist_ok=True)
            os.close(os.open(folder / f"IMG_{number % A_FOLDER:04}.JPG", os.O_CREAT | os.O_WRONLY))


def _folder(number: int) -> str:
    return f"Summer trip {number // A_FOLDER % 20:02}"


def record_of(photo: Photo) -> Record:
    """Write the row of a photo as a captioner of four beams would."""
    photo_id = sha256(photo.raw_path).hexdigest()
    random = Random(photo_id)
    caption, *others = (" ".join(random.choices(_WORDS, k=random.randrange(7, 13))) for _ in "1234")
    return Record(
        path=photo.path,
        caption=f"a {caption}",
        status=Status.CAPTIONED,
        confidence=random.randrange(1 << 16) / (1 << 16),
        alternatives=tuple(others),
        log_prob=-random.randrange(1 << 16) / (1 << 12),
        photo_id=photo_id,
        captioner="flickr8k-en@1f0c9a3e5b7d4a21",
        decode="num_beams=4, length_penalty=0.7, max_length=24, min_length=0",
        width=4000,
        height=3000,
        format="JPEG",
        frames=1,
        taken_at=f"2020-0{random.randrange(1, 10)}-1{random.randrange(10)}T12:00:00",
        error=None,
        raw_path=photo.raw_path,
        size=photo.size,
        mtime_ns=photo.mtime_ns,
        language="en",
    )


class _Stage:
    """A stage that makes its captions up, and needs no network."""

    def caption_shards(
        self,
        photos: Sequence[Photo],
        known: Mapping[str, Record],  # noqa: ARG002 - as of a stage
    ) -> Iterator[SimpleNamespace]:
        left = iter(photos)
        while some := [*islice(left, SHARD_PHOTOS)]:
            rows = [record_of(photo) for photo in some]
            yield SimpleNamespace(records=rows, captioned=len(rows), passed_over=0, encoded=0)


def caption(home: Home, **changes: Any) -> None:
    """Run, with captions that are made up."""
    batch.pipeline.load_stage = lambda _: _Stage()  # type: ignore[assignment,return-value]
    run(home.config(quiet=True, **changes))


def _scan(home: Home) -> None:
    for _ in scan(home.root):
        pass


def _plan(home: Home) -> Callable[[], object]:
    previous = Results(str(home.out), str(home.root)).read()
    return lambda: plan_run(home.config(), previous, Summary("", ""))


def _csv(home: Home) -> Callable[[], object]:
    records = read_records(home.manifest)
    return lambda: write_csv(home.folder / "view.csv", records, None)


def _some_new(home: Home) -> Callable[[], object]:
    home.draw(home.photos, max(1, home.photos // 100), "new ")
    return lambda: caption(home)


def _merge(home: Home) -> Callable[[], object]:
    """Correct a thousand captions, spread over all, in a copy of the view."""
    file, every = home.folder / "edits.csv", max(1, home.photos // EDITS)
    with (
        (home.out / "captions.csv").open(encoding="utf-8-sig", newline="") as read,
        file.open("w", encoding="utf-8", newline="") as written,
    ):
        rows = csv.reader(read)
        writer = csv.writer(written)
        header = next(rows)
        writer.writerow(header)
        for row in islice(rows, 0, EDITS * every, every):
            row[header.index("caption_human")] = f"a person's words on {row[0]}"
            writer.writerow(row)
    return lambda: merge_review(str(home.out), str(file))


def _gallery(home: Home) -> None:
    found = open_captioned(str(home.out))
    row_files(list(cards_of(found, sheet_rows(found), {})))


STEPS: Final[dict[str, Callable[[Home], Callable[[], object]]]] = {
    "scan": lambda home: lambda: _scan(home),
    "run, all new": lambda home: lambda: caption(home),
    "run, nothing new": lambda home: lambda: caption(home),
    "read the manifest": lambda home: lambda: read_records(home.manifest),
    "plan": _plan,
    "write the CSV": _csv,
    "run, 1% new": _some_new,
    "run, all overwritten": lambda home: lambda: caption(home, overwrite=True),
    "rows to review": lambda home: lambda: sheet_rows(open_captioned(str(home.out))),
    "merge 1,000 edits": _merge,
    "verify": lambda home: lambda: verify(Place(str(home.out), str(home.folder / "features"))),
    "status": lambda home: lambda: [*describe(str(home.out))],
    "gallery": lambda home: lambda: _gallery(home),
    "what prune keeps": lambda home: lambda: needed_by([str(home.out)]),
}
"""Each step gives what is measured, once what it needs is there. Their order is that of a story."""


def measure(step: str, home: Home) -> dict[str, float]:
    """Do a step; give its seconds of CPU and of clock, and the most memory in MiB."""
    deed = STEPS[step](home)
    start, clock = time.process_time(), time.monotonic()
    deed()
    cpu, seconds = time.process_time() - start, time.monotonic() - clock
    return {"cpu": round(cpu, 3), "seconds": round(seconds, 3), "mib": round(_peak(), 1)}


def _peak() -> float:
    """Give the most memory that this process has held, in MiB.

    Not by getrusage: what that tells of a process is never less than of the one that started it.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Home(sys.argv[2], int(sys.argv[3])))))
