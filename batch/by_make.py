"""Commands as make gives them: settings by their names, from the environment.

A setting is the option of its name in small letters (DRY_RUN is `--dry-run`), or else the place
that is called so (DIR). What is empty was not given; a switch that says 0, n, no, false or off is
off.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from typing import NoReturn

from batch.summary import USAGE
from batch.text import printable

_OFF = ("0", "n", "no", "false", "off")


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and in make's names."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit."""
        said = re.sub(r"argument ([\w/-]+)(: (?='))?", lambda found: _setting(found[1]), message)
        self.exit(USAGE, f"error: {printable(said)}\n")


def arguments_of(
    command: argparse.ArgumentParser, names: Iterable[str], environment: Mapping[str, str]
) -> list[str]:
    """Write the settings with these names as arguments of a command, the places last."""
    options, places = [], []
    for name in names:
        value, action = environment.get(name, ""), _action(command, name)
        if not value:
            continue
        if not action.option_strings:
            places.append(value)
        elif action.nargs == 0 or action.const is not None:
            options += _switched(action, name, on=value.strip().lower() not in _OFF)
        else:
            options.append(f"{_option(name)}={value}")
    return [*options, "--", *places] if places else options


def _action(command: argparse.ArgumentParser, name: str) -> argparse.Action:
    found = [each for each in command._actions if _option(name) in each.option_strings]
    return found[0] if found else next(x for x in command._actions if x.metavar == name)


def _switched(action: argparse.Action, name: str, *, on: bool) -> list[str]:
    off = f"--no{_option(name)[1:]}"
    return [_option(name)] if on else [off] if off in action.option_strings else []


def _option(name: str) -> str:
    return f"--{name.lower().replace('_', '-')}"


def _setting(shown: str) -> str:
    """Name what argparse shows as `--num-beams/--beams`, or as the DIR that is a place."""
    return f"{shown.rpartition('/')[2].lstrip('-').replace('-', '_').upper()}="
