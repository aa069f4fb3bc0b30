"""What is installed is pinned: each package by version and by hash, and the pins are up to date."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETS = sorted(path.name for path in ROOT.glob("requirements*.txt") if "base" not in path.name)
# name[extras]==version ; markers
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)


def plain(name):
    """Spell a package's name as PEP 503 does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path):
    return {plain(name): version for name, version in PIN.findall(path.read_text("utf-8"))}


def asked(path):
    """Give what a file of requirements and those that it names ask for."""
    found = pins(path)
    for other in re.findall(r"^-r (\S+)", path.read_text("utf-8"), re.MULTILINE):
        found |= asked(path.with_name(other))
    return found


@pytest.mark.parametrize("name", SETS)
def test_each_package_of_a_lock_has_its_hashes_and_comes_from_no_address(name):
    text = (ROOT / "locks" / name).read_text("utf-8")
    packages = re.split(
        r"^(?=[A-Za-z0-9])", re.sub("^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE
    )
    for package in filter(None, packages):
        first, *hashes = [line.strip(" \\") for line in package.splitlines()]
        assert PIN.match(first) and " @ " not in first
        assert hashes and all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", each) for each in hashes)


@pytest.mark.parametrize("name", SETS)
def test_a_lock_holds_what_its_requirements_ask_for_at_the_versions_of_the_constraints(name):
    """Where this fails, `make locks` brings them up to date."""
    locked = pins(ROOT / "locks" / name)
    wanted = asked(ROOT / name)
    assert wanted and {each: locked.get(each) for each in wanted} == wanted
    constraints = pins(ROOT / "constraints.txt")
    assert {each: constraints.get(each) for each in locked} == locked


def test_no_pin_is_left_of_what_nothing_needs():
    locked = [pins(ROOT / "locks" / name) for name in SETS]
    assert pins(ROOT / "constraints.txt").keys() == {name for each in locked for name in each}


def test_every_lock_is_one_of_a_set_of_requirements():
    assert sorted(path.name for path in (ROOT / "locks").iterdir()) == SETS


def test_make_installs_by_hash_alone_and_from_locks_alone():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    installs = re.findall(r"^\t.*\bpip install\b.*$|^\t.*\(PIP\).*$", makefile, re.MULTILINE)
    assert installs and all("PIP" in line and "-r locks/" in line for line in installs)
    (options,) = re.findall(r"^PIP := ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert {"--require-hashes", "--only-binary", ":all:", "--no-build-isolation"} <= {
        *options.split()
    }
