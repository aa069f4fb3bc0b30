"""Captioners and weights made to do harm: nothing runs, no other file is read, no flood."""

import json
import os
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

from models import encoder as encoder_module
from models import legacy
from models.captioner import Captioner, CaptionerConfig
from models.checkpoint import load_variables, read_arrays
from models.encoder import load_encoder_weights
from models.errors import CheckpointError
from models.fingerprints import captioner_fingerprint, captioner_signature, encoder_fingerprint
from models.legacy_h5 import read_layers
from tests.hostile import bounded


@pytest.fixture
def other(tmp_path):
    """Write weights that are somebody's secret."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = np.ones(4, np.float32)
    return path


def external_link(file, other):
    file["kernel"] = h5py.ExternalLink(str(other), "/kernel")


def link_of_a_group(file, other):
    file["layer"] = h5py.ExternalLink(str(other), "/")


def soft_link(file, other):
    file["kernel"] = h5py.SoftLink("/elsewhere")


def external_storage(file, other):
    file.create_dataset("kernel", (4,), "f4", external=[(str(other), 0, 16)])


def virtual_dataset(file, other):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(str(other), "kernel", shape=(4,))
    file.create_virtual_dataset("kernel", layout)


def a_group_in_itself(file, other):
    file["group/group"] = file.create_group("group") if "group" not in file else file["group"]


def numbers_that_are_not_there(file, other):
    file.create_dataset("kernel", (1 << 27,), "f4", chunks=(1 << 20,))


def numbers_that_unpack_to_far_more(file, other):
    file.create_dataset(
        "kernel", (1 << 24,), "f4", chunks=(1 << 20,), compression="gzip", fillvalue=1
    )
    file["kernel"][:] = 0


def more_numbers_than_any_model(file, other):
    file.create_dataset("kernel", (1 << 40,), "f4", chunks=(1 << 20,))


HDF5 = [
    *(external_link, link_of_a_group, soft_link, external_storage, virtual_dataset),
    *(a_group_in_itself, numbers_that_are_not_there, numbers_that_unpack_to_far_more),
    more_numbers_than_any_model,
]
READERS = {
    "a captioner's": lambda path: load_variables(
        [keras.Variable(np.zeros(4), name="kernel")], path
    ),
    "a state's": read_arrays,
    "the post's": lambda path: read_layers(str(path)),
    "Keras' encoder": lambda path: load_encoder_weights(None, str(path)),
}


@pytest.mark.parametrize("write", HDF5, ids=lambda write: write.__name__)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_weights_that_are_not_in_their_file_are_refused_unread(tmp_path, other, write, read):
    path = tmp_path / "hostile.h5"
    with h5py.File(path, "w") as file:
        write(file, other)
    assert path.stat().st_size < 1 << 21
    with bounded(100), pytest.raises(CheckpointError, match="hostile"):
        read(path)


def test_numbers_packed_by_a_plugin_are_refused(tmp_path):
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_chunk((4,))
        layout.set_filter(40_000, h5py.h5z.FLAG_OPTIONAL, (1,))
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"kernel", h5py.h5t.NATIVE_FLOAT, space, layout)
    with pytest.raises(CheckpointError, match="not known here"):
        read_arrays(path)


def test_weights_of_another_shape_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = np.zeros(1 << 24, np.float32)
    with bounded(30), pytest.raises(CheckpointError, match="asks for"):
        load_variables([keras.Variable(np.zeros(4), name="kernel")], path)


LAMBDA = {
    "class_name": "Sequential",
    "config": {
        "layers": [
            {
                "class_name": "Lambda",
                "config": {"function": {"class_name": "__lambda__", "config": {"code": "harm"}}},
            }
        ]
    },
}


@pytest.fixture
def tripwire(monkeypatch):
    """Fail wherever Keras would make a model of a file's configuration."""
    for name in ("load_model", "model_from_json"):
        monkeypatch.setattr(keras.models, name, lambda *_, **__: pytest.fail("a model was loaded"))
    monkeypatch.setattr(keras.layers.Lambda, "from_config", lambda *_: pytest.fail("a Lambda"))
    monkeypatch.setattr(
        keras.saving, "deserialize_keras_object", lambda *_, **__: pytest.fail("it")
    )


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_the_model_in_a_file_of_keras_is_never_made(tmp_path, tripwire, read):
    path = tmp_path / "whole.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(LAMBDA)
        file.attrs["training_config"] = json.dumps({"loss": "harm"})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"lambda"]
        group.create_group("lambda").attrs["weight_names"] = [b"a"]
        group["lambda/a"] = np.zeros(3, np.float32)
    try:
        read(path)
    except CheckpointError:
        return
    assert read in (READERS["a state's"], READERS["the post's"])  # arrays, and nothing else


