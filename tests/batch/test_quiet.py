"""What libraries say while they start is kept back, unless it is needed."""

import os

import pytest

from batch.quiet import quiet


def test_what_is_said_inside_is_kept_back_whoever_says_it(capfd):
    with quiet():
        os.write(2, b"from C++\n")
        print("a result")
    said = capfd.readouterr()
    assert (said.err, said.out) == ("", "a result\n")


def test_what_is_said_before_and_after_is_heard(capfd):
    os.write(2, b"before\n")
    with quiet():
        os.write(2, b"inside\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


@pytest.mark.parametrize("error", [ImportError, KeyboardInterrupt])
def test_where_the_block_fails_all_is_heard(capfd, error):
    with pytest.raises(error), quiet():
        os.write(2, b"what is wrong\n")
        raise error
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "what is wrong\nafter\n"


def test_no_file_stays_open(capfd):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are all that is wanted
    for _ in range(3):
        with quiet():
            pass
        with pytest.raises(ZeroDivisionError), quiet():
            raise ZeroDivisionError
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
