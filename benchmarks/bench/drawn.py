"""Photos drawn by code, as hard to decode as those of a camera, always the same ones.

A gradient for the light, shapes for the things, clouds in octaves for what they are made of
(each half as fine and weaker: Perlin 1985, "An image synthesizer"), and the grain of a sensor.
"""

from functools import cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image, ImageDraw

from batch.device import cores

Size = tuple[int, int]
LARGE, PACKED, SMALL = "12 megapixels", "12 megapixels in 1.8 MB", "224x224"
SIZES: dict[str, Size] = {SMALL: (224, 224), LARGE: (4000, 3000), PACKED: (4000, 3000)}
QUALITY = 92  # of a JPEG: of 12 megapixels it has 4.4 MB
QUALITIES = {PACKED: 75}
_SHAPES = 40
_OCTAVES = {4: 60.0, 16: 40.0, 64: 26.0, 256: 18.0, 1024: 14.0}  # cells across: values apart
_GRAIN = 7.0  # values, a standard deviation


def draw_photos(folder: Path, size: Size, number: int, quality: int = QUALITY) -> None:
    """Save so many photos as JPEG, each another one; those that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [(seed, folder / f"{seed:04}.jpg") for seed in range(number)]
    missing = [(seed, path) for seed, path in missing if not path.exists()]

    def save(seed: int, path: Path) -> None:
        picture(size, seed).save(path, quality=quality)

    Parallel(n_jobs=cores(), prefer="threads")(delayed(save)(*each) for each in missing)


def picture(size: Size, seed: int) -> Image.Image:
    """Draw one photo."""
    random = np.random.default_rng([seed, *size])
    colours = random.integers(30, 226, (3, 2, 3), dtype=np.uint8)
    image = Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)
    _draw_shapes(image, random)
    texture = np.roll(_texture(size), random.integers(0, size), axis=(1, 0))
    values = np.asarray(image).astype(np.int16) + texture[..., None]
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _draw_shapes(image: Image.Image, random: np.random.Generator) -> None:
    draw = ImageDraw.Draw(image)
    for _ in range(_SHAPES):
        middle = random.random(2) * image.size
        reach = (0.02 + 0.15 * random.random(2)) * min(image.size)
        colour = tuple(random.integers(0, 256, 3).tolist())
        if random.random() < 0.5:
            draw.ellipse([*(middle - reach), *(middle + reach)], fill=colour)
        else:
            corners = middle + reach * random.uniform(-1, 1, (5, 2))
            draw.polygon([tuple(corner) for corner in corners.tolist()], fill=colour)


@cache
def _texture(size: Size) -> np.ndarray:
    """Give what is added to each pixel, int16 (height, width); photos have it in other places."""
    random = np.random.default_rng(size)
    texture = _GRAIN * random.standard_normal(size[::-1], np.float32)
    for cells, strength in _OCTAVES.items():
        if cells < size[0]:
            noise = random.standard_normal((cells * size[1] // size[0], cells), np.float32)
            cloud = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
            texture += strength / 2 * np.asarray(cloud)
    return texture.astype(np.int16)
