"""Weights of the 2017 post's merge model, as Keras 2 and 3 wrote them into `.h5` files.

Only arrays and their names are read; the configuration of a model saved whole is not looked at.
Layers are told apart by the shapes of their arrays, in the order of the model's layers.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from models.captioner import Captioner, CaptionerConfig
from models.encoder import FEATURES
from models.errors import CheckpointError
from models.hdf5 import LARGEST, opened
from models.legacy_words import PostWords, greedy, guess_language
from models.merge_decoder import MergeConfig, MergeDecoder
from models.tokenizers import find_tokenizer
from models.vocabulary import Vocabulary

_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError)
Layers = list[list[np.ndarray]]


def import_post(path: str, captions: Iterable[str], name: str, encoder: str) -> Captioner:
    """Turn weights of the post's model into a captioner, greedy as the post's own search.

    captions: of the training photos, in the order of the file that the post read them from;
    encoder: `imagenet` or a path, as in CaptionerConfig.
    Raises CheckpointError where the file holds another model, or the captions make other words.
    """
    layers = _matched(read_layers(path), path)
    rows, embedding = layers["embedding"][0].shape
    try:
        words = PostWords.count(captions, rows)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    vocabulary = Vocabulary(words.words, find_tokenizer("post-2017"))
    sizes = MergeConfig(len(vocabulary), embedding, layers["merged"][1].shape[0])
    config = CaptionerConfig(
        name,
        guess_language(words.words),
        sizes,
        greedy(words.longest),
        "merge",
        "post-2017",
        encoder,
    )
    return Captioner(config, vocabulary, _decoder(sizes, layers, words.rows))


def read_layers(path: str) -> Layers:
    """Read the arrays of each layer that has any, in the order of the model.

    A file of `save_weights`, or of `save` with the whole model. Raises CheckpointError where it is
    neither.
    """
    try:
        with opened(path) as file:
            root = file.get("model_weights", file)
            layers = [root[name] for name in _names(root, "layer_names")]
            arrays = [[_array(layer[n]) for n in _names(layer, "weight_names")] for layer in layers]
    except _DAMAGE as error:
        raise CheckpointError(
            f"{path}: not weights that Keras wrote as .h5 ({error}); give the file of the post's "
            "model.save or model.save_weights, copied anew"
        ) from error
    return [layer for layer in arrays if layer]


def _names(group: Any, attribute: str) -> list[str]:
    names = np.asarray(group.attrs[attribute]).ravel()
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _array(node: Any) -> np.ndarray:
    if node.dtype.kind != "f" or node.size > LARGEST:
        raise ValueError(f"{node.name} holds no weights")
    array = node[()].astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{node.name} holds numbers that are none")
    return array


def _matched(layers: Layers, path: str) -> dict[str, list[np.ndarray]]:
    """Tell which layer is which. Raises CheckpointError saying what was found."""
    tables = [layer for layer in layers if _ranks(layer) == (2,)]
    recurrent = [layer for layer in layers if _ranks(layer) == (2, 2, 1)]
    dense = [layer for layer in layers if _ranks(layer) == (2, 1)]
    photo = [layer for layer in dense if layer[0].shape[0] == FEATURES][:1]
    rest = [layer for layer in dense if not any(layer is one for one in photo)]
    found = [*tables, *recurrent, *photo, *rest]
    names = ("embedding", "lstm", "photo", "merged", "logits")
    if len(tables) == len(recurrent) == len(photo) == 1 and len(layers) == len(found) == len(names):
        matched = dict(zip(names, found, strict=True))
        if _shapes(found) == _expected(matched):
            return matched
    raise CheckpointError(
        f"{path}: not the post's model, an embedding, an LSTM and three dense layers that fit; its "
        f"layers hold {_shapes(layers)}; give the file of the post's model, or train one anew"
    )


def _ranks(layer: Sequence[np.ndarray]) -> tuple[int, ...]:
    return tuple(array.ndim for array in layer)


def _shapes(layers: Iterable[Sequence[np.ndarray]]) -> list[list[tuple[int, ...]]]:
    return [[array.shape for array in layer] for layer in layers]


def _expected(layers: Mapping[str, Sequence[np.ndarray]]) -> list[list[tuple[int, ...]]]:
    """Give the shapes that the post's model has, with these rows, embedding and units."""
    (rows, size), units = layers["embedding"][0].shape, layers["merged"][1].shape[0]
    return [
        [(rows, size)],
        [(size, 4 * units), (units, 4 * units), (4 * units,)],
        [(FEATURES, units), (units,)],
        [(units, units), (units,)],
        [(units, rows), (rows,)],
    ]


def _decoder(
    sizes: MergeConfig, layers: Mapping[str, Sequence[np.ndarray]], rows: np.ndarray
) -> MergeDecoder:
    """Build a decoder of a model's arrays, its words in the order of `rows`."""
    decoder = MergeDecoder(sizes)
    decoder.embedding.set_weights([layers["embedding"][0][rows]])
    decoder.lstm.set_weights(layers["lstm"])  # input, forget, cell, output: Keras 2's order too
    decoder.photo.set_weights(layers["photo"])
    decoder.merged.set_weights(layers["merged"])
    kernel, bias = layers["logits"]
    decoder.logits.set_weights([kernel[:, rows], bias[rows]])
    return decoder
