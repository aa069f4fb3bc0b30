"""All kinds of pictures that are no scenes, each as archives have it."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from batch.nonscenes.looks import as_found
from batch.nonscenes.papers import PAPERS
from batch.nonscenes.screens import SCREENS
from batch.nonscenes.targets import TARGETS

KINDS = {**PAPERS, **SCREENS, **TARGETS}
_SEED = 1


def drawings(each: int) -> Iterator[tuple[str, Image.Image]]:
    """Draw some pictures of each kind, always the same ones, and give them with their kind."""
    for place, (kind, draw) in enumerate(KINDS.items()):
        for number in range(each):
            random = np.random.default_rng([_SEED, place, number])
            yield kind, as_found(draw(random), random)
