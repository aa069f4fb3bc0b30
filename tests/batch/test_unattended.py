"""Runs that nobody watches: silent while all is well, and what happened can be told afterwards."""

import json
import os
import re
import signal
import time

import pytest

import batch.pipeline
from batch.__main__ import main
from batch.lock import locked
from batch.pipeline import run
from batch.summary import Summary
from tests.batch.archives import draw, slow_run, state_of
from tests.batch.reviewers import Sheet


@pytest.fixture
def album(archive, stub_captioner):
    """Make an archive of three photos."""
    archive.draw("2019/a.png", "b.png", "c.png")
    return archive


def asked(archive, *options: str) -> list[str]:
    places = ["--features", archive.features, "--captioner", archive.captioner]
    places += ["--out", archive.out]
    return ["caption", *map(str, places), *options, "--", str(archive.root)]


@pytest.fixture
def nightly(album, capfd):
    """Run as cron does; give the exit code and all that is said."""

    def nightly(*options: str) -> tuple[int, str]:
        code = main(asked(album, "--quiet", *options))
        said = capfd.readouterr()
        return code, said.out + said.err

    return nightly


# Quiet.


def test_nothing_is_said_while_all_is_well(album, nightly):
    assert nightly() == (0, "")
    assert nightly() == (0, "")
    album.draw("d.png", "e.png", seed=9)
    assert nightly("--max-hours", "1e-9", "--review", "xlsx") == (0, "")
    assert len(album.records) == 5


def test_bad_photos_are_told_once_and_the_exit_code_stays(album, nightly):
    nightly()
    (album.root / "x.jpg").write_bytes(b"no photo")
    (album.root / "y\n.jpg").write_bytes(b"no photo")
    code, said = nightly()
    assert code == 3
    where = re.escape(str(album.out / "captions.csv"))
    news = r"2 failed \(2 unreadable\) that had not before, the first: x\.jpg: .+\n"
    assert re.fullmatch(f"{where}: {news}", said)
    assert nightly() == (3, "")
    assert nightly("--retry-failed") == (3, "")
    (album.root / "z.jpg").write_bytes(b"no photo")
    assert "1 failed (1 unreadable) that had not before, the first: z.jpg" in nightly()[1]
    draw(album.root / "x.jpg", 9)
    assert nightly() == (3, "")
    (album.root / "x.jpg").write_bytes(b"bad again")
    assert "the first: x.jpg" in nightly()[1]


def test_bad_photos_of_a_night_that_was_cut_short_are_told_by_the_next(album, nightly, monkeypatch):
    (album.root / "x.jpg").write_bytes(b"no photo")

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(batch.pipeline.Results, "commit", stop)
        code, said = nightly()
    assert (code, said) == (130, "interrupted; the same command goes on from here\n")
    assert "the first: x.jpg" in nightly()[1]


def test_a_folder_that_cannot_be_listed_is_told_once(album, nightly, monkeypatch):
    listing = os.scandir

    def scandir(path="."):
        if str(path).endswith("2019"):
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    with monkeypatch.context() as broken:
        broken.setattr(os, "scandir", scandir)
        told = f"{album.out}/captions.csv: cannot list the folder 2019: Permission denied\n"
        assert nightly() == (3, told)
        assert nightly() == (3, "")
    assert nightly() == (0, "")


def test_what_no_run_can_work_with_is_one_line(album, nightly):
    album.captioner = "nobody"
    code, said = nightly()
    assert (code, said.count("\n")) == (1, 1)
    album.out.mkdir()
    (album.out / "captions.parquet").write_bytes(b"PAR1")
    album.captioner = "flickr8k-en"
    code, said = nightly()
    assert (code, said.count("\n")) == (1, 1)
    assert str(album.out) in said


def test_a_full_disk_is_one_line_that_says_where(album, nightly, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch.pipeline.Results, "keep", fail)
    assert nightly() == (
        1,
        f"error: the run to {album.out} failed: [Errno 28] No space left on device\n",
    )


