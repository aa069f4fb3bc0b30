"""Weights come back as they were, or it is said which file is wrong and what to do."""

import random

import h5py
import numpy as np
import pytest
from keras import Variable

from models.checkpoint import (
    load_state,
    load_variables,
    read_arrays,
    read_progress,
    save_state,
    save_variables,
)
from models.errors import CheckpointError
from tests.models.conftest import TINY, fill, tiny_decoder


def values(variables):
    return [np.asarray(variable) for variable in variables]


@pytest.fixture
def saved(decoder, tmp_path):
    """Save the weights of a decoder in half precision."""
    path = tmp_path / "decoder.weights.h5"
    save_variables(decoder.weights, path, half=True)
    return path


@pytest.fixture
def state():
    """Make what a training carries: weights, moments, and whole numbers beyond half precision."""
    return [
        Variable(np.linspace(-1, 1, 12).reshape(3, 4), name="kernel"),
        Variable(np.full((3, 4), 1e-9), name="velocity"),
        Variable(100_003, dtype="int64", name="iteration"),
        Variable([4_000_000_001, 7], dtype="uint32", name="seed"),
    ]


def blank(state):
    return [Variable(np.zeros(v.shape), dtype=v.dtype, name="other") for v in state]


def refuses(load, path, *said):
    with pytest.raises(CheckpointError) as caught:
        load()
    for part in (str(path), *said):
        assert part in str(caught.value)


def test_weights_come_back_as_they_were(decoder, tmp_path):
    path = tmp_path / "decoder.weights.h5"
    save_variables(decoder.weights, path, half=False)
    other = tiny_decoder(seed=5)
    load_variables(other.weights, path)
    for before, after in zip(values(decoder.weights), values(other.weights), strict=True):
        np.testing.assert_array_equal(after, before)


def test_half_precision_halves_the_file_and_keeps_three_digits(decoder, saved, tmp_path):
    whole = tmp_path / "whole.weights.h5"
    save_variables(decoder.weights, whole, half=False)
    assert saved.stat().st_size < 0.75 * whole.stat().st_size
    other = tiny_decoder(seed=5)
    load_variables(other.weights, saved)
    for before, after in zip(values(decoder.weights), values(other.weights), strict=True):
        assert after.dtype == np.float32
        np.testing.assert_array_equal(after, before.astype(np.float16))
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-6)


def test_whole_numbers_are_not_halved(tmp_path):
    path = tmp_path / "a.weights.h5"
    save_variables([Variable(100_003, dtype="int64", name="count")], path, half=True)
    assert read_arrays(path)["count"] == 100_003


def test_weights_are_found_by_name_whatever_their_order(decoder, saved):
    other = tiny_decoder(seed=5)
    load_variables(other.weights[::-1], saved)
    np.testing.assert_allclose(other.hidden.kernel, decoder.hidden.kernel, rtol=1e-3, atol=1e-6)


def test_a_file_holds_arrays_and_nothing_else(saved):
    kinds = set()

    def collect(name, node):
        assert not node.attrs, name
        if isinstance(node, h5py.Dataset):
            kinds.add(node.dtype.kind)

    with h5py.File(saved) as file:
        assert not file.attrs
        file.visititems(collect)
    assert kinds == {"f"}


def test_a_missing_file_is_named(decoder, tmp_path):
    path = tmp_path / "none.weights.h5"
    refuses(lambda: load_variables(decoder.weights, path), path, "copy the file again")


def test_a_missing_variable_is_named(decoder, saved):
    with h5py.File(saved, "a") as file:
        del file["gru/recurrent_kernel"]
    load = lambda: load_variables(decoder.weights, saved)  # noqa: E731
    refuses(load, saved, "gru/recurrent_kernel", "another version")


def test_a_group_in_the_place_of_a_variable_is_named(decoder, saved):
    with h5py.File(saved, "a") as file:
        del file["gru/bias"]
        file.create_group("gru/bias")
    refuses(lambda: load_variables(decoder.weights, saved), saved, "gru/bias")


