"""The encoder gives what Keras' InceptionV3 gives, whichever file its weights come from."""

import importlib
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from models.checkpoint import save_variables
from models.encoder import FEATURES, GRID, IMAGE_SIZE, build_encoder, load_encoder_weights, tune
from models.errors import CheckpointError

REAL = (
    Path(__file__).parents[2].parent / "shared" / "data" / "weights" / "inception_v3_imagenet.npz"
)
LAYERS = 94  # convolutions, each with its batch normalisation


@pytest.fixture(scope="module")
def pixels():
    """Three photos: noise, stripes, and discs before a grainy sky."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (IMAGE_SIZE, IMAGE_SIZE, 3))
    down, across = np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE]
    sky = across[..., None] * np.array([0.8, 0.4, 0.2])
    stripes = np.where((down // 16 % 2)[..., None], sky, 255 - sky)
    scene = sky + noise / 16
    for _ in range(6):
        top, left, radius = rng.integers(20, 280, 3)
        disc = (down - top) ** 2 + (across - left) ** 2 < (radius / 3) ** 2
        scene[disc] = rng.integers(0, 200, 3) + noise[disc] / 8
    return np.stack([noise, stripes, scene]).astype(np.uint8)


@pytest.fixture(scope="module")
def original():
    """Keras' own InceptionV3, its weights and its moving statistics random but sane."""
    model = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3)
    )
    rng = np.random.default_rng(1)
    for weight in model.weights:
        width = np.prod(weight.shape[:-1])
        values = {
            "kernel": lambda shape, width=width: rng.normal(0, np.sqrt(2 / width), shape),
            "beta": lambda shape: rng.normal(0.1, 0.2, shape),
            "moving_mean": lambda shape: rng.normal(0, 0.3, shape),
            "moving_variance": lambda shape: rng.uniform(0.4, 2.5, shape),
        }
        weight.assign(values[weight.name](weight.shape))
    return model


@pytest.fixture(scope="module")
def files(original, tmp_path_factory):
    """Write the same weights as a file of Keras' own kind and as an npz."""
    folder = tmp_path_factory.mktemp("weights")
    paths = {"h5": str(folder / "inception_v3_notop.h5"), "npz": str(folder / "inception.npz")}
    with h5py.File(paths["h5"], "w") as file:
        save_weights_to_hdf5_group(file, original)
    np.savez(paths["npz"], **arrays_of(original))
    return paths


def arrays_of(model):
    """Name the arrays as the npz does: by the order in which Keras made the layers."""
    arrays = {}
    for kind in ("conv2d", "batch_normalization"):
        layers = {
            int(layer.name.removeprefix(kind).strip("_") or 0): layer
            for layer in model.layers
            if layer.name.startswith(kind)
        }
        assert len(layers) == LAYERS
        for number, made in enumerate(sorted(layers), 1):
            for weight in layers[made].weights:
                arrays[f"{kind}_{number}/{weight.name}"] = np.asarray(weight)
    return arrays


@pytest.fixture(scope="module")
def expected(original, pixels):
    """Give what Keras makes of the photos, scaled as its preprocessing says."""
    scaled = keras.applications.inception_v3.preprocess_input(pixels.astype(np.float32))
    return np.asarray(original(scaled, training=False))


@pytest.fixture(scope="module")
def encoder(files):
    """Make an encoder that holds Keras' weights, from the file of Keras' kind."""
    model = build_encoder()
    load_encoder_weights(model, files["h5"])
    return model


@pytest.fixture
def blank(encoder):
    """Lend the same encoder with all weights zero; it gets back what it had."""
    kept = [np.asarray(weight) for weight in encoder.weights]
    for weight in encoder.weights:
        weight.assign(np.zeros(weight.shape))
    yield encoder
    for weight, value in zip(encoder.weights, kept, strict=True):
        weight.assign(value)


def assert_same_features(found, expected):
    """Folding changes the order of rounding, nothing more."""
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max(), rtol=1e-3)


