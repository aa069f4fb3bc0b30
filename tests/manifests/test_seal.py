"""A note tells when it is not what was written."""

import json

import pytest

from manifests.seal import is_sealed, sealed

NOTE = {"photos": 3, "rate": 1.5, "failed": {"io": 1}, "archive": "바다", "csv_sha256": ["ab"]}


def test_a_sealed_note_is_whole_after_a_trip_through_json():
    assert is_sealed(json.loads(json.dumps(sealed(NOTE)))) is True
    assert is_sealed(sealed(sealed(NOTE) | {"photos": 4})) is True


def test_one_without_a_seal_is_of_an_older_version():
    assert is_sealed(NOTE) is None


@pytest.mark.parametrize("change", [{"photos": 4}, {"more": 1}, {"archive": "바닥"}])
def test_a_change_is_told(change):
    assert is_sealed(sealed(NOTE) | change) is False
