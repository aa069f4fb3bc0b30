"""Ranges are read as they were written, for the weights they are of, or told to be none."""

import json

import pytest

from models.errors import CheckpointError
from models.fingerprints import weights_fingerprint
from models.inception import CONVOLUTIONS
from models.ranges import Ranges, ranges_path


@pytest.fixture
def weights(tmp_path):
    """Give a file that stands for weights."""
    path = tmp_path / "encoder.weights.h5"
    path.write_bytes(b"weights")
    return str(path)


@pytest.fixture
def write(weights):
    """Give what writes ranges beside the weights, with some fields changed."""

    def write(**changes):
        fingerprint = weights_fingerprint(weights)
        sound = Ranges(fingerprint, 3, [1.5] * CONVOLUTIONS).as_json()
        ranges_path(weights).write_text(json.dumps(sound | changes))

    return write


def test_ranges_are_read_as_they_were_written(weights, write):
    write(photos=7)
    assert Ranges.read(weights).photos == 7
    assert list(Ranges.read(weights).largest) == [1.5] * CONVOLUTIONS


def test_ranges_of_other_weights_are_refused(weights, write):
    write(encoder="another")
    with pytest.raises(CheckpointError, match="of other weights than these"):
        Ranges.read(weights)


@pytest.mark.parametrize(
    "changes",
    [
        {"largest": [1.0]},
        {"largest": [0.0] * CONVOLUTIONS},
        {"largest": [float("nan")] * CONVOLUTIONS},
        {"largest": ["1.0"] * CONVOLUTIONS},
        {"largest": 5},
        {"another": 1},
    ],
    ids=["too few", "zeros", "no numbers", "texts", "one number", "another field"],
)
def test_what_is_no_ranges_is_refused_with_the_remedy(weights, write, changes):
    write(**changes)
    with pytest.raises(CheckpointError, match=r"encoder\.ranges\.json: no ranges .*make ranges"):
        Ranges.read(weights)


def test_what_is_no_json_is_refused(weights):
    ranges_path(weights).write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="nested too deep"):
        Ranges.read(weights)


def test_weights_by_name_have_no_ranges():
    with pytest.raises(CheckpointError, match="imagenet: no file of weights"):
        ranges_path("imagenet")