def test_a_run_that_is_still_at_it_is_no_news_unless_it_is_stuck(album, nightly):
    nightly()
    log = album.out / "log.jsonl"
    with locked(str(album.out)):
        assert nightly() == (75, "")
        a_day_ago = time.time() - 90_000
        os.utime(log, (a_day_ago, a_day_ago))
        code, said = nightly()
        assert code == 75
        assert said.startswith("locked: ")
        assert said.count("\n") == 1


# Status.


def told(archive, capsys, *options: str) -> str:
    """Ask how an archive stands; nothing is written for it."""
    before = state_of(archive.out)
    capsys.readouterr()
    assert main(["status", "--out", str(archive.out), *options]) == 0
    assert state_of(archive.out) == before
    return capsys.readouterr().out


def test_it_tells_of_a_complete_run_and_of_what_waits(album, capsys):
    (album.root / "bad\x1b.jpg").write_bytes(b"no photo")
    run(album.config(exclude=("private",)))
    said = told(album, capsys)
    assert re.search(r"^last run    \d{4}-\d\d-\d\d \d\d:\d\d, complete after \d+ s$", said, re.M)
    assert "rows        4: 3 captioned, 1 unreadable\n" in said
    assert re.search(r"^  failed    bad\?\.jpg: unreadable, .+$", said, re.M)
    assert "waiting     nothing: no photo is new or changed\n" in said
    assert re.search(rf"results [\d.]+ KB; features [\d.]+ KB in {album.features}$", said, re.M)
    assert "GB free for results" in said
    album.draw("new.png", "private/x.png", seed=8)
    draw(album.root / "c.png", 9)
    assert "waiting     1 new, 1 changed\n" in told(album, capsys)


def test_it_tells_where_the_photos_are_not_there(album, capsys):
    run(album.config())
    away = album.root.rename(album.root.with_name("away"))
    assert f"cannot be told: {album.root} is not there now" in told(album, capsys)
    assert "waiting     nothing" in told(album, capsys, str(away))


def test_it_tells_what_people_decided_and_what_waits_to_be_merged(album, capsys):
    run(album.config())
    Sheet(album).write("b.png", caption="my dear").bring_back()
    assert "reviews     2 unreviewed, 1 edited\n" in told(album, capsys)
    assert "to merge" not in told(album, capsys)
    with (album.out / "captions.csv").open("a") as file:
        file.write("mine\n")
    edited = f"  to merge  make merge-review FROM={album.out}/captions.csv\n"
    assert edited in told(album, capsys)


def edit_csv(album, before: str, after: str) -> None:
    """Write into the spreadsheet of the results, as a person does."""
    path = album.out / "captions.csv"
    path.write_bytes(path.read_bytes().replace(before.encode(), after.encode()))


def test_what_is_merged_is_not_asked_for_again_and_may_be_deleted(album, capsys):
    run(album.config())
    edit_csv(album, album.captions["b.png"], "my dear")
    main(["merge-review", "--out", str(album.out), str(album.out / "captions.csv")])
    said = capsys.readouterr().out
    assert (
        "kept as captions.edited-1.csv\nall of captions.edited-1.csv is taken in: it can be" in said
    )
    assert (album.out / "captions.edited-1.csv").exists()
    assert "to merge" not in told(album, capsys)
    Sheet(album).write("b.png", caption="my own dear").bring_back()
    assert "to merge" not in told(album, capsys)


def test_what_is_kept_unmerged_is_asked_for_until_it_is_taken_in(album, capsys):
    run(album.config())
    edit_csv(album, album.captions["b.png"], "my dear")
    album.draw("d.png", seed=9)
    run(album.config())
    kept = album.out / "captions.edited-1.csv"
    asks = f"  to merge  make merge-review FROM={kept}, then delete it\n"
    assert asks in told(album, capsys)
    Sheet(album).write("c.png", caption="another file").bring_back()
    assert asks in told(album, capsys)
    main(["merge-review", "--out", str(album.out), "--dry-run", str(kept)])
    assert "can be deleted" not in capsys.readouterr().out
    assert asks in told(album, capsys)
    for _ in range(2):
        main(["merge-review", "--out", str(album.out), str(kept)])
        assert f"all of {kept.name} is taken in: it can be deleted\n" in capsys.readouterr().out
        assert "to merge" not in told(album, capsys)
    kept.write_bytes(kept.read_bytes() + b"spoilt\n")
    assert asks in told(album, capsys)


