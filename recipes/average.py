"""Average the decoders of captioners that were trained from one start with different seeds.

python -m recipes.average CAPTIONER CAPTIONER... --out FOLDER

Wortsman et al. 2022, "Model soups". The captioners must have one encoder and one vocabulary; all
but the decoder's weights is taken from the first, the encoder comes into the folder, and the name
is the folder's. `make calibrate` fits its confidence.
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from batch.config import captioner_folder
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
    """Write the captioner, and beside it the encoder and the head for scenes of `folder`."""
    from models.captioner import Captioner
    from models.fingerprints import ENCODER_FILE, SCENE_FILE

    config = replace(captioner.config, name=Path(out).name, encoder=ENCODER_FILE, seen_through="")
    Captioner(config, captioner.vocabulary, captioner.decoder).save(out)
    shutil.copy(captioner.config.encoder_weights(folder), Path(out, ENCODER_FILE))
    if Path(folder, SCENE_FILE).exists():
        shutil.copy(Path(folder, SCENE_FILE), out)


if __name__ == "__main__":
    main()
