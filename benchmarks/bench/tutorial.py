"""The TensorFlow tutorial's way, "Image captioning with visual attention", as its `evaluate` does.

A photo at a time: the whole JPEG decoded by TensorFlow, Keras' InceptionV3 called on it alone, and
a Python loop that takes the likeliest word after each word, each an eager call of the decoder. The
networks are the captioner's, so that the captions are as long as ours. (For its training the
tutorial encodes 16 photos at a time, and keeps each one's features in a file of its own.)
"""

from functools import partial
from typing import Any

import numpy as np

from batch.quiet import start_tensorflow
from benchmarks.bench.encoders import inception_v3
from benchmarks.bench.way import Task, Work


def caption_photos(task: Task) -> Work:
    """Make ready to caption photos."""
    start_tensorflow()
    from models.captioner import Captioner

    captioner = Captioner.load(task.captioner)
    model = inception_v3(task.captioner)

    def run(paths: list[str]) -> int:
        return sum(bool(_caption(model(_load_image(path)), captioner)) for path in paths)

    run(task.paths[:1])
    return partial(run, task.paths)


def _load_image(path: str) -> Any:
    import keras
    import tensorflow as tf

    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    image = tf.image.resize(image, (299, 299))
    return tf.expand_dims(keras.applications.inception_v3.preprocess_input(image), 0)


def _caption(features: Any, captioner: Any) -> str:
    from models.vocabulary import END, START

    decoder = captioner.decoder
    locations, keys, state = decoder.look(features)
    state, token, words = state[:, None], START, []
    for _ in range(captioner.config.search.max_length):
        embedded = decoder.embedding(np.array([[token]]))
        state, context, _ = decoder.step(embedded, state, locations, keys)
        token = int(np.argmax(decoder.predict_words(state, context, embedded)))
        words.append(token)
        if token == END:
            break
    return " ".join(map(str, words))