def test_bytes_of_photos_become_grids_of_features(encoder, pixels):
    assert encoder.input_shape == (None, IMAGE_SIZE, IMAGE_SIZE, 3)
    assert encoder.inputs[0].dtype == "uint8"
    features = encoder.predict_on_batch(pixels[:2])
    assert features.shape == (2, GRID, GRID, FEATURES)
    assert features.dtype == np.float32


def test_folded_weights_give_what_keras_gives_with_batch_normalisation(encoder, pixels, expected):
    assert_same_features(encoder.predict_on_batch(pixels), expected)


def test_no_batch_normalisation_is_left_to_train(encoder):
    assert len(encoder.trainable_weights) == len(encoder.weights) == 2 * LAYERS
    assert sum(int(np.prod(weight.shape)) for weight in encoder.weights) == 21_768_352


def test_an_npz_of_the_same_weights_gives_the_same_features(blank, files, pixels, expected):
    load_encoder_weights(blank, files["npz"])
    assert_same_features(blank.predict_on_batch(pixels), expected)


def test_our_own_file_gives_the_same_features_within_half_precision(
    blank, files, pixels, expected, tmp_path
):
    path = tmp_path / "encoder.weights.h5"
    load_encoder_weights(blank, files["npz"])
    save_variables(blank.weights, path, half=True)
    for weight in blank.weights:
        weight.assign(np.zeros(weight.shape))
    load_encoder_weights(blank, str(path))
    assert distance(blank.predict_on_batch(pixels), expected) < 0.01
    assert path.stat().st_size < 50_000_000


def test_imagenet_asks_keras_for_the_weights_without_top(
    blank, files, pixels, expected, monkeypatch
):
    asked = []

    def get_file(name, origin, **_):
        asked.append((name, origin))
        return files["h5"]

    module = importlib.import_module(keras.applications.InceptionV3.__module__)
    monkeypatch.setattr(module.file_utils, "get_file", get_file)
    load_encoder_weights(blank, "imagenet")
    ((name, origin),) = asked
    assert name.endswith("_notop.h5")
    assert origin.endswith(name)
    assert_same_features(blank.predict_on_batch(pixels), expected)


def test_a_failed_download_is_a_checkpoint_error(encoder, monkeypatch):
    def get_file(*_, **__):
        raise OSError("URL fetch failure")

    module = importlib.import_module(keras.applications.InceptionV3.__module__)
    monkeypatch.setattr(module.file_utils, "get_file", get_file)
    with pytest.raises(CheckpointError, match=r"downloaded \(URL fetch failure\).* give ENCODER="):
        load_encoder_weights(encoder, "imagenet")


def test_the_place_of_a_photo_in_its_batch_does_not_change_its_features(encoder, pixels):
    features = encoder.predict_on_batch(pixels)
    for order in ([2, 0, 1], [1, 1, 0], [0, 2, 2]):
        np.testing.assert_array_equal(encoder.predict_on_batch(pixels[order]), features[order])
    bound = 1e-5 * np.abs(features).max()
    np.testing.assert_allclose(encoder.predict_on_batch(pixels[1:2])[0], features[1], atol=bound)


def distance(found, expected):
    """Relative L2 distance."""
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def assert_close_in_bfloat16(single, half):
    assert half.dtype.name == "bfloat16"
    for found, expected in zip(half.astype(np.float32), single, strict=True):
        assert distance(found, expected) < 0.1
        assert np.sum(found * expected) / np.linalg.norm(found) / np.linalg.norm(expected) > 0.99


@pytest.fixture(scope="module")
def bfloat16_encoder():
    return build_encoder(bfloat16=True)


def test_bfloat16_features_are_close_to_those_of_float32(bfloat16_encoder, files, pixels, expected):
    load_encoder_weights(bfloat16_encoder, files["npz"])
    assert_close_in_bfloat16(expected, bfloat16_encoder.predict_on_batch(pixels))
    assert {weight.dtype for weight in bfloat16_encoder.weights} == {"float32"}


@pytest.mark.skipif(not REAL.exists(), reason="ImageNet's weights are not beside the repository")
def test_bfloat16_features_are_close_with_imagenet_weights(bfloat16_encoder, blank, pixels):
    for model in (blank, bfloat16_encoder):
        load_encoder_weights(model, str(REAL))
    single = blank.predict_on_batch(pixels)
    half = bfloat16_encoder.predict_on_batch(pixels)
    assert_close_in_bfloat16(single, half)
    assert len({photo.tobytes() for photo in single}) == 3


