"""What is to be installed calls the program with the very names that were given, whoever reads it.

Cron and systemd are imitated as their manuals say, and systemd's own check is asked where it is.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import batch.schedule
from batch.__main__ import main
from batch.config import Config
from batch.errors import ArchiveError
from batch.pipeline import run
from batch.schedule import Nightly, cron_line, fits_every_cron, service, timer

NAMES = [
    "plain",
    "two words",
    "  spaces around ",
    "it's",
    'the "best"',
    "$HOME ${HOME} $$",
    "$(touch pwned) `touch pwned`; touch pwned &",
    "100%",
    "%",
    "%h %% %i",
    "back\\slash\\",
    "back\\% \\\\% \\",
    "#1; #2",
    "바닷가 사진 2024",
    "cafe\u0301 😀 \u202e",
    "-n --limit=1",
    "~ * ? [a] {b,c} !",
    "a=b:c",
    os.fsdecode(b"odd \xff%\xfe'"),
]
ANY_NAME = st.text(
    st.one_of(
        st.sampled_from("%\\'\"$ `;#~\udcff바"), st.characters(exclude_categories=["Cc", "Cs"])
    ),
    min_size=1,
).filter(lambda name: "/" not in name and name not in (".", ".."))
ECHO = 'import os, sys; os.write(1, b"\\0".join(map(os.fsencode, [os.getcwd(), *sys.argv[1:]])))'


def nightly(name: str, **config) -> Nightly:
    """Ask for a run over a folder of this name, results and cache under such names, too."""
    asked = Config(f"/photos/{name}", f"/out/{name}", f"/features {name}", "/captioners/mine")
    return Nightly.of(asked, [f"--include={name}", "--limit=3"])


def wanted(name: str) -> list[str]:
    places = [f"--out=/out/{name}", f"--features=/features {name}", "--captioner=/captioners/mine"]
    options = [f"--include={name}", "--limit=3", "--", f"/photos/{name}"]
    return ["-m", "batch", "caption", "--quiet", *places, *options]


def as_vixie_cron(line: str) -> str:
    r"""Read the command of a line as crontab(5) says: `\%` is %, a bare % ends it."""
    command, escaped = "", False
    for letter in line.split(" ", 5)[5]:
        if letter == "%" and not escaped:
            break
        if letter == "%":
            command = command[:-1]
        command += letter
        escaped = letter == "\\" and not escaped
    return command


def as_busybox_cron(line: str) -> str:
    """Read the command of a line by a cron to which % is a letter."""
    return line.split(" ", 5)[5]


@pytest.mark.parametrize("read", [as_vixie_cron, as_busybox_cron])
@pytest.mark.parametrize("name", NAMES)
def test_the_line_runs_the_program_over_that_folder_and_nothing_else(
    name, read, tmp_path, monkeypatch
):
    home = tmp_path / name / "home"
    home.mkdir(parents=True)
    monkeypatch.setattr(batch.schedule, "HOME", str(home))
    python = home / "echo"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{ECHO}' \"$@\"\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    line = cron_line(nightly(name))
    assert re.match(r"\d+ \d+ \* \* \* ", line)
    found = subprocess.run(
        [b"/bin/sh", b"-c", os.fsencode(read(line))],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    assert found.stdout.split(b"\0") == [os.fsencode(each) for each in [home, *wanted(name)]]
    assert found.stderr == b""
    assert not list(tmp_path.rglob("pwned"))


def words_of(value: str) -> list[str]:
    """Read quoted words as systemd.syntax(7) says, and specifiers: here only %%."""
    words = []
    for quoted in re.findall(r'"((?:[^"\\]|\\.)*)"(?: |$)', value):
        read = re.sub(
            rb"\\(x[0-9a-f]{2}|.)",
            lambda found: bytes.fromhex(found[1][1:].decode()) if found[1][1:] else found[1],
            os.fsencode(quoted),
        )
        assert not re.search(rb"(?<!%)(%%)*%(?!%)", read)
        words.append(os.fsdecode(read.replace(b"%%", b"%")))
    return words


def value_of(unit: str, key: str) -> str:
    (value,) = re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)
    return value


@given(name=ANY_NAME)
def test_the_service_runs_the_program_over_that_folder(name):
    unit = service(nightly(name))
    words = words_of(value_of(unit, "ExecStart"))
    assert not any(re.search(r"(?<!\$)(\$\$)*\$(?!\$)", word) for word in words)
    env, chdir, python, *arguments = (word.replace("$$", "$") for word in words)
    assert (env, chdir) == ("/usr/bin/env", f"--chdir={batch.schedule.HOME}")
    assert (python, arguments) == (sys.executable, wanted(name))
    if re.search("[\udc80-\udcff]", name):
        assert "RequiresMountsFor" not in unit
    else:
        mounts = words_of(value_of(unit, "RequiresMountsFor"))
        assert mounts == [f"/photos/{name}", f"/out/{name}"]
    unit.encode()  # systemd passes over lines that are no UTF-8


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd checks its units")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    files = []
    for number, name in enumerate(NAMES):
        asked = nightly(name)
        for kind, text in (("service", service(asked)), ("timer", timer(asked))):
            path = tmp_path / f"photo-captions-{number}.{kind}"
            path.write_text(text)
            files.append(str(path))
    verify = ["systemd-analyze", "--user", "verify", *files]
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    found = subprocess.run(verify, env=environment, capture_output=True, text=True, check=False)
    assert (found.stderr, found.returncode) == ("", 0)
    (tmp_path / "broken.service").write_text(service(asked).replace('"--limit', "--limit"))
    verify[-len(files) :] = [str(tmp_path / "broken.service")]
    broken = subprocess.run(verify, env=environment, capture_output=True, text=True, check=False)
    assert broken.returncode != 0


def test_known_bad_photos_and_a_stop_are_no_failure_of_the_service():
    unit = service(nightly("plain"))
    assert value_of(unit, "SuccessExitStatus") == "3 75 130"
    assert value_of(unit, "KillMode") == "mixed"  # else its helpers die before the shard is done
    assert "Persistent=true" in timer(nightly("plain"))


@pytest.mark.parametrize("name", ["line\nfeed", "re\rturn", "tab\there", "\x7f"])
def test_a_name_that_no_crontab_can_hold_is_refused(name):
    with pytest.raises(ArchiveError, match="control character, which no crontab can hold"):
        nightly(name)


def test_each_folder_of_results_has_units_of_its_own():
    named = [nightly(name).unit for name in NAMES]
    assert len({*named}) == len(NAMES)
    assert all(re.fullmatch(r"photo-captions-[A-Za-z0-9-]+", unit) for unit in named)


def test_a_line_that_some_crons_cut_is_told():
    assert fits_every_cron(cron_line(nightly("a" * 50)))
    assert not fits_every_cron(cron_line(nightly("가" * 84)))


def test_what_is_said_of_the_encoder_comes_along(monkeypatch):
    assert " env " not in cron_line(nightly("plain"))
    monkeypatch.setenv("PRECISION", "float32")
    assert " env PRECISION=float32 " in cron_line(nightly("plain"))
    monkeypatch.setenv("ENCODER_BACKEND", "openvino")
    assert " env PRECISION=float32 ENCODER_BACKEND=openvino " in cron_line(nightly("plain"))


def test_the_command_prints_what_was_asked_with_absolute_paths_and_writes_nothing(
    archive, monkeypatch, capfdbinary
):
    archive.root.with_name("list.txt").write_text("http://127.0.0.1:9/a.jpg\n")
    monkeypatch.chdir(archive.root.parent)
    before = sorted(Path().rglob("*"))
    settings = ["--captioner", "flickr8k-ko,flickr8k-en", "--exclude", "x y", "--max-hours", "6"]
    settings += ["--num-beams", "1", "--review", "xlsx", "--retry-failed", "--temperature", "0.5"]
    assert main(["cron", *settings, "photos"]) == 0
    said = capfdbinary.readouterr().out.decode()
    line = next(each for each in said.splitlines() if not each.startswith("#"))
    home = Path.cwd()
    assert line.endswith(
        f"caption --quiet --out={home}/outputs/photos --features={home}/outputs/features "
        "--captioner=flickr8k-ko,flickr8k-en '--exclude=x y' --max-hours=6 --num-beams=1 "
        f"--temperature=0.5 --review=xlsx --retry-failed -- {home}/photos"
    )
    assert main(["cron", "--urls", "list.txt", "--out", "o", "--allow-private"]) == 0
    said = capfdbinary.readouterr().out.decode()
    assert f"--out={home}/o " in said
    assert f" --allow-private --urls={home}/list.txt\n" in said
    assert sorted(Path().rglob("*")) == before


def test_a_run_that_could_not_be_is_refused_before_it_is_installed(tmp_path, capsys):
    assert main(["cron", str(tmp_path / "nowhere")]) == 1
    assert "is not a folder" in capsys.readouterr().err


def test_who_asks_for_other_captioners_than_the_last_run_had_is_told(album, capsys, tmp_path):
    run(album.config())
    other = str(shutil.copytree(album.captioner, tmp_path / "other"))
    where = ["--out", str(album.out), "--features", str(album.features)]
    for captioner, told in [(other, "CAPTIONER=tiny"), (album.captioner, "")]:
        assert main(["cron", *where, "--captioner", captioner, str(album.root)]) == 0
        assert told in capsys.readouterr().err
