"""Average the decoders of captioners that were trained from one start with different seeds.

python -m recipes.average CAPTIONER CAPTIONER... --out FOLDER

Wortsman et al. 2022, "Model soups". The captioners must have one encoder and one vocabulary; all
but the decoder's weights is taken from the first. The heads for confidence and for what is no scene
belong to other weights: `make calibrate` and `make scene` make them anew.
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from batch.config import captioner_folder, lasting
from batch.quiet import start_tensorflow


def main() -> None:
    """Average and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captioner", nargs="+", help="folders of captioners")
    parser.add_argument("--out", required=True, help="the new captioner's folder")
    options = parser.parse_args()
    start_tensorflow()
    from models.captioner import Captioner, encoder_fingerprint

    folders = [captioner_folder(name) for name in options.captioner]
    captioners = [Captioner.load(folder) for folder in folders]
    first, *others = captioners
    if any(other.vocabulary.words != first.vocabulary.words for other in others):
        parser.error("the captioners know different words")
    if len(set(map(encoder_fingerprint, folders))) > 1:
        parser.error("the captioners see through different encoders")
    average([captioner.decoder for captioner in captioners])
    _save(first, folders[0], options.out)


def average(decoders: Sequence[Any]) -> Any:
    """Give the first of several decoders of one shape the mean of their weights, and return it."""
    for variable, *others in zip(*(decoder.weights for decoder in decoders), strict=True):
        variable.assign(sum(others, variable.value) / len(decoders))
    return decoders[0]


def _save(captioner: Any, folder: str, out: str) -> None:
    """Write the captioner with its encoder as it is in `folder`, or named as it is there."""
    from models.captioner import ENCODER_FILE, Captioner

    config = captioner.config
    if config.encoder != ENCODER_FILE:
        config = replace(config, encoder=lasting(config.encoder_weights(folder), out))
    Captioner(config, captioner.vocabulary, captioner.decoder).save(out)
    if config.encoder == ENCODER_FILE:
        shutil.copy(Path(folder, ENCODER_FILE), out)


if __name__ == "__main__":
    main()
