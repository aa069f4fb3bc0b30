"""The commands that look after an archive: from parsed arguments to what is printed."""

import argparse
import os
import sys

from batch.summary import COMPLETE
from batch.text import printable
from batch.whereabouts import results_of


def cron(options: argparse.Namespace) -> int:
    """Print what to install so that a run comes every night; nothing is installed."""
    from batch.commands import config_of
    from batch.schedule import Nightly, told

    config = config_of(options)
    config.check()
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(told(Nightly.of(config, _asked(options)))))
    return COMPLETE


def _asked(options: argparse.Namespace) -> list[str]:
    """Write the arguments that name no place as they were given."""
    values = ("limit", "max_hours", "num_beams", "max_length", "temperature", "seed", "review")
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

    for line in describe(results_of(options), options.archive, options.features):
        print(printable(line))
    return COMPLETE
