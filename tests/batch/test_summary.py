"""One line says how a run went, and says the same as the note for programs."""

import json

import pytest

from batch.summary import COMPLETE, WITH_FAILURES, Summary
from manifests.record import Status
from tests.manifests.examples import record


def row(number: int, status: Status = Status.CAPTIONED):
    return record(b"%d.jpg" % number, status=status)


def counted(new=(), kept=(), absent=(), **found) -> Summary:
    """Sum up a run; `captioned` and `encoded` are counted while it runs."""
    summary = Summary("photos", "out/captions.csv", **found)
    summary.count(new, kept, absent)
    summary._seconds = 2.0
    return summary


NEW = [row(n) for n in range(1500)]
BLANK = row(9, Status.NOT_A_SCENE)
FAILED = [row(1, Status.TRUNCATED), row(2, Status.IO), row(3, Status.IO)]


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        (counted(), "0 photos, none found"),
        (counted(kept=NEW), "1,500 photos, nothing new"),
        (
            counted(NEW, captioned=1500, encoded=1500),
            "1,500 photos, 1,500 captioned in 2 s (750.0 photos/s)",
        ),
        (
            counted(NEW[:4], NEW[4:10], captioned=4, encoded=1),
            "10 photos, 4 captioned (3 from cached features) in 2 s (2.0 photos/s), 6 unchanged",
        ),
        (
            counted(NEW[:3], [], [row(5, Status.MISSING), row(6)], moved=1, captioned=1, encoded=1),
            "3 photos, 1 captioned in 2 s (0.5 photos/s), 2 unchanged, 1 moved, 1 missing",
        ),
        (
            counted(FAILED),
            "3 photos, nothing new, 3 failed (2 io, 1 truncated)",
        ),
        (
            counted([*NEW[:4], BLANK], [BLANK], captioned=4, passed_over=1, encoded=3),
            "6 photos, 4 captioned (2 from cached features) in 2 s (2.5 photos/s), 2 not a scene",
        ),
        (
            counted([BLANK], passed_over=1, encoded=1),
            "1 photo, 0 captioned in 2 s (0.5 photos/s), 1 not a scene",
        ),
        (counted([], [*NEW[:2], BLANK]), "3 photos, nothing new, 1 not a scene"),
    ],
)
def test_the_line_says_what_was_found_and_done(summary, text):
    assert str(summary) == f"{text}: out/captions.csv"


def test_failed_photos_and_unlisted_folders_are_no_complete_run():
    assert counted(NEW).exit_code == COMPLETE
    assert counted(NEW, FAILED).exit_code == WITH_FAILURES
    assert counted(NEW, unlisted=["2019: Permission denied"]).exit_code == WITH_FAILURES


def test_photos_that_are_missing_or_no_scenes_are_no_failures():
    assert counted([BLANK], [BLANK], [row(1, Status.MISSING)]).exit_code == COMPLETE


def test_encoding_alone_is_summed_up_too():
    summary = Summary("photos", "features", verb="encoded", encoded=3)
    summary.count_loaded({"ok": 5, "truncated": 1})
    summary._seconds = 1.0
    assert (summary.photos, summary.unchanged, summary.exit_code) == (6, 2, WITH_FAILURES)
    assert str(summary) == (
        "6 photos, 3 encoded in 1 s (3.0 photos/s), 2 unchanged, 1 failed (1 truncated): features"
    )


def test_the_note_is_plain_json_and_says_the_same():
    note = json.loads(
        json.dumps(counted(NEW[:4], FAILED, captioned=4, encoded=4, moved=2).as_dict())
    )
    assert (note["photos"], note["captioned"], note["moved"]) == (7, 4, 2)
    assert note["failed"] == {"truncated": 1, "io": 2}
    assert (note["seconds"], note["photos_per_second"]) == (2.0, 2.0)
    assert not any(name.startswith("_") for name in note)
