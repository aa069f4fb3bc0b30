"""What the README promises of `make`, from the outside: in a copy, as a user would call it."""

import html
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from batch.__main__ import COMMANDS, named
from batch.by_make import Parser, arguments_of
from batch.config import SETTINGS
from batch.scan import scan
from manifests.manifest import read_records
from manifests.sidecar import read_xmp
from tests.batch.archives import draw, photo, save_captioner, state_of
from tests.batch.stores import KEYS
from tests.models.tutorial import Tutorial, said_captions
from tests.pictures import encoded, grey16, noise, turned, upright

ROOT = Path(__file__).parents[1]
PARTS = ["Makefile", "batch", "manifests", "models", "recipes", "constraints.txt", "locks"]
NAMES = "DIR URLS OUT FEATURES CAPTIONER INCLUDE EXCLUDE LIMIT EXISTING BEAMS CAPTIONS PHOTOS"
NAMES += " TRAIN_LIST DEV_LIST DEV_CAPTIONS STRICT PRESET ENCODER DRY_RUN SHOW RETRY_FAILED MOVED"
NAMES += " ALLOW_PRIVATE PHOTO MODEL GLOVE FROM DESCRIPTIONS TEMPERATURE SEED"
NAMES += (
    " LANG LANGUAGE N TO INTO NAMING NAME PATH_COLUMN CAPTION_COLUMN ROOT IMAGES REVIEW UNGROUPED"
)
NAMES += " MAX_HOURS CACHE_LIMIT SCHEDULER WORKERS DEEP REPAIR YES OTHER_ENCODERS"
NAMES += " BESIDE MACHINE REPLACE EMBED ATTENTION MAKEFLAGS MAKELEVEL MFLAGS"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in NAMES.split()}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Copy what `make` needs, with this Python's packages for an environment that is set up."""
    home = tmp_path_factory.mktemp("a copy") / "photo captions"
    home.mkdir()
    for part in [*PARTS, *(path.name for path in ROOT.glob("requirements*.txt"))]:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copy(ROOT / part, home / part)
    (home / ".venv").mkdir()
    for name in ("bin", "lib", "lib64", "include", "pyvenv.cfg"):
        if Path(sys.prefix, name).exists():
            (home / ".venv" / name).symlink_to(Path(sys.prefix, name))
    for stamp in (".installed", ".cluster", ".demo", ".train", ".urls", ".dev"):
        (home / ".venv" / stamp).touch()
    return home


