"""Checkpoints of TensorFlow's captioning tutorial, read as its scripts left them.

A folder of `checkpoint`, `ckpt-N.index`, `ckpt-N.data-…` and `train_captions.pickle`. Sizes come
from the checkpoint, words from the captions: the Keras Tokenizer of the tutorial is counted anew.
Optimizers are ignored, and no object of the checkpoint is restored: arrays are read by name.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.captioner import Captioner, CaptionerConfig
from models.encoder import FEATURES
from models.errors import CheckpointError
from models.hdf5 import LARGEST
from models.legacy_words import TutorialWords, greedy, guess_language
from models.tokenizers import find_tokenizer
from models.tutorial_decoder import TutorialConfig, TutorialDecoder
from models.unpickle import read_caption_list
from models.vocabulary import Vocabulary

CAPTIONS_FILE = "train_captions.pickle"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_SEEN = {"features": FEATURES}  # sizes that are known beforehand
# What the tutorial's objects hold; a size that is met again must be the same.
_SHAPES: Mapping[str, tuple[str, ...]] = {
    "encoder/fc/kernel": ("features", "embedding"),
    "encoder/fc/bias": ("embedding",),
    "decoder/embedding/embeddings": ("rows", "embedding"),
    "decoder/gru/cell/kernel": ("inputs", "gates"),
    "decoder/gru/cell/recurrent_kernel": ("units", "gates"),
    "decoder/gru/cell/bias": ("biases", "gates"),  # or of one dimension, where it resets before
    "decoder/fc1/kernel": ("units", "hidden"),
    "decoder/fc1/bias": ("hidden",),
    "decoder/fc2/kernel": ("hidden", "rows"),
    "decoder/fc2/bias": ("rows",),
    "decoder/attention/W1/kernel": ("embedding", "attention"),
    "decoder/attention/W1/bias": ("attention",),
    "decoder/attention/W2/kernel": ("units", "attention"),
    "decoder/attention/W2/bias": ("attention",),
    "decoder/attention/V/kernel": ("attention", "one"),
    "decoder/attention/V/bias": ("one",),
}
_BROKEN = (
    ValueError,
    TypeError,
    RuntimeError,
    LookupError,
    MemoryError,
)  # by TensorFlow, of torn files
_GRU_BIAS = "decoder/gru/cell/bias"


def import_tutorial(folder: str, name: str, encoder: str) -> Captioner:
    """Turn a tutorial's folder into a captioner, greedy as the tutorial's own search.

    encoder: `imagenet` or a path, as in CaptionerConfig.
    Raises CheckpointError naming what is missing, torn or not the tutorial's, and what to do.
    """
    prefix = find_checkpoint(folder)
    sizes = read_sizes(prefix)
    arrays = read_variables(prefix, _SHAPES)
    for key, array in arrays.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise CheckpointError(f"{prefix}: {key} holds no numbers; take an earlier checkpoint")
    path = str(Path(folder, CAPTIONS_FILE))
    try:
        words = TutorialWords.count(read_caption_list(path), sizes.vocabulary_size)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    vocabulary = Vocabulary(words.words, find_tokenizer("tutorial"))
    sizes = replace(sizes, vocabulary_size=len(vocabulary))
    config = CaptionerConfig(
        name,
        guess_language(words.words),
        sizes,
        greedy(words.longest),
        "tutorial",
        "tutorial",
        encoder,
    )
    return Captioner(config, vocabulary, _decoder(sizes, arrays, words.rows))


def find_checkpoint(folder: str) -> str:
    """Give the prefix of the checkpoint that `checkpoint` names, or else of the last there is.

    The path in that file is another machine's: only its last part counts.
    Raises CheckpointError where there is no such file.
    """
    import tensorflow as tf

    try:
        state = tf.train.get_checkpoint_state(folder)
    except (tf.errors.OpError, *_BROKEN):  # not what TensorFlow writes: as if it were not there
        state = None
    if state is not None and state.model_checkpoint_path:
        name = re.split(r"[\\/]", state.model_checkpoint_path)[-1]
        if not Path(folder, f"{name}.index").is_file():
            raise CheckpointError(
                f"{folder}/{name}.index: no such file, though `checkpoint` names it; copy it here "
                "with its data files, or remove `checkpoint`, and the last one that is here counts"
            )
        return str(Path(folder, name))
    found = [
        (int(p.stem[5:]), p) for p in Path(folder).glob("ckpt-*.index") if p.stem[5:].isdecimal()
    ]
    if not found:
        raise CheckpointError(
            f"{folder}: no ckpt-N.index; give the folder that holds the tutorial's checkpoint"
        )
    return str(max(found)[1].with_suffix(""))


def _open(prefix: str) -> Any:
    import tensorflow as tf

    try:
        return tf.train.load_checkpoint(prefix)
    except (tf.errors.OpError, *_BROKEN) as error:
        raise CheckpointError(
            f"{prefix}.index: not a readable checkpoint ({error}); copy it again"
        ) from error


def read_variables(prefix: str, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Read variables of a checkpoint by name, all but the optimizers' by default.

    Raises CheckpointError naming a data file that is missing or torn.
    """
    import tensorflow as tf

    reader = _open(prefix)
    if names is None:
        names = _variables(reader.get_variable_to_shape_map())
    try:
        return {name: reader.get_tensor(name + _VALUE) for name in names}
    except (tf.errors.OpError, *_BROKEN) as error:
        raise CheckpointError(_told(prefix, str(error))) from error


