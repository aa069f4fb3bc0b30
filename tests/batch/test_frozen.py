"""The encoder of runs, by TensorFlow or OpenVINO, gives what the captioner's Keras model gives."""

import sys
from shutil import copytree

import h5py
import numpy as np
import pytest

from batch import frozen
from batch.config import SETTINGS
from batch.errors import ArchiveError
from batch.frozen import FrozenEncoder, load_encoder
from manifests.durable import write_json
from models import captioner
from models.encoder import IMAGE_SIZE, read_encoder_weights
from models.errors import CheckpointError, MissingExtraError
from models.fingerprints import encoder_fingerprint
from models.inference import Weights, largest_inputs, place
from models.ranges import Ranges, ranges_path
from tests.batch.archives import save_captioner, save_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make a captioner's folder that has an encoder of random weights."""
    made = tmp_path_factory.mktemp("captioners") / "whole"
    folder = save_captioner(made, encoder="encoder.weights.h5")
    save_encoder(folder)
    return folder


@pytest.fixture(autouse=True)
def unasked(monkeypatch):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def pixels():
    """Three photos: noise, black, white."""
    noise = np.random.default_rng(0).integers(0, 256, (IMAGE_SIZE, IMAGE_SIZE, 3))
    return np.stack([noise, 0 * noise, 0 * noise + 255]).astype(np.uint8)


@pytest.fixture(scope="module")
def expected(folder, pixels):
    """Give the features of the Keras model."""
    return captioner.load_encoder(folder).predict_on_batch(pixels)


def far(found, expected):
    """Relative L2 distance."""
    return np.linalg.norm(found.astype(np.float32) - expected) / np.linalg.norm(expected)


def check(encoder, pixels, expected, bound):
    """Encode batches of several sizes; each photo has its own features."""
    for some in (slice(0, 3), slice(2, 3), slice(0, 2), slice(0, 3)):
        features = encoder.predict_on_batch(pixels[some])
        assert features.dtype == np.float16
        assert far(features, expected[some]) < bound


@pytest.mark.parametrize(("bfloat16", "bound"), [(False, 5e-4), (True, 0.05)])
def test_the_graph_gives_what_keras_gives(folder, pixels, expected, bfloat16, bound):
    encoder = load_encoder(folder, bfloat16=bfloat16)
    assert isinstance(encoder, FrozenEncoder)
    check(encoder, pixels, expected, bound)


@pytest.mark.parametrize(("bfloat16", "bound"), [(False, 5e-4), (True, 0.05)])
def test_so_does_openvino(folder, pixels, expected, bfloat16, bound, monkeypatch):
    pytest.importorskip("openvino", reason="OpenVINO is not installed (make openvino)")
    monkeypatch.setenv("ENCODER_BACKEND", "openvino")
    encoder = load_encoder(folder, bfloat16=bfloat16)
    assert type(encoder).__name__ == "OpenVinoEncoder"
    check(encoder, pixels, expected, bound)


@pytest.fixture
def in_bytes(folder, pixels, tmp_path, monkeypatch):
    """Give the folder of a captioner whose encoder has its ranges, and ask for 8 bits."""
    monkeypatch.setenv("PRECISION", "int8")
    copy = str(copytree(folder, tmp_path / "captioner"))
    weights = f"{copy}/encoder.weights.h5"
    tensors = place(Weights(read_encoder_weights(weights), weights), "float32")
    largest = np.max(largest_inputs(pixels, tensors), axis=0).tolist()
    write_json(ranges_path(weights), Ranges(encoder_fingerprint(copy), 3, largest).as_json())
    return copy


def test_in_8_bits_features_are_near_those_of_float32(in_bytes, pixels, expected):
    pytest.importorskip("openvino", reason="OpenVINO is not installed (make openvino)")
    check(load_encoder(in_bytes), pixels, expected, 0.1)


def test_8_bits_without_ranges_are_refused_with_the_remedy(folder, monkeypatch):
    monkeypatch.setenv("PRECISION", "int8")
    with pytest.raises(CheckpointError, match=r"int8 needs it; `make ranges CAPTIONER=… DIR=…`"):
        load_encoder(folder)


def test_8_bits_are_not_tensorflow_s(in_bytes, monkeypatch):
    monkeypatch.setenv("ENCODER_BACKEND", "tensorflow")
    with pytest.raises(ArchiveError, match="leave ENCODER_BACKEND=tensorflow out"):
        load_encoder(in_bytes)


def test_a_gpu_runs_the_keras_model(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(frozen, "has_gpu", lambda: True)
    monkeypatch.setattr(captioner, "load_encoder", lambda *_, bfloat16: asked.append(bfloat16))
    load_encoder(folder, bfloat16=True)
    assert asked == [True]


def test_openvino_that_is_not_there_is_named_with_the_remedy(folder, monkeypatch):
    monkeypatch.setenv("ENCODER_BACKEND", "openvino")
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "batch.openvino_encoder", raising=False)
    with pytest.raises(MissingExtraError, match="run make openvino"):
        load_encoder(folder)


def test_a_backend_that_nobody_knows_is_named(folder, monkeypatch):
    monkeypatch.setenv("ENCODER_BACKEND", "abacus")
    with pytest.raises(ArchiveError, match="abacus: give tensorflow or openvino"):
        load_encoder(folder)


def test_an_encoder_of_another_network_is_named(folder, tmp_path):
    copytree(folder, tmp_path / "other")
    with h5py.File(tmp_path / "other" / "encoder.weights.h5", "a") as file:
        del file["conv2d_3/bias"]
        file["conv2d_3/bias"] = np.zeros(5)
    with pytest.raises(CheckpointError, match=r"encoder.weights.h5: conv2d_3/bias is \(5,\)"):
        load_encoder(str(tmp_path / "other"))
