"""How an archive stands, on one screen. Only reads: a run may hold the folder meanwhile."""

import os
import shlex
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batch.amounts import counted, duration, size_of, size_text
from batch.config import FEATURES, Config
from batch.errors import ArchiveError
from batch.lock import is_held
from batch.pipeline import plan_run
from batch.plan import Plan
from batch.results import Previous, Results
from batch.run_log import LOG_FILE
from batch.run_note import read_note
from batch.stored_results import is_written_elsewhere, url_of
from batch.stores import is_url
from batch.summary import Ending, Summary
from batch.urls import read_list
from manifests.durable import sha256_file
from manifests.record import Record, Status
from manifests.review import ReviewStatus

_SHOWN = 5  # photos that failed; all are in the spreadsheet


def describe(out: str, archive: str | None = None, features: str | None = None) -> Iterator[str]:
    """Give the lines that tell how the results in `out` stand.

    archive: the folder of photos or the list of URLs, that of the results by default; features: the
    root of the cache, the last run's by default. Raises ArchiveError where nothing was ever run,
    ManifestError where the manifest or the journal is damaged.
    """
    if not os.path.isdir(out):
        raise ArchiveError(f"there is no {out!r}: nothing was captioned to there yet")
    is_running = is_held(out) or is_written_elsewhere(out)
    results = Results(out, archive or "")
    note = read_note(results.last_run)
    previous = _read(results)
    place = archive or results.photos_folder()
    asked = note.get("asked") or {}
    yield _line("results", url_of(out))
    yield _line("photos", place or "not known yet")
    yield from _last_run(note, previous, out, is_running=is_running)
    yield from _rows(previous.rows)
    if place:
        yield _line("waiting", _waiting(place, out, asked, previous))
    yield from _reviews(previous.rows)
    for path in _to_merge(results, note):
        done = "" if path == results.csv else ", then delete it"
        yield _line("  to merge", f"make merge-review FROM={shlex.quote(str(path))}{done}")
    yield from _disk(out, features or asked.get("features") or FEATURES)


def _read(results: Results) -> Previous:
    """Read the rows; a run that ends meanwhile takes its shards away."""
    try:
        return results.read()
    except FileNotFoundError:
        return Results(str(results.manifest.parent), "").read()


def _line(name: str, text: str) -> str:
    return f"{name:<12}{text}"


def _last_run(
    note: Mapping[str, Any], previous: Previous, out: str, *, is_running: bool
) -> Iterator[str]:
    """Say whether a run is at it, when the last one was and how it ended."""
    so_far = f"{previous.unfinished:,} of {note.get('to_do') or 0:,} photos done"
    began = _local(note.get("started_at"))
    if not note.get("started_at"):
        yield _line("last run", "a run is at it" if is_running else "none is known")
    elif is_running and not note.get("ended_at"):
        yield _line("now", f"a run is at it, since {began} ({_since(note)}): {so_far}")
    else:
        if is_running:
            yield _line("now", "a command is writing to the results")
        yield _line("last run", f"{began}, {_ending(note, out)}")
    if previous.unfinished and not is_running:
        yield _line(
            "unfinished", f"{counted(previous.unfinished, 'photo')} done; the next run goes on"
        )


def _ending(note: Mapping[str, Any], out: str) -> str:
    took = duration(max(1.0, float(note.get("seconds") or 0)))
    log = os.path.join(out, LOG_FILE)
    match note.get("ended"):
        case Ending.COMPLETE:
            return f"complete after {took}"
        case Ending.MAX_HOURS:
            waiting = note.get("waiting") or 0
            return f"stopped after {took} since its time was over; {waiting:,} photos were left"
        case Ending.INTERRUPTED:
            return f"interrupted after {took}; the same command goes on"
        case Ending.FAILED:
            return f"failed after {took}: {note.get('error')} ({log} tells more)"
    if "ended" in note and not note.get("ended_at"):
        return f"never ended: it was killed, or the machine went down; {log} tells how far it came"
    return f"exit code {note.get('exit_code')} after {took}"  # by an older version


