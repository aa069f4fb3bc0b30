"""A run does what is new or changed, and no row is lost over what has become of its photo."""

import os
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.plan import all_gone, beside_others, carried, gone_from, make_plan, settle_absent
from batch.scan import Photo
from manifests.record import FINAL, NO_SCENE, LanguageCaption, Status
from tests.batch.archives import draw
from tests.manifests.examples import record, with_files

FAILURES = [status for status in Status if record(status=status).failed]
PASSING = [status for status in FAILURES if status not in FINAL]


def photo(relative: str, size: int = 10, mtime_ns: int = 20) -> Photo:
    return Photo("/archive", relative, size, mtime_ns)


def row(relative: str, photo_id: str = "id", **changes):
    """Write the row of an earlier run, of a file of 10 bytes and time 20."""
    raw_path = os.fsencode(relative)
    return record(raw_path, **{"photo_id": photo_id, "size": 10, "mtime_ns": 20, **changes})


def failed(relative: str, status: Status):
    return row(relative, caption=None, captioner=None, status=status, error="is broken")


def no_scene(relative: str, photo_id: str = "id", **changes):
    """Write the row of a photo in which a captioner saw no scene."""
    found = {"caption": None, "status": Status.NOT_A_SCENE, "error": NO_SCENE}
    return row(relative, photo_id, **(found | changes))


def plan(photos, rows, **asked):
    return make_plan(photos, rows, **{"overwrite": False, "retry_failed": False} | asked)


def in_two_languages(relative: str):
    said = (
        LanguageCaption("en", "A dog.", 0.5, "a@1"),
        LanguageCaption("ko", "개가 달린다.", 0.25, "b@2"),
    )
    return row(relative, caption="A dog.", confidence=0.5, captioner="a@1", languages=said)


def test_a_row_that_lacks_a_language_is_to_do():
    rows = [in_two_languages("a.jpg"), row("b.jpg", "other")]
    found = plan([photo("a.jpg"), photo("b.jpg")], rows, languages=("en", "ko"))
    assert [each.relative for each in found.todo] == ["b.jpg"]
    assert found.kept == (rows[0],)
    assert set(found.known) == {"id"}


def test_the_first_language_that_is_asked_for_leads_every_row():
    before = in_two_languages("a.jpg")
    found = plan([photo("a.jpg")], [before], languages=("ko", "en"))
    [kept] = found.kept
    assert (kept.caption, kept.confidence, kept.captioner) == ("개가 달린다.", 0.25, "b@2")
    assert kept.languages == before.languages
    more = plan([photo("a.jpg"), photo("new.jpg")], [before], languages=("ko", "en"))
    assert more.known["id"] == kept
    assert plan([photo("a.jpg")], [before], languages=("en", "ko")).kept == (before,)
    assert plan([photo("a.jpg")], [before]).kept == (before,)


def test_beside_others_a_caption_of_unknown_confidence_stays_so():
    before = row("a.jpg", confidence=None)
    (own,) = beside_others(before, None, "en").languages
    assert (own.caption, own.confidence) == (before.caption, None)


def test_in_a_new_archive_every_photo_is_to_do():
    found = plan([photo("b.jpg"), photo("a.jpg")], [])
    assert [photo.relative for photo in found.todo] == ["b.jpg", "a.jpg"]
    assert (found.kept, found.absent, found.old, found.known) == ((), (), {}, {})


def test_an_unchanged_photo_keeps_its_row():
    before = row("a.jpg")
    found = plan([photo("a.jpg")], [before])
    assert (found.todo, found.kept, found.absent) == ((), (before,), ())


@pytest.mark.parametrize("change", [{"size": 11}, {"mtime_ns": 21}, {"mtime_ns": 19}])
def test_a_photo_of_another_size_or_time_is_to_do_and_its_old_caption_known(change):
    before = row("a.jpg")
    now = photo("a.jpg", **change)
    found = plan([now], [before])
    assert (found.todo, found.kept, found.absent) == ((now,), (), ())
    assert found.known == {"id": before}


def test_a_photo_at_a_new_path_is_to_do_and_the_old_row_is_absent():
    before = row("a.jpg")
    found = plan([photo("b.jpg")], [before])
    assert [photo.relative for photo in found.todo] == ["b.jpg"]
    assert found.absent == (before,)
    assert found.known == {"id": before}