def make(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Call make; variables go by the environment, `NAME=value` among the arguments by make."""
    return subprocess.run(
        ["make", *arguments],
        cwd=home,
        env=ENVIRONMENT | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def captioner(tmp_path_factory):
    """Save a captioner with an encoder of its own, both of random weights."""
    import keras

    from models.checkpoint import save_variables
    from models.encoder import build_encoder

    folder = tmp_path_factory.mktemp("captioners") / "random"
    keras.utils.set_random_seed(1)
    save_captioner(folder, "encoder.weights.h5")
    save_variables(build_encoder().weights, folder / "encoder.weights.h5", half=True)
    return str(folder)


@pytest.mark.parametrize("goal", [[], ["help"]])
def test_help_tells_of_every_target_that_is_for_people(home, goal):
    found = make(home, *goal)
    makefile = (home / "Makefile").read_text()
    targets = dict(re.findall(r"^([a-z-]+):.*## (.+)$", makefile, re.MULTILINE))
    assert {"help", "caption", "train", "evaluate", "test"} <= targets.keys()
    assert (found.returncode, found.stderr) == (0, "")
    told = dict(re.findall(r"^  make ([a-z-]+) +(\S.*)$", found.stdout, re.MULTILINE))
    assert told == targets


def names_in(text: str) -> set[str]:
    """Give the settings that a text names, as it names them: `DIR=`."""
    return set(re.findall(r"\b([A-Z_]+)=", text))


def taken_by(home: Path, goal: str, *asked: str) -> list[str]:
    """Give the settings that a goal hands on to its command."""
    found = make(home, "-n", goal, *asked)
    (names,) = re.findall(rf"-m batch by-make {goal} (.*)$", found.stdout, re.MULTILINE)
    return names.split()


GOALS = {named(each): add for each, add in COMMANDS.items()}


@pytest.mark.parametrize("goal", GOALS)
def test_each_setting_that_a_goal_takes_is_an_argument_of_its_command(home, goal):
    names = taken_by(home, goal)
    parser = Parser()
    GOALS[goal](parser)
    words = arguments_of(parser, names, dict.fromkeys(names, "0"))
    assert len(words) <= len(names) + 1
    told = make(home, "help").stdout
    (line,) = re.findall(rf"^  make {goal} (.+)$", told, re.MULTILINE)
    assert names_in(line) <= {*names, *SETTINGS}
    refused = make(home, goal, "NO_SUCH_THING=1").stderr
    assert refused.count("\n") == 1
    assert names_in(refused) - {"NO_SUCH_THING"} == {*names}


def test_the_help_names_all_that_captioning_takes(home):
    told = make(home, "help").stdout.partition("For make caption:")[2]
    assert {*taken_by(home, "caption")} <= names_in(told)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["caption", "DIR=/photos", "DRYRUN=1"], "takes no DRYRUN=: did you mean DRY_RUN=?"),
        (["caption", "dir=/photos"], "takes no dir=: did you mean DIR=?"),
        (["caption", "LANG=ko"], "takes no LANG=: for captions in Korean give CAPTIONER=flickr8k"),
        (["caption", "LANGUAGE=ko"], "takes no LANGUAGE=: for captions in Korean give CAPTIONER="),
        (["gallery", "OUT=o", "LANG=ko"], "takes no LANG=: did you mean LANGUAGE=?"),
        (["page", "OUT=o", "BEAMS=2"], "takes no BEAMS=. It takes DIR= OUT= LIMIT=."),
        (["caption", "review", "N=2"], "make caption review takes no N="),
        (["test", "DIR=/photos"], "takes no DIR=. It takes nothing"),
        (["page", "OU'`id>pwned`;id>pwned;'=1"], "make page takes no OU'`id>pwned`;id>pwned;'="),
        (["captoin", "DIR=/photos"], "there is no goal captoin; make help names them"),
        (["caption", "DIR=/my", "photos"], "there is no goal photos; make help names them"),
    ],
)
def test_what_a_goal_does_not_take_is_refused_before_anything_is_done(home, asked, told):
    found = make(home, *asked)
    assert (found.returncode, found.stdout) == (2, "")
    assert told in found.stderr
    assert found.stderr.count("\n") == 1
    assert not list(home.rglob("pwned"))


def test_what_is_in_the_environment_and_what_others_read_is_never_refused(home, tmp_path):
    (tmp_path / "a").mkdir()
    environment = {"LANG": "ko_KR.UTF-8", "LANGUAGE": "ko:en", "DRYRUN": "1", "BEAM": "3"}
    paths = [f"{name}={os.environ[name]}" for name in ("PATH", "HOME") if name in os.environ]
    settings = ["PYTHON=python3", "PRECISION=float32", "ENCODER_BACKEND=tensorflow", "TF_CPP_X=1"]
    for free in (*settings, *paths, "PYTEST_ADDOPTS=-x", "SSL_CERT_FILE=x", "MAKEFLAGS=-k"):
        found = make(home, "caption", f"DIR={tmp_path / 'a'}", "DRY_RUN=1", free, **environment)
        assert (found.returncode, found.stderr) == (0, "")


def test_the_language_of_a_desktop_is_not_asked_for_and_that_of_the_command_line_is(home):
    found = make(home, "-n", "review", LANGUAGE="en_US:en").stdout
    assert not re.search(r"by-make review .*\bLANGUAGE\b", found)
    assert "LANGUAGE" in taken_by(home, "review", "LANGUAGE=ko")


def test_a_make_that_calls_this_one_may_have_settings_of_its_own(home, tmp_path):
    (tmp_path / "Makefile").write_text("all:\n\t$(MAKE) -C '$(HOME)' -n review OUT=o\n")
    found = make(tmp_path, "NIGHT=1", f"HOME={home}")
    assert (found.returncode, found.stderr) == (0, "")


def test_every_target_is_phony_or_a_file_that_it_makes():
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.MULTILINE))
    assert targets == phony


@pytest.mark.parametrize("goal", ["caption", "cron", "features"])
@pytest.mark.parametrize("arguments", [[], ["DIR="]])
def test_without_a_folder_the_usage_is_told_and_the_exit_code_is_2(home, goal, arguments):
    found = make(home, goal, *arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith(f"usage: make {goal} DIR=/path/to/photos")


@pytest.mark.parametrize("goal", ["train", "evaluate"])
def test_without_a_corpus_what_is_missing_is_told_and_the_exit_code_is_2(home, goal):
    assert make(home, goal).stderr.startswith("give CAPTIONS=")
    found = make(home, goal, "CAPTIONS=$(touch pwned)")
    assert found.stderr.startswith("give PHOTOS=")
    assert found.returncode == 2
    assert not list(home.rglob("pwned"))


@pytest.mark.parametrize("goal", ["review", "undo-merge", "sample", "gallery", "export", "page"])
def test_without_the_place_of_results_both_settings_are_named(home, goal):
    found = make(home, goal)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("give DIR=/path/to/photos that were captioned, or OUT=")


def test_a_review_goes_its_whole_way_whatever_the_names(home, captioner, tmp_path):
    name = 'a review of "it\'s" $HOME & 개'
    draw(tmp_path / name / f"{name}.png")
    folder = {"DIR": str(tmp_path / name)}
    places = folder | {"FEATURES": str(tmp_path / "features")}
    assert make(home, "caption", CAPTIONER=captioner, **places).returncode == 0
    assert make(home, "review", **places).returncode == 0
    sheet = home / "outputs" / name / "sheets" / "review.xlsx"
    book = openpyxl.load_workbook(sheet)
    columns = {cell.value: number for number, cell in enumerate(book.active[1], 1)}
    book.active.cell(2, columns["caption"]).value = "$(touch pwned) 개"
    book.save(tmp_path / f"{name}.xlsx")
    merged = make(home, "merge-review", FROM=str(tmp_path / f"{name}.xlsx"))
    assert (merged.returncode, merged.stderr) == (0, "")
    exported = make(home, "export", TO="xmp", INTO=str(tmp_path / "side cars"), **folder)
    assert exported.returncode == 0, exported.stderr
    sidecar = tmp_path / "side cars" / f"{name}.png.xmp"
    assert read_xmp(sidecar.read_bytes()).captions["x-default"] == "$(touch pwned) 개"
    assert make(home, "gallery", ATTENTION="0", **folder).returncode == 0
    assert make(home, "undo-merge", **folder).stdout.startswith("undone: 1 decision")
    assert not list(home.rglob("pwned"))


def test_what_cron_is_given_captions_that_folder_and_status_tells_of_it(home, captioner, tmp_path):
    name = 'it\'s 100% \\% "of" $HOME `touch pwned` & 개'
    draw(tmp_path / name / "a.png")
    draw(tmp_path / name / "b.png", 1)
    settings = {"DIR": str(tmp_path / name), "CAPTIONER": captioner, "EXCLUDE": "b*"}
    settings["FEATURES"] = str(tmp_path / "features")
    found = make(home, "cron", MAX_HOURS="1.5", **settings)
    assert (found.returncode, found.stderr) == (0, "")
    line = next(each for each in found.stdout.splitlines() if not each.startswith("#"))
    assert " --max-hours=1.5 " in line
    command = line.split(" ", 5)[5].replace("\\%", "%")  # as cron does
    run = ["/bin/sh", "-c", command]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    night = subprocess.run(run, cwd="/", env=environment, capture_output=True, check=False)
    assert (night.returncode, night.stdout, night.stderr) == (0, b"", b"")
    (row,) = read_records(home / "outputs" / name / "captions.parquet")
    assert row.path == "a.png"
    told = make(home, "status", DIR=str(tmp_path / name))
    assert (told.returncode, told.stderr) == (0, "")
    assert "complete after" in told.stdout
    assert "waiting     nothing" in told.stdout
    assert make(home, "status", OUT=f"outputs/{name}").stdout.startswith("results ")
    assert not list(home.rglob("pwned"))


@pytest.mark.parametrize("goal", ["cron", "status"])
def test_a_night_needs_a_folder(home, goal):
    assert make(home, goal).returncode == 2


def test_without_a_photo_the_usage_is_told(home):
    found = make(home, "attention")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("usage: make attention PHOTO=")


def test_attention_and_the_page_of_a_run_are_drawn_whatever_the_names(home, captioner, tmp_path):
    name = 'it\'s the $HOME of 개 & "co"'
    draw(tmp_path / name / f"{name}.png")
    places = {"CAPTIONER": captioner, "FEATURES": str(tmp_path / "features")}
    found = make(home, "attention", PHOTO=str(tmp_path / name / f"{name}.png"), **places)
    assert found.returncode == 0, found.stderr
    assert (home / "outputs" / "attention" / f"{name}.png").is_file()
    assert make(home, "caption", DIR=str(tmp_path / name), **places).returncode == 0
    page = home / "outputs" / name / "captions.html"
    for place in ({"OUT": f"outputs/{name}"}, {"DIR": str(tmp_path / name)}):
        assert make(home, "page", **place).returncode == 0
        assert html.escape(f"{name}.png") in page.read_text(encoding="utf-8")
        page.unlink()


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz draws them")
def test_the_layers_of_a_captioner_and_of_the_post_are_drawn(home, captioner, tmp_path):
    out = tmp_path / "it's 층.png"
    found = make(home, "structure", CAPTIONER=captioner, OUT=str(out))
    assert (found.returncode, out.is_file()) == (0, True)
    assert "1,813,268" in make(home, "structure", MODEL="merge").stdout


def test_without_graphviz_nothing_is_installed_to_draw_with_it(home, tmp_path):
    for name in ("Makefile", "locks"):
        (tmp_path / name).symlink_to(home / name)
    (tmp_path / "bin").mkdir()
    for name in ("make", "python3"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    found = make(tmp_path, "structure", PATH=str(tmp_path / "bin"))
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("pictures of models need Graphviz; run `apt install graphviz`")
    assert not (tmp_path / ".venv").exists()


STAMPS = [
    "demo",
    "train",
    "korean",
    "urls",
    "cluster",
    "storage",
    "openvino",
    "bench",
    "dev",
    "locks",
]


@pytest.mark.parametrize("stamp", STAMPS)
def test_what_is_installed_is_said_beforehand(home, stamp):
    lines = make(home, "--always-make", "-n", f".venv/.{stamp}").stdout.splitlines()
    steps = [line for line in lines if "setting up: " in line or "pip install" in line]
    assert len(steps) >= 2
    for said, done in zip(steps[::2], steps[1::2], strict=True):
        assert re.search(r"setting up: \w[^,]*, .*once", said)
        assert done.startswith(".venv/")
    assert steps[-1].endswith(f"requirements-{stamp}.txt")


def test_one_thing_is_installed_at_a_time_whatever_make_is_told(home, tmp_path):
    for name in ("Makefile", "locks"):
        (tmp_path / name).symlink_to(home / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / ".installed").touch()
    pip = tmp_path / ".venv" / "bin" / "pip"
    pip.write_text("#!/bin/sh\necho begins >> steps\nsleep 0.2\necho ends >> steps\n")
    pip.chmod(0o755)
    found = make(tmp_path, "korean", "storage", "cluster", MAKEFLAGS="-j4")
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "steps").read_text().split() == ["begins", "ends"] * 4


def test_a_training_needs_a_folder_too(home):
    corpus = [f"{name}=`touch pwned`" for name in ("CAPTIONS", "PHOTOS", "DEV_LIST")]
    found = make(home, "train", *corpus)
    assert found.stderr.startswith("give OUT=")
    assert (found.returncode, found.stdout) == (2, "")
    assert not list(home.rglob("pwned"))


@pytest.mark.parametrize("strict", ["STRICT=1", "STRICT=0"])
def test_captions_of_two_files_reach_a_training_and_strict_stops_it(home, tmp_path, strict):
    captions = {"CAPTIONS": tmp_path / "train $a.json", "DEV_CAPTIONS": tmp_path / "val b.json"}
    for path in captions.values():
        record = {"id": 1, "image_id": 1, "caption": "A dog"}
        image = {"id": 1, "file_name": "a.jpg"}
        path.write_text(json.dumps({"images": [image], "annotations": [record, {"caption": "A"}]}))
    given = [f"{name}={path}" for name, path in captions.items()]
    found = make(home, "train", *given, f"PHOTOS={tmp_path}", "OUT=o", strict)
    wrong = "the annotation at place 2 has no image_id"
    assert f"{captions['CAPTIONS']}: {wrong}" in found.stderr
    assert (f"{captions['DEV_CAPTIONS']}: {wrong}" in found.stderr) == (strict == "STRICT=0")
    assert found.returncode == 2


HOSTILE = 'it\'s  "my" $HOME $$x ${HOME} $(HOME) $(touch pwned) `touch pwned`; touch pwned #1 한글'


@pytest.fixture(params=["arguments", "environment"])
def ask(request, home):
    """Call make with settings on its command line or by the environment; nothing is executed."""

    def ask(goal: str, **settings: object) -> subprocess.CompletedProcess[str]:
        given = {name: str(value) for name, value in settings.items()}
        if request.param == "environment":
            found = make(home, goal, **given)
        else:
            found = make(home, goal, *(f"{name}={value}" for name, value in given.items()))
        assert not list(home.rglob("pwned"))
        return found

    return ask


def write_tokens(folder: Path) -> dict[str, Path]:
    """Write a token file of two photos and their lists, all with odd names, and the photos."""
    folder.mkdir()
    files = {name: folder / f"{name} {HOSTILE}" for name in ("CAPTIONS", "TRAIN_LIST", "DEV_LIST")}
    files["CAPTIONS"].write_text("a.png#0\tA dog runs .\nb.png#0\tA cat sits .\n")
    files["TRAIN_LIST"].write_text("a.png\n")
    files["DEV_LIST"].write_text("b.png\n")
    for number, name in enumerate("ab"):
        draw(folder / f"photos {HOSTILE}" / f"{name}.png", number)
    return files | {"PHOTOS": folder / f"photos {HOSTILE}"}


def test_the_settings_of_a_survey_are_passed_on_whatever_the_names(home, tmp_path, ask):
    files = write_tokens(tmp_path / HOSTILE)
    preset, out = (tmp_path / HOSTILE / f"{name} {HOSTILE}" for name in ("preset", "out"))
    recipe = json.loads((home / "recipes" / "flickr8k-en.json").read_text())
    sizes = {}
    for least in (1, 2):
        preset.write_text(json.dumps(recipe | {"min_count": least}))
        found = ask("corpus", **files, PRESET=preset, DESCRIPTIONS=out)
        assert (found.returncode, found.stderr) == (0, "")
        (sizes[least],) = re.findall(r"^vocabulary size +(\d+)$", found.stdout, re.MULTILINE)
    assert int(sizes[1]) == int(sizes[2]) + 3  # a dog runs
    assert out.read_text() == "a a dog runs\nb a cat sits"
    found = ask("corpus", **files, PRESET=preset, MODEL="merge")
    assert found.stderr.startswith(f"error: {preset} is of the model attention; leave out MODEL=")


def test_descriptions_are_not_written_among_the_photos(tmp_path, ask):
    files = write_tokens(tmp_path / HOSTILE)
    found = ask("corpus", **files, DESCRIPTIONS=files["PHOTOS"] / HOSTILE)
    assert found.stderr.startswith("error: DESCRIPTIONS is ")
    assert found.returncode == 2
    assert sorted(path.name for path in files["PHOTOS"].iterdir()) == ["a.png", "b.png"]


def test_the_settings_of_a_training_are_passed_on_whatever_the_names(tmp_path, captioner, ask):
    files = write_tokens(tmp_path / HOSTILE)
    glove, features, out, preset = (
        tmp_path / HOSTILE / f"{name} {HOSTILE}" for name in ("glove", "features", "out", "preset")
    )
    encoder = tmp_path / f"{HOSTILE}.weights.h5"
    glove.write_text("dog 1 2\n")
    shutil.copy(Path(captioner, "encoder.weights.h5"), encoder)
    places = {"FEATURES": features, "ENCODER": encoder, "OUT": out}
    found = ask("train", **files, **places, GLOVE=glove)
    assert f"error: {glove}, line 1: expected a word and " in found.stderr
    assert features.is_dir()
    found = ask("train", **files, **places, PRESET=preset)
    assert found.stderr.startswith(f"error: {preset}: not a training preset")
    found = ask("train", **files, **places, MODEL=HOSTILE)
    assert "error: MODEL=: invalid choice: " in found.stderr


def test_an_old_checkpoint_of_any_name_becomes_a_captioner(tmp_path, ask):
    source, out, encoder = (tmp_path / f"{name} {HOSTILE}" for name in ("from", "out", "encoder"))
    Tutorial.draw(said_captions(20, 30), 31, 6, 5).save(source)
    encoder.write_bytes(b"weights")
    found = ask("import-checkpoint", FROM=source, OUT=out, ENCODER=encoder)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(f"{source}: tutorial, en, ")
    config = json.loads((out / "config.json").read_text())
    assert Path(config["encoder"]).name == encoder.name


def test_the_captions_of_an_old_checkpoint_are_those_that_are_named(tmp_path, ask):
    files = write_tokens(tmp_path / HOSTILE)
    files["TRAIN_LIST"].write_text("nobody.png\n")
    source = tmp_path / f"{HOSTILE}.h5"
    source.touch()
    del files["PHOTOS"], files["DEV_LIST"]
    found = ask("import-checkpoint", FROM=source, OUT=tmp_path / "out", **files)
    told = f"{files['CAPTIONS']}: no caption of the photos that {files['TRAIN_LIST']} names"
    assert found.stderr.startswith(f"error: {told}")


def test_a_pickle_of_any_name_fills_the_cache_that_is_named(tmp_path, ask):
    source, photos, features, encoder = (
        tmp_path / f"{name} {HOSTILE}" for name in ("from", "photos", "features", "encoder")
    )
    draw(photos / "a.png")
    encoder.write_bytes(b"weights")
    source.write_bytes(pickle.dumps({"a.png": np.ones(2048, np.float32)}))
    settings = {"FROM": source, "PHOTOS": photos, "FEATURES": features}
    for more in ({}, {"ENCODER": encoder}):
        found = ask("import-features", **settings, **more)
        assert found.returncode == 0, found.stderr
        assert found.stdout.startswith(f"1 photo, 0 left out: {features}")
    assert len(list(features.iterdir())) == 2  # of vectors by two encoders


@pytest.mark.parametrize("goal", ["import-checkpoint", "import-features"])
def test_without_what_is_imported_the_usage_is_told(home, goal):
    found = make(
        home, goal, f"FEATURES={HOSTILE}" if goal == "import-features" else f"OUT={HOSTILE}"
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("give FROM= the file or folder to take in")


def test_a_pickle_needs_its_photos_and_a_survey_its_captions(home):
    assert make(home, "import-features", f"FROM={HOSTILE}").stderr.startswith("give PHOTOS= ")
    assert make(home, "corpus", f"PHOTOS={HOSTILE}").stderr.startswith("give CAPTIONS=")
    assert not list(home.rglob("pwned"))


FOLDERS = [
    "two words",
    "  three  words ",
    "it's mine",
    'the "best" ones',
    "$HOME",
    "$$HOME ${HOME} $(HOME)",
    "$(touch pwned)",
    "`touch pwned`",
    "a; touch pwned #",
    "a && touch pwned || b",
    "$(shell touch pwned)",
    "#1 of #2",
    "100% *?[a]",
    "back\\slash\\",
    "바닷가 사진",
    "cafe\u0301",
    "-n --limit",
    "a=b:c",
    "line\nfeed",
]


@pytest.mark.parametrize(
    ("name", "by_environment"),
    [*((name, False) for name in FOLDERS), *((name, True) for name in FOLDERS[4:12])],
)
def test_a_folder_of_any_name_is_that_folder_and_nothing_is_executed(
    home, tmp_path, captioner, name, by_environment
):
    draw(tmp_path / name / "a.png")
    draw(tmp_path / "a.png")
    named = {"DIR": str(tmp_path / name), "CAPTIONER": captioner, "OUT": str(tmp_path / f"o{name}")}
    if by_environment:
        found = make(home, "caption", "DRY_RUN=1", **named)
    else:
        found = make(home, "caption", "DRY_RUN=1", *(f"{k}={v}" for k, v in named.items()))
    assert (found.returncode, found.stderr) == (0, "")
    assert re.search(r"^photos found +1$", found.stdout, re.MULTILINE)
    assert not list(Path(home).rglob("pwned"))


@pytest.mark.parametrize("name", [FOLDERS[0], *FOLDERS[2:8], *FOLDERS[10:]])
def test_a_list_of_any_name_is_that_list_and_nothing_is_executed(home, tmp_path, captioner, name):
    (tmp_path / name).write_text("http://127.0.0.1:9/a.jpg\nhttp://127.0.0.1:9/b.jpg\n")
    asked = ["DRY_RUN=1", f"URLS={tmp_path / name}", f"CAPTIONER={captioner}"]
    found = make(home, "caption", *asked, f"OUT={tmp_path / 'out'}")
    assert (found.returncode, found.stderr) == (0, "")
    assert re.search(r"^photos found +2$", found.stdout, re.MULTILINE)
    assert not list(Path(home).rglob("pwned"))


def test_a_list_and_a_folder_at_once_are_refused(home, tmp_path, captioner):
    found = make(home, "caption", f"DIR={tmp_path}", "URLS=list.txt", f"CAPTIONER={captioner}")
    assert found.returncode == 2
    assert found.stderr.startswith("error: DIR=: not allowed with URLS=\nmake: ")


def test_urls_reach_the_rows_and_private_ones_are_refused_unless_allowed(home, tmp_path, captioner):
    (tmp_path / "list.txt").write_text("http://127.0.0.1:9/a.jpg\n")
    asked = ["caption", f"URLS={tmp_path / 'list.txt'}", f"CAPTIONER={captioner}"]
    asked += [f"OUT={tmp_path / 'out'}", f"FEATURES={tmp_path / 'features'}"]
    for options, status in (([], "denied"), (["ALLOW_PRIVATE=1"], "io")):
        assert "Error 3" in make(home, *asked, *options).stderr
        (row,) = read_records(tmp_path / "out" / "captions.parquet")
        assert (row.path, row.status) == ("http://127.0.0.1:9/a.jpg", status)


@pytest.mark.parametrize("name", ["DIR", "OUT", "FEATURES"])
def test_what_object_storage_takes_is_installed_where_a_place_is_there_and_else_not(home, name):
    paths = {"DIR": "/photos", "OUT": "/out", "FEATURES": "/features"}
    for place, takes in (("s3://bucket/a b", True), ("file:///a", False), ("/a", False)):
        found = make(home, "-n", "caption", **paths | {name: place})
        assert ("requirements-storage.txt" in found.stdout) == takes


def test_an_archive_in_a_bucket_is_captioned_whatever_its_name(home, captioner, bucket, tmp_path):
    (home / ".venv" / ".storage").touch()
    names = ["a.png", "바다 'it's' $(touch pwned).png"]
    for number, name in enumerate(names):
        bucket.put(f"my photos, 2024/{name}", photo(number))
    asked = [f"DIR={bucket.url}/my photos, 2024/", f"OUT={bucket.url}/results"]
    found = make(
        home,
        "caption",
        *asked,
        f"FEATURES={bucket.url}/features",
        f"CAPTIONER={captioner}",
        **{each: os.environ[each] for each in (*KEYS, "AWS_ENDPOINT_URL")},
    )
    (home / ".venv" / ".storage").unlink()
    assert found.returncode == 0, found.stderr
    (tmp_path / "look.parquet").write_bytes(bucket.read("results/captions.parquet"))
    assert [row.path for row in read_records(tmp_path / "look.parquet")] == names
    assert not list(home.rglob("pwned"))


def test_a_folder_named_like_an_option_is_a_folder(home, captioner):
    draw(home / "-x" / "a.png")
    found = make(home, "caption", "DIR=-x", f"CAPTIONER={captioner}", "DRY_RUN=1")
    assert (found.returncode, found.stderr) == (0, "")
    assert re.search(r"^photos found +1$", found.stdout, re.MULTILINE)


def test_results_may_be_named_like_an_option(home, tmp_path, captioner):
    draw(tmp_path / "photos" / "a.png")
    asked = ["caption", f"DIR={tmp_path / 'photos'}", f"CAPTIONER={captioner}", "INCLUDE=-*"]
    found = make(home, *asked, "OUT=--help")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == "0 photos, none found with INCLUDE=-*: --help/captions.csv\n"


def test_a_switch_that_is_off_is_off(home, tmp_path, captioner):
    (tmp_path / "photos").mkdir()
    asked = ["caption", f"DIR={tmp_path / 'photos'}", f"CAPTIONER={captioner}"]
    found = make(home, *asked, f"OUT={tmp_path / 'out'}", "DRY_RUN=0", "SHOW=")
    assert found.stdout.startswith("0 photos, none found: ")
    assert make(home, *asked, "DRY_RUN=yes").stdout.startswith("photos found")


def test_options_are_passed_on_whole(home, tmp_path, captioner):
    draw(tmp_path / "a b" / "x y.png")
    draw(tmp_path / "a b" / "z.png", 1)
    asked = ["caption", f"DIR={tmp_path / 'a b'}", f"CAPTIONER={captioner}", "DRY_RUN=1"]
    for options, number in ((["INCLUDE=x *"], 1), (["EXCLUDE=*.png"], 0), (["LIMIT=1"], 1)):
        found = make(home, *asked, *options)
        assert re.search(rf"^photos found +{number}$", found.stdout, re.MULTILINE), options


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("BEAMS=0", "BEAMS='0' is not a whole number from 1 on"),
        ("LIMIT=all", "LIMIT='all' is not a whole number from 1 on"),
        ("WORKERS=-1", "WORKERS='-1' is not a whole number from 1 on"),
        ("MAX_HOURS=long", "MAX_HOURS='long' is not a number of hours above 0"),
        ("TEMPERATURE=hot", "TEMPERATURE='hot' is not a number above 0, up to 100"),
        ("REVIEW=csv", "REVIEW=: invalid choice: 'csv' (choose from 'xlsx')"),
        ("EXISTING=overwite", "EXISTING=: invalid choice: 'overwite' (choose from "),
    ],
)
def test_a_wrong_value_is_told_in_one_line_by_the_name_that_was_typed(home, setting, told):
    found = make(home, "caption", "DIR=.", setting)
    told_lines = found.stderr.splitlines()
    assert (found.returncode, found.stdout, len(told_lines)) == (2, "", 2)
    assert told_lines[0].startswith(f"error: {told}")
    assert told_lines[1].startswith("make: *** ")


ODD = {
    "01 truncated.jpg": encoded(noise())[:2000],
    "02 text.jpg": b"Not a photo, only called one.\n",
    "03 cmyk.jpg": encoded(upright().convert("CMYK")),
    "04 rotated.jpg": turned(6),
    "05 phone.heic": encoded(upright(), "HEIF"),
    "06 animated.gif": encoded(
        noise(64, 64, 1), "GIF", save_all=True, append_images=[noise(64, 64, 2), noise(64, 64, 3)]
    ),
    "07 deep.png": encoded(grey16(np.linspace(0, 65535, 64 * 64).reshape(64, 64)), "PNG"),
    "08 dot.png": encoded(noise(1, 1), "PNG"),
    "09 new\nline.jpg": encoded(noise(40, 30, 9)),
    "10 한글 사진.jpg": encoded(noise(40, 30, 10)),
}
SHAPES = {
    "01 truncated.jpg": ("truncated", "JPEG", 96, 64, 1),
    "02 text.jpg": ("unreadable", None, None, None, None),
    "03 cmyk.jpg": ("captioned", "JPEG", 96, 64, 1),
    "04 rotated.jpg": ("captioned", "JPEG", 96, 64, 1),
    "05 phone.heic": ("captioned", "HEIF", 96, 64, 1),
    "06 animated.gif": ("captioned", "GIF", 64, 64, 3),
    "07 deep.png": ("captioned", "PNG", 64, 64, 1),
    "08 dot.png": ("captioned", "PNG", 1, 1, 1),
    "09 new\nline.jpg": ("captioned", "JPEG", 40, 30, 1),
    "10 한글 사진.jpg": ("captioned", "JPEG", 40, 30, 1),
}


@pytest.fixture(scope="module")
def odd(home, captioner, tmp_path_factory):
    """Caption the ten odd photos, in a folder with an odd name, into another one."""
    folder = tmp_path_factory.mktemp("odd") / 'it\'s "odd" $HOME $(touch pwned) `id` #1 한글'
    folder.mkdir()
    for name, data in ODD.items():
        (folder / name).write_bytes(data)
    before = state_of(folder)
    asked = ["caption", f"DIR={folder}", f"CAPTIONER={captioner}", "OUT=my $HOME results"]
    return folder, before, asked, make(home, *asked)


def test_ten_odd_photos_have_a_row_each_in_order(home, odd):
    folder, _, _, found = odd
    assert re.match(r"10 photos, 8 captioned in ", found.stdout), found.stderr
    assert "2 failed (1 truncated, 1 unreadable): my $HOME results/captions.csv" in found.stdout
    assert found.returncode == 2  # make's own; the program's is 3
    assert "Error 3" in found.stderr
    rows = read_records(home / "my $HOME results/captions.parquet")
    assert [row.raw_path for row in rows] == [photo.raw_path for photo in scan(str(folder))]
    assert {
        row.path: (row.status.value, row.format, row.width, row.height, row.frames) for row in rows
    } == SHAPES
    assert all(bool(row.caption) == (row.status == "captioned") for row in rows)
    assert all(bool(row.error) == (row.status != "captioned") for row in rows)


def test_the_photos_are_as_they_were_and_nothing_was_executed(home, odd):
    folder, before, _, _ = odd
    assert state_of(folder) == before
    assert not list(home.rglob("pwned"))


def test_a_second_run_says_that_nothing_is_new(home, odd):
    folder, before, asked, _ = odd
    results = [home / "my $HOME results" / f"captions.{kind}" for kind in ("parquet", "csv")]
    first = [path.read_bytes() for path in results]
    found = make(home, *asked)
    assert re.match(r"10 photos, nothing new, 2 failed", found.stdout)
    assert [path.read_bytes() for path in results] == first
    whole = make(home, *asked, "INCLUDE=0[3-8]*", "SHOW=1")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert len(whole.stdout.splitlines()) == 11
    assert [path.read_bytes() for path in results] == first
    assert state_of(folder) == before


def test_a_clean_up_leaves_captions_and_features(home, odd, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("Makefile", "requirements.txt", "requirements-base.txt"):
        shutil.copy(home / name, copy / name)
    (copy / ".venv").mkdir()
    (copy / "outputs").mkdir()
    (copy / "outputs" / "captions.csv").write_text("mine")
    assert make(copy, "clean").returncode == 0
    assert not (copy / ".venv").exists()
    assert (copy / "outputs" / "captions.csv").read_text() == "mine"
