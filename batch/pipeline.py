"""The run, on one screen: scan, load, encode, caption, write."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from batch.config import Config, language_of
from batch.errors import ArchiveError
from batch.lock import locked
from batch.plan import Plan, all_gone, beside_others, carried, gone_from, make_plan, settle_absent
from batch.quiet import start_tensorflow
from batch.results import Previous, Results
from batch.run_log import tell
from batch.run_note import leaving_none
from batch.scan import Photo, scan
from batch.stopping import Stop, stopping
from batch.stored_results import keep_safe
from batch.summary import Summary
from batch.unchanged import asks_the_same, unchanged_rows
from batch.urls import Limits, absent_from, url_photos
from manifests.record import Record, languages_of

if TYPE_CHECKING:
    from batch.caption import Stage
    from batch.photos import LoadedPhoto
    from batch.rows import Shard

STARTING = "starting: loading the captioner"


def run(config: Config) -> Summary:
    """Caption an archive and write its manifest; a rerun does only what is new or changed.

    A photo that cannot be read is a row with a status. When `max_hours` are over it stops at a
    shard's end, and a first SIGINT or SIGTERM lets it end the shard in work, too: the next run goes
    on. Raises ArchiveError, LockedError, ManifestError or CheckpointError where the run as a whole
    cannot be.
    """
    config.check()
    summary = Summary(config.archive, os.path.join(config.out, "captions.csv"), asked=config.asked)
    is_new = not os.path.lexists(config.out)
    with locked(config.out), leaving_none(config.out, summary) if is_new else nullcontext():
        results = Results(config.out, config.archive)
        results.claim(moved=config.moved)
        with results.noted(summary):
            if nothing_new(config, results, summary):
                return summary
            previous = results.read()
            plan = plan_run(config, previous, summary)
            summary.note_others(plan.kept, config.captioner_name)
            summary.to_do = previous.unfinished + len(plan.todo)
            results.note(summary)
            with stopping(config.max_hours, summary.started) as stop:
                new = caption_photos(plan, config, previous, results, stop, summary)
                conclude(plan, config, previous, results, new, summary)
    return summary


def nothing_new(config: Config, results: Results, summary: Summary) -> bool:
    """Tell, quickly, where a run would change nothing, and count the rows that are there.

    It says no where it cannot tell by a glance; then the run looks closer.
    """
    if not asks_the_same(config, results.before) or not results.is_as_before():
        return False
    rows = unchanged_rows(find_photos(config, summary), results.manifest)
    if rows is None or summary.unlisted:
        summary.unlisted.clear()
        return False
    summary.count_unchanged(rows.statuses, rows.captioners, config.captioner_name)
    return True


def caption_photos(
    plan: Plan, config: Config, previous: Previous, results: Results, stop: Stop, summary: Summary
) -> list[Record]:
    """Caption what is to do, and keep it shard by shard, until it is done or it is time to stop."""
    settle = settler(config, plan, previous)
    new: list[Record] = []
    for shard in progress(plan, config):
        records = [settle(record) for record in shard.records]
        results.keep(records)
        keep_safe(config.out)
        new += records
        summary.captioned += shard.captioned
        summary.passed_over += shard.passed_over
        summary.encoded += shard.encoded
        tell_shard(shard, records, previous)
        if stop.is_due:
            break
    return new


def conclude(
    plan: Plan,
    config: Config,
    previous: Previous,
    results: Results,
    new: Sequence[Record],
    summary: Summary,
) -> None:
    """Write the manifest and count its rows; of a run that stops early, what can be told by now."""
    there = [*plan.kept, *new]
    summary.note_failed(there, previous.failed)
    summary.copies = copies_among(new, plan.known)
    summary.waiting = len(plan.todo) - len(new)
    if summary.waiting:
        summary.count(new, plan.kept, ())
        summary.set_aside = results.commit_unfinished()
        return
    absent, summary.moved = settle_absent(plan.absent, there, previous.committed, gone(config))
    if all_gone(there, absent):
        why = "is its disk there?" if config.urls is None else "is it the right list?"
        raise ArchiveError(
            f"{config.archive} holds none of its {len(absent):,} photos any more: {why} "
            f"If they are gone for good, remove {config.out}"
        )
    summary.count(new, plan.kept, absent)
    summary.set_aside = results.commit([*there, *absent])


def copies_among(new: Sequence[Record], known: Mapping[str, Record]) -> int:
    """Count the photos with the bytes of another one, of those that the captioner has seen."""
    ids = [row.photo_id for row in new if row.answered and row.photo_id not in known]
    return len(ids) - len({*ids})


def tell_shard(shard: "Shard", records: Sequence[Record], previous: Previous) -> None:
    """Add a shard to the run's log, and each of its photos that had not failed before."""
    for record in records:
        if record.failed and record.raw_path not in previous.failed:
            found: dict[str, Any] = {"path": record.path, "status": record.status}
            tell("photo failed", logging.WARNING, error=record.error, **found)
    counts: dict[str, Any] = {"captioned": shard.captioned, "passed_over": shard.passed_over}
    tell("shard kept", photos=len(records), encoded=shard.encoded, **counts)


