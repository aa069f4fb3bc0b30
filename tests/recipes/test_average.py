"""Captioners of one start become one, the mean of their weights; others are refused."""

import numpy as np
import pytest

from models.captioner import Captioner
from recipes.average import main
from tests.models.test_captioner import SAID, make, tiny_encoder


@pytest.fixture
def average(tmp_path, monkeypatch):
    def average(*captioners):
        for number, captioner in enumerate(captioners):
            captioner.save(str(tmp_path / str(number)), tiny_encoder(), half=False)
        folders = [str(tmp_path / str(number)) for number in range(len(captioners))]
        monkeypatch.setattr("sys.argv", ["average", *folders, "--out", str(tmp_path / "out")])
        main()
        return tmp_path / "out"

    return average


def test_the_weights_are_the_mean_and_the_rest_is_the_firsts(average):
    first, second = make(seed=1), make(seed=2)
    means = [
        (np.asarray(one) + np.asarray(two)) / 2
        for one, two in zip(first.decoder.weights, second.decoder.weights, strict=True)
    ]
    out = average(first, second)
    found = Captioner.load(str(out))
    for mean, weight in zip(means, found.decoder.weights, strict=True):
        np.testing.assert_allclose(np.asarray(weight), mean, rtol=1e-3, atol=1e-4)
    assert found.config == first.config
    encoder = "encoder.weights.h5"
    assert (out / encoder).read_bytes() == (out.parent / "0" / encoder).read_bytes()


def test_captioners_of_other_words_are_refused(average, capsys):
    with pytest.raises(SystemExit):
        average(make(), make(words=SAID[::-1]))
    assert "different words" in capsys.readouterr().err
