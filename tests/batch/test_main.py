"""The commands answer with the right exit code and with words, not with tracebacks."""

import fcntl
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import batch.__main__
import batch.pipeline
from batch.__main__ import main
from batch.config import Config
from batch.lock import locked
from batch.pipeline import run
from manifests.manifest import read_records
from tests.batch.archives import draw, slow_run, state_of

ROOT = Path(__file__).parents[2]
STOPPING = "stopping at the end of this shard, in a minute at most; Ctrl-C again stops at once\n"
COMMANDS = [command.__name__.replace("_", "-") for command in batch.__main__.COMMANDS]


@pytest.fixture
def album(archive, stub_captioner):
    """Make an archive of three photos and a bad one."""
    archive.draw("2019/a.png", "2019/b.png", "c.PNG")
    (archive.root / "bad.jpg").write_bytes(b"no photo")
    return archive


def asked(archive, *options: str, command: str = "caption") -> list[str]:
    """Write a command line."""
    places = ["--features", archive.features, "--captioner", archive.captioner]
    if command == "caption":
        places += ["--out", archive.out]
    return [command, *map(str, places), *options, "--", str(archive.root)]


def python(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | options.pop("env", {})
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
        **options,
    )


# Help, and arguments that mean nothing.

HELP = """
import sys
from batch.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    heavy = {"tensorflow", "keras", "pyarrow", "pandas", "numpy", "PIL"} & sys.modules.keys()
    sys.exit(f"{heavy} were imported" if heavy else end.code)
"""


@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
def test_help_needs_no_heavy_import_and_tells_the_exit_codes(command):
    found = python("-c", HELP, *command, "--help")
    assert (found.returncode, found.stderr) == (0, "")
    text = " ".join(found.stdout.split())
    for code in ("0 complete", "1 fatal", "2 usage", "3 complete with failed photos"):
        assert code in text
    assert "75 another run holds the folder" in text
    assert "130 interrupted" in text


def test_the_module_can_be_run_and_lists_every_command():
    found = python("-m", "batch", "--help", cwd=ROOT)
    assert found.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^    {command}\s+[A-Z]", found.stdout, re.MULTILINE)