def settler(config: Config, plan: Plan, previous: Previous) -> Callable[[Record], Record]:
    """Give what settles a new row with the old one at its path: captions and languages to keep."""
    language = language_of(config.captioner)
    has_languages = bool(languages_of(previous.rows))

    def settle(record: Record) -> Record:
        old = plan.old.get(record.raw_path)
        record = carried(record, old)
        return beside_others(record, old, language) if has_languages else record

    return settle


def encode_archive(config: Config) -> Summary:
    """Put the features of an archive's photos into the cache; no manifest is read or written.

    Raises the errors of `run`.
    """
    config.check(writes_out=False)
    summary = Summary(config.archive, config.features, verb="encoded", asked=config.asked)
    photos = tuple(find_photos(config, summary))
    statuses: Counter[str] = Counter()
    if photos:
        with tqdm(total=len(photos), desc=STARTING, unit="photo", disable=None) as bar:
            chunks = encode_chunks(photos, config)
            bar.set_description("encoding")
            for loaded, encoded in chunks:
                statuses.update(photo.status for photo in loaded)
                for photo in loaded:
                    if photo.status != "ok":
                        summary.note_one_failed(photo.photo.path, photo.status, photo.error)
                summary.encoded += encoded
                bar.update(len(loaded))
    summary.count_loaded(statuses)
    return summary


def encode_chunks(
    photos: Sequence[Photo], config: Config
) -> "Iterator[tuple[list[LoadedPhoto], int]]":
    """Load and encode photos into the cache, some at a time; give them and how many were new."""
    if config.is_spread:
        from batch.cluster import encode_shards

        return encode_shards(photos, config)
    from batch.encode import fill_cache

    stage = load_stage(config)
    return fill_cache(photos, stage.cache, stage.encode)


def plan_run(config: Config, previous: Previous, summary: Summary) -> Plan:
    """Find the photos, and tell those that are new or changed."""
    photos = find_photos(config, summary)
    return make_plan(
        photos,
        previous.rows,
        overwrite=config.overwrite,
        retry_failed=config.retry_failed,
        languages=config.languages,
    )


def find_photos(config: Config, summary: Summary) -> Iterator[Photo]:
    """Scan the archive as asked; folders that cannot be listed are noted in the summary."""
    if config.urls is not None:
        limits = Limits(allow_private=config.allow_private)
        photos = url_photos(config.urls, config.include, config.exclude, limits)
    else:
        photos = scan(
            config.archive,
            config.include,
            config.exclude,
            on_error=lambda folder, error: summary.unlisted.append(f"{folder}: {error.strerror}"),
        )
    return islice(photos, config.limit)


def gone(config: Config) -> Callable[[bytes], bool]:
    """Give what tells whether a raw path is no longer in the archive, or in the list of URLs."""
    if config.urls is None:
        return gone_from(config.archive)
    return absent_from(config.urls) if config.urls_are_all else lambda raw_path: False  # noqa: ARG005


def caption_shards(plan: Plan, config: Config) -> "Iterator[Shard]":
    """Load what captioning needs and give the shards; where nothing is to do, no model is."""
    if plan.todo and config.is_spread:
        from batch.cluster import caption_shards as spread_shards

        return spread_shards(plan.todo, plan.known, config)
    return load_stage(config).caption_shards(plan.todo, plan.known) if plan.todo else iter(())


def load_stage(config: Config) -> "Stage":
    """Load what captioning needs. TensorFlow takes seconds: only where there is work."""
    start_tensorflow()
    from batch.caption import Stage

    return Stage.load(config.captioners, config.features, config.search, config.cache_limit)


def progress(plan: Plan, config: Config) -> "Iterator[Shard]":
    """Give the shards; on a terminal show a bar with rate and time to go, from the first moment."""
    total = len(plan.todo)
    quiet = config.quiet or not total or None
    with tqdm(total=total, desc=STARTING, unit="photo", disable=quiet) as bar:
        shards = caption_shards(plan, config)
        bar.set_description("captioning")
        for shard in shards:
            yield shard
            bar.update(len(shard.records))
