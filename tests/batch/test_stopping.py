"""A run that stops early stops at a shard's end, shows what it has, and goes on the next time."""

import os
import shutil
import signal
import threading
import time
import weakref

import pytest

import batch.caption
import batch.encode
import batch.stopping
from batch.__main__ import main
from batch.errors import ArchiveError
from batch.pipeline import run
from batch.results import Results
from batch.stopping import stopping
from tests.batch.archives import Archive, StubCaptioner, draw
from tests.batch.reviewers import Sheet

NAMES = ["a.png", "b.png", "c.png", "d.png", "e.png"]
NO_TIME = 1e-9  # hours


pytestmark = pytest.mark.usefixtures("small_shards")


@pytest.fixture
def album(archive, stub_captioner):
    """Make an archive of five photos."""
    archive.draw(*NAMES)
    return archive


def nights(archive: Archive, **changes) -> int:
    """Run, each time for no longer than a shard takes, until all is done; count the runs."""
    for number in range(1, 20):
        if not run(archive.config(max_hours=NO_TIME, **changes)).waiting:
            return number
    pytest.fail("it never comes to its end")


# By the clock.


def test_when_the_time_is_over_it_stops_at_a_shard_and_shows_what_it_has(album, fake_encoder):
    summary = run(album.config(max_hours=NO_TIME))
    assert (summary.captioned, summary.waiting, summary.photos, summary.exit_code) == (2, 3, 5, 0)
    assert list(album.captions) == [row["path"] for row in album.csv_rows] == NAMES[:2]
    assert "stopped since its time was over: 3 wait for the next run" in str(summary)
    note = album.last_run
    assert (note["ended"], note["waiting"], note["exit_code"]) == ("max_hours", 3, 0)
    assert nights(album) == 2
    assert fake_encoder.photos == 5
    assert album.last_run["ended"] == "complete"
    assert not (album.out / ".parts").exists()


def test_a_run_that_is_done_in_time_is_complete(album):
    assert run(album.config(max_hours=9)).waiting == 0
    assert album.last_run["ended"] == "complete"
    assert run(album.config(max_hours=NO_TIME)).waiting == 0


def test_what_begins_anew_each_time_is_not_cut_short(album):
    with pytest.raises(ArchiveError, match="leave one of the two out"):
        run(album.config(max_hours=9, overwrite=True))


def test_photos_that_failed_count_though_others_wait(album):
    (album.root / "a.jpg").write_bytes(b"no photo")
    summary = run(album.config(max_hours=NO_TIME))
    assert (summary.exit_code, dict(summary.failed)) == (3, {"unreadable": 1})


def test_many_short_nights_end_in_the_bytes_of_one_long_one(album, twin):
    for archive in (album, twin):
        run(archive.config())
    disturb(album)
    assert nights(album) > 2
    run(twin.config())
    assert album.results == twin.results


def disturb(album: Archive) -> None:
    """Swap, move, change, copy and remove photos, add some, and spoil one."""
    swap(album, "a.png", "c.png")
    (album.root / "b.png").rename(album.root / "A.png")
    draw(album.root / "d.png", 70)
    (album.root / "e.png").unlink()
    shutil.copy(album.root / "a.png", album.root / "copy.png")
    album.draw("new.png", "newer.png", "newest.png", seed=80)
    shutil.copy(album.root / "new.png", album.root / "newer copy.png")
    (album.root / "bad.jpg").write_bytes(b"no photo")


def swap(album: Archive, one: str, other: str) -> None:
    (album.root / one).rename(album.root / "aside")
    (album.root / other).rename(album.root / one)
    (album.root / "aside").rename(album.root / other)


def test_reviews_find_their_photos_over_many_short_nights_too(album, twin):
    run(album.config())
    sheet = Sheet(album)
    for name in NAMES:
        sheet.write(name, caption=f"this was {name}")
    sheet.bring_back()
    shutil.copytree(album.out, twin.out)
    shutil.copytree(album.features, twin.features)
    disturb(album)
    run(album.config(max_hours=NO_TIME))
    nights(album)
    run(twin.config())
    assert album.results == twin.results
    assert album.records["c.png"].review.caption == "this was a.png"
    assert album.records["A.png"].review.caption == "this was b.png"


def test_what_is_shown_early_can_be_reviewed_and_stays(album, twin):
    run(album.config(max_hours=NO_TIME))
    Sheet(album).write("b.png", caption="my dear").bring_back()
    nights(album)
    assert album.records["b.png"].review.caption == "my dear"
    run(twin.config())
    assert album.captions == twin.captions


