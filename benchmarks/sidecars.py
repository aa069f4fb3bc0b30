"""Sidecars out and read again: every field of every photo equal, and how long it takes.

    python -m benchmarks.sidecars [--photos 1000] [--folder FOLDER]

Draws photos, gives each an English and a Korean caption that were approved, edited or left to the
machine, exports them beside the photos under both names, and reads the sidecars again, by
`manifests.sidecar` and by exiftool where it is installed. Half of the sidecars are there before,
with another program's fields in them.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from batch.captioned import Captioned
from batch.said import description_of
from batch.sidecar_places import Naming
from batch.sidecars import export_sidecars
from manifests.record import LanguageCaption, Record, Status
from manifests.review import Review, ReviewStatus
from manifests.sidecar import Description, read_xmp
from tests.batch.archives import draw

THERE = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>"""
ODD = ["", " & <b>\"'", "\nsecond line", " 🐕", " ]]>", " =1+1", " caf\u00e9"]


def row(folder: Path, number: int) -> Record:
    """Draw a photo and give its row, reviewed in one of several ways."""
    name = f"{number // 100:03d}/photo {number}.png"
    path = draw(folder / name, number)
    stat, photo_id = path.stat(), sha256(path.read_bytes()).hexdigest()
    english = f"a dog runs over field {number}{ODD[number % len(ODD)]}"
    korean = f"개가 {number}번 들판을 달린다{ODD[number % len(ODD)]}"
    reviews = [
        Review("en", ReviewStatus.APPROVED, english, "Kim", at="2026-11-28T10:00:00Z"),
        Review("ko", ReviewStatus.EDITED, f"{korean}!", "이", at="2026-11-28T10:00:00Z"),
    ]
    return Record(
        name, english, Status.CAPTIONED, 0.5, (), -1.0, photo_id, "flickr8k-en@1", "beam 3",
        48, 32, "PNG", 1, None, None, os.fsencode(name), stat.st_size, stat.st_mtime_ns,
        (LanguageCaption("ko", korean, 0.25, "flickr8k-ko@1"),), "en",
        tuple(reviews[: number % 3]),
    )  # fmt: skip


def expected(record: Record) -> Description:
    """Give what a row's sidecar is to say."""
    description = description_of(record, include_machine=True)
    assert description is not None
    return description


def differing(records: Iterable[Record], folder: Path, naming: Naming) -> int:
    """Count the fields that do not read as they should, by our own reader."""
    wrong = 0
    for record in records:
        said, found = expected(record), read_xmp(sidecar(record, folder, naming).read_bytes())
        wrong += found.captions != said.captions
        wrong += found.alt_text != said.captions
        wrong += found.writer != said.writer
        wrong += [mark.status for mark in found.marks] != [each.mark.status for each in said.said]
    return wrong


def differing_to_exiftool(records: list[Record], folder: Path, naming: Naming) -> int:
    """Count the fields that do not read as they should, by exiftool."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".args") as arguments:
        arguments.writelines(f"{sidecar(record, folder, naming)}\n" for record in records)
        arguments.flush()
        command = ["exiftool", "-j", "-G1", "-struct", "-charset", "filename=utf8"]
        done = subprocess.run([*command, "-@", arguments.name], capture_output=True, check=True)
    wrong = 0
    for record, found in zip(records, json.loads(done.stdout, parse_int=str), strict=True):
        said = expected(record)
        wrong += found.get("XMP-photoshop:CaptionWriter", "") != said.writer
        for language, text in said.captions.items():
            tail = "" if language == "x-default" else f"-{language}"
            wrong += found.get(f"XMP-dc:Description{tail}") != text
            wrong += found.get(f"XMP-iptcCore:AltTextAccessibility{tail}") != text
    return wrong


def sidecar(record: Record, folder: Path, naming: Naming) -> Path:
    """Give the place of a photo's sidecar."""
    path = folder / record.path
    full = naming is Naming.WITH_ENDING
    return path.with_name(f"{path.name}.xmp") if full else path.with_suffix(".xmp")


def measure(records: list[Record], folder: Path, naming: Naming) -> None:
    """Export twice and read again; print figures."""
    for record in records[::2]:
        sidecar(record, folder, naming).write_text(THERE, encoding="utf-8")
    found = Captioned("", str(folder), records)
    for turn in ("first", "again"):
        start = time.perf_counter()
        done = export_sidecars(found, naming, include_machine=True)
        print(f"{naming}, {turn}: {done} in {time.perf_counter() - start:.2f} s")
    start = time.perf_counter()
    wrong = differing(records, folder, naming)
    print(f"  read by ourselves: {wrong} fields differ, {time.perf_counter() - start:.2f} s")
    if shutil.which("exiftool"):
        start = time.perf_counter()
        wrong = differing_to_exiftool(records, folder, naming)
        print(f"  read by exiftool: {wrong} fields differ, {time.perf_counter() - start:.2f} s")


def main() -> None:
    """Measure both namings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--folder", help="an empty folder on the disk to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        records = [row(folder, number) for number in range(options.photos)]
        for naming in Naming:
            measure(records, folder, naming)


if __name__ == "__main__":
    main()
