"""How long captions take to leave an archive and to come back, and whether each comes back.

    python -m benchmarks.interchange [--rows 100000]

Makes a manifest of that many approved captions, half of them Korean, in folders as archives have
them, and no photos. Prints for each kind: captions that left, seconds, the size of what was
written, captions that came back to their own photo, seconds, and the most memory that the process
has held by then.
"""

import argparse
import resource
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from batch.captioned import open_captioned
from batch.export import Export, export_captions
from batch.import_captions import Source, import_captions
from batch.tables import Table
from manifests.manifest import read_records, write_records
from manifests.record import Record, Status
from manifests.review import Review, ReviewStatus

KINDS = {
    "txt": "",
    "coco": "captions.json",
    "imagefolder": "metadata.jsonl",
    "imagefolder-csv": "metadata.csv",
    "jsonl": "captions.jsonl",
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    options = parser.parse_args()
    rows = [tuple(measured(kind, options.rows)) for kind in options.kinds]
    header = ("kind", "left", "s", "MB", "came back", "s", "memory MB")
    print(Table(f"{options.rows:,} captions", rows, header, numbers=True).as_text())


def measured(kind: str, number: int) -> list[str]:
    """Export, import into an archive of the same photos that has other captions, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        out, to = Path(folder, "out"), Path(folder, "to")
        out.mkdir()
        photos = [drawn(each) for each in range(number)]
        write_records(out / "captions.parquet", photos, f"{folder}/photos")
        started = time.perf_counter()
        left = export_captions(open_captioned(str(out)), Export(kind, str(to)))
        exported = time.perf_counter()
        size = sum(each.stat().st_size for each in to.rglob("*") if each.is_file())
        source = Source(str(to / KINDS[kind]), "back", language="en")
        begun = time.perf_counter()
        import_captions(None, str(out), source, lambda _: {})
        imported = time.perf_counter()
        expected = {each.raw_path: each.reviews[0].caption for each in photos}
        back = sum(
            each.caption == expected[each.raw_path]
            for each in read_records(out / "captions.parquet")
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = (left.photos, exported - started, size / 1e6, back, imported - begun, memory)
    return [kind, *(f"{each:,.1f}" if isinstance(each, float) else f"{each:,}" for each in figures)]


def drawn(number: int) -> Record:
    """Give a row: a thousand photos a folder, camera names that repeat in every folder."""
    path = f"사진/{number // 1000:03}/IMG_{number % 1000:04}.jpg"
    words = f"개 {number}마리가 달린다" if number % 2 else f"dogs run, {number} of them"
    return Record(
        path=path,
        caption="a machine's caption",
        status=Status.CAPTIONED,
        confidence=0.5,
        alternatives=(),
        log_prob=None,
        photo_id=sha256(path.encode()).hexdigest(),
        captioner="flickr8k-en@0",
        decode="beam",
        width=4000,
        height=3000,
        format="JPEG",
        frames=1,
        taken_at=None,
        error=None,
        raw_path=path.encode(),
        size=1,
        mtime_ns=1,
        language="en",
        reviews=(Review("en", ReviewStatus.EDITED, words, "Kim", at="2026-01-01T00:00:00Z"),),
    )


if __name__ == "__main__":
    main()
