"""Captioners of one start become one, the mean of their weights; others are refused."""

from dataclasses import replace

import numpy as np
import pytest

from models.captioner import ENCODER_FILE, Captioner, encoder_fingerprint, weights_fingerprint
from models.checkpoint import save_variables
from recipes.average import main
from tests.models.test_captioner import SAID, make, tiny_encoder


@pytest.fixture
def average(tmp_path, monkeypatch):
    def average(*captioners, encoders=(0, 0)):
        for number, captioner in enumerate(captioners):
            own = captioner.config.encoder == ENCODER_FILE
            encoder = tiny_encoder(encoders[number]) if own else None
            captioner.save(str(tmp_path / str(number)), encoder, half=False)
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
    assert found.config == replace(first.config, name="out")
    encoder = "encoder.weights.h5"
    assert (out / encoder).read_bytes() == (out.parent / "0" / encoder).read_bytes()


def test_an_encoder_that_was_named_elsewhere_comes_along(average, tmp_path):
    shared = tmp_path / "shared.h5"
    save_variables(tiny_encoder().weights, shared, half=True)
    elsewhere = make()
    seen = weights_fingerprint(str(shared))
    elsewhere.config = replace(elsewhere.config, encoder=str(shared), seen_through=seen)
    out = average(elsewhere)
    shared.unlink()
    assert encoder_fingerprint(str(out)) == seen


def test_captioners_of_other_encoders_are_refused(average, capsys):
    with pytest.raises(SystemExit):
        average(make(), make(), encoders=(0, 1))
    assert "different encoders" in capsys.readouterr().err


def test_captioners_of_other_words_are_refused(average, capsys):
    with pytest.raises(SystemExit):
        average(make(), make(words=SAID[::-1]))
    assert "different words" in capsys.readouterr().err