def test_a_misshaped_variable_is_named_with_both_shapes(decoder, saved):
    with h5py.File(saved, "a") as file:
        del file["logits/bias"]
        file["logits/bias"] = np.zeros(99, np.float16)
    load = lambda: load_variables(decoder.weights, saved)  # noqa: E731
    refuses(load, saved, "logits/bias", "(99,)", f"({TINY.vocabulary_size},)", "one captioner")


@pytest.mark.parametrize(
    "content", [np.array([b"rm -rf"] * 12), np.zeros(12, [("a", "f4")])], ids=["text", "records"]
)
def test_a_variable_that_holds_no_numbers_is_named(decoder, saved, content):
    with h5py.File(saved, "a") as file:
        del file["logits/bias"]
        file["logits/bias"] = content
    refuses(lambda: load_variables(decoder.weights, saved), saved, "logits/bias", "no numbers")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x89HDF\r\n\x1a\n"])
def test_a_file_that_is_not_hdf5_is_named(decoder, tmp_path, content):
    path = tmp_path / "page.weights.h5"
    path.write_bytes(content)
    refuses(lambda: load_variables(decoder.weights, path), path, "copy the file again")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(decoder, saved, share):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    refuses(lambda: load_variables(decoder.weights, saved), saved, "copy the file again")


def test_damage_anywhere_is_a_checkpoint_error_or_goes_unseen_in_the_numbers(decoder, saved):
    """HDF5's own structures break in many ways; none may come out as anything else."""
    whole, chance, refused = saved.read_bytes(), random.Random(0), 0
    other = tiny_decoder(seed=5)
    for _ in range(150):
        damaged, place = bytearray(whole), chance.randrange(len(whole))
        damaged[place : place + 64] = bytes(64)
        saved.write_bytes(damaged)
        try:
            load_variables(other.weights, saved)
        except CheckpointError as error:
            assert str(saved) in str(error)
            refused += 1
    assert refused > 20


def test_a_state_comes_back_whole_with_its_progress(state, tmp_path):
    path = tmp_path / "state.h5"
    save_state(state, path, '{"step": 7, "note": "\u00e9"}')
    other = blank(state)
    load_state(other, path)
    for before, after in zip(values(state), values(other), strict=True):
        assert after.dtype == before.dtype
        np.testing.assert_array_equal(after, before)
    assert read_progress(path) == '{"step": 7, "note": "\u00e9"}'


def test_a_state_is_taken_up_by_place_as_names_differ_between_processes(state, tmp_path):
    path = tmp_path / "state.h5"
    save_state(state, path, "")
    assert sorted(read_arrays(path)) == ["00000", "00001", "00002", "00003"]


def test_the_state_of_another_training_is_refused(state, tmp_path):
    path = tmp_path / "state.h5"
    save_state(state, path, "")
    fewer = blank(state)[:-1]
    refuses(lambda: load_state(fewer, path), path, "another training", "start a new one")
    wider = [Variable(np.zeros((3, 5)), name="kernel"), *blank(state)[1:]]
    refuses(lambda: load_state(wider, path), path, "(3, 4)", "(3, 5)")


def test_progress_of_a_file_that_is_no_state_is_refused(saved, tmp_path):
    refuses(lambda: read_progress(saved), saved, "not a training state")
    page = tmp_path / "page.h5"
    page.write_bytes(b"<html>")
    refuses(lambda: read_progress(page), page, "not a training state")


def test_loading_leaves_other_variables_as_they_were(decoder, saved):
    other = tiny_decoder(seed=5)
    fill([other.logits.bias], seed=8)
    kept = np.asarray(other.logits.bias)
    load_variables([other.logits.kernel], saved)
    np.testing.assert_array_equal(other.logits.bias, kept)
