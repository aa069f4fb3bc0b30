"""`make ranges` measures photos of a folder, and passes over what is none."""

from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

import batch.ranges
from batch.__main__ import main
from models.fingerprints import encoder_fingerprint
from models.ranges import Ranges, ranges_path
from tests.batch.archives import save_captioner, save_encoder


@pytest.fixture
def captioner(tmp_path, monkeypatch):
    """Give a captioner with an encoder of its own, for whose ranges few photos do."""
    monkeypatch.setattr(batch.ranges, "FEWEST", 3)
    return save_captioner(tmp_path / "own", encoder="encoder.weights.h5")


def test_ranges_are_measured_on_photos_and_written_beside_the_weights(archive, captioner, capsys):
    weights = save_encoder(captioner)
    archive.draw("a.png", "b/b.png", "b/c.png")
    (archive.root / "broken.jpg").write_bytes(b"no photo")
    assert main(["ranges", "--captioner", captioner, str(archive.root)]) == 0
    assert "the ranges of 3 photos" in capsys.readouterr().out
    found = Ranges.read(weights)
    assert found.encoder == encoder_fingerprint(captioner)
    assert 64 < found.largest[0] <= 127.5  # of pixels, whose middle is zero
    assert len({*found.largest}) > 40


def test_too_few_photos_are_refused_and_nothing_is_written(archive, captioner, capsys):
    weights = save_encoder(captioner)
    archive.draw("a.png", "b.png")
    assert main(["ranges", "--captioner", captioner, str(archive.root)]) == 1
    assert "2 photos are too few; 3 are enough" in capsys.readouterr().err
    assert not ranges_path(weights).exists()


def test_ranges_that_would_be_refused_when_read_are_not_written(archive, captioner, capsys):
    weights = save_encoder(captioner)
    for grey in range(3):
        Image.new("RGB", (40, 30), (grey,) * 3).save(archive.root / f"{grey}.png")
    assert main(["ranges", "--captioner", captioner, str(archive.root)]) == 1
    assert "of these photos, or of this encoder, no ranges come" in capsys.readouterr().err
    assert not ranges_path(weights).exists()


def test_an_encoder_among_the_photos_is_not_written_to(archive, captioner, capsys):
    save_encoder(captioner)
    assert main(["ranges", "--captioner", captioner, str(Path(captioner).parent)]) == 1
    assert "inside the photo folder" in capsys.readouterr().err


@pytest.mark.parametrize("number", [0, 1, 511, 700, 1023, 9999])
def test_photos_are_taken_from_all_over_an_archive(number):
    chosen = batch.ranges._some(range(number))
    assert len(chosen) == min(number, 512)
    edges = [-1, *chosen, number]
    steps = [after - before for before, after in pairwise(edges)]
    assert max(steps) <= number // 512 + 1