def _rows(rows: Sequence[Record]) -> Iterator[str]:
    """Count the photos by status, and tell of some that failed."""
    counts = Counter(row.status for row in rows)
    kinds = ", ".join(f"{counts[each]:,} {each}" for each in Status if counts[each])
    yield _line("rows", f"{len(rows):,}: {kinds}" if rows else "none yet")
    failed = [row for row in rows if row.failed]
    for row in failed[:_SHOWN]:
        yield _line("  failed", f"{row.path}: {row.status}, {row.error}")
    if len(failed) > _SHOWN:
        yield _line("", f"and {len(failed) - _SHOWN:,} more: look for their status in captions.csv")


def _waiting(archive: str, out: str, asked: Mapping[str, Any], previous: Previous) -> str:
    """Count what the next run has to do, by the size and time of each photo: none is opened."""
    if not (is_url(archive) or os.path.exists(archive)):
        return f"cannot be told: {archive} is not there now"
    config = Config(
        archive,
        out,
        "",
        asked.get("captioner") or "",
        others=tuple(asked.get("others") or ()),
        include=tuple(asked.get("include") or ()),
        exclude=tuple(asked.get("exclude") or ()),
        urls=read_list(archive) if os.path.isfile(archive) else None,
    )
    summary = Summary(archive, out)
    try:
        plan = plan_run(config, previous, summary)
    except ArchiveError as error:
        return f"cannot be told: {error}"
    unlisted = f", {len(summary.unlisted):,} folders cannot be listed" if summary.unlisted else ""
    return f"{_todo(plan)}{unlisted}"


def _todo(plan: Plan) -> str:
    again = sum(row.failed for row in plan.old.values())
    changed = len(plan.old) - again
    kinds = {
        "new": len(plan.todo) - len(plan.old),
        "changed": changed,
        "to try again": again,
    }
    told = ", ".join(f"{number:,} {what}" for what, number in kinds.items() if number)
    return told or "nothing: no photo is new or changed"


def _reviews(rows: Iterable[Record]) -> Iterator[str]:
    """Say what people have decided, and what waits for them."""
    every = list(rows)
    counts = Counter(filter(None, map(_decision, every)))
    said = ", ".join(
        f"{counts[each]:,} {each}" for each in (*ReviewStatus, "filled in") if counts[each]
    )
    offers = sum(bool(row.offers) for row in every if row.status is not Status.MISSING)
    if said:
        waits = f"; {counted(offers, 'has', 'have')} a suggestion to decide on" if offers else ""
        yield _line("reviews", f"{said}{waits}")


def _decision(row: Record) -> str:
    """Name what was decided of a row; empty where nothing is there to decide on."""
    if row.review.status is not ReviewStatus.UNREVIEWED:
        return "filled in" if row.review.like else row.review.status
    waits = row.caption is not None and row.status is not Status.MISSING
    return ReviewStatus.UNREVIEWED if waits else ""


def _to_merge(results: Results, note: Mapping[str, Any]) -> list[Path]:
    """Give the spreadsheets that a person has typed into and that are not merged yet."""
    csv, merged = results.csv, note.get("taken_in_sha256") or []
    kept = [path for path in results.kept_edits() if sha256_file(path) not in merged]
    is_ours = not csv.exists() or sha256_file(csv) in (note.get("csv_sha256") or [])
    return kept if is_ours else [csv, *kept]


def _disk(out: str, features: str) -> Iterator[str]:
    """Say what is taken, and what is left."""
    if is_url(features):
        yield _line("disk", f"results {size_text(size_of(out))}; features in {features}")
        return
    there = os.path.isdir(features)
    cache = f"{size_text(size_of(features))} in {features}" if there else f"no {features}"
    yield _line("disk", f"results {size_text(size_of(out))}; features {cache}")
    yield _line("", f"{size_text(shutil.disk_usage(out).free)} free for results")
    if there and os.stat(features).st_dev != os.stat(out).st_dev:
        yield _line("", f"{size_text(shutil.disk_usage(features).free)} free for features")


def _local(time: str | None) -> str:
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M") if time else ""


def _since(note: Mapping[str, Any]) -> str:
    began = datetime.fromisoformat(note["started_at"])
    return duration(max(0.0, (datetime.now(UTC) - began).total_seconds()))