def test_tuning_can_be_left_to_the_upper_layers(bfloat16_encoder):
    def trained():
        return sorted(
            int(w.path.split("/")[0].removeprefix("conv2d_"))
            for w in bfloat16_encoder.trainable_weights
            if w.name == "kernel"
        )

    tune(bfloat16_encoder, "mixed5")
    assert trained() == list(range(51, LAYERS + 1))
    tune(bfloat16_encoder)
    assert trained() == list(range(1, LAYERS + 1))
    with pytest.raises(ValueError, match="mixed99"):
        tune(bfloat16_encoder, "mixed99")


def refuses(encoder, path):
    """Load a file that is no good and return what is said."""
    with pytest.raises(CheckpointError) as caught:
        load_encoder_weights(encoder, str(path))
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.npz", "encoder.weights.h5", "a_notop.h5"])
def test_a_missing_file_is_named_with_what_to_give_instead(encoder, tmp_path, name):
    assert "give 'imagenet' or the path" in refuses(encoder, tmp_path / name)


@pytest.mark.parametrize("name", ["a.npz", "encoder.weights.h5", "a_notop.h5", "a.ckpt"])
def test_a_file_of_another_kind_is_named(encoder, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"<html>404</html>")
    refuses(encoder, path)


@pytest.mark.parametrize("name", ["a.npz", "encoder.weights.h5"])
def test_an_empty_file_is_named(encoder, tmp_path, name):
    path = tmp_path / name
    path.touch()
    refuses(encoder, path)


@pytest.mark.parametrize("share", [0.001, 0.5, 0.9999])
def test_a_truncated_npz_is_named(encoder, files, tmp_path, share):
    path = tmp_path / "cut.npz"
    whole = Path(files["npz"]).read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refuses(encoder, path)


def test_a_damaged_npz_is_named(encoder, tmp_path):
    path = tmp_path / "flipped.npz"
    np.savez_compressed(path, **{"conv2d_1/kernel": np.random.default_rng(0).normal(size=5000)})
    data = bytearray(path.read_bytes())
    data[3000:3100] = bytes(100)
    path.write_bytes(data)
    refuses(encoder, path)


def test_an_array_named_npz_is_named(encoder, tmp_path):
    path = tmp_path / "array.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    refuses(encoder, path)


def test_an_npz_that_holds_code_is_refused_unread(encoder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "trap.npz"
    np.savez(path, **{"conv2d_1/kernel": np.array([Trap()], object)})
    refuses(encoder, path)
    assert not (tmp_path / "sprung").exists()


def test_an_npz_without_a_layer_is_named(encoder, files, tmp_path):
    with np.load(files["npz"]) as file:
        arrays = {name: file[name] for name in file.files if name != "conv2d_94/kernel"}
    path = tmp_path / "shallow.npz"
    np.savez(path, **arrays)
    assert "conv2d_94/kernel" in refuses(encoder, path)


@pytest.mark.parametrize("kept", [1, -1], ids=["that numpy would stretch", "too short"])
@pytest.mark.parametrize("name", ["conv2d_7/kernel", "batch_normalization_7/beta"])
def test_an_npz_with_another_shape_is_named(encoder, files, tmp_path, name, kept):
    with np.load(files["npz"]) as file:
        arrays = dict(file)
    arrays[name] = arrays[name][..., :kept]
    path = tmp_path / "narrow.npz"
    np.savez(path, **arrays)
    assert "narrow.npz" in refuses(encoder, path)


def test_our_own_file_with_another_shape_is_named(encoder, tmp_path):
    path = tmp_path / "encoder.weights.h5"
    save_variables(encoder.weights, path, half=True)
    with h5py.File(path, "a") as file:
        del file["conv2d_3/bias"]
        file["conv2d_3/bias"] = np.zeros(5)
    assert "conv2d_3/bias" in refuses(encoder, path)
