"""Ways to caption photos side by side: photos a second, the processor's time, and memory.

    python -m benchmarks.bench [--only NAME...] [--photos FOLDER] [--quick]

The TensorFlow tutorial's way, Keras, OpenVINO, ONNX Runtime, and captioners of transformers on
PyTorch against this program, on the same photos, drawn by code: of 12 megapixels, and small ones.
Each in a process of its own and on the processor alone; the ways of a group take turns, and the
median of their rounds counts. Start-up, up to the first photo done, is told apart. What
requirements-bench.txt names must be installed for what is not ours: `make bench` sees to it.

--only: ways whose names hold one of these; what else was measured on this machine before stays in
the JSON. --photos: JPEG files of your own instead. --quick: few photos, to see that all works.
Writes JSON and a picture, prints tables in Markdown. For Linux.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path

from tqdm import tqdm

from batch.config import CAPTIONER, HOME, captioner_folder
from batch.errors import ArchiveError
from batch.scan import scan
from benchmarks.bench.drawn import LARGE, PACKED, QUALITIES, QUALITY, SIZES, draw_photos
from benchmarks.bench.measure import Row, measure, working_folder
from benchmarks.bench.plot import draw
from benchmarks.bench.results import Found, disturbed, keep, read, tables
from benchmarks.bench.way import Task, Way
from benchmarks.bench.ways import WAYS, ways_for_own_photos
from models.fingerprints import CONFIG_FILE, SCENE_FILE

ROUNDS = 3
QUICK_PHOTOS = 4
QUICK_SIZES = SIZES | dict.fromkeys((LARGE, PACKED), (1200, 900))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and tell."""
    options = _options(arguments)
    all_ways = ways_for_own_photos() if options.photos else WAYS
    ways = [way for way in all_ways if _is_asked(way, options.only)]
    if not ways:
        sys.exit("--only: no way has such a name; there are\n" + "\n".join(w.key for w in all_ways))
    found = read(options.json)
    try:
        for group in _measured(ways, options):
            keep(options.json, found, group, all_ways)
    except ArchiveError as error:
        sys.exit(str(error))
    draw(found["rows"], str(options.plot))
    _tell(found)


def _measured(ways: Sequence[Way], options: argparse.Namespace) -> Iterator[dict[Way, Row]]:
    """Measure the ways, a group at a time."""
    rounds = 1 if options.quick else ROUNDS
    if options.quick:
        ways = [replace(way, number=min(way.number, QUICK_PHOTOS)) for way in ways]
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary, _bar(ways, rounds) as bar:
        home = Path(temporary)
        captioner = _captioner(captioner_folder(options.captioner), home / "captioner")

        def task_of(way: Way) -> Task:
            folder = _photos(way, ways, options, home)
            return Task(str(folder), way.number, captioner, str(working_folder(home, way)))

        def step(what: str) -> None:
            bar.set_description(what)
            bar.update()

        for _, group in groupby(ways, lambda way: way.group):
            yield dict(measure(list(group), task_of, rounds, step))
            shutil.rmtree(home / "work", ignore_errors=True)


@contextmanager
def _bar(ways: Sequence[Way], rounds: int) -> Iterator[tqdm]:
    with tqdm(total=len(ways) * (1 + rounds), unit="step", disable=None) as bar:
        yield bar


def _photos(way: Way, ways: Sequence[Way], options: argparse.Namespace, home: Path) -> Path:
    """Draw or copy the photos that a way needs, unless another one has needed them already."""
    folder = home / ("own" if options.photos else way.photos)
    number = max(each.number for each in ways if options.photos or each.photos == way.photos)
    if options.photos and not folder.exists():
        _copy(options.photos, folder, number)
    if not options.photos:
        sizes = QUICK_SIZES if options.quick else SIZES
        draw_photos(folder, sizes[way.photos], number, QUALITIES.get(way.photos, QUALITY))
    return folder


def _copy(photos: str, folder: Path, number: int) -> None:
    """Copy JPEG files under names that say nothing; the tutorial's way reads no others."""
    folder.mkdir()
    found = scan(photos, include=("*.jpg", "*.jpeg"))
    for place, photo in enumerate(islice(found, number)):
        shutil.copyfile(photo.location, folder / f"{place:04}.jpg")
    if not any(folder.iterdir()):
        raise ArchiveError(f"{photos}: no JPEG files in there; give another folder")


def _captioner(captioner: str, folder: Path) -> str:
    """Copy a captioner but for what tells photos without a scene: each gets its caption."""
    if not Path(captioner, CONFIG_FILE).is_file():
        raise ArchiveError(f"{captioner}: no captioner there")
    shutil.copytree(captioner, folder, ignore=shutil.ignore_patterns(SCENE_FILE))
    return str(folder)


def _is_asked(way: Way, only: Sequence[str]) -> bool:
    return not only or any(name in way.key for name in only)


def _tell(found: Found) -> None:
    for table in tables(found["rows"]):
        print(f"\n{table.caption}\n\n{table.as_markdown()}")
    failed = [row for row in found["rows"] if "error" in row]
    told = [f"{row['group']}: {row['name']}: {row['error']}" for row in failed]
    for line in filter(None, [*found["aims"], found["whole"], disturbed(found["rows"]), *told]):
        print(f"\n{line}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add, home = parser.add_argument, Path(HOME)
    add("--only", nargs="+", default=(), metavar="NAME", help="ways whose names hold one of these")
    add("--photos", metavar="FOLDER", help="JPEG files of your own, instead of drawn ones")
    add("--quick", action="store_true", help="few photos, to see that all works")
    add("--captioner", default=CAPTIONER, metavar="NAME")
    add("--json", type=Path, metavar="FILE", help="benchmarks/results/bench.json, or of own photos")
    add("--plot", type=Path, metavar="FILE", help="docs/images/bench.png")
    options = parser.parse_args(arguments)
    apart = options.photos or options.quick  # those are not the figures of the documents
    options.json = (
        options.json or home / ("outputs" if apart else "benchmarks/results") / "bench.json"
    )
    options.plot = options.plot or home / ("outputs" if apart else "docs/images") / "bench.png"
    options.plot.parent.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
