"""A captioner's layers are printed as a table and drawn as a picture."""

import re
import shutil
import signal
import sys

import numpy as np
import pytest
from PIL import Image

from batch.__main__ import main
from batch.errors import ArchiveError
from batch.structure import draw_structure
from models.errors import CheckpointError, MissingExtraError

needs_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz draws them")


@pytest.fixture(autouse=True)
def own_signals():
    """Take back the handler that every command sets."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Give the table a terminal that is wide enough."""
    monkeypatch.setenv("COLUMNS", "112")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "pictures" / "layers.png"


def is_drawn(path):
    with Image.open(path) as image:
        return image.format == "PNG" and np.asarray(image.convert("L")).std() > 20


@needs_graphviz
def test_the_model_of_2017_is_printed_and_drawn_without_a_captioner(out):
    table = draw_structure(None, str(out))
    rows = dict(re.findall(r"^│ (\w+) \(\w+\) .*? (\d[\d,]*) │", table, re.MULTILINE))
    assert {name: rows[name] for name in ("embedding", "photo", "lstm", "merged", "words")} == {
        "embedding": "330,400",
        "photo": "524,544",
        "lstm": "467,968",
        "merged": "65,792",
        "words": "424,564",
    }
    assert "Total params: 1,813,268" in table
    assert is_drawn(out)
    assert list(out.parent.iterdir()) == [out]


@needs_graphviz
def test_a_captioners_own_layers_are_shown_by_their_names(out, captioner_folder):
    table = draw_structure(captioner_folder, str(out))
    for name in ("features", "projection", "attend_score", "embedding", "gru", "logits"):
        assert re.search(rf"^│ {name} \(", table, re.MULTILINE)
    assert is_drawn(out)


@needs_graphviz
def test_the_command_prints_the_table_and_where_the_picture_is(out, capsys):
    assert main(["structure", "--model", "merge", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "1,813,268" in said
    assert said.splitlines()[-1] == str(out)
    assert is_drawn(out)


@needs_graphviz
def test_by_default_pictures_go_to_outputs(tmp_path, monkeypatch, captioner_folder):
    monkeypatch.chdir(tmp_path)
    assert main(["structure", "--captioner", captioner_folder]) == 0
    assert main(["structure", "--model", "merge"]) == 0
    names = sorted(path.name for path in (tmp_path / "outputs" / "structure").iterdir())
    assert names == ["merge.png", "tiny.png"]


def test_without_graphviz_the_error_says_what_to_install(out, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ArchiveError, match="apt install graphviz"):
        draw_structure(None, str(out))
    assert not out.exists()


@needs_graphviz
def test_without_pydot_the_error_says_what_to_install(out, monkeypatch):
    monkeypatch.setattr(sys.modules["keras.src.utils.model_visualization"], "pydot", None)
    with pytest.raises(MissingExtraError, match=r"pydot is not installed.*requirements-train"):
        draw_structure(None, str(out))
    assert not out.exists()


def test_a_folder_that_is_no_captioners_is_told(out, tmp_path):
    with pytest.raises(CheckpointError, match=r"is .* a captioner's folder"):
        draw_structure(str(tmp_path), str(out))


def test_a_captioner_and_a_model_cannot_both_be_meant(capsys):
    with pytest.raises(SystemExit) as end:
        main(["structure", "--model", "merge", "--captioner", "flickr8k-en"])
    assert end.value.code == 2
    assert "not allowed with" in capsys.readouterr().err