WRONG = {
    "nothing": [],
    "no such command": ["subtitle", "photos"],
    "no folder": ["caption"],
    "two folders": ["caption", "a", "b"],
    "an unknown option": ["caption", "--fast", "photos"],
    "a limit of nothing": ["caption", "--limit", "0", "photos"],
    "a negative limit": ["caption", "--limit=-1", "photos"],
    "a limit that is no number": ["caption", "--limit", "many", "photos"],
    "no time": ["caption", "--max-hours", "0", "photos"],
    "no end of time": ["caption", "--max-hours", "inf", "photos"],
    "a time that is no number": ["caption", "--max-hours", "nan", "photos"],
    "a dry timer": ["cron", "--dry-run", "photos"],
    "the status of two": ["status", "--urls", "list.txt", "photos"],
    "no beams": ["caption", "--num-beams", "0", "photos"],
    "another word for what exists": ["caption", "--existing", "replace", "photos"],
    "captions without a corpus": ["train", "--out", "x"],
    "an evaluation without photos": ["evaluate", "--captions", "a"],
    "dry features": ["features", "--dry-run", "photos"],
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_arguments_that_mean_nothing_exit_2_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (2, "")
    assert said.err.startswith("usage: python -m batch")
    assert "error: " in said.err
    assert not re.search(r"\b_\w+", said.err)  # a name from the code means nothing to people


def test_a_wrong_number_is_told_with_its_option(capsys):
    with pytest.raises(SystemExit):
        main(["caption", "--limit", "many", "photos"])
    assert "argument --limit: 'many' is not a whole number from 1 on" in capsys.readouterr().err


def test_options_reach_the_run(monkeypatch, tmp_path, archive, capsys):
    seen = []

    def note(config):
        seen.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(batch.pipeline, "run", note)
    options = ["--include", "*.jpg", "--include", "2019/*", "--exclude", "x", "--limit", "3"]
    options += ["--existing", "overwrite", "--retry-failed", "--moved"]
    options += ["--num-beams", "2", "--max-length", "9", "--max-hours", "0.5", "--quiet"]
    main(asked(archive, *options))
    main(["caption", "somewhere/photos"])
    assert seen[0] == archive.config(
        include=("*.jpg", "2019/*"),
        exclude=("x",),
        limit=3,
        overwrite=True,
        retry_failed=True,
        moved=True,
        search={"num_beams": 2, "max_length": 9},
        max_hours=0.5,
        quiet=True,
    )
    assert seen[1] == Config(
        "somewhere/photos", "outputs/photos", "outputs/features", seen[1].captioner
    )
    assert seen[1].captioner.endswith("flickr8k-en")


# How a run ends.


def test_a_complete_run_exits_0_and_says_what_it_did(album, capsys):
    (album.root / "bad.jpg").unlink()
    assert main(asked(album)) == 0
    said = capsys.readouterr()
    pattern = r"3 photos, 3 captioned in \d+ s \(\d+\.\d photos/s\): (.*)\n"
    assert re.fullmatch(pattern, said.out)[1] == str(album.out / "captions.csv")
    assert said.err == ""
    assert main(asked(album)) == 0
    assert capsys.readouterr().out.startswith("3 photos, nothing new: ")


def test_a_run_with_failed_photos_exits_3(album, capsys):
    assert main(asked(album)) == 3
    said = capsys.readouterr()
    assert "1 failed (1 unreadable): " in said.out
    assert said.err == "failed: bad.jpg: is text, not a photo: get the photo itself again\n"


def test_photos_that_have_failed_anew_are_told_as_new(album, capsys):
    main(asked(album))
    capsys.readouterr()
    for name in ("cut.jpg", "dot.jpg", "e\n.jpg", "f.jpg"):
        (album.root / name).write_bytes(b"")
    assert main(asked(album)) == 3
    said = capsys.readouterr()
    assert re.search(
        "^8 photos, none captioned, 3 unchanged, 5 failed .*, 4 of them new: ", said.out
    )
    names = ["cut.jpg", "dot.jpg", "e?.jpg"]
    assert re.findall("^failed: (.+): is empty", said.err, re.MULTILINE) == names
    assert said.err.endswith(f"\nmake status OUT={album.out} tells which photos failed\n")
    assert main(asked(album)) == 3
    said = capsys.readouterr()
    assert said.out.startswith("8 photos, nothing new, 5 failed (")
    assert said.err == f"make status OUT={album.out} tells which photos failed\n"


def test_where_no_photo_is_let_in_it_says_by_what(album, capsys):
    for command in ("caption", "features"):
        main(asked(album, "--include", "*.xyz", "--exclude", "c*", command=command))
        said = capsys.readouterr().out
        assert said.startswith("0 photos, none found with INCLUDE=*.xyz EXCLUDE=c*: ")


def test_copies_of_a_photo_are_told_as_such(album, capsys, small_shards):
    shutil.copy(album.root / "c.PNG", album.root / "again.png")
    shutil.copy(album.root / "c.PNG", album.root / "z.png")
    main(asked(album))
    told = "5 captioned (2 the same photo as another) in"
    assert told in capsys.readouterr().out
    main(asked(album, "--existing", "overwrite"))
    told = "5 captioned (2 the same photo as another, 3 from cached features) in"
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("command", ["caption", "features"])
def test_on_a_terminal_a_run_shows_from_the_start_that_it_is_at_it(
    album, monkeypatch, capsys, command
):
    shown = []
    master, slave = os.openpty()
    os.set_blocking(master, False)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))  # rows, columns
    load = batch.pipeline.load_stage

    def load_stage(config):
        shown.append(os.read(master, 10_000).decode())
        return load(config)

    monkeypatch.setattr(batch.pipeline, "load_stage", load_stage)
    with os.fdopen(slave, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        main(asked(album, command=command))
        shown.append("")
        while "| 4/4 [" not in shown[1]:  # which may come in parts
            assert select.select([master], [], [], 10)[0], shown
            shown[1] += os.read(master, 10_000).decode()
    os.close(master)
    assert "starting: loading the captioner:   0%" in shown[0]


def test_features_alone_can_be_made(album, capsys):
    assert main(asked(album, command="features")) == 3
    assert re.match(r"4 photos, 3 encoded in .*1 failed \(1 unreadable\)", capsys.readouterr().out)
    assert not album.out.exists()


def test_the_page_of_a_web_server_is_no_folder(album, capsys):
    assert main(["caption", "https://example.org/photos"]) == 1
    assert "give URLS= a list of the photos' own URLs" in capsys.readouterr().err


def test_a_first_run_that_finds_no_photos_leaves_no_folder(album, bucket, capsys):
    arguments = asked(album)[:-1]
    assert main([*arguments, f"{bucket.url}/nowhere"]) == 1
    assert "there is nothing at " in capsys.readouterr().err
    assert not album.out.exists()
    album.out.mkdir()
    assert main([*arguments, f"{bucket.url}/nowhere"]) == 1
    assert (album.out / "log.jsonl").exists()


def fatal(album, kind: str) -> list[str]:
    """Make something that no run can work with."""
    if kind == "no archive":
        album.root = album.root / "nowhere"
    elif kind == "results among the photos":
        album.out = album.root / "out"
    elif kind == "features among the photos":
        album.features = album.root / "features"
    elif kind == "no captioner":
        album.captioner = "nobody"
    elif kind == "another archive's results":
        run(album.config())
        album.root = album.root / "2019"
    elif kind == "a damaged manifest":
        album.out.mkdir()
        (album.out / "captions.parquet").write_bytes(b"PAR1")
    elif kind == "a folder that cannot be made":
        album.out = album.root.with_name("file") / "out"
        album.root.with_name("file").write_text("in the way")
    return asked(album)


FATAL = [
    "no archive",
    "results among the photos",
    "features among the photos",
    "no captioner",
    "another archive's results",
    "a damaged manifest",
    "a folder that cannot be made",
]


@pytest.mark.parametrize("kind", FATAL)
def test_what_no_run_can_work_with_exits_1_with_one_plain_line(album, capsys, kind):
    arguments = fatal(album, kind)
    capsys.readouterr()
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"error: .+\n", said.err)


