"""Decoders as functional Keras models, for their summary and their picture."""

import keras

from models.attention_decoder import AttentionDecoder
from models.captioner import CaptionerConfig, make_decoder
from models.encoder import FEATURES, GRID
from models.merge_decoder import MergeConfig
from models.tutorial_decoder import TutorialDecoder

POST_2017 = MergeConfig(vocabulary_size=1652)
POST_2017_LENGTH = 34
"""The sizes of the 2017 post: the words and the longest caption of Flickr8k as it was cleaned."""


def structure_of(config: CaptionerConfig) -> keras.Model:
    """Build the functional model of a captioner's decoder, untrained.

    Of the merge architecture the whole, of the others one step of a search.
    """
    if isinstance(config.decoder, MergeConfig):
        return merge_model(config.decoder, config.search.max_length + 2)  # <start> and <end>
    return one_step(make_decoder(config))


def merge_model(config: MergeConfig, length: int) -> keras.Model:
    """Build the 2017 post's model: a pooled photo and `length` tokens in, the next word out.

    Tokens are padded in front with 0, as pad_sequences does. With the weights of a MergeDecoder it
    gives the probabilities of its logits.
    """
    layers = keras.layers
    pooled = keras.Input((FEATURES,), name="features")
    seen = layers.Dropout(config.dropout, name="photo_dropout")(pooled)
    seen = layers.Dense(config.units, activation="relu", name="photo")(seen)
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    embedding = layers.Embedding(
        config.vocabulary_size, config.embedding, mask_zero=True, name="embedding"
    )
    heard = layers.Dropout(config.dropout, name="words_dropout")(embedding(tokens))
    heard = layers.LSTM(config.units, name="lstm")(heard)
    both = layers.Add(name="add")([seen, heard])
    merged = layers.Dense(config.units, activation="relu", name="merged")(both)
    words = layers.Dense(config.vocabulary_size, activation="softmax", name="words")(merged)
    return keras.Model([pooled, tokens], words, name="merge")


def one_step(decoder: AttentionDecoder | TutorialDecoder) -> keras.Model:
    """Build one step of an attention decoder over one caption, of its own layers.

    features (1, 8, 8, 2048), token (1, 1) and state (1, 1, units) in; logits (1, 1, words),
    next_state (1, 1, units) and attention (1, 1, 64) out, and first_state (1, units) where that
    comes from the photo.
    """
    grid = keras.Input(batch_shape=(1, GRID, GRID, FEATURES), name="features")
    token = keras.Input(batch_shape=(1, 1), dtype="int32", name="token")
    state = keras.Input(batch_shape=(1, 1, decoder.config.units), name="state")
    seen, (first,) = decoder.begin(grid)
    embedded = decoder.embedding(token)
    if isinstance(decoder, TutorialDecoder):
        after, attention = decoder.step(embedded, state, *seen)
        outputs = {"logits": decoder.logits(decoder.hidden(after))}
    else:
        after, context, attention = decoder.step(embedded, state, *seen)
        outputs = {
            "logits": decoder.predict_words(after, context, embedded),
            "first_state": first,
        }
    outputs |= {"next_state": after, "attention": attention}
    inputs = {"features": grid, "token": token, "state": state}
    return keras.Model(inputs, outputs, name="one_step")
