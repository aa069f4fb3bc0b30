"""Caption photos as the TensorFlow tutorial does, to compare with.

One photo at a time: the whole JPEG decoded by TensorFlow, Keras' InceptionV3 through
`model.predict`, then a Python loop over words, each an eager call of the decoder, the likeliest
word taken. The decoder is that of the captioner given, so that both ways run the same network.

    python -m benchmarks.tutorial_way FOLDER [--captioner FOLDER]
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from batch.config import CAPTIONER, captioner_folder
from models.captioner import Captioner
from models.vocabulary import END, START


def encode(path: str, model: keras.Model) -> Any:
    """Decode, resize and encode one photo."""
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    image = keras.applications.inception_v3.preprocess_input(tf.image.resize(image, (299, 299)))
    return model.predict(image[None], verbose=0)


def caption(features: np.ndarray, captioner: Captioner) -> str:
    """Take the likeliest word after each word, one eager step at a time."""
    decoder = captioner.decoder
    locations, keys, state = decoder.look(features)
    state, token, words = state[:, None], START, []
    for _ in range(captioner.config.search.max_length):
        embedded = decoder.embedding(np.array([[token]]))
        state, context, _ = decoder.step(embedded, state, locations, keys)
        token = int(np.argmax(decoder.predict_words(state, context, embedded)))
        if token == END:
            break
        words.append(token)
    return captioner.vocabulary.decode(words)


def main() -> None:
    """Caption a folder's JPEG files and print the rate, once the first one has warmed it up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--captioner", default=CAPTIONER)
    options = parser.parse_args()
    captioner = Captioner.load(captioner_folder(options.captioner))
    # Random weights take the same time, and need no download.
    model = keras.applications.InceptionV3(include_top=False, weights=None)
    photos = sorted(Path(options.folder).glob("*.jpg"))
    caption(encode(str(photos[0]), model), captioner)
    start = time.monotonic()
    for photo in photos:
        caption(encode(str(photo), model), captioner)
    print(f"{len(photos) / (time.monotonic() - start):.2f}")


if __name__ == "__main__":
    main()