@pytest.mark.parametrize("command", ["caption", "features", "cron"])
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"PRECISION": "int4"}, "PRECISION=int4: give one of float32, bfloat16, int8"),
        ({"ENCODER_BACKEND": "abacus"}, "ENCODER_BACKEND=abacus: give tensorflow or openvino"),
        ({"PRECISION": "int8", "ENCODER_BACKEND": "tensorflow"}, "int8 is OpenVINO's: leave "),
        ({"PRECISION": "int8"}, "the package OpenVINO is not installed; run make openvino"),
    ],
)
def test_what_cannot_encode_is_told_before_anything_is_done(
    album, capsys, monkeypatch, command, settings, told
):
    monkeypatch.setitem(sys.modules, "openvino", None)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert main(asked(album, command=command)) == 1
    said = capsys.readouterr()
    assert told in said.err
    assert said.out == ""
    assert not album.out.exists()


def test_a_broken_captioner_exits_1_with_one_plain_line(archive, tmp_path, fake_encoder, capsys):
    archive.draw("a.png")
    archive.captioner = shutil.copytree(archive.captioner, tmp_path / "broken")
    (archive.captioner / "vocabulary.txt").write_text("<pad>\n")
    assert main(asked(archive)) == 1
    assert re.fullmatch(r"error: .*vocabulary\.txt.*\n", capsys.readouterr().err)


def test_a_fatal_error_of_the_real_process_has_no_traceback(tmp_path):
    found = python("-m", "batch", "caption", str(tmp_path / "nowhere"), cwd=ROOT)
    assert (found.returncode, found.stdout) == (1, "")
    assert re.fullmatch(r"error: .*nowhere.*\n", found.stderr)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_corpus_that_cannot_be_read_exits_1_with_one_plain_line(command, tmp_path, capsys):
    names = ["captions", "photos", "dev-list", "out"] + ["train-list"] * (command == "train")
    arguments = [f"--{name}={tmp_path / 'nothing'}" for name in names]
    assert main([command, *arguments]) == 1
    assert re.fullmatch(r"error: .*nothing.*\n", capsys.readouterr().err)


def test_a_fault_of_the_program_is_one_line_and_its_traceback_is_in_the_log(
    album, monkeypatch, capsys
):
    monkeypatch.setattr(batch.results.Results, "keep", lambda *_: 1 / 0)
    assert main(asked(album)) == 1
    said = capsys.readouterr().err
    log = album.out / "log.jsonl"
    why = f"ZeroDivisionError: division by zero (a fault of this program; more is in {log})"
    assert said == f"error: {why}\n"
    assert album.last_run["error"] == "ZeroDivisionError: division by zero"
    assert "in caption_photos" in log.read_text()


