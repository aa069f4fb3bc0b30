"""What was measured: kept as JSON, compared with ours, told as tables."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from batch.config import version as own_version
from batch.device import cores
from batch.tables import Table
from benchmarks.bench.drawn import SMALL
from benchmarks.bench.measure import Row
from benchmarks.bench.way import Way
from benchmarks.bench.ways import CAPTIONS_LARGE, CAPTIONS_SMALL, ENCODER, OURS, STAGES, WAYS
from manifests.durable import write_json
from models.small_files import read_json

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
FIGURES = ("photos/s", "CPU ms a photo", "peak MiB")
AIMS = (
    (CAPTIONS_LARGE, "the tutorial's way", 10.0),
    (CAPTIONS_SMALL, "BLIP-base, f32", 50.0),
    (CAPTIONS_SMALL, "BLIP-base, bf16", 25.0),
    (ENCODER, "OpenVINO, bf16", 1.0),
)
"""How many times the photos a second of a way ours is to do at least."""

_QUIET = 0.25  # cores: less of them disturbs nothing

Found = dict[str, Any]


def read(path: Path) -> Found:
    """Read what was measured before, as far as it was on this machine with these packages."""
    found: Found = read_json(path) if path.exists() else {}
    return found if found.get("machine") == machine() else {"machine": machine(), "rows": []}


def keep(path: Path, found: Found, new: Mapping[Way, Row], ways: Sequence[Way]) -> None:
    """Put rows in the place of older ones of the same ways, and write the file."""
    rows = {(row["group"], row["name"]): row for row in found["rows"]}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for way, row in new.items():
        versions = {package: _version(package) for package in way.packages}
        rows[row["group"], row["name"]] = row | {"measured": now, "versions": versions}
    order = list(dict.fromkeys((way.group, way.name) for way in ways))
    found["rows"] = [rows[key] for key in order if key in rows]
    _compare(found["rows"])
    found["aims"] = aims(found["rows"])
    found["whole"] = whole(found["rows"])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)


def _compare(rows: Iterable[Row]) -> None:
    """Add each figure's ratio to that of ours in its group."""
    rows = list(rows)
    ours = {row["group"]: row for row in rows if row["name"] == OURS and "error" not in row}
    for row in rows:
        ratios = {}
        if "error" not in row and row["group"] in ours:
            own = ours[row["group"]]
            ratios = {name: row[name] / own[name] for name in FIGURES if own[name]}
        row["to ours"] = {name: float(f"{ratio:.3g}") for name, ratio in ratios.items()}


def aims(rows: Iterable[Row]) -> list[str]:
    """Tell how ours compares with what it was to reach."""
    shares = {(row["group"], row["name"]): row["to ours"].get("photos/s") for row in rows}
    found = [(*aim, shares.get(aim[:2])) for aim in AIMS]
    return [
        f"{group}: ours does {1 / share:.3g} times the photos of {name} (aim: {least:g})"
        for group, name, least, share in found
        if share
    ]


def whole(rows: Iterable[Row]) -> str:
    """Compare the processor's time of the whole with that of its stages, where all are known."""
    sound = {
        (row["group"], row["name"]): row["CPU ms a photo"] for row in rows if "error" not in row
    }
    names = [way.name for way in WAYS if way.group == STAGES and way.photos == SMALL]
    stages = [sound.get((STAGES, name)) for name in names]
    own = sound.get((CAPTIONS_SMALL, OURS))
    if own is None or None in stages:
        return ""
    total = sum(filter(None, stages))
    return f"{CAPTIONS_SMALL}: ours takes {own:.3g} ms of CPU a photo, its stages {total:.3g}"


def tables(rows: Sequence[Row]) -> list[Table]:
    """Make a table of each group, and leave out what failed."""
    groups = dict.fromkeys(row["group"] for row in rows)
    sound = [row for row in rows if "error" not in row]
    header = ("", *(cell for name in FIGURES for cell in (name, "to ours")), "start s")
    return [
        Table(group, found, header, numbers=True)
        for group in groups
        if (found := [_cells(row) for row in sound if row["group"] == group])
    ]


def disturbed(rows: Iterable[Row]) -> str:
    """Warn where other programs kept the processor busy meanwhile."""
    most = max((row.get("others", 0.0) for row in rows), default=0.0)
    busy = f"other programs kept {most:g} cores busy meanwhile: measure again when they rest"
    return busy if most > _QUIET else ""


def _cells(row: Row) -> list[str]:
    figures = ((row[name], row["to ours"].get(name)) for name in FIGURES)
    pairs = ((f"{number:,g}", f"{ratio:g}" if ratio else "") for number, ratio in figures)
    return [row["name"], *(cell for pair in pairs for cell in pair), f"{row['start s']:g}"]


def machine() -> dict[str, Any]:
    """Tell what all rows are measured on."""
    return {
        "processor": _cpuinfo("model name"),
        "good at": [each for each in _FLAGS if each in _cpuinfo("flags").split()],
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "photo-captions": own_version(),
        **{name: _version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
    }


def _cpuinfo(name: str) -> str:
    lines = Path("/proc/cpuinfo").read_text("ascii", "replace").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _version(package: str) -> str | None:
    for name in (package, f"{package}-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
