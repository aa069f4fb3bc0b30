"""The curve of a training can be read as a table and seen as a picture."""

import csv
import os
import sys

import numpy as np
import pytest
from PIL import Image

from batch import curves
from batch.curves import write_curves

HISTORY = [
    {"phase": 1, "step": 187, "loss": 3.1, "BLEU-4": 12.5, "ROUGE-L": 40.0, "CIDEr": 31.2},
    {"phase": 1, "step": 374, "loss": 2.7, "BLEU-4": 15.1, "ROUGE-L": 42.0, "CIDEr": 40.9},
    {"phase": 2, "step": 187, "loss": 2.4, "BLEU-4": 18.4, "ROUGE-L": 44.3, "CIDEr": 50.3},
]


def table(folder):
    with (folder / "curve.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_row_a_pass_with_all_that_was_noted(tmp_path):
    write_curves(HISTORY, str(tmp_path))
    rows = table(tmp_path)
    assert [row["pass"] for row in rows] == ["1", "2", "3"]
    assert list(rows[0]) == ["pass", *HISTORY[0]]
    assert [row["CIDEr"] for row in rows] == ["31.2", "40.9", "50.3"]


def test_a_row_with_other_columns_leaves_cells_empty(tmp_path):
    write_curves([{"phase": 1, "loss": 3.0}, HISTORY[1]], str(tmp_path))
    assert [row["CIDEr"] for row in table(tmp_path)] == ["", "40.9"]


def test_the_picture_shows_loss_and_scores_with_a_line_between_phases(tmp_path):
    figure = curves._draw(HISTORY)
    losses, scores = figure.axes
    cider, bleu = scores.lines
    assert list(cider.get_ydata()) == [31.2, 40.9, 50.3]
    assert list(bleu.get_ydata()) == [12.5, 15.1, 18.4]
    loss, between = losses.lines
    assert list(loss.get_xdata()) == [1, 2, 3]
    assert list(loss.get_ydata()) == [3.1, 2.7, 2.4]
    assert list(between.get_xdata()) == [2.5, 2.5]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["loss", "CIDEr", "BLEU-4"]


def test_the_picture_is_a_png_with_something_on_it(tmp_path):
    write_curves(HISTORY, str(tmp_path))
    with Image.open(tmp_path / "curve.png") as image:
        assert (image.format, image.size) == ("PNG", (1200, 675))
        assert np.asarray(image.convert("L")).std() > 5


def test_the_same_history_gives_the_same_files_and_leaves_nothing_else(tmp_path):
    write_curves(HISTORY, str(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_curves(HISTORY, str(tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert sorted(before) == ["curve.csv", "curve.png"]


def test_a_single_pass_is_drawn(tmp_path):
    write_curves(HISTORY[:1], str(tmp_path))
    assert (tmp_path / "curve.png").stat().st_size > 0


def test_before_the_first_pass_nothing_is_written(tmp_path):
    write_curves([], str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_table_is_written_and_the_log_says_what_to_install(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    write_curves(HISTORY, str(tmp_path))
    assert len(table(tmp_path)) == 3
    assert not (tmp_path / "curve.png").exists()
    assert "pip install matplotlib" in caplog.text


def test_a_failure_leaves_the_curve_of_the_pass_before(tmp_path, monkeypatch):
    write_curves(HISTORY[:2], str(tmp_path))

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_curves(HISTORY, str(tmp_path))
    assert len(table(tmp_path)) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_the_captioners_name_stands_above_whatever_its_letters():
    figure = curves._draw(HISTORY, "a $captioner$")
    figure.canvas.draw()
    title = figure.axes[0].title
    assert title.get_text() == "a $captioner$"
    assert not title.get_window_extent().overlaps(figure.legends[0].get_window_extent())


def test_without_a_font_for_the_name_the_table_is_written_and_the_log_says_what_to_install(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", list)
    write_curves(HISTORY, str(tmp_path), "사진 설명")
    assert len(table(tmp_path)) == 3
    assert not (tmp_path / "curve.png").exists()
    assert "apt install fonts-noto-cjk" in caplog.text