def test_a_fault_of_the_program_keeps_its_traceback_where_no_log_tells_of_it(album, monkeypatch):
    def fail(config):
        raise ZeroDivisionError

    monkeypatch.setattr(batch.pipeline, "run", fail)
    with pytest.raises(ZeroDivisionError):
        main(asked(album))
    monkeypatch.undo()
    (album.out / "log.jsonl").mkdir(parents=True)  # cannot be written
    monkeypatch.setattr(batch.results.Results, "read", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(asked(album))


def test_a_held_folder_exits_75(album, capsys):
    with locked(str(album.out)):
        assert main(asked(album)) == 75
    said = capsys.readouterr()
    assert re.fullmatch(r"locked: another run .*\n", said.err)
    assert said.out == ""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_130_and_says_how_to_go_on(archive, number):
    """In a process of its own: a signal that is heard late must not end that of the tests."""
    archive.draw("a.png", "b.png")  # the only shard
    process = slow_run(*asked(archive))
    assert process.stdout.readline() == "encoding\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == f"{STOPPING}interrupted; the same command goes on from here\n"
    assert archive.last_run["exit_code"] == 130


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_told_to_stop_stops_soon_and_goes_on_later(
    archive, stub_captioner, number
):
    archive.draw(*(f"{number:03}.png" for number in range(200)))
    process = slow_run(*asked(archive))
    for _ in range(3):
        assert process.stdout.readline() == "encoding\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert said == f"{STOPPING}interrupted; the same command goes on from here\n"
    assert archive.last_run["error"] == "interrupted"
    summary = run(archive.config())
    assert summary.exit_code == 0
    assert 0 < summary.captioned < 200
    assert len(archive.records) == 200


# What else can be asked.


def told(text: str) -> dict[str, str]:
    """Read the lines of a dry run."""
    return dict(re.fullmatch(r" *(.+?)  +(.+)", line).groups() for line in text.splitlines())


def test_a_dry_run_counts_what_there_is_to_do_and_writes_nothing(album, tmp_path, capsys):
    before = state_of(tmp_path)
    assert main(asked(album, "--dry-run")) == 0
    assert state_of(tmp_path) == before
    said = told(capsys.readouterr().out)
    assert (said["photos found"], said["jpg"], said["png"]) == ("4", "1", "3")
    assert (said["captioned before"], said["failed before"], said["new or changed"]) == (
        "0",
        "0",
        "4",
    )


def test_a_dry_run_knows_what_is_done(album, monkeypatch, tmp_path, capsys):
    run(album.config())
    draw(album.root / "2019/a.png", 88)
    draw(album.root / "new.png", 89)
    before = state_of(tmp_path)
    capsys.readouterr()
    monkeypatch.setattr(batch.encode, "load", None)  # no photo is opened
    main(asked(album, "--dry-run"))
    said = told(capsys.readouterr().out)
    counts = ["photos found", "captioned before", "failed before", "new or changed"]
    assert [said[name] for name in counts] == ["5", "2", "1", "2"]
    main(asked(album, "--dry-run", "--retry-failed"))
    assert told(capsys.readouterr().out)["new or changed"] == "3"
    main(asked(album, "--dry-run", "--existing", "overwrite", "--include", "2019"))
    assert told(capsys.readouterr().out)["photos found"] == "0"
    main(asked(album, "--dry-run", "--existing", "overwrite", "--limit", "2"))
    assert told(capsys.readouterr().out)["new or changed"] == "2"
    assert state_of(tmp_path) == before


@pytest.mark.parametrize(
    ("encoded", "seconds", "rate"),
    [
        (0, 1.0, "14 large photos/s on two cores, 24 small"),
        (20, 12.0, "14 large photos/s on two cores, 24 small"),  # of a few it is mostly start-up
        (20_000, 1010.0, "20 photos/s as before"),
        (600, 2010.0, "0.3 photos/s as before"),
    ],
)
def test_a_dry_run_expects_the_rate_of_the_last_run_where_that_says_something(
    album, capsys, encoded, seconds, rate
):
    album.out.mkdir()
    note = {"encoded": encoded, "seconds": seconds}
    (album.out / "last_run.json").write_text(json.dumps(note))
    main(asked(album, "--dry-run"))
    time = told(capsys.readouterr().out)["time to expect"]
    assert re.fullmatch(rf"about [12]\d s \(10 s to start, then {rate}\)", time)


def test_a_dry_run_finds_the_rate_in_the_log_where_the_last_run_had_nothing_to_do(album, capsys):
    album.out.mkdir()
    ended = {"event": "run ended", "seconds": 1010.0}
    lines = [ended | {"encoded": each} for each in (100_000, 40_000, 20)]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (album.out / "log.jsonl").write_text(f'{text}{{"event": "run ended", "enc')
    main(asked(album, "--dry-run"))
    assert "then 40 photos/s as before" in capsys.readouterr().out
    (album.out / "log.jsonl").rename(album.out / "log.jsonl.1")
    main(asked(album, "--dry-run"))
    assert "then 40 photos/s as before" in capsys.readouterr().out


def test_a_dry_run_of_what_is_done_expects_no_time(album, capsys):
    run(album.config())
    main(asked(album, "--dry-run"))
    assert told(capsys.readouterr().out)["time to expect"] == "none"


def test_a_dry_run_refuses_what_a_run_would(album, capsys):
    run(album.config())
    album.root = album.root / "2019"
    assert main(asked(album, "--dry-run")) == 1
    assert "holds the captions of" in capsys.readouterr().err


def test_captions_are_shown_when_asked(album, capsys):
    main(asked(album, "--show"))
    *lines, _ = capsys.readouterr().out.splitlines()
    rows = read_records(album.out / "captions.parquet")
    assert len(lines) == len(rows) == 4
    for line, row in zip(lines, rows, strict=True):
        assert row.path in line
        said = row.caption or f"(unreadable: {row.error})"
        assert line.endswith(said)
        assert line.startswith(f"{row.confidence:.2f}  " if row.caption else "      ")
    main(asked(album, "--show", "2"))
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_folders_that_cannot_be_listed_are_named(album, monkeypatch, capsys):
    listing = os.scandir

    def scandir(path="."):
        if str(path).endswith("2019"):
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert main(asked(album)) == 3
    said = capsys.readouterr()
    assert said.err.startswith("cannot list the folder 2019: Permission denied\nfailed: bad.jpg: ")
    main(asked(album, "--dry-run"))
    assert told(capsys.readouterr().out)["cannot list"] == "2019: Permission denied"


def test_an_archive_whose_name_is_no_text_is_no_reason_to_fail(tmp_path, captioner_folder):
    archive = tmp_path / os.fsdecode(b"caf\xe9")
    archive.mkdir()
    options = ["--captioner", captioner_folder]
    strict = {"PYTHONIOENCODING": "utf-8:strict"}
    command = ["-m", "batch", "caption", *options, str(archive)]
    for _ in range(2):  # the second one reads what the first one noted
        found = python(*command, cwd=tmp_path, env=strict)
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout.startswith("0 photos, none found: ")


def test_a_corpus_and_its_options_reach_training_and_evaluation(tmp_path, monkeypatch, capsys):
    import batch.evaluate
    import batch.train

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text('{"language": "en"}')
    (tmp_path / "tokens").write_text("a.jpg#0\tA dog .\nb.jpg#0\tA cat .\n")
    (tmp_path / "train").write_text("a.jpg\n")
    (tmp_path / "dev").write_text("b.jpg\n")
    corpus = ["--captions", "tokens", "--dev-list", "dev"]
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(batch.train, "train_captioner", lambda *args: seen.append(args) or "done")
    monkeypatch.setattr(batch.evaluate, "evaluate", lambda *args: seen.append(args) or "scored")
    places = ["--photos", "photos", "--features", "cache", "--out", "out"]
    asked = ["--train-list", "train", "--encoder", "e.npz", "--seed", "5"]
    assert main(["train", *corpus, *places, *asked]) == 0
    assert main(["evaluate", *corpus, *places, "--captioner", "mine", "--num-beams", "2"]) == 0
    recipe, sources, *rest = seen[0]
    assert (recipe.name, recipe.seed) == ("flickr8k-en", 5)
    assert [photo.path for photo in sources.corpus.train] == ["a.jpg"]
    assert (sources.photos, sources.encoder, sources.glove) == ("photos", "e.npz", None)
    assert rest == ["cache", "out"]
    folder, photos, places, *rest = seen[1]
    assert (folder, [photo.path for photo in photos]) == ("mine", ["b.jpg"])
    assert places == batch.evaluate.Places("photos", "cache", "out")
    assert rest[0] == {"num_beams": 2}
    assert capsys.readouterr().out == (
        "done\nscored\n\nout/index.html shows them, scored.csv has a row a photo\n"
    )
