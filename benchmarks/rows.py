"""What the rows of an archive cost in time and memory, a step at a time, from 1,000 to 1,000,000.

python -m benchmarks.rows [--photos 1000 10000 100000 1000000] [--home /a/large/disk]

The photos are empty files, and captions are made by code: networks and pixels are left out. Writes
benchmarks/results/rows.json and docs/images/rows.png, and prints a table.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from batch.tables import Table
from benchmarks.row_steps import STEPS, Home

RESULTS: Final = Path("benchmarks/results/rows.json")
PLOT: Final = Path("docs/images/rows.png")
HELP: Final = ("-m", "batch", "--help")
Measured = dict[str, dict[str, dict[str, float]]]  # by step, then by photos


def main() -> None:
    """Measure each size after the other; write what was found after each."""
    options = _options()
    found: Measured = {step: {} for step in STEPS}
    for photos in options.photos:
        with tempfile.TemporaryDirectory(prefix="rows-", dir=options.home) as home:
            Home(home, photos).draw(0, photos)
            for step in STEPS:
                found[step][str(photos)] = measured = _measured(step, home, photos)
                print(f"{photos:>9,} {step:<22} {measured}", flush=True)
        write(found)
    print(table(found).as_markdown())
    print(f"--help: {_seconds_of_help():.2f} s")


def _measured(step: str, home: str, photos: int) -> dict[str, float]:
    """Do a step in a process of its own. Raises CalledProcessError where it fails."""
    asked = [sys.executable, "-m", "benchmarks.row_steps", step, home, str(photos)]
    told = subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(told.splitlines()[-1]))


def _seconds_of_help() -> float:
    """Give the least of five times: what others do on the machine only adds."""
    times = []
    for _ in range(5):
        start = time.monotonic()
        subprocess.run([sys.executable, *HELP], check=True, capture_output=True)
        times.append(time.monotonic() - start)
    return min(times)


def write(found: Measured) -> None:
    """Write the figures and their plot."""
    for path in (RESULTS, PLOT):
        path.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(f"{json.dumps(found, indent=1)}\n")
    draw(found, PLOT)


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Give the exponent by which values grow with sizes: 1 is linear, 2 quadratic.

    It is that between the last two sizes: what a step takes to begin weighs least there.
    """
    if len(sizes) < 2 or min(values[-2:]) <= 0:
        return math.nan
    return math.log(values[-1] / values[-2]) / math.log(sizes[-1] / sizes[-2])


def table(found: Measured) -> Table:
    """Give the figures of the largest archive, and how the steps grow up to it."""
    rows = []
    for step, by_size in found.items():
        sizes = [*map(int, by_size)]
        cpu = [each["cpu"] for each in by_size.values()]
        last = [*by_size.values()][-1]
        a_row = f"{1e6 * last['cpu'] / sizes[-1]:,.1f}"
        grown = f"{slope(sizes, cpu):.2f}"
        rows.append([step, f"{last['cpu']:,.1f}", a_row, grown, f"{last['mib']:,.0f}"])
    header = ("", "CPU seconds", "microseconds a row", "slope", "MiB at most")
    return Table("rows", rows, header, numbers=True)


def draw(found: Measured, path: Path) -> None:
    """Draw seconds and memory by the number of photos, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(15, 6.5), layout="constrained")
    colours = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    for (step, by_size), colour in zip(found.items(), colours, strict=False):
        sizes = [*map(int, by_size)]
        cpu = [max(each["cpu"], 1e-3) for each in by_size.values()]
        style: dict[str, Any] = {"marker": "o", "markersize": 4, "color": colour}
        left.plot(sizes, cpu, label=f"{step} ({slope(sizes, cpu):.2f})", **style)
        right.plot(sizes, [each["mib"] for each in by_size.values()], **style)
    last = max(int(size) for by_size in found.values() for size in by_size)
    left.plot([1e3, last], [1e-2, last * 1e-5], "--", color="grey", label="linear: 10 µs a row")
    left.set(xlabel="photos", ylabel="CPU seconds", xscale="log", yscale="log")
    right.set(xlabel="photos", ylabel="MiB at most", xscale="log", yscale="log")
    left.set_title("Time; slope between the two largest sizes, 1 is linear")
    right.set_title("Memory of the process")
    for axes in (left, right):
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.minorticks_off()
        axes.xaxis.set_major_formatter("{x:,.0f}")
    right.set_yticks([100, 200, 500, 1_000, 2_000, 5_000])
    right.yaxis.set_major_formatter("{x:,.0f}")
    figure.legend(loc="outside right center", fontsize=9)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [1_000, 10_000, 100_000, 1_000_000]
    parser.add_argument("--photos", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument("--home", metavar="FOLDER", help="where files and results go meanwhile")
    return parser.parse_args()


if __name__ == "__main__":
    main()
