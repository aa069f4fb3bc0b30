"""Weights of the 2017 post's model predict through our graph what they predict through its own."""

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from models.captioner import Captioner
from models.errors import CheckpointError
from models.legacy_h5 import import_post, read_layers
from models.legacy_words import PostWords
from models.vocabulary import START
from tests.data import shared
from tests.models.conftest import fill

LENGTH, EMBEDDING, UNITS = 9, 6, 16


def captions(words=20):
    """Make captions of enough words; each comes ten times or more, but for the rare ones."""
    names = [f"word{chr(97 + number)}" for number in range(words)]
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(names, 5)) for _ in range(8 * words)]
    return [f"A {text} rare{chr(97 + n)} , 3 !" for n, text in enumerate(texts[:9])] + texts


ROWS = 23  # 20 words, startseq, endseq, padding


def post_model(rows=ROWS, length=LENGTH, photo=2048):
    """Build the post's functional model, as it does."""
    layers = keras.layers
    photo = keras.Input((photo,))
    seen = layers.Dense(UNITS, activation="relu")(layers.Dropout(0.5)(photo))
    words = keras.Input((length,))
    embedded = layers.Dropout(0.5)(layers.Embedding(rows, EMBEDDING, mask_zero=True)(words))
    heard = layers.LSTM(UNITS)(embedded)
    merged = layers.Dense(UNITS, activation="relu")(layers.add([seen, heard]))
    model = keras.Model([photo, words], layers.Dense(rows, activation="softmax")(merged))
    fill(model.weights, 3)
    return model


def write_keras_2(model, path, inside=None):
    """Write the file that Keras 2's save_weights writes; `inside` a group, as its save does."""
    numbers = {}
    with h5py.File(path, "w") as file:
        root = file.create_group(inside) if inside else file
        names = []
        for layer in model.layers:
            kind = {"InputLayer": "input", "Add": "add"}.get(
                type(layer).__name__, type(layer).__name__.lower()
            )
            numbers[kind] = numbers.get(kind, 0) + 1
            names.append(f"{kind}_{numbers[kind]}".encode())
            group = root.create_group(names[-1])
            cell = f"{kind}_{numbers[kind]}/lstm_cell" if kind == "lstm" else names[-1].decode()
            weights = [
                (f"{cell}/{variable.name}:0", np.asarray(variable))
                for variable in layer.weights
                if variable.dtype == "float32"
            ]
            group.attrs["weight_names"] = np.array([name.encode() for name, _ in weights], "S")
            for name, array in weights:
                group.create_dataset(name, data=array)
        root.attrs["layer_names"] = names
        root.attrs["backend"] = b"tensorflow"
        if inside:
            file.attrs["model_config"] = b'{"class_name": "Lambda", "config": "os.system"}'
    return str(path)


def keras_2_weights(model, folder):
    return write_keras_2(model, folder / "weights.h5")


def keras_2_model(model, folder):
    return write_keras_2(model, folder / "model.h5", "model_weights")


def keras_3_model(model, folder):
    model.save(folder / "model.h5")
    return str(folder / "model.h5")


@pytest.mark.parametrize("write", [keras_2_weights, keras_2_model, keras_3_model])
def test_each_next_word_is_as_probable_as_in_the_posts_own_model(write, tmp_path):
    model = post_model()
    path = write(model, tmp_path)
    import_post(path, captions(), "old", "imagenet").save(str(tmp_path / "new"), half=False)
    captioner = Captioner.load(str(tmp_path / "new"))
    rows = PostWords.count(captions(), ROWS).rows
    random = np.random.default_rng(1)
    photos = random.random((4, 2048)).astype(np.float32)
    tokens = random.integers(3, ROWS, (4, 1, LENGTH)).astype(np.int32)
    tokens[..., 0] = START
    (logits,) = captioner.decoder((photos, tokens))
    ours = np.asarray(keras.ops.softmax(logits))[:, 0]
    for place in range(LENGTH):
        padded = np.zeros((4, LENGTH), np.int32)  # to the left, as the post's pad_sequences
        padded[:, LENGTH - place - 1 :] = rows[tokens[:, 0, : place + 1]]
        theirs = model.predict([photos, padded], verbose=0)[:, rows]
        np.testing.assert_allclose(ours[:, place], theirs, atol=1e-5)


def test_captions_are_those_of_the_posts_greedy_search(tmp_path):
    model = post_model()
    captioner = import_post(keras_2_weights(model, tmp_path), captions(), "old", "imagenet")
    words = dict(enumerate(captioner.vocabulary.words))
    rows = PostWords.count(captions(), ROWS).rows
    photos = np.random.default_rng(2).random((6, 2048)).astype(np.float32)
    for photo, caption in zip(photos, captioner.caption(photos), strict=True):
        said = [START]
        for place in range(captioner.config.search.max_length):
            padded = np.zeros((1, LENGTH), np.int32)
            padded[0, LENGTH - len(said) :] = rows[said]
            predicted = keras.ops.convert_to_numpy(model([photo[None], padded]))[0, rows]
            predicted[[0, START]] = -1
            predicted[2] *= place > 0
            said.append(int(predicted.argmax()))
            if said[-1] == 2:
                break
        assert caption.text.lower().rstrip(".").split() == [words[i] for i in said[1:] if i != 2]


