"""Every photo has its row, every row its photo's caption; no run harms photos, none loses work."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import batch.caption
import batch.encode
import batch.photos
import batch.unfinished
import batch.written
from batch.errors import ArchiveError, LockedError
from batch.features import FeatureCache
from batch.lock import locked
from batch.pipeline import encode_archive, run
from batch.results import Results
from batch.scan import scan
from manifests.errors import ManifestError
from manifests.record import Status
from models.captioner import Caption, Captioner, captioner_fingerprint
from models.errors import CheckpointError
from tests.batch.archives import Archive, FakeEncoder, caption_of, draw, photo, state_of
from tests.pictures import encoded, noise, upright

MIXED = ["2019/b.png", "2019/sub/c.png", "2020/a.png", "a.png", "z.png"]


pytestmark = pytest.mark.usefixtures("small_shards")


@pytest.fixture
def album(archive, stub_captioner):
    """Make an archive of five photos in some folders."""
    archive.draw(*MIXED)
    return archive


def assert_true(archive: Archive) -> None:
    """Every scanned file has exactly one row, in order, and its own caption."""
    rows = archive.records
    there = [row for row in rows.values() if row.status is not Status.MISSING]
    photos = list(scan(str(archive.root)))
    assert [row.raw_path for row in there] == [photo.raw_path for photo in photos]
    assert len(rows) == len(archive.csv_rows)
    for found, row in zip(photos, there, strict=True):
        data = Path(found.location).read_bytes()
        assert row.caption == caption_of(Path(found.location)), row.path
        assert row.photo_id == sha256(data).hexdigest()
        assert (row.size, row.mtime_ns) == (len(data), Path(found.location).stat().st_mtime_ns)


def interrupt_after(monkeypatch, shards: int) -> None:
    """Press Ctrl-C once some shards have been kept."""
    keep, kept = Results.keep, []

    def keep_and_stop(self, records):
        keep(self, records)
        kept.append(records)
        if len(kept) == shards:
            raise KeyboardInterrupt

    monkeypatch.setattr(Results, "keep", keep_and_stop)


# A: every scanned file has exactly one row.


def test_every_photo_has_one_row_in_order_and_the_files_agree(album):
    summary = run(album.config())
    assert list(album.records) == MIXED
    assert [row["path"] for row in album.csv_rows] == MIXED
    assert [row["caption"] for row in album.csv_rows] == list(album.captions.values())
    assert_true(album)
    assert (summary.photos, summary.captioned, summary.encoded, summary.exit_code) == (5, 5, 5, 0)


def test_a_photo_that_cannot_be_read_has_its_row_in_its_place(album):
    (album.root / "2020/b.jpg").write_bytes(encoded(noise())[:900])
    (album.root / "b.jpg").write_text("these are notes")
    (album.root / "c.jpg").symlink_to("nowhere")
    summary = run(album.config())
    rows = album.records
    assert list(rows) == sorted([*MIXED, "2020/b.jpg", "b.jpg", "c.jpg"])
    wrong = {path: row.status for path, row in rows.items() if row.failed}
    assert wrong == {"2020/b.jpg": "truncated", "b.jpg": "unreadable", "c.jpg": "vanished"}
    assert all(rows[path].error and rows[path].caption is None for path in wrong)
    assert summary.exit_code == 3
    assert dict(summary.failed) == {"truncated": 1, "unreadable": 1, "vanished": 1}
    assert "3 failed (1 truncated, 1 unreadable, 1 vanished)" in str(summary)


def test_an_archive_without_photos_gives_an_empty_manifest(archive, stub_captioner):
    assert run(archive.config()).exit_code == 0
    assert (archive.records, archive.csv_rows) == ({}, [])


def test_a_row_tells_what_the_photo_is_and_how_its_caption_was_made(archive, stub_captioner):
    album = archive.root / "a.jpg"
    album.write_bytes(encoded(upright(90, 60)))
    run(archive.config(search={"num_beams": 3}))
    row = archive.records["a.jpg"]
    assert (row.width, row.height, row.format, row.frames) == (90, 60, "JPEG", 1)
    assert row.captioner == f"tiny@{captioner_fingerprint(archive.captioner)}"
    assert row.decode == "search {'num_beams': 3}"
    assert 0 < row.confidence < 1
    assert row.alternatives


# B: a caption belongs to its bytes.


def test_equal_bytes_have_equal_captions_and_are_encoded_once(album, fake_encoder, stub_captioner):
    for number in range(5):
        shutil.copy(album.root / "a.png", album.root / f"copy{number}.png")
    summary = run(album.config())
    assert_true(album)
    assert fake_encoder.photos == summary.encoded == 5


@pytest.mark.parametrize("again", [True, False], ids=["later", "from the start"])
def test_photos_whose_names_were_swapped_swap_their_captions(album, again):
    if again:
        run(album.config())
    before = {name: caption_of(album.root / name) for name in MIXED}
    swap(album.root / "a.png", album.root / "2020/a.png")
    summary = run(album.config())
    assert_true(album)
    assert album.captions["a.png"] == before["2020/a.png"] != before["a.png"]
    assert (summary.moved, summary.missing, summary.photos) == (0, 0, 5)


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def test_a_renamed_folder_takes_its_captions_along(album, fake_encoder, stub_captioner):
    run(album.config())
    before = album.captions
    (album.root / "2019").rename(album.root / "holidays")
    summary = run(album.config())
    assert_true(album)
    assert album.captions == {
        path.replace("2019", "holidays"): caption for path, caption in sorted(before.items())
    }
    assert (summary.moved, summary.missing, summary.captioned, summary.unchanged) == (2, 0, 0, 5)
    assert fake_encoder.photos == stub_captioner.asked == 5


def test_a_photo_whose_bytes_changed_gets_a_new_caption(album, fake_encoder):
    run(album.config())
    draw(album.root / "a.png", 77)
    assert run(album.config()).encoded == 1
    assert_true(album)
    assert fake_encoder.photos == 6


def test_a_photo_that_was_only_touched_keeps_its_caption_and_is_not_encoded(
    album, fake_encoder, stub_captioner
):
    run(album.config())
    os.utime(album.root / "a.png", ns=(1, 1))
    summary = run(album.config())
    assert_true(album)
    assert album.records["a.png"].mtime_ns == 1
    assert fake_encoder.photos == stub_captioner.asked == 5
    assert summary.encoded == 0
    assert run(album.config()).captioned == 0


def test_a_photo_that_has_its_caption_needs_no_features(album, fake_encoder):
    run(album.config())
    before = album.captions
    shutil.rmtree(album.features)
    (album.root / "2019").rename(album.root / "holidays")
    os.utime(album.root / "a.png", ns=(1, 1))
    run(album.config())
    assert fake_encoder.photos == 5
    assert sorted(album.captions.values()) == sorted(before.values())


def test_a_touched_photo_keeps_a_caption_that_other_settings_made(album):
    run(album.config())
    before = album.records["a.png"]
    os.utime(album.root / "a.png", ns=(1, 1))
    run(album.config(search={"num_beams": 9}))
    now = album.records["a.png"]
    assert (now.caption, now.captioner, now.decode) == (
        before.caption,
        before.captioner,
        before.decode,
    )


NAMES = [f"{folder}{name}.png" for folder in ("", "x/", "y/") for name in "abc"]
CHANGES = st.tuples(
    st.sampled_from(["move", "swap", "copy", "delete", "draw", "touch"]),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
)
STEPS = st.lists(
    st.tuples(st.lists(CHANGES, max_size=5), st.integers(0, 2), st.integers(0, 2)),
    min_size=1,
    max_size=3,
)


def change(root: Path, what: str, one: Path, other: Path, seed: int) -> None:
    other.parent.mkdir(exist_ok=True)
    if what == "draw":
        draw(one, seed)
    elif not one.exists() or one == other:
        return
    elif what == "move":
        one.rename(other)
    elif what == "swap" and other.exists():
        swap(one, other)
    elif what == "copy":
        shutil.copy(one, other)
    elif what == "delete":
        one.unlink()
    elif what == "touch":
        os.utime(one, ns=(seed, seed))


@pytest.mark.slow
@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_whatever_became_of_photos_captions_belong_to_bytes_and_reruns_end_alike(
    tmp_path_factory, captioner_folder, stub_captioner, steps
):
    """Two runs over the same photos: one is interrupted or stopped now and then, one never is."""
    home = tmp_path_factory.mktemp("property")
    ours = Archive(home / "photos", home / "out", home / "features", captioner_folder)
    theirs = Archive(home / "unused", home / "out2", home / "features2", captioner_folder)
    theirs.root = ours.root
    ours.draw(*NAMES[:5])
    for step, (changes, interruptions, nights) in enumerate(steps):
        for number, (what, one, other) in enumerate(changes):
            change(ours.root, what, ours.root / one, ours.root / other, 1000 * step + number)
        for shard in range(interruptions):
            with pytest.MonkeyPatch.context() as broken, suppress(KeyboardInterrupt):
                interrupt_after(broken, 1 + shard)
                run(ours.config())
        for _ in range(nights):
            run(ours.config(max_hours=1e-9))
        run(ours.config())
        run(theirs.config())
        assert_true(ours)
        assert ours.results == theirs.results


# C, for now: what a person typed into the spreadsheet.


def test_an_edited_spreadsheet_is_set_aside_and_told(album):
    run(album.config())
    edited = (album.out / "captions.csv").read_bytes().replace(b"a photo of", b"my dear")
    (album.out / "captions.csv").write_bytes(edited)
    album.draw("new.png", seed=50)
    summary = run(album.config())
    assert summary.set_aside == "captions.edited-1.csv"
    assert (album.out / "captions.edited-1.csv").read_bytes() == edited
    assert "your edited spreadsheet is kept as captions.edited-1.csv" in str(summary)
    assert album.last_run["set_aside"] == "captions.edited-1.csv"
    assert_true(album)
    assert run(album.config()).set_aside is None


def test_a_spreadsheet_that_nobody_edited_is_replaced(album):
    run(album.config())
    album.draw("new.png", seed=50)
    assert run(album.config()).set_aside is None
    assert [path.name for path in album.out.glob("*.csv")] == ["captions.csv"]


def test_a_failed_run_does_not_take_our_own_spreadsheet_for_an_edited_one(album, monkeypatch):
    run(album.config())
    album.draw("new.png", seed=50)
    with monkeypatch.context() as broken:
        interrupt_after(broken, 1)
        with pytest.raises(KeyboardInterrupt):
            run(album.config())
    assert run(album.config()).set_aside is None


# D: originals are not touched.


def test_photos_and_their_folders_are_as_they_were(album):
    (album.root / "bad.jpg").write_bytes(b"no photo")
    (album.root / "2019/notes.txt").write_text("mine")
    (album.root / "a.png").chmod(0o400)
    before = state_of(album.root)
    run(album.config())
    run(album.config(overwrite=True))
    encode_archive(album.config())
    assert state_of(album.root) == before


@pytest.mark.parametrize("place", ["out", "features"])
@pytest.mark.parametrize("by_link", [False, True])
def test_nothing_is_ever_written_among_the_photos(album, tmp_path, place, by_link):
    inside = album.root / "results"
    if by_link:
        (tmp_path / "link").symlink_to(album.root)
        inside = tmp_path / "link" / "results"
    setattr(album, place, inside)
    before = state_of(album.root)
    with pytest.raises(ArchiveError, match=f"{place.upper()} is .* inside the photo folder"):
        run(album.config())
    assert state_of(album.root) == before


def test_results_may_lie_beside_the_photos_under_a_longer_name(album):
    album.out = album.root.with_name("photos-captions")
    assert run(album.config()).exit_code == 0


# E: a rerun ends as an undisturbed run does.


def test_a_second_run_changes_no_byte_and_does_nothing(album, fake_encoder, stub_captioner):
    run(album.config())
    before = album.results
    summary = run(album.config())
    assert album.results == before
    assert fake_encoder.photos == stub_captioner.asked == 5
    assert (summary.captioned, summary.encoded, summary.unchanged) == (0, 0, 5)
    assert "nothing new" in str(summary)


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_an_interrupted_run_goes_on_where_it_was(
    album, twin, fake_encoder, stub_captioner, monkeypatch, shards
):
    with monkeypatch.context() as broken:
        interrupt_after(broken, shards)
        with pytest.raises(KeyboardInterrupt):
            run(album.config())
    assert not (album.out / "captions.parquet").exists()
    done = min(2 * shards, 5)
    assert stub_captioner.asked == done
    run(album.config())
    assert stub_captioner.asked == 5
    assert not (album.out / ".parts").exists()
    run(twin.config())
    assert album.results == twin.results


def stop(*_, **__):
    raise KeyboardInterrupt


INTERRUPTIONS = {
    "before the first shard": (batch.caption.Stage, "_caption"),
    "before a shard is kept": (Results, "keep"),
    "before the manifest": (batch.written, "write_records"),
    "before the spreadsheet": (batch.written, "keep_edits"),
    "before the shards are removed": (batch.unfinished.shutil, "rmtree"),
}


@pytest.mark.parametrize(("place", "name"), INTERRUPTIONS.values(), ids=INTERRUPTIONS)
def test_whenever_a_run_is_interrupted_the_next_one_ends_alike(
    album, twin, monkeypatch, place, name
):
    for archive in (album, twin):
        run(archive.config())
    swap(album.root / "a.png", album.root / "2020/a.png")
    (album.root / "z.png").rename(album.root / "y.png")
    album.draw("new.png", "newer.png", "newest.png", seed=50)
    (album.root / "2019/b.png").unlink()
    with monkeypatch.context() as broken:
        broken.setattr(place, name, stop)
        with pytest.raises(KeyboardInterrupt):
            run(album.config())
    run(album.config())
    run(twin.config())
    assert album.results == twin.results
    assert_true(album)


def test_a_photo_moved_before_an_interruption_is_no_missing_one_after_it(album, twin, monkeypatch):
    for archive in (album, twin):
        run(archive.config())
    (album.root / "2019").rename(album.root / "holidays")
    with monkeypatch.context() as broken:
        interrupt_after(broken, 1)
        with pytest.raises(KeyboardInterrupt):
            run(album.config())
    run(album.config())
    run(twin.config())
    assert album.results == twin.results
    assert all(row.status is Status.CAPTIONED for row in album.records.values())


class Fixed:
    """A captioner that says one thing, as sure as it is told."""

    def __init__(self, confidence: float) -> None:
        self.config = SimpleNamespace(
            name="fixed", search="", architecture="attention", language="en"
        )
        self.confidence = confidence

    def caption(self, features):
        """Say it of every photo."""
        return [Caption("A dog.", -1.0 / 3.0, self.confidence, ()) for _ in features]


def test_numbers_read_the_same_in_the_spreadsheet_before_and_after_they_were_stored(
    album, monkeypatch
):
    between = (0.0005 + step / 1000 + sign * 1e-9 for step in range(900) for sign in (-1, 1))
    confidence = next(x for x in between if f"{x:.3f}" != f"{float(np.float32(x)):.3f}")
    monkeypatch.setattr(batch.caption.Captioner, "load", lambda *_, **__: Fixed(confidence))
    run(album.config())
    before = album.results
    run(album.config())
    assert album.results == before


def test_features_are_kept_even_where_the_captions_were_not(album, fake_encoder, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(Results, "keep", stop)
        with pytest.raises(KeyboardInterrupt):
            run(album.config())
    assert fake_encoder.photos >= 2  # the next shard may have been begun
    run(album.config())
    assert fake_encoder.photos == 5
    assert_true(album)


def test_what_killed_runs_left_is_cleaned_up(album):
    run(album.config())
    leftover = album.out / ".photo-captions-0123456789abcdef.tmp"
    leftover.write_bytes(b"half")
    run(album.config())
    assert not leftover.exists()


# The cache.


def flip_a_bit(folder: Path) -> None:
    """Damage the features of each shard, not the identities."""
    for path in folder.rglob("*.parquet"):
        features = pq.read_metadata(path).row_group(0).column(1)
        data = bytearray(path.read_bytes())
        data[features.data_page_offset + features.total_compressed_size // 2] ^= 1
        path.write_bytes(data)


def test_damaged_features_are_made_again_and_captions_stay_true(album, fake_encoder):
    run(album.config())
    before = album.results
    flip_a_bit(album.features)
    summary = run(album.config(overwrite=True))
    assert album.results == before
    assert summary.encoded == 5
    assert run(album.config(overwrite=True)).encoded == 0
    assert album.results == before


def test_a_photo_that_changes_while_its_features_are_made_again_is_tried_next_time(
    album, monkeypatch
):
    encode_archive(album.config())
    read = FeatureCache.read

    def lose(self, photo_ids):
        found = read(self, photo_ids)
        if found.pop(identity, None) is not None:
            draw(album.root / "a.png", 99)
        return found

    identity = sha256((album.root / "a.png").read_bytes()).hexdigest()
    with monkeypatch.context() as broken:
        broken.setattr(FeatureCache, "read", lose)
        summary = run(album.config())
    assert (album.records["a.png"].status, summary.exit_code) == ("unstable", 3)
    assert run(album.config()).exit_code == 0
    assert_true(album)


def test_the_cache_can_be_filled_beforehand(album, fake_encoder):
    (album.root / "bad.jpg").write_bytes(b"no photo")
    summary = encode_archive(album.config())
    assert (summary.photos, summary.encoded, summary.exit_code) == (6, 5, 3)
    assert not album.out.exists()
    assert encode_archive(album.config()).encoded == 0
    assert run(album.config()).encoded == 0
    assert fake_encoder.photos == 5
    assert album.captions["a.png"] == caption_of(album.root / "a.png")


def test_captioners_with_other_encoders_have_other_features(album, fake_encoder, tmp_path):
    run(album.config())
    other = tmp_path / "other"
    shutil.copytree(album.captioner, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"encoder": "encoder.weights.h5"}))
    (other / "encoder.weights.h5").write_bytes(b"other weights")
    run(album.config(captioner=str(other), overwrite=True))
    assert fake_encoder.photos == 10
    assert len(list(album.features.iterdir())) == 2


# Parts of an archive, and asking for more.


def test_a_limit_does_the_first_photos_and_leaves_other_rows_alone(album):
    run(album.config(limit=2))
    assert list(album.captions) == MIXED[:2]
    run(album.config())
    before = album.results
    summary = run(album.config(limit=1))
    assert album.results == before
    assert summary.photos == 1


@pytest.mark.parametrize("parts", [{"include": ("2020/*",)}, {"exclude": ("2019", "*z.png")}])
def test_photos_left_out_of_a_run_keep_their_rows(album, parts):
    run(album.config())
    draw(album.root / "2020/a.png", 60)
    draw(album.root / "z.png", 61)
    old = album.captions
    run(album.config(**parts))
    assert list(album.captions) == MIXED
    assert album.captions["2020/a.png"] == caption_of(album.root / "2020/a.png")
    assert album.captions["z.png"] == old["z.png"]
    run(album.config())
    assert_true(album)


def test_a_photo_that_is_gone_is_missing_until_it_is_back(album, fake_encoder):
    run(album.config())
    before = album.results
    (album.root / "a.png").rename(album.root.with_name("elsewhere.png"))
    summary = run(album.config())
    assert (summary.photos, summary.missing, summary.exit_code) == (4, 1, 0)
    gone = album.records["a.png"]
    assert gone.status is Status.MISSING
    assert gone.caption
    assert "1 missing" in str(summary)
    album.root.with_name("elsewhere.png").rename(album.root / "a.png")
    assert run(album.config()).missing == 0
    assert album.results == before
    assert fake_encoder.photos == 5


def test_failed_photos_are_told_each_time_and_tried_again_when_asked(album, monkeypatch):
    (album.root / "bad.jpg").write_bytes(b"no photo")
    run(album.config())
    loaded = []
    load = batch.encode.load
    monkeypatch.setattr(
        batch.encode,
        "load",
        lambda photo, **options: loaded.append(photo.path) or load(photo, **options),
    )
    assert run(album.config()).exit_code == 3
    assert loaded == []
    assert run(album.config(retry_failed=True)).exit_code == 3
    assert loaded == ["bad.jpg"]


def test_a_caption_outlives_a_disk_that_fails_for_a_while(album, monkeypatch):
    run(album.config())
    before = album.captions
    os.utime(album.root / "a.png", ns=(1, 1))

    def fail(path, *rest):
        if str(path).endswith("/a.png"):
            raise OSError(5, "Input/output error")
        return opened(path, *rest)

    opened = os.open
    monkeypatch.setattr(batch.photos, "PAUSE", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(os, "open", fail)
        broken.setattr(batch.encode, "load", batch.photos.load)  # here, where opening fails
        for _ in range(2):
            assert run(album.config()).exit_code == 3
            row = album.records["a.png"]
            assert (row.status, row.caption) == ("io", before["a.png"])
    assert run(album.config()).exit_code == 0
    assert album.captions == before
    assert_true(album)


def test_an_overwrite_captions_again_from_the_features_that_are_there(
    album, fake_encoder, stub_captioner
):
    run(album.config(search={"num_beams": 1}))
    summary = run(album.config(search={"num_beams": 2}, overwrite=True))
    assert (summary.captioned, summary.encoded) == (5, 0)
    assert {row.decode for row in album.records.values()} == {"search {'num_beams': 2}"}
    assert (stub_captioner.asked, fake_encoder.photos) == (10, 5)
    assert "5 captioned (5 from cached features)" in str(summary)


# What a run refuses, and how it says so.


def test_results_of_another_archive_are_refused_and_left_as_they_are(album, tmp_path):
    run(album.config())
    before = state_of(album.out)
    other = Archive(tmp_path / "others", album.out, album.features, album.captioner)
    other.draw("o.png")
    with pytest.raises(ArchiveError, match=r"(?s)holds the captions of .*photos.*MOVED=1"):
        run(other.config())
    after = state_of(album.out)
    assert {**after, **{path: before[path] for path in changing(before)}} == before


def changing(paths) -> list[str]:
    """Name what every run touches: its lock, and the folder itself."""
    return [path for path in paths if path.endswith((".lock", "out"))]


def test_an_archive_that_was_moved_is_taken_up_when_that_is_said(album, fake_encoder):
    run(album.config())
    before = album.captions
    album.root = album.root.rename(album.root.with_name("disk2"))
    with pytest.raises(ArchiveError):
        run(album.config())
    assert run(album.config(moved=True)).unchanged == 5
    assert album.captions == before
    assert run(album.config()).unchanged == 5
    assert fake_encoder.photos == 5


def test_an_unfinished_run_over_another_archive_is_not_mixed_in(album, tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        interrupt_after(broken, 1)
        with pytest.raises(KeyboardInterrupt):
            run(album.config())
    other = Archive(tmp_path / "others", album.out, album.features, album.captioner)
    with pytest.raises(ArchiveError, match="holds the captions of"):
        run(other.config())


def test_a_manifest_that_is_lost_is_taken_from_its_copy(album, stub_captioner):
    run(album.config())
    before, asked = album.results, stub_captioner.asked
    (album.out / "captions.parquet").unlink()
    run(album.config())
    assert (album.results, stub_captioner.asked) == (before, asked)


def test_a_damaged_manifest_is_not_written_over(album):
    run(album.config())
    (album.out / "captions.parquet").write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(ManifestError):
        run(album.config())
    assert (album.out / "captions.parquet").read_bytes() == b"PAR1 broken PAR1"


def test_a_second_run_over_the_same_results_is_refused_at_once(album):
    with locked(str(album.out)), pytest.raises(LockedError, match="another run"):
        run(album.config())
    assert run(album.config()).exit_code == 0


@pytest.mark.parametrize("archive_name", ["nowhere", "a.txt"])
def test_an_archive_that_is_no_folder_is_refused_and_leaves_no_results(album, archive_name):
    album.root.with_name("a.txt").write_text("a file")
    album.root = album.root.with_name(archive_name)
    with pytest.raises(ArchiveError, match=archive_name):
        run(album.config())
    assert not album.out.exists()


def test_a_captioner_that_does_not_exist_is_refused_and_told_where_they_are(album):
    with pytest.raises(
        ArchiveError, match="no captioner 'nobody'; give flickr8k-en or flickr8k-ko, or"
    ):
        run(album.config(captioner="nobody"))
    assert not album.out.exists()


@pytest.mark.parametrize("photos", [True, False])
def test_a_folder_that_cannot_be_listed_is_told_and_its_rows_stay(album, monkeypatch, photos):
    if photos:
        run(album.config())
        before = album.results
    listing = os.scandir

    def scandir(path="."):
        if str(path).endswith("2019"):
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    summary = run(album.config())
    assert summary.exit_code == 3
    assert summary.unlisted == ["2019: Permission denied"]
    assert "1 folder that cannot be listed" in str(summary)
    if photos:
        assert album.results == before
    else:
        assert list(album.records) == ["2020/a.png", "a.png", "z.png"]
    assert encode_archive(album.config()).exit_code == 3


# last_run.json


def test_the_note_of_a_complete_run(album):
    summary = run(album.config())
    note = album.last_run
    assert {name: note[name] for name in ("photos", "captioned", "encoded", "unchanged")} == {
        "photos": 5,
        "captioned": 5,
        "encoded": 5,
        "unchanged": 0,
    }
    assert (note["exit_code"], note["error"], note["failed"], note["unlisted"]) == (0, None, {}, [])
    assert (note["archive"], note["result"]) == (str(album.root), str(album.out / "captions.csv"))
    assert note["csv_sha256"] == [sha256((album.out / "captions.csv").read_bytes()).hexdigest()]
    assert note["photos_per_second"] == round(summary.photos_per_second, 2)
    assert note["started_at"].endswith("+00:00")


def test_the_note_of_a_run_with_failures(album):
    (album.root / "bad.jpg").write_bytes(b"no photo")
    run(album.config())
    note = album.last_run
    assert (note["exit_code"], note["failed"], note["photos"]) == (3, {"unreadable": 1}, 6)


def test_the_note_of_an_interrupted_run(album, monkeypatch):
    run(album.config())
    sha = album.last_run["csv_sha256"]
    album.draw("new.png", seed=40)
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(album.config())
    note = album.last_run
    assert (note["exit_code"], note["error"], note["csv_sha256"]) == (130, "interrupted", sha)


def test_the_note_of_a_run_that_failed(album, monkeypatch):
    monkeypatch.undo()
    decoder = Path(shutil.copytree(album.captioner, album.out.with_name("broken")))
    (decoder / "decoder.weights.h5").write_bytes(b"no weights")
    with pytest.raises(CheckpointError):
        run(album.config(captioner=str(decoder)))
    note = album.last_run
    assert note["exit_code"] == 1
    assert "decoder.weights.h5" in note["error"]
    assert not (album.out / "captions.parquet").exists()


# With the real thing, as far as it is small.


def test_captions_are_those_of_the_captioner_with_its_settings(archive, fake_encoder):
    archive.draw("a.png", "b.png", "c.png")
    run(archive.config(search={"num_beams": 3, "max_length": 4}))
    captioner = Captioner.load(archive.captioner, num_beams=3, max_length=4)
    for path, row in archive.records.items():
        pixels = batch.encode.load(next(scan(str(archive.root), include=(path,)))).pixels
        features = FakeEncoder().predict_on_batch(pixels[None])
        (wanted,) = captioner.caption(features)
        assert row.caption == wanted.text
        assert row.alternatives == wanted.alternatives
        assert row.confidence == pytest.approx(wanted.confidence, rel=1e-5)
        assert row.decode == str(captioner.config.search)
        assert len(row.caption.split()) <= 4
    assert len(set(archive.captions.values())) > 1


NOTHING_NEW = """
import sys
from batch.__main__ import main
code = main(sys.argv[1:])
heavy = {"tensorflow", "keras", "h5py", "matplotlib"} & sys.modules.keys()
sys.exit(f"{heavy} were imported" if heavy else code)
"""


def test_where_nothing_is_new_tensorflow_is_not_even_imported(album):
    run(album.config())
    places = ["--out", album.out, "--features", album.features, "--captioner", album.captioner]
    command = [sys.executable, "-c", NOTHING_NEW, "caption", *map(str, places), str(album.root)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("5 photos, nothing new")


def test_a_hundred_photos_of_equal_bytes_are_one_photo(archive, stub_captioner, fake_encoder):
    for number in range(100):
        (archive.root / f"{number:03}.png").write_bytes(photo(3))
    run(archive.config())
    assert len(set(archive.captions.values())) == 1
    assert fake_encoder.photos == 1
