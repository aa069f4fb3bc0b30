"""No command leaves a trace among the photos, unless it is asked to write there."""

import pickle
import shutil

import numpy as np
import pytest

import batch.scene
import batch.train
from batch.__main__ import COMMANDS, main
from tests.batch.archives import state_of
from tests.batch.reviewers import Sheet
from tests.batch.test_train import fill, small_encoder

PHOTOS = [f"{number:02}.png" for number in range(30)]
OUT, ARCHIVE = ["--out", "{out}"], ["--features", "{features}", "--captioner", "{captioner}"]
CORPUS = ["--captions", "{home}/token.txt", "--photos", "{root}", "--features", "{features}"]
LISTS = ["--train-list", "{home}/train.txt", "--dev-list", "{home}/dev.txt"]
SMALL = (
    '{"name": "tiny", "min_count": 1, "embedding": 4, "projection": 6, "attention": 4, "units": 8, '
    '"photos_a_step": 8, "phases": [{"passes": 1, "rate": 0.01}]}'
)

# What each command is asked for, and the exit code it ends with.
ASKED: dict[str, tuple[list[str], int]] = {
    "caption": ([*ARCHIVE, *OUT, "--existing", "overwrite", "{root}"], 3),
    "features": ([*ARCHIVE, "{root}"], 3),
    "cron": ([*ARCHIVE, *OUT, "{root}"], 0),
    "status": ([*OUT, "{root}"], 0),
    "verify": ([*OUT, "--deep", "--repair", "--captioner", "{captioner}"], 0),
    "prune": ([*ARCHIVE[:2], *OUT, "--yes"], 0),
    "review": (["--features", "{features}", *OUT], 0),
    "merge-review": ([*OUT, "{home}/review.csv"], 0),
    "undo-merge": (OUT, 0),
    "sample": ([*OUT, "--count", "5"], 0),
    "ungroup": ([*OUT, "--photo", "00.png"], 0),
    "gallery": (["--features", "{features}", *OUT], 0),
    "export": ([*OUT, "--to", "xmp", "--into", "{home}/sidecars", "--machine"], 0),
    "import-captions": ([*OUT, "--name", "blip", "{home}/theirs.csv"], 0),
    "recaption": ([*ARCHIVE, *OUT], 0),
    "learn": ([*ARCHIVE, *OUT], 1),  # too few reviews
    "train": ([*CORPUS, *LISTS, "--preset", "{home}/small.json", "--out", "{home}/trained"], 0),
    "evaluate": ([*CORPUS, *LISTS[2:], *ARCHIVE[2:], "--out", "{home}/scores"], 0),
    "calibrate": ([*CORPUS, *LISTS[2:], *ARCHIVE[2:]], 1),  # too few photos
    "scene": ([*CORPUS, *LISTS, *ARCHIVE[2:]], 0),
    "ranges": (["--captioner", "{captioner}", "{root}"], 1),  # its encoder is no file
    "corpus": ([*CORPUS[:4], *LISTS, "--descriptions", "{home}/descriptions.txt"], 0),
    "attention": ([*ARCHIVE, "--out", "{home}/attention.png", "{root}/00.png"], 0),
    "page": (OUT, 0),
    "import-features": ([*CORPUS[2:], "{home}/theirs.pkl"], 0),
}
APART = {"import-checkpoint", "structure"}  # they are given no photos


@pytest.fixture
def gallery(tmp_path, archive, fake_encoder, monkeypatch):
    """Caption thirty photos and a broken one, and write what commands are given."""
    archive.draw(*PHOTOS)
    (archive.root / "broken.jpg").write_bytes(b"no photo")
    archive.captioner = str(shutil.copytree(archive.captioner, tmp_path / "own"))
    write = {
        "token.txt": "".join(f"{name}#0\ta dog runs on the grass\n" for name in PHOTOS),
        "train.txt": "\n".join(PHOTOS[:24]),
        "dev.txt": "\n".join(PHOTOS[24:]),
        "theirs.csv": "path,caption\n00.png,a fox\n",
        "small.json": SMALL,
    }
    for name, text in write.items():
        (tmp_path / name).write_text(text)
    vectors = {name: np.full(2048, number / 64, "<f4") for number, name in enumerate(PHOTOS)}
    (tmp_path / "theirs.pkl").write_bytes(pickle.dumps(vectors))
    for name, value in {"ENOUGH": 20, "ODD": 4, "EACH": 2, "FOLDS": 2}.items():
        monkeypatch.setattr(batch.scene, name, value)
    monkeypatch.setattr(batch.train, "build_encoder", small_encoder)
    monkeypatch.setattr(batch.train, "load_encoder_weights", fill)
    return archive


@pytest.mark.slow
def test_every_command_leaves_the_photos_as_they_were(gallery, tmp_path, capsys):
    before = state_of(gallery.root)
    places = {"home": tmp_path, **vars(gallery)}
    for command, (asked, code) in ASKED.items():
        arguments = [part.format(**places) for part in asked]
        assert main([command, *arguments]) == code, (command, capsys.readouterr().err)
        assert state_of(gallery.root) == before, command
        if command == "caption":
            Sheet(gallery).write("01.png", caption="my own words").save("review.csv")


def test_no_command_is_forgotten():
    commands = {function.__name__.replace("_", "-") for function in COMMANDS}
    assert commands == ASKED.keys() | APART