def _told(prefix: str, error: str) -> str:
    """Name the data files that are missing, as TensorFlow's message tells how many there are."""
    count = re.search(r"\.data-\d{5}-of-(\d{5})", error)
    parts = range(int(count[1])) if count else ()
    paths = [Path(f"{prefix}.data-{part:05d}-of-{len(parts):05d}") for part in parts]
    missing = " and ".join(str(path) for path in paths if not path.is_file())
    if missing:
        index = Path(prefix).name + ".index"
        return f"{missing}: no such file; the weights are in it: copy it from where {index} is from"
    return f"{prefix}.data-…: not as it was written ({error}); copy the files again"


def _variables(shapes: Iterable[str]) -> list[str]:
    """Give the names of what was trained, in their order."""
    return sorted(
        key.removesuffix(_VALUE)
        for key in shapes
        if key.endswith(_VALUE) and ".OPTIMIZER_SLOT" not in key and not key.startswith("optimizer")
    )


def read_sizes(prefix: str) -> TutorialConfig:
    """Take a decoder's sizes from the shapes of a checkpoint's variables; its data is not read.

    Raises CheckpointError naming all that is not the tutorial's photo captioner.
    """
    shapes = _open(prefix).get_variable_to_shape_map()
    named = {name: tuple(shapes[name + _VALUE]) for name in _variables(shapes)}
    sizes, wrong = dict(_SEEN), []
    for name, dimensions in _SHAPES.items():
        found = named.get(name)
        if name == _GRU_BIAS and found is not None and len(found) == 1:
            dimensions = dimensions[1:]
        if found is None:
            wrong.append(f"{name} is missing")
        elif math.prod(found) > LARGEST:
            wrong.append(f"{name} is {list(found)}, larger than any")
        elif not _fits(found, dimensions, sizes):
            wanted = ", ".join(str(sizes.get(size, size)) for size in dimensions)
            wrong.append(f"{name} is {list(found)}, not [{wanted}]")
    parts = ("encoder/", "decoder/")
    wrong += [
        f"{n} is not the tutorial's" for n in named if n.startswith(parts) and n not in _SHAPES
    ]
    if not wrong:
        wrong = _unequal(sizes)
    if wrong:
        raise CheckpointError(
            f"{prefix}: not a photo captioner of the tutorial: {'; '.join(wrong)}; give a folder "
            "that the tutorial's script wrote, or train a captioner anew"
        )
    names = ("embedding", "units", "attention", "hidden")
    chosen = {name: sizes[name] for name in names}
    return TutorialConfig(sizes["rows"], reset_after="biases" in sizes, **chosen)


def _fits(found: tuple[int, ...], dimensions: tuple[str, ...], sizes: dict[str, int]) -> bool:
    """Tell whether a shape is as those before it ask for, noting the sizes met first."""
    if len(found) != len(dimensions):
        return False
    pairs = zip(dimensions, found, strict=True)
    return all(n > 0 and sizes.setdefault(size, n) == n for size, n in pairs)


def _unequal(sizes: Mapping[str, int]) -> list[str]:
    """Say which sizes do not follow from the others as they should."""
    wanted = {"inputs": 2 * sizes["embedding"], "gates": 3 * sizes["units"], "one": 1, "biases": 2}
    return [
        f"decoder has {sizes[name]} {name}, not {size}"
        for name, size in wanted.items()
        if sizes.get(name, size) != size
    ]


def _decoder(
    config: TutorialConfig, arrays: Mapping[str, np.ndarray], rows: np.ndarray
) -> TutorialDecoder:
    """Build a decoder of a checkpoint's arrays, its words in the order of `rows`."""
    decoder = TutorialDecoder(config)
    dense = {
        "encoder/fc": decoder.projection,
        "decoder/attention/W1": decoder.attend_locations,
        "decoder/attention/W2": decoder.attend_state,
        "decoder/attention/V": decoder.attend_score,
        "decoder/fc1": decoder.hidden,
    }
    for name, layer in dense.items():
        layer.set_weights([arrays[f"{name}/kernel"], arrays[f"{name}/bias"]])
    gru = ("kernel", "recurrent_kernel", "bias")
    decoder.cell.set_weights([arrays[f"decoder/gru/cell/{name}"] for name in gru])
    decoder.embedding.set_weights([arrays["decoder/embedding/embeddings"][rows]])
    kernel, bias = arrays["decoder/fc2/kernel"], arrays["decoder/fc2/bias"]
    decoder.logits.set_weights([kernel[:, rows], bias[rows]])
    return decoder