@pytest.mark.parametrize("status", sorted(FINAL))
def test_what_is_broken_for_good_is_tried_again_only_when_asked_or_changed(status):
    before = failed("a.jpg", status)
    assert plan([photo("a.jpg")], [before]).kept == (before,)
    assert plan([photo("a.jpg")], [before], retry_failed=True).todo == (photo("a.jpg"),)
    changed = photo("a.jpg", size=11)
    assert plan([changed], [before]).todo == (changed,)


@pytest.mark.parametrize("status", PASSING)
def test_what_may_pass_is_tried_again(status):
    found = plan([photo("a.jpg")], [failed("a.jpg", status)])
    assert (found.todo, found.kept) == ((photo("a.jpg"),), ())


def test_a_retry_leaves_captions_alone():
    before = row("a.jpg")
    assert plan([photo("a.jpg")], [before], retry_failed=True).kept == (before,)


def test_an_overwrite_does_everything_and_takes_over_nothing():
    rows = [row("a.jpg"), failed("b.jpg", Status.TRUNCATED), row("c.jpg")]
    found = plan([photo("a.jpg"), photo("b.jpg")], rows, overwrite=True)
    assert [photo.relative for photo in found.todo] == ["a.jpg", "b.jpg"]
    assert (found.kept, found.known) == ((), {})
    assert found.absent == (rows[2],)


def test_a_photo_that_is_back_has_its_row_as_it_was():
    before = row("a.jpg")
    missing = replace(before, status=Status.MISSING, error="is no longer in the archive")
    assert plan([photo("a.jpg")], [missing]).kept == (before,)


def test_a_photo_that_never_had_a_caption_and_is_back_is_to_do():
    missing = failed("a.jpg", Status.MISSING)
    found = plan([photo("a.jpg")], [missing])
    assert (found.todo, found.kept) == ((photo("a.jpg"),), ())


def test_captions_are_known_by_bytes_failures_are_not():
    rows = [row("a.jpg", "one"), replace(failed("b.jpg", Status.IO), photo_id="two")]
    assert plan([photo("new.jpg")], rows).known == {"one": rows[0]}


def test_where_nothing_is_to_do_nothing_need_be_known():
    assert plan([photo("a.jpg")], [row("a.jpg")]).known == {}


@pytest.mark.parametrize("asked", [{}, {"retry_failed": True}, {"languages": ("en", "ko")}])
def test_what_is_no_scene_is_done_and_known_by_its_bytes(asked):
    before = no_scene("a.jpg")
    found = plan([photo("a.jpg"), photo("copy.jpg")], [before], **asked)
    assert ([each.relative for each in found.todo], found.kept) == (["copy.jpg"], (before,))
    assert found.known == {"id": before}


def test_what_is_no_scene_comes_back_as_that():
    before = no_scene("a.jpg")
    missing = replace(before, status=Status.MISSING, error="is no longer in the archive")
    assert plan([photo("a.jpg")], [missing]).kept == (before,)


@pytest.mark.parametrize("status", [Status.IO, Status.DENIED, Status.VANISHED])
def test_what_is_no_scene_outlives_a_failure_that_passes(status):
    kept = carried(failed("a.jpg", status), no_scene("a.jpg", "one"))
    assert (kept.status, kept.error, kept.photo_id) == (status, "is broken", "one")
    found = plan([photo("a.jpg")], [kept])
    assert [photo.relative for photo in found.todo] == ["a.jpg"]
    assert found.known["one"].as_answered() == no_scene("a.jpg", "one")


def test_names_are_told_apart_by_their_bytes():
    rows = [row("caf\udce9.jpg"), row("cafe\u0301.jpg")]
    found = plan([photo("caf\xe9.jpg"), photo("cafe\u0301.jpg")], rows)
    assert [photo.relative for photo in found.todo] == ["caf\xe9.jpg"]
    assert found.kept == (rows[1],)
    assert found.absent == (rows[0],)


NAMES = st.sampled_from(["a.jpg", "b.jpg", "c/a.jpg", "c/b.jpg", "d/a.jpg"])
SMALL = st.integers(1, 2)
PHOTOS = st.lists(st.builds(photo, NAMES, SMALL, SMALL), unique_by=lambda photo: photo.relative)
ROWS = st.lists(
    st.builds(
        row,
        NAMES,
        st.sampled_from(["one", "two", None]),
        size=SMALL,
        mtime_ns=SMALL,
        status=st.sampled_from(Status),
        caption=st.sampled_from(["a dog", None]),
    ),
    unique_by=lambda row: row.raw_path,
)