def test_sizes_words_and_search_come_from_the_files(tmp_path):
    config = import_post(
        keras_2_weights(post_model(), tmp_path), captions(), "old", "imagenet"
    ).config
    sizes = config.decoder
    assert (sizes.vocabulary_size, sizes.embedding, sizes.units) == (ROWS, EMBEDDING, UNITS)
    assert (config.architecture, config.tokenizer, config.language) == ("merge", "post-2017", "en")
    assert (config.search.num_beams, config.search.max_length) == (1, 8)


# Words


def test_words_are_numbered_as_they_are_first_seen():
    words = PostWords.count(["A dog runs", "two dogs run", "dog ! 2 b"], 8)
    assert words.words == ("<pad>", "<start>", "<end>", "dog", "runs", "two", "dogs", "run")
    assert words.rows.tolist() == [0, 1, 4, 2, 3, 5, 6, 7]


def test_the_threshold_is_ten_or_what_the_tables_ask_for():
    texts = captions()
    assert len(PostWords.count(texts, 23).words) == 23
    assert len(PostWords.count(texts, 32).words) == 32  # with the nine rare ones
    with pytest.raises(ValueError, match="have 24 rows, and the captions make 23 of words"):
        PostWords.count(texts, 24)


def test_an_empty_word_has_a_row_that_is_left_out():
    """The post splits at single spaces: a caption cleaned to nothing holds a word of no letters."""
    words = PostWords.count(["a dog"] * 10 + ["a"] * 10, 5)
    assert words.words == ("<pad>", "<start>", "<end>", "dog")
    assert words.rows.tolist() == [0, 1, 3, 2]


def test_the_words_of_the_post_come_out_of_flickr8k():
    from batch.corpora.flickr8k import training_captions

    text = shared("flickr8k/text")
    files = (str(text / "Flickr8k.token.txt"), str(text / "Flickr_8k.trainImages.txt"))
    words = PostWords.count(training_captions(*files), 1652)
    first = "startseq child in pink dress is climbing up set of stairs an way endseq girl going"
    order = np.argsort(words.rows)[1:17]
    spelled = [words.words[place] for place in order]
    markers = {"<start>": "startseq", "<end>": "endseq"}
    assert [markers.get(word, word) for word in spelled] == first.split()
    assert len(words.words) == 1652
    assert words.longest == 34


# Other files


@pytest.mark.parametrize("content", [b"", b"no hdf5", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_weights_file_is_told(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.h5: not weights that Keras wrote"):
        import_post(str(tmp_path / "a.h5"), captions(), "old", "imagenet")


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_torn_file_is_told(tmp_path, share):
    path = Path(keras_2_weights(post_model(), tmp_path))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match="copied anew"):
        import_post(str(path), captions(), "old", "imagenet")


def test_another_model_is_told_with_what_it_holds(tmp_path):
    model = keras.Sequential([keras.Input((2048,)), keras.layers.Dense(5)])
    with pytest.raises(CheckpointError, match=r"hold \[\[\(2048, 5\), \(5,\)\]\]"):
        import_post(keras_3_model(model, tmp_path), captions(), "old", "imagenet")


def test_the_weights_of_vgg_s_captioner_are_told(tmp_path):
    path = write_keras_2(post_model(photo=4096), tmp_path / "vgg.h5")
    with pytest.raises(CheckpointError, match=r"\(4096, \d+\)"):
        import_post(path, captions(), "old", "imagenet")


def test_weights_that_are_no_numbers_are_told(tmp_path):
    model = post_model()
    model.weights[0].assign(np.full(model.weights[0].shape, np.nan))
    with pytest.raises(CheckpointError, match="holds numbers that are none"):
        import_post(keras_2_weights(model, tmp_path), captions(), "old", "imagenet")


def test_captions_of_another_corpus_are_told_with_both_numbers(tmp_path):
    path = keras_2_weights(post_model(), tmp_path)
    with pytest.raises(CheckpointError, match=r"have 23 rows.*make 17 .*give CAPTIONS="):
        import_post(path, captions(14), "old", "imagenet")


def test_layers_are_read_in_the_order_of_the_model(tmp_path):
    model = post_model()
    expected = [layer.get_weights() for layer in model.layers if layer.get_weights()]
    for write in (keras_2_weights, keras_2_model, keras_3_model):
        found = read_layers(write(model, tmp_path))
        assert [[a.shape for a in layer] for layer in found] == [
            [a.shape for a in layer if a.dtype == np.float32] for layer in expected if layer[0].ndim
        ]
