"""The TensorFlow tutorial's way, "Image captioning with visual attention".

First all photos are encoded, 16 at a time: the whole JPEG decoded by TensorFlow, Keras' InceptionV3
called on the batch, each photo's features saved as a file of NumPy. Then a photo at a time: its
features are loaded, and a Python loop takes the likeliest word after each word, each an eager call
of the decoder. The networks are the captioner's, so that the captions are as long as ours.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from batch.quiet import start_tensorflow
from benchmarks.bench.encoders import inception_v3
from benchmarks.bench.way import Task, Work

BATCH = 16


def caption_photos(task: Task) -> Work:
    """Make ready to caption photos."""
    start_tensorflow()
    from models.captioner import Captioner

    captioner = Captioner.load(task.captioner)
    model = inception_v3(task.captioner)

    def run(paths: list[str]) -> int:
        _save_features(paths, model, task.work)
        return sum(bool(_caption(_saved(path, task.work), captioner)) for path in paths)

    run(task.paths[:1])
    return partial(run, task.paths)


def _save_features(paths: list[str], model: Any, folder: str) -> None:
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(paths)
    dataset = dataset.map(_load_image, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH)
    for images, names in dataset:
        features = model(images)
        cells = tf.reshape(features, (features.shape[0], -1, features.shape[3]))
        for photo, name in zip(cells, names, strict=True):
            np.save(_features_file(name.numpy().decode(), folder), photo.numpy())


def _load_image(path: Any) -> tuple[Any, Any]:
    import keras
    import tensorflow as tf

    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    image = tf.image.resize(image, (299, 299))
    return keras.applications.inception_v3.preprocess_input(image), path


def _caption(features: np.ndarray, captioner: Any) -> str:
    from models.vocabulary import END, START

    decoder = captioner.decoder
    locations, keys, state = decoder.look(features[None])
    state, token, words = state[:, None], START, []
    for _ in range(captioner.config.search.max_length):
        embedded = decoder.embedding(np.array([[token]]))
        state, context, _ = decoder.step(embedded, state, locations, keys)
        token = int(np.argmax(decoder.predict_words(state, context, embedded)))
        words.append(token)
        if token == END:
            break
    return " ".join(map(str, words))


def _saved(path: str, folder: str) -> np.ndarray:
    features: np.ndarray = np.load(_features_file(path, folder))
    return features


def _features_file(path: str, folder: str) -> Path:
    return Path(folder, Path(path).name).with_suffix(".npy")