@given(PHOTOS, ROWS, st.booleans(), st.booleans())
def test_every_photo_is_kept_or_to_do_and_every_row_is_kept_done_anew_or_absent(
    photos, rows, overwrite, retry_failed
):
    found = plan(photos, rows, overwrite=overwrite, retry_failed=retry_failed)
    there = [photo.raw_path for photo in photos]
    todo = [photo.raw_path for photo in found.todo]
    kept = [row.raw_path for row in found.kept]
    absent = [row.raw_path for row in found.absent]
    assert sorted(todo + kept) == sorted(there)
    assert todo == [path for path in there if path in set(todo)]
    assert set(absent) == {row.raw_path for row in rows} - set(there)
    assert len(absent) == len(set(absent))
    assert set(kept) <= {row.raw_path for row in rows}
    sizes = {photo.raw_path: (photo.size, photo.mtime_ns) for photo in photos}
    assert all((row.size, row.mtime_ns) == sizes[row.raw_path] for row in found.kept)
    assert all(row.status is not Status.MISSING for row in found.kept)


# What has become of a photo that could not be read this time.


@pytest.mark.parametrize("status", [Status.IO, Status.DENIED, Status.VANISHED])
def test_a_caption_outlives_a_failure_that_passes(status):
    old = row("a.jpg", "one")
    now = replace(failed("a.jpg", status), photo_id=None, mtime_ns=99)
    kept = carried(now, old)
    assert (kept.caption, kept.photo_id) == (old.caption, "one")
    assert (kept.status, kept.error, kept.mtime_ns) == (status, "is broken", 99)
    found = plan([photo("a.jpg", mtime_ns=99)], [kept])
    assert [photo.relative for photo in found.todo] == ["a.jpg"]
    assert found.old == {b"a.jpg": kept}


@pytest.mark.parametrize("status", [*sorted(FINAL), Status.UNSTABLE])
def test_no_caption_stays_with_bytes_that_may_be_others(status):
    now = failed("a.jpg", status)
    assert carried(now, row("a.jpg", "one")) == now


def test_a_photo_that_was_captioned_or_never_had_a_caption_is_carried_as_it_is():
    now = row("a.jpg", "two", caption="a cat")
    assert carried(now, row("a.jpg", "one")) == now
    broken = failed("a.jpg", Status.IO)
    assert carried(broken, None) == broken
    assert carried(broken, failed("a.jpg", Status.TRUNCATED)) == broken


# What has become of the rows whose photo was not found.


def settled(root, absent, there=(), before=None):
    """Settle rows; `before` are the rows of the last finished run, all that are named here."""
    before = [*absent, *there] if before is None else before
    committed = {row.raw_path: row for row in before}
    return settle_absent(absent, there, committed, gone_from(str(root)))


def test_a_photo_that_is_gone_is_missing_and_keeps_its_caption(tmp_path):
    gone = row("a.jpg")
    (now,), moved = settled(tmp_path, [gone])
    assert moved == 0
    assert now.status is Status.MISSING
    assert now.error
    assert replace(now, status=gone.status, error=gone.error) == gone


def test_a_photo_under_a_file_that_was_a_folder_is_gone(tmp_path):
    draw(tmp_path / "sub")
    (now,), _ = settled(tmp_path, [row("sub/a.jpg")])
    assert now.status is Status.MISSING


def test_a_moved_photo_leaves_no_row_at_its_old_path(tmp_path):
    old, new = row("a.jpg", "one"), row("b.jpg", "one")
    assert settled(tmp_path, [old], [new], before=[old]) == ([], 1)


def test_a_missing_photo_that_turns_up_elsewhere_was_moved(tmp_path):
    old = row("a.jpg", "one", status=Status.MISSING)
    assert settled(tmp_path, [old], [row("b.jpg", "one")], before=[old]) == ([], 1)


def test_a_photo_that_was_left_out_of_this_run_keeps_its_row(tmp_path):
    draw(tmp_path / "a.jpg")
    old, new = row("a.jpg", "one"), row("b.jpg", "one")  # and a copy of it is new
    assert settled(tmp_path, [old], [new], before=[old]) == ([old], 0)


