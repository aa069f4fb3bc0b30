"""How pictures come to look: laid askew, shaded, noisy, blurred, saved small; and odd photos."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from batch.nonscenes.sheet import any_colour, image_of


def as_found(image: Image.Image, random: Any) -> Image.Image:
    """Make a drawing look as archives have it: scanned, photographed or saved again and again."""
    if random.random() < 0.45:
        image = _laid(image, random)
    if random.random() < 0.15:
        image = image.rotate(90 * int(random.integers(1, 4)), expand=True)
    if random.random() < 0.5:
        image = _shaded(image, random)
    if random.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.8)))
    if random.random() < 0.25:
        image = image.convert("L").convert("RGB")
    if random.random() < 0.5:
        image = _noisy(image, random.uniform(1, 12), random)
    return _saved(image, int(random.integers(25, 95))) if random.random() < 0.7 else image


def odd_photo(image: Image.Image, random: Any) -> Image.Image:
    """Make a photo harder to tell from what is no scene: dark, washed out, grey, cropped tight."""
    match random.integers(5):
        case 0:
            return _levels(image, 0, random.uniform(30, 90))
        case 1:
            return _levels(image, random.uniform(120, 190), random.uniform(215, 255))
        case 2:
            return image.convert("L").convert("RGB")
        case 3:
            return _cropped(image, random.uniform(0.25, 0.5), random)
        case _:
            return _cropped(image, random.uniform(0.4, 0.8), random).filter(
                ImageFilter.GaussianBlur(random.uniform(1, 5))
            )


def _laid(image: Image.Image, random: Any) -> Image.Image:
    """Lay a picture on a ground, turned a little and seen a little from the side."""
    width, height = image.size
    edge = random.uniform(0, 0.12, (4, 2)) * random.choice([0.2, 1]) * (width, height)
    corners = np.array([(0, 0), (0, height), (width, height), (width, 0)], float)
    inward = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)])
    grounds = [(0, 0, 0), (250, 250, 250), (60, 45, 35), (120, 90, 60), any_colour(random)]
    ground = grounds[random.integers(len(grounds))]
    seen = corners + edge * inward
    return image.transform(
        image.size,
        Image.Transform.PERSPECTIVE,
        _perspective(seen, corners),
        Image.Resampling.BICUBIC,
        fillcolor=ground,
    )


def _perspective(seen: np.ndarray, corners: np.ndarray) -> list[float]:
    """Solve for the eight numbers by which Pillow finds, for a point seen, the point drawn."""
    rows = []
    for (x, y), (u, v) in zip(seen, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.linalg.solve(np.array(rows), corners.ravel()).tolist()


def _shaded(image: Image.Image, random: Any) -> Image.Image:
    """Let light fall on a picture from a side, in a warm or cold tone, with a soft shadow."""
    small = random.uniform(random.uniform(0.4, 0.9), 1.05, (2, 2))
    light = Image.fromarray(small).resize(image.size, Image.Resampling.BILINEAR)
    tone = random.uniform(0.85, 1.05, 3)
    return image_of(np.asarray(image) * np.asarray(light)[..., None] * tone)


def _noisy(image: Image.Image, much: float, random: Any) -> Image.Image:
    return image_of(np.asarray(image) + random.normal(0, much, (image.height, image.width, 1)))


def _saved(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _levels(image: Image.Image, low: float, high: float) -> Image.Image:
    return image_of(low + np.asarray(image) / 255 * (high - low))


def _cropped(image: Image.Image, share: float, random: Any) -> Image.Image:
    width, height = round(image.width * share), round(image.height * share)
    left = int(random.integers(image.width - width + 1))
    top = int(random.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))