@pytest.mark.parametrize("name", ["model.keras", "model.weights", "model"])
def test_a_keras_archive_is_no_encoder_whatever_it_holds(tmp_path, tripwire, name):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(LAMBDA))
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(CheckpointError, match="InceptionV3"):
        load_encoder_weights(None, str(path))


def test_an_npz_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(encoder_module, "LARGEST_NPZ", 1 << 20)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **{"conv2d_1/kernel": np.zeros(1 << 20, np.float32)})
    with bounded(30), pytest.raises(CheckpointError, match="unpacks"):
        load_encoder_weights(None, str(path))


@pytest.fixture
def folder(captioner_folder, tmp_path):
    """Copy a captioner, to be spoilt."""
    return shutil.copytree(captioner_folder, tmp_path / "hostile")


def change(folder, **values):
    path = folder / "config.json"
    found = json.loads(path.read_text("utf-8"))
    for name, value in values.items():
        place, _, key = name.rpartition("__")
        (found[place] if place else found)[key] = value
    path.write_text(json.dumps(found), "utf-8")
    return str(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"decoder__units": 10**9},
        {"decoder__embedding": 10**9},
        {"decoder__vocabulary_size": 10**12},
        {"decoder__units": 50_000, "decoder__projection": 50_000},
        {"decoder__units": 2**70},
        {"search__num_beams": 10**6},
        {"search__max_length": 10**9},
        {"language": "../../../etc"},
        {"language": "en\x1b[31m"},
        {"architecture": "__import__"},
        {"tokenizer": "os.system"},
    ],
    ids=str,
)
def test_a_configuration_beyond_any_captioner_is_refused_before_memory_is_taken(folder, values):
    with bounded(200), pytest.raises(CheckpointError, match="hostile"):
        Captioner.load(change(folder, **values))


@pytest.mark.parametrize(
    "encoder", ["../../../../etc/passwd", "/etc/passwd", "/dev/zero", "secret"]
)
def test_an_encoder_that_is_no_weights_file_is_told_and_not_shown(folder, encoder):
    (folder / "secret").symlink_to("/etc/passwd")
    change(folder, encoder=encoder)
    config = CaptionerConfig.read(str(folder))
    with pytest.raises(CheckpointError) as caught:
        load_encoder_weights(None, config.encoder_weights(str(folder)))
    assert "root:" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.txt", "confidence.json"])
@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b"1e999999", b"\xff\xfe\x00", b"a\n" * 10_000_000, None],
    ids=["nested", "a huge number", "no text", "endless", "a pipe"],
)
def test_small_files_of_a_captioner_are_read_within_limits(folder, name, content):
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_bytes(content) if content else os.mkfifo(path)
    with bounded(200):
        for read in (Captioner.load, captioner_signature, encoder_fingerprint):
            if read is Captioner.load or name == "config.json":
                with pytest.raises(CheckpointError, match="hostile"):
                    read(str(folder))


def test_links_in_a_captioner_s_folder_give_nothing_away(folder):
    for name in ("vocabulary.txt", "decoder.weights.h5"):
        (folder / name).unlink()
        (folder / name).symlink_to("/etc/passwd")
    with pytest.raises(CheckpointError) as caught:
        Captioner.load(str(folder))
    assert "root:" not in str(caught.value)
    assert len(captioner_fingerprint(str(folder))) == 16


class Shapes:
    """Stands in for a checkpoint that claims shapes."""

    def __init__(self, **sizes):
        self.sizes = {"features": 2048, "one": 1, "biases": 2, "embedding": 8, "units": 8} | {
            "inputs": 16, "gates": 24, "rows": 12, "hidden": 8, "attention": 8,
        } | sizes  # fmt: skip

    def get_variable_to_shape_map(self):
        return {
            name + "/.ATTRIBUTES/VARIABLE_VALUE": [self.sizes[each] for each in dimensions]
            for name, dimensions in legacy._SHAPES.items()
        }


def test_a_checkpoint_that_claims_more_than_any_is_refused_unread(monkeypatch):
    monkeypatch.setattr(legacy, "_open", lambda prefix: Shapes())
    assert legacy.read_sizes("ckpt-1").units == 8
    monkeypatch.setattr(legacy, "_open", lambda prefix: Shapes(rows=10**9))
    with pytest.raises(CheckpointError, match="larger than any"):
        legacy.read_sizes("ckpt-1")