def test_a_link_to_nowhere_is_there(tmp_path):
    (tmp_path / "a.jpg").symlink_to("nowhere")
    old = failed("a.jpg", Status.VANISHED)
    assert settled(tmp_path, [old]) == ([old], 0)


def test_a_photo_in_a_folder_that_cannot_be_listed_keeps_its_row(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", denied)
    old = row("a.jpg")
    assert settled(tmp_path, [old]) == ([old], 0)


def test_a_photo_whose_name_changed_in_case_alone_is_gone_from_the_old_one(tmp_path, monkeypatch):
    draw(tmp_path / "IMG.JPG")
    # as on a disk that finds a file by its name in any case
    monkeypatch.setattr(os, "lstat", lambda path: (tmp_path / "IMG.JPG").stat())
    old = row("img.jpg", "one")
    assert settled(tmp_path, [old], [row("IMG.JPG", "one")], before=[old]) == ([], 1)


def test_a_photo_whose_name_a_folder_has_now_is_gone(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    ((now,), _) = settled(tmp_path, [row("a.jpg")])
    assert now.status is Status.MISSING


@pytest.mark.parametrize("touched", [False, True])
def test_of_two_copies_one_deleted_is_missing_though_the_other_is_done_anew(tmp_path, touched):
    stays, gone = row("a.jpg", "one"), row("b.jpg", "one")
    there = replace(stays, mtime_ns=99) if touched else stays
    (now,), moved = settled(tmp_path, [gone], [there], before=[stays, gone])
    assert (now.raw_path, now.status, moved) == (b"b.jpg", Status.MISSING, 0)


def test_of_two_copies_of_which_one_was_moved_one_row_goes_and_one_is_missing(tmp_path):
    old = [row("a.jpg", "one"), row("b.jpg", "one")]
    rows, moved = settled(tmp_path, old, [row("c.jpg", "one")], before=old)
    assert (len(rows), rows[0].status, moved) == (1, Status.MISSING, 1)


def test_a_photo_moved_over_another_leaves_no_row_at_its_old_path(tmp_path):
    a, b = row("a.jpg", "one"), row("b.jpg", "two")
    assert settled(tmp_path, [b], [row("a.jpg", "two")], before=[a, b]) == ([], 1)


def test_a_move_is_seen_by_the_rerun_of_a_run_that_did_not_finish(tmp_path):
    old, done = row("a.jpg", "one"), row("b.jpg", "one")  # the rerun keeps b from its parts
    assert settled(tmp_path, [old], [done], before=[old]) == ([], 1)


def test_failures_without_identity_are_no_one_else_s_move(tmp_path):
    gone = replace(failed("a.jpg", Status.IO), photo_id=None)
    new = replace(failed("b.jpg", Status.IO), photo_id=None)
    rows, moved = settled(tmp_path, [gone], [new], before=[gone])
    assert ([row.raw_path for row in rows], moved) == ([b"a.jpg"], 0)


IDENTITIES = st.sampled_from(["one", "two", "three"])
ARCHIVES = st.dictionaries(NAMES, IDENTITIES)


@with_files
@given(before=ARCHIVES, after=ARCHIVES)
def test_a_row_is_dropped_only_for_a_photo_that_arrived_elsewhere(tmp_path, before, after):
    """Whatever is moved, copied, swapped or deleted; `tmp_path` is empty: all absent are gone."""
    rows = {name: row(name, photo_id) for name, photo_id in before.items()}
    absent = [rows[name] for name in before if name not in after]
    there = [row(name, photo_id) for name, photo_id in after.items()]
    found, moved = settled(tmp_path, absent, there, before=rows.values())

    gone = Counter(row.photo_id for row in absent)
    arrived = Counter(after[name] for name in after if before.get(name) != after[name])
    stayed = Counter(row.photo_id for row in found)
    assert gone - stayed == gone & arrived
    assert moved == len(absent) - len(found)
    assert all(row.status is Status.MISSING and row.caption for row in found)
    assert gone.keys() <= {*stayed, *after.values()}  # no caption is lost


def test_an_archive_that_is_empty_all_at_once_is_told_from_one_that_lost_a_photo(tmp_path):
    missing = replace(row("a.jpg"), status=Status.MISSING)
    assert all_gone([], [missing])
    assert not all_gone([], [missing, row("b.jpg")])  # left out of this run
    assert not all_gone([row("b.jpg")], [missing])
    assert not all_gone([], [])
