"""The commands that look after an archive: from parsed arguments to what is printed."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batch.config import CAPTIONER, Config, captioner_folders
from batch.run_note import read_note
from batch.summary import COMPLETE, FATAL
from batch.text import printable
from batch.whereabouts import out_of, results_of

if TYPE_CHECKING:
    from batch.findings import Findings
    from batch.verify import Place


def cron(options: argparse.Namespace) -> int:
    """Print what to install so that a run comes every night; nothing is installed."""
    from batch.commands import config_of
    from batch.schedule import Nightly, told

    config = config_of(options)
    config.check()
    _tell_of_other_captioners(config)
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(told(Nightly.of(config, _asked(options)))))
    return COMPLETE


def _tell_of_other_captioners(config: Config) -> None:
    """Say so where the last run was asked for other captioners than what comes every night."""
    asked = read_note(Path(config.out, "last_run.json")).get("asked") or {}
    before = [each for each in (asked.get("captioner"), *asked.get("others", ())) if each]
    if before and before != list(config.captioners):
        names = ",".join(os.path.basename(each) for each in before)
        text = f"the last run had CAPTIONER={names}; give that here if every night is to have it"
        print(printable(text), file=sys.stderr)


def _asked(options: argparse.Namespace) -> list[str]:
    """Write the arguments that name no place as they were given."""
    values = (
        "limit",
        "cache_limit",
        "max_hours",
        "num_beams",
        "max_length",
        "temperature",
        "seed",
        "review",
        "scheduler",
        "workers",
    )
    flags = ("allow_private", "retry_failed")
    given = [(name, glob) for name in ("include", "exclude") for glob in getattr(options, name)]
    given += [(name, getattr(options, name)) for name in values]
    asked = [f"{_option(name)}={_text(value)}" for name, value in given if value is not None]
    return asked + [_option(name) for name in flags if getattr(options, name)]


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def status(options: argparse.Namespace) -> int:
    """Tell when an archive was last run, how that ended, what is waiting and what failed."""
    from batch.status import describe

    archive = options.urls or options.archive
    for line in describe(results_of(options), archive, options.features):
        print(printable(line))
    return COMPLETE


def verify(options: argparse.Namespace) -> int:
    """Check every file that was written, and that each photo is accounted for."""
    from batch.verify import Place
    from batch.verify import verify as look

    named = captioner_folders(options.captioner) if options.captioner else ()
    place = Place(results_of(options), options.features, options.archive, tuple(named))
    found = _repair(place, options) if options.repair else look(place, deep=options.deep)
    for note in found.notes:
        print(printable(note))
    for broken in found.broken:
        print(printable(str(broken)), file=sys.stderr)
    print(printable(str(found)))
    return FATAL if found.broken else COMPLETE


def _repair(place: "Place", options: argparse.Namespace) -> "Findings":
    """Mend what is broken, and caption the archive again where rows were lost."""
    from batch.pipeline import run
    from batch.repair import repair

    def caption(archive: str) -> None:
        captioner, *others = captioner_folders(options.captioner or CAPTIONER)
        asked = Config(archive, place.out, place.features, captioner, tuple(others))
        asked = replace(asked, include=tuple(options.include), exclude=tuple(options.exclude))
        print(printable(str(run(asked))))

    return repair(place, lambda line: print(printable(line)), caption, deep=options.deep)


def prune(options: argparse.Namespace) -> int:
    """Remove cached features that no manifest needs; without --yes only tell of them."""
    from batch.prune import Asked
    from batch.prune import prune as remove

    out = out_of(options)
    named = [out] if out else []
    asked = Asked(options.features, named, options.other_encoders, options.yes)
    print(printable(remove(asked, lambda line: print(printable(line)))))
    return COMPLETE
