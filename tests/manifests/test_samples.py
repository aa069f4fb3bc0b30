"""Samples on the disk."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import ManifestError
from manifests.samples import Drawn, Sample, last_sample, write_sample
from tests.manifests.examples import RAW_PATHS, TEXTS, with_files

DRAWN = st.builds(
    Drawn,
    TEXTS,
    RAW_PATHS,
    TEXTS,
    TEXTS,
    TEXTS,
    st.none() | st.floats(0, 1, width=32),
)
SAMPLES = st.builds(
    Sample,
    st.integers(1, 99999),
    st.integers(),
    TEXTS,
    st.just(""),
    st.integers(0),
    st.lists(DRAWN, max_size=3).map(tuple),
)


@with_files
@given(SAMPLES)
def test_a_sample_is_read_back_as_it_was_whatever_the_names(tmp_path_factory, sample):
    folder = tmp_path_factory.mktemp("reviews")
    write_sample(folder, sample)
    assert last_sample(folder) == sample


def sample(number: int, language: str = "") -> Sample:
    drawn = Drawn("ab" * 32, b"caf\xe9\n.jpg", "en", "12ab", "flickr8k@1", None)
    return Sample(number, number, "2026-11-28T10:00:00+00:00", language, 10, (drawn,))


def test_the_last_one_is_the_one_of_the_largest_number(tmp_path):
    for number in (9999, 2, 10000):
        write_sample(tmp_path, sample(number))
    assert last_sample(tmp_path) == sample(10000)


def test_samples_of_languages_keep_apart(tmp_path):
    write_sample(tmp_path, sample(1))
    write_sample(tmp_path, sample(2, "ko"))
    assert last_sample(tmp_path) == sample(1)
    assert last_sample(tmp_path, "ko") == last_sample(tmp_path, None) == sample(2, "ko")
    assert last_sample(tmp_path, "de") is None


def test_there_is_none_before_the_first(tmp_path):
    assert last_sample(tmp_path) is None
    assert last_sample(tmp_path / "reviews") is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1}', '{"version": 1, "drawn": [3]}'])
def test_a_damaged_sample_is_named_with_what_to_do(tmp_path, text):
    write_sample(tmp_path, sample(1))
    path = tmp_path / "sample-0001.json"
    path.write_text(text)
    with pytest.raises(ManifestError, match=r"sample-0001.json.*Put back a copy"):
        last_sample(tmp_path)


def test_a_newer_version_is_told(tmp_path):
    write_sample(tmp_path, sample(1))
    path = tmp_path / "sample-0001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 2}))
    with pytest.raises(ManifestError, match="newer version"):
        last_sample(tmp_path)