def test_it_finds_the_results_of_a_list_of_urls_by_the_list(archive, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("ftp://x/a.jpg\n")
    places = ["--features", str(archive.features), "--captioner", archive.captioner]
    main(["caption", "--urls", "list.txt", *places])
    capsys.readouterr()
    assert main(["status", "--urls", "list.txt"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("results     outputs/list\n")
    assert "photos      list.txt\n" in said


def test_it_tells_of_a_night_that_was_too_short(album, capsys, monkeypatch):
    monkeypatch.setattr(batch.caption, "SHARD_PHOTOS", 2)
    monkeypatch.setattr(batch.encode, "CHUNK", 2)
    run(album.config(max_hours=1e-9))
    said = told(album, capsys)
    assert re.search(r"stopped after \d+ s since its time was over; 1 photos were left", said)
    assert "waiting     1 new\n" in said


def test_it_tells_what_failed(album, capsys, monkeypatch):
    monkeypatch.setattr(Summary, "note_others", lambda *_: 1 / 0)
    main(asked(album))
    said = told(album, capsys)
    assert re.search(r"failed after \d+ s: ZeroDivisionError: division by zero", said)
    assert f"{album.out}/log.jsonl tells more" in said
    assert "rows        none yet\n" in said


def test_it_tells_of_a_list_of_urls(archive, stub_captioner, capsys):
    lines = archive.root.with_name("list.txt")
    lines.write_text("ftp://x/a.jpg\n")
    main(["caption", "--urls", str(lines), *asked(archive)[1:-2]])
    lines.write_text("ftp://x/a.jpg\nftp://x/b.jpg\n")
    assert "waiting     1 new" in told(archive, capsys)


def test_results_of_an_older_version_and_odd_notes_are_told_as_far_as_they_go(album, capsys):
    run(album.config())
    note = {"exit_code": 3, "seconds": 90.0, "started_at": "2026-01-02T03:04:05+00:00"}
    for text, words in [(json.dumps(note), "exit code 3 after 2 min"), ("{", "none is known")]:
        (album.out / "last_run.json").write_text(text)
        assert words in told(album, capsys)


def test_where_nothing_was_ever_run_that_is_said(tmp_path, capsys):
    assert main(["status", "--out", str(tmp_path / "nowhere")]) == 1
    assert "nothing was captioned to there yet" in capsys.readouterr().err
    assert main(["status"]) == 1
    assert "give DIR= the folder of photos, or OUT=" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.fault
def test_a_run_can_be_watched_while_it_is_at_it_and_told_of_when_it_was_killed(archive, capsys):
    archive.draw(*(f"{number:02}.png" for number in range(40)))
    process = slow_run(*asked(archive))
    for _ in range(4):
        assert process.stdout.readline() == "encoding\n"
    assert main(["status", "--out", str(archive.out)]) == 0
    said = capsys.readouterr().out
    found = re.search(
        r"^now         a run is at it, since .* \(.+\): (\d+) of 40 photos done$", said, re.M
    )
    assert 0 < int(found[1]) < 40
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert archive.last_run["ended_at"] is None
    assert archive.last_run["exit_code"] is None
    said = told(archive, capsys)
    assert "never ended: it was killed, or the machine went down" in said
    assert re.search(r"^unfinished  \d+ photos done; the next run goes on$", said, re.M)
    assert re.search(r"^waiting     \d+ new$", said, re.M)


@pytest.mark.slow
@pytest.mark.fault
def test_a_second_signal_stops_a_process_within_the_shard(archive):
    archive.draw(*(f"{number:02}.png" for number in range(40)))
    process = slow_run(*asked(archive))
    for _ in range(2):
        assert process.stdout.readline() == "encoding\n"
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted; the same command goes on from here"
