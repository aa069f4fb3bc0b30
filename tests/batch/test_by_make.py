"""Settings as make gives them become arguments, and what is wrong is told in make's names."""

import argparse

import pytest

from batch.__main__ import main
from batch.by_make import Parser, arguments_of


@pytest.fixture
def parser():
    """Make a command with every kind of argument."""
    parser = Parser()
    add = parser.add_argument
    add("archive", metavar="DIR", nargs="?")
    add("--num-beams", "--beams", type=int)
    add("--dry-run", action="store_true")
    add("--show", nargs="?", const=20, type=int)
    add("--include", action="append", default=[])
    add("--attention", action=argparse.BooleanOptionalAction, default=True)
    return parser


NAMES = ["DIR", "BEAMS", "DRY_RUN", "SHOW", "INCLUDE", "ATTENTION"]


def read(parser, **given: str) -> argparse.Namespace:
    return parser.parse_args(arguments_of(parser, NAMES, given))


def test_what_is_given_reaches_its_argument_and_nothing_else_does(parser):
    found = read(parser, DIR="--dry-run", BEAMS="3", INCLUDE="-x *", HOME="/root", archive="no")
    assert (found.archive, found.num_beams, found.include) == ("--dry-run", 3, ["-x *"])
    assert (found.dry_run, found.show, found.attention) == (False, None, True)


@pytest.mark.parametrize("value", ["1", "yes", "on", "x"])
def test_a_switch_is_on_whatever_it_says_but_no(parser, value):
    found = read(parser, DRY_RUN=value, SHOW=value, ATTENTION=value)
    assert (found.dry_run, found.show, found.attention) == (True, 20, True)


@pytest.mark.parametrize("value", ["0", "n", "no", "false", "off", "No "])
def test_a_switch_that_says_no_is_off(parser, value):
    found = read(parser, DRY_RUN=value, SHOW=value, ATTENTION=value)
    assert (found.dry_run, found.show, found.attention) == (False, None, False)


def test_what_is_empty_was_not_given(parser):
    assert vars(read(parser, **dict.fromkeys(NAMES, ""))) == vars(read(parser))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"BEAMS": "two\n"}, "BEAMS=: invalid int value: 'two\\n'"),
        ({"DIR": "a", "URLS": "b"}, "DIR=: not allowed with URLS="),
        ({"LIMIT": "0"}, "LIMIT='0' is none"),
    ],
)
def test_what_is_wrong_is_one_line_in_makes_names(given, told, capsys):
    def none(text: str) -> int:
        raise argparse.ArgumentTypeError(f"{text!r} is none")

    parser = Parser()
    parser.add_argument("--num-beams", "--beams", type=int)
    parser.add_argument("--limit", type=none)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("archive", metavar="DIR", nargs="?")
    which.add_argument("--urls")
    with pytest.raises(SystemExit) as end:
        parser.parse_args(arguments_of(parser, given, given))
    assert (end.value.code, capsys.readouterr().err) == (2, f"error: {told}\n")


def test_make_is_no_command_for_people(capsys):
    for arguments in (["by-make"], ["by-make", "subtitle", "DIR"]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert "invalid choice: 'by-make'" in capsys.readouterr().err
