"""What a run would do, without doing it: counts, cache size and time to expect."""

import os
from collections import Counter

from batch.amounts import duration, size_of, size_text
from batch.config import Config
from batch.pipeline import plan_run
from batch.plan import Plan
from batch.results import Results
from batch.run_note import START
from batch.stores import is_url
from batch.summary import Summary

CACHE_BYTES = 54_000  # a photo, as benchmarks/cache_size.py finds with the captioner that ships
PHOTOS_PER_SECOND = 14.3  # of 12 megapixels on two cores with bfloat16, as `make bench` finds


def describe(config: Config) -> str:
    """Tell what `run` would do with the archive as it is now; nothing is written, no photo opened.

    Raises the errors of `run`.
    """
    config.check()
    summary = Summary(config.archive, os.path.join(config.out, "captions.csv"))
    results = Results(config.out, config.archive)
    results.claim(moved=config.moved)
    plan = plan_run(config, results.read(), summary)
    before = Counter("failed" if record.failed else record.status.value for record in plan.kept)
    lines = [
        f"photos found        {len(plan.todo) + len(plan.kept):>10,}",
        *(_formats(plan) if config.urls is None else ()),  # URLs end in anything
        f"captioned before    {before['captioned']:>10,}",
        f"not a scene before  {before['not_a_scene']:>10,}",
        f"failed before       {before['failed']:>10,}",
        f"new or changed      {len(plan.todo):>10,}",
        f"cache now           {_cached(config.features):>13}",
        f"cache to add        {size_text(len(plan.todo) * CACHE_BYTES):>13} at most",
        f"time to expect      {_time(len(plan.todo), results.rate())}",
    ]
    return "\n".join(lines + [f"cannot list         {folder}" for folder in summary.unlisted])


def _time(photos: int, rate: float | None) -> str:
    """Say how long it takes to caption photos, at the rate of runs before, if one is known."""
    if not photos:
        return f"{'none':>10}"
    shown = f"{rate:.{0 if rate >= 10 else 1}f}" if rate else ""
    by = f"{shown} photos/s as before" if rate else "14 large photos/s on two cores, 24 small"
    seconds = START + photos / (rate or PHOTOS_PER_SECOND)
    return f"about {duration(seconds)} ({START:.0f} s to start, then {by})"


def _cached(features: str) -> str:
    return features if is_url(features) else size_text(size_of(features))


def _formats(plan: Plan) -> list[str]:
    paths = [photo.relative for photo in plan.todo] + [row.path for row in plan.kept]
    counts = Counter(os.path.splitext(path)[1].lower().lstrip(".") for path in paths)
    return [f"  {name:<18}{count:>10,}" for name, count in sorted(counts.items())]