def test_words_follow_a_moved_photo_though_it_was_captioned_anew_between_two_nights(album, twin):
    run(album.config())
    Sheet(album).write("b.png", caption="this was b").bring_back()
    shutil.copytree(album.out, twin.out)
    shutil.copytree(album.features, twin.features)
    disturb(album)
    assert run(album.config(max_hours=NO_TIME)).waiting
    before = album.records
    anew = ["--out", album.out, "--features", album.features, "--captioner", album.captioner]
    assert main(["recaption", *map(str, anew)]) == 0
    assert album.records == before
    nights(album)
    run(twin.config())
    assert album.results == twin.results
    assert album.records["A.png"].review.caption == "this was b"


def test_photos_that_it_did_not_come_to_keep_their_rows(album):
    run(album.config())
    before = album.records
    (album.root / "0.png").touch()
    album.draw("1.png", seed=60)
    draw(album.root / "e.png", 61)
    (album.root / "d.png").unlink()
    run(album.config(max_hours=NO_TIME))
    assert {path: album.records[path] for path in before} == before
    assert list(album.records) == ["0.png", "1.png", *NAMES]


def test_an_edited_spreadsheet_is_set_aside_by_a_short_night_too(album):
    run(album.config(max_hours=NO_TIME))
    with (album.out / "captions.csv").open("a") as file:
        file.write("mine\n")
    assert run(album.config(max_hours=NO_TIME)).set_aside == "captions.edited-1.csv"


@pytest.mark.parametrize(
    "place", [(batch.written, "write_records"), (batch.written, "keep_edits"), (Results, "keep")]
)
def test_a_short_night_that_is_killed_at_its_end_loses_nothing(album, twin, monkeypatch, place):
    for archive in (album, twin):
        run(archive.config())
    disturb(album)
    calls = []

    def stop(*arguments, **options):
        calls.append(arguments)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    original = getattr(*place)
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(*place, stop)
        for _ in range(9):
            run(album.config(max_hours=NO_TIME))
    nights(album)
    run(twin.config())
    assert album.results == twin.results


# By a signal.


@pytest.fixture
def ctrl_c():
    """Let Ctrl-C be heard: a shell may have told its background jobs to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)  # until Python has heard it


def test_the_first_signal_waits_for_the_end_of_the_shard(ctrl_c, capfd):
    done = []
    with pytest.raises(KeyboardInterrupt), stopping(None, 0.0) as stop:
        assert not stop.is_due
        press()
        done.append("the rest of the shard")
        assert stop.is_due
    assert done
    assert "Ctrl-C again stops at once" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_second_signal_stops_at_once(ctrl_c):
    with pytest.raises(KeyboardInterrupt), stopping(None, 0.0):
        press()
        with pytest.raises(KeyboardInterrupt):
            press()
        raise KeyboardInterrupt


def test_a_shard_that_takes_long_is_not_waited_for(ctrl_c, monkeypatch):
    monkeypatch.setattr(batch.stopping, "LATEST", 0.05)
    with pytest.raises(KeyboardInterrupt), stopping(None, 0.0):
        press()
        threading.Event().wait(60)
        pytest.fail("it was waited for")


def test_a_signal_in_a_callback_is_heard_all_the_same(capfd):
    """Python lets no error out of the callback of a weak reference: TensorFlow has many."""
    with pytest.raises(SystemExit):
        main(["--help"])  # every command listens
    capfd.readouterr()
    thing = StubCaptioner()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        del thing
        threading.Event().wait(10)
    assert reference() is None
    assert not capfd.readouterr().err


def test_a_signal_that_is_ignored_stays_so(ctrl_c):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stopping(None, 0.0) as stop:
        press()
        assert not stop.is_due


def test_a_thread_leaves_signals_alone():
    found = []

    def work():
        with stopping(NO_TIME, time.monotonic()) as stop:
            found.append(stop.is_due)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]


def test_the_shard_in_work_is_kept_when_a_signal_comes(album, monkeypatch, ctrl_c):
    original = batch.caption.Stage._caption

    def caption(self, *arguments):
        press()
        return original(self, *arguments)

    with monkeypatch.context() as signalled, pytest.raises(KeyboardInterrupt):
        signalled.setattr(batch.caption.Stage, "_caption", caption)
        run(album.config())
    note = album.last_run
    assert (note["ended"], note["exit_code"], note["captioned"]) == ("interrupted", 130, 2)
    assert len(album.records) == len(album.csv_rows) == 2
    assert run(album.config()).captioned == 3
