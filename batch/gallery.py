"""Write the gallery of a run's folder: its page, rows, pictures, and where the captioner looked."""

import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote as shell_quoted
from typing import Final
from urllib.parse import quote

from tqdm import tqdm

from batch.attended import Attended, Said
from batch.captioned import Captioned
from batch.stored_results import url_of
from batch.stores import is_url
from batch.thumbs import make_pictures
from manifests.durable import atomic_write, remove_leftovers
from manifests.gallery import (
    HEAD,
    Card,
    Head,
    Looked,
    bucket,
    digest_of,
    head_file,
    in_order,
    looks_file,
    page_files,
    places,
    row_files,
)
from manifests.record import Record
from manifests.review import SheetRow

_DATA: Final = ("rows", "looks")  # folders whose files are named after what is in them
_KEY: Final = ".gallery-key"  # in the results' folder
_A_DAY: Final = 86_400.0  # seconds


def write_gallery(
    found: Captioned, rows: Sequence[SheetRow], attention: Attended | None = None
) -> Path:
    """Write `OUT/gallery` and return the path of its page; a rerun does only what is new.

    The rows come with the most doubtful first. With `attention`, the page can show where the
    captioner looked in the photos whose features are kept. Raises CheckpointError where that
    captioner is asked and its folder is not whole.
    """
    home = Path(found.out, "gallery")
    rows = in_order(rows)
    problems = make_pictures(found, {row.photo_id for row in rows if row.photo_id}, home)
    looks = write_looks(home, said_in(found.records, rows), attention) if attention else {}
    files = row_files(list(cards_of(found, rows, problems)))
    _write(home, page_files() | files)
    _write(home, {HEAD: head_file(_head(found, len(rows), list(files), looks))})
    _remove_others(home, {*files, *looks.values()})  # only now does nothing point to them
    return home / "index.html"


def cards_of(
    found: Captioned, rows: Sequence[SheetRow], problems: Mapping[str, str]
) -> Iterator[Card]:
    """Put each row beside what is known of its photo; `problems` tell which have no picture."""
    records = {(record.path, record.photo_id or ""): record for record in found.records}
    for row, place in zip(rows, places(rows), strict=True):
        record = records.get((row.path, row.photo_id))
        problem = problems.get(row.photo_id, "") if row.photo_id else "could not be read"
        yield Card(
            row,
            place,
            taken=_taken(record) if record else "",
            pictured=not problem,
            problem=(record.error if record else "") or problem,
            original=_original(found, record) if record else "",
        )


def said_in(records: Iterable[Record], rows: Iterable[SheetRow]) -> list[Said]:
    """Find out which captioner wrote the machine's words of the rows; in the order of the run."""
    shown = {(row.photo_id, row.machine) for row in rows if row.photo_id and row.machine}
    written = (
        Said(record.photo_id or "", captioner or "", caption or "")
        for record in records
        for captioner, caption in [
            (record.captioner, record.caption),
            *((each.captioner, each.caption) for each in record.languages),
        ]
    )
    return [*dict.fromkeys(said for said in written if (said.photo_id, said.caption) in shown)]


def write_looks(home: Path, captions: Sequence[Said], attention: Attended) -> dict[str, str]:
    """Write where the captioner looked, and name the files by the share of photos in them.

    A file that was made from the same captions is kept as it is.
    """
    told = [said for said in captions if attention.can_tell(said)]
    shares: dict[str, list[Said]] = {}
    for said in told:
        shares.setdefault(bucket(said.photo_id), []).append(said)
    names = {each: f"looks/{each}-{digest_of(sorted(shares[each]))}.js" for each in sorted(shares)}
    new = {each for each, name in names.items() if not (home / name).exists()}
    asked = [said for said in told if bucket(said.photo_id) in new]
    found: dict[str, dict[tuple[str, str], Looked]] = {each: {} for each in new}
    looks = attention.looks(asked) if asked else iter(())
    for said, looked in tqdm(looks, "attention", len(asked), unit="photo", disable=None):
        found[bucket(said.photo_id)][said.photo_id, said.caption] = looked
    _write(home, {names[each]: looks_file(found[each]) for each in sorted(new)})
    return names


def key_of(out: Path) -> str:
    """Give the name under which a browser keeps what is decided in a gallery; made once, at random.

    It goes where the results go, so that decisions are found again after a move, and stays when a
    gallery is thrown away.
    """
    path = out / _KEY
    with suppress(FileNotFoundError):
        key = path.read_text("ascii", "replace").strip()
        if re.fullmatch("[0-9a-f]{16}", key):
            return key
    key = secrets.token_hex(8)
    with atomic_write(path) as file:
        file.write(f"{key}\n".encode("ascii"))
    return key


def key_in(out: Path) -> str | None:
    """Give the key that a gallery was written with; None where there is none."""
    with suppress(OSError):
        found = re.search(rb'"key": ?"([0-9a-f]{16})"', (out / "gallery" / HEAD).read_bytes())
        return found[1].decode() if found else None
    return None


def _head(found: Captioned, total: int, files: Sequence[str], looks: Mapping[str, str]) -> Head:
    merge = f"make merge-review OUT={shell_quoted(_shown(url_of(found.out)))} FROM="
    return Head(
        name=_shown(found.name),
        archive=_shown(found.archive),
        address=_address(found.archive),
        key=key_of(Path(found.out)),
        merge=merge,
        total=total,
        rows=files,
        looks=looks,
    )


def _address(archive: str) -> str:
    """Give what a browser opens the photos below; it has no credentials for those in a store."""
    return "" if is_url(archive) else f"file://{quote(os.fsencode(os.path.abspath(archive)))}/"


def _shown(path: str) -> str:
    """Write a path for people; bytes that are no text as in the manifest."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _taken(record: Record) -> str:
    """Say when a photo was taken, or else when its file was last changed."""
    if not record.taken_at and record.mtime_ns:
        with suppress(OverflowError, OSError, ValueError):
            return datetime.fromtimestamp(record.mtime_ns // 10**9, UTC).isoformat()[:19]
    return record.taken_at or ""


def _original(found: Captioned, record: Record) -> str:
    return "" if found.location(record) is None else quote(record.raw_path)


def _write(home: Path, files: Mapping[str, bytes]) -> None:
    """Write files under their names, those that are there as they should be left alone."""
    for folder in {(home / name).parent for name in files}:
        os.makedirs(folder, exist_ok=True)
        remove_leftovers(folder, older_than=_A_DAY)
    for name, content in files.items():
        path = home / name
        if not path.is_file() or path.read_bytes() != content:
            with atomic_write(path) as file:
                file.write(content)


def _remove_others(home: Path, kept: set[str]) -> None:
    for folder in _DATA:
        for path in (home / folder).glob("*.js"):
            if f"{folder}/{path.name}" not in kept:
                path.unlink(missing_ok=True)
