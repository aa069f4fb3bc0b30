"""How a gallery of ten thousand photos feels in Chromium: first row, scrolling, search, memory.

    python -m benchmarks.gallery [--photos N] [--runs N]

Draws the photos, tiny and each another one, writes their gallery twice and opens it from disk in a
headless Chromium. Prints a table; times in the page are medians over the runs, by its own clock.
"""

import argparse
import io
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from batch.captioned import Captioned
from batch.gallery import write_gallery
from manifests.record import Record
from tests.batch.galleries import Page, chromium, row_of
from tests.manifests.examples import record

WORDS = "a dog cat runs sits on the grass sofa red ball two children man woman beach water snow"
FOLDERS = 40

# Scrolls from top to bottom of the page, and notes how long each frame took.
SCROLL = """
const done = arguments[0], frames = [];
let before = performance.now();
const step = (now) => {
  frames.push(now - before);
  before = now;
  scrollBy(0, 120);
  const more = scrollY + innerHeight < document.documentElement.scrollHeight - 1;
  if (more) requestAnimationFrame(step);
  else done(frames.slice(1));
};
scrollTo(0, 0);
requestAnimationFrame(step);
"""
FIRST = """
const seen = performance.getEntriesByName("first-row")[0];
return seen ? seen.startTime : null
"""
# Noted when the first card is in the page: the frame that shows it begins then.
WATCH = """
const watch = new MutationObserver(() => {
  if (!document.querySelector(".card")) return;
  watch.disconnect();
  requestAnimationFrame(() => setTimeout(() => performance.mark("first-row")));
});
watch.observe(document, { childList: true, subtree: true });
"""
# Times a change of the page up to the frame that shows it.
TIMED = """
const done = arguments[0], began = performance.now();
%s
requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
"""
SEARCH = "document.getElementById('search').value = '%s'; gallery.page.choose();"


def draw(root: Path, number: int) -> Record:
    """Draw a photo of few bytes, like no other; give its record."""
    words = WORDS.split()
    dice = random.Random(number)
    picture = Image.new("RGB", (320, 213), tuple(dice.randbytes(3)))
    picture.paste(tuple(dice.randbytes(3)), (0, 0, dice.randrange(320), dice.randrange(213)))
    file = io.BytesIO()
    picture.save(file, "JPEG", comment=b"%d" % number)
    raw = b"%04d/IMG_%05d.jpg" % (2000 + number % FOLDERS, number)
    path = root / raw.decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getvalue())
    says = [" ".join(dice.choices(words, k=dice.randint(6, 14))).capitalize() for _ in range(4)]
    return record(
        raw,
        caption=f"{says[0]}.",
        alternatives=tuple(says[1:]),
        confidence=dice.random(),
        photo_id=sha256(file.getvalue()).hexdigest(),
        language="en",
    )


def measure(page: Page, gallery: Path, runs: int) -> dict[str, float]:
    """Open the gallery some times; give milliseconds and MiB."""
    page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    seen: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        seen.setdefault(name, []).append(value)

    def timed(name: str, change: str) -> None:
        note(name, page.driver.execute_async_script(TIMED % change))

    for _ in range(runs):
        began = time.monotonic()
        page.open(gallery)
        note("all rows loaded, ms", 1000 * (time.monotonic() - began))
        note("first row on the screen, ms", page.wait(FIRST))
        frames = sorted(page.driver.execute_async_script(SCROLL))
        note("frame while scrolling a page, median, ms", statistics.median(frames))
        note("frame while scrolling a page, p95, ms", frames[int(0.95 * len(frames))])
        note("frame while scrolling a page, longest, ms", frames[-1])
        timed("next page, ms", "gallery.page.turn(1);")
        timed("first search, ms", SEARCH % "dog red")
        timed("next search, ms", SEARCH % "img_0999")
        timed("all again, ms", SEARCH % "")
        timed(
            "a decision, ms",
            "gallery.page.reviewer = 'Kim'; gallery.page.approve(gallery.page.card());",
        )
        page.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        used = page.driver.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]
        note("memory of the page's scripts, MiB", used / 2**20)
        page.run("localStorage.clear()")
    return {name: statistics.median(values) for name, values in seen.items()}


def seconds(work: Callable[[], Any]) -> float:
    """Time something."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        root, out = Path(work, "photos"), Path(work, "out")
        out.mkdir()
        records = [draw(root, number) for number in range(options.photos)]
        found, rows = Captioned(str(out), str(root), records), [*map(row_of, records)]
        figures = {"writing it, s": seconds(lambda: write_gallery(found, rows))}
        figures["writing it again, nothing new, s"] = seconds(lambda: write_gallery(found, rows))
        data = sum(path.stat().st_size for path in out.glob("gallery/rows/*.js"))
        figures["its rows, MiB"] = data / 2**20
        with chromium(Path(work)) as page:
            figures |= measure(page, out / "gallery" / "index.html", options.runs)
            version = page.driver.capabilities["browserVersion"]
    print(f"{options.photos:,} photos, Chromium {version}, {options.runs} runs\n")
    print("| | |\n| --- | --- |")
    for name, value in figures.items():
        print(f"| {name} | {value:,.1f} |")


if __name__ == "__main__":
    main()
