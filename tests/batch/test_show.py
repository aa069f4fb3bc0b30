"""Captions on the terminal: one line a photo, whatever its name."""

import pytest

from batch.show import table
from manifests.manifest import write_records
from manifests.record import Status
from tests.manifests.examples import record


@pytest.fixture
def shown(tmp_path):
    def shown(*records, rows: int = 20) -> list[str]:
        write_records(tmp_path / "captions.parquet", records, "photos")
        return table(str(tmp_path), rows).split("\n")

    return shown


def test_a_line_has_confidence_name_and_caption(shown):
    assert shown(record(b"a.jpg", confidence=0.756, caption="A dog.")) == ["0.76  a.jpg  A dog."]


def test_a_failed_photo_says_what_is_wrong(shown):
    bad = record(
        b"b.jpg", caption=None, confidence=None, status=Status.TRUNCATED, error="ends too early"
    )
    good = record(b"longer.jpg", confidence=0.5, caption="A cat.")
    assert shown(bad, good) == [
        "      b.jpg       (truncated: ends too early)",
        "0.50  longer.jpg  A cat.",
    ]


def test_no_more_rows_than_were_asked_for_are_shown(shown):
    assert len(shown(*(record(b"%d.jpg" % n) for n in range(9)), rows=4)) == 4


def test_a_name_cannot_steer_the_terminal(shown):
    (line,) = shown(record("a\n\x1b[2J\u202ejpg.exe".encode()))
    assert line.isprintable()


def test_an_empty_manifest_shows_nothing(shown):
    assert shown() == [""]
