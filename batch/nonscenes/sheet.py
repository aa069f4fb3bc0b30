"""A sheet to draw on, and the hands that write on it: type in three alphabets, blocks, scrawl."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.errors import MissingExtraError

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom

ALPHABETS = (
    "eeetttaaaooiinnsshhrrddllcumwfgypbvk",
    "ооееаааиинттссррввллккмддпуяыьгзбчйхж",
    "αααεειιοοττσσηηννρρκππλυμδγωθφχβ",
)
_FONTS = (
    *("DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "DejaVuSans-Bold", "DejaVuSerif-Bold"),
    *("DejaVuSans-Oblique", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol"),
)  # matplotlib carries them: the same on every machine


_TINTS = (
    *((1, 1, 1), (1, 1, 1), (1, 0.97, 0.88), (1, 0.92, 0.75)),
    *((0.95, 0.97, 1), (1, 0.85, 0.85), (0.85, 1, 0.85), (0.8, 0.8, 0.78)),
)


class Sheet:
    """A picture in the making, with its pen, its ink and its own random choices."""

    def __init__(self, random: Any, size: tuple[int, int], paper: Colour, ink: Colour) -> None:
        self.random = random
        self.width, self.height = size
        self.paper, self.ink = paper, ink
        self.image = Image.new("RGB", size, paper)
        self.pen = ImageDraw.Draw(self.image)

    @classmethod
    def of_paper(cls, random: Any, *, upright: float = 0.75) -> "Sheet":
        """Take a sheet in a format and a tint that paper has; `upright` is how probably it is."""
        short = int(random.integers(420, 640))
        long = int(short * random.uniform(1.2, 1.5))
        size = (short, long) if random.random() < upright else (long, short)
        return cls(random, size, paper_tint(random), ink_colour(random))

    def chance(self, probability: float) -> bool:
        """Decide by chance."""
        return bool(self.random.random() < probability)

    def between(self, low: float, high: float) -> float:
        """Choose a number."""
        return float(self.random.uniform(low, high))

    def count(self, low: int, high: int) -> int:
        """Choose a whole number, `high` included."""
        return int(self.random.integers(low, high + 1))

    def grid(self, box: Box, columns: int, rows: int) -> None:
        """Rule a box into cells."""
        left, top, right, bottom = box
        thick = self.count(1, 2)
        for x in np.linspace(left, right, columns + 1):
            self.pen.line((x, top, x, bottom), self.ink, thick)
        for y in np.linspace(top, bottom, rows + 1):
            self.pen.line((left, y, right, y), self.ink, thick)


Hand = Callable[[Sheet, float, float, float, float], None]
"""Writes a line on a sheet: from x, with its top at y, as wide as told, letters as high as told."""


def paper_tint(random: Any) -> Colour:
    """Choose the colour of a paper: white mostly, or yellowed, grey, coloured."""
    light = random.uniform(200, 255)
    tint = random.choice(_TINTS)
    return _colour(light * tint)


def ink_colour(random: Any) -> Colour:
    """Choose the colour of an ink: black mostly, or blue, brown, red, faded."""
    inks = [(20, 20, 20)] * 4 + [(20, 30, 110), (80, 50, 30), (120, 20, 30), (110, 110, 110)]
    return _colour(random.choice(inks))


def any_colour(random: Any) -> Colour:
    """Choose a colour."""
    return _colour(random.integers(0, 256, 3))


def typed(random: Any) -> Hand:
    """Give a hand that sets type, in a font and an alphabet."""
    name = str(random.choice(_FONTS))
    alphabet = ALPHABETS[random.choice(3, p=(0.7, 0.2, 0.1))]

    def write(sheet: Sheet, x: float, y: float, width: float, size: float) -> None:
        face = font(name, max(6, round(size)))
        text = ""
        while sheet.pen.textlength(longer := f"{text} {_word(random, alphabet)}", face) < width:
            text = longer
        sheet.pen.text((x, y), text.strip(), sheet.ink, face)

    return write


def _word(random: Any, alphabet: str) -> str:
    if random.random() < 0.06:
        return str(random.integers(1, 3000))
    word = "".join(random.choice(list(alphabet), random.integers(1, 10)))
    word = word.capitalize() if random.random() < 0.12 else word
    return word + (random.choice([".", ","]) if random.random() < 0.15 else "")


def blocks(random: Any) -> Hand:
    """Give a hand that writes syllables in blocks: strokes, boxes and rings, as Hangul has."""

    def write(sheet: Sheet, x: float, y: float, width: float, size: float) -> None:
        right = x + width
        while x + size < right:
            for _ in range(random.integers(1, 6)):
                if x + size < right:
                    _block(sheet, x, y, size * 0.9)
                x += size
            x += size * 0.4

    return write


def _block(sheet: Sheet, x: float, y: float, size: float) -> None:
    """Draw one syllable: an initial to the left or on top, a vowel's bars, a final below."""
    thick = max(1, round(size / 12))
    high = size * (0.55 if sheet.chance(0.5) else 1)
    _consonant(sheet, (x, y, x + size * 0.5, y + high), thick)
    bar = x + size * 0.75
    sheet.pen.line((bar, y, bar, y + high), sheet.ink, thick)
    if sheet.chance(0.7):
        side = size * (0.2 if sheet.chance(0.5) else -0.15)
        sheet.pen.line((bar, y + high / 2, bar + side, y + high / 2), sheet.ink, thick)
    if high < size:
        _consonant(sheet, (x + size * 0.15, y + size * 0.65, x + size * 0.8, y + size), thick)


def _consonant(sheet: Sheet, box: Box, thick: int) -> None:
    left, top, right, bottom = box
    middle = (top + bottom) / 2
    match sheet.count(0, 4):
        case 0:
            sheet.pen.ellipse(box, outline=sheet.ink, width=thick)
        case 1:
            sheet.pen.rectangle(box, outline=sheet.ink, width=thick)
        case 2:
            sheet.pen.line((left, top, right, top, right, bottom), sheet.ink, thick)
        case 3:
            sheet.pen.line((left, top, left, bottom, right, bottom), sheet.ink, thick)
        case _:
            sheet.pen.line((left, bottom, (left + right) / 2, top, right, bottom), sheet.ink, thick)
            sheet.pen.line((left, middle, right, middle), sheet.ink, thick)


def scrawl(random: Any) -> Hand:
    """Give a hand that writes with a pen: loops that lean, words of different lengths."""
    lean, loops = random.uniform(-0.2, 0.6), random.uniform(0.35, 0.7)

    def write(sheet: Sheet, x: float, y: float, width: float, size: float) -> None:
        right = x + width
        while x < right:
            length = min(random.uniform(1, 5) * size, right - x)
            steps = np.arange(0, length, size * 0.06)
            turns = steps / (size * loops) * 2 * np.pi + random.uniform(0, 6)
            heights = np.repeat(random.uniform(0.15, 0.6, len(steps) // 8 + 1), 8)[: len(steps)]
            rise = heights * size * np.sin(turns)
            across = x + steps + lean * rise + size * 0.2 * np.cos(turns)
            down = y + size / 2 - rise + random.normal(0, size * 0.03)
            points = list(zip(across.tolist(), down.tolist(), strict=True))
            sheet.pen.line(points, sheet.ink, max(1, round(size / 14)), joint="curve")
            x += length + size * 0.5

    return write


def printed(random: Any) -> Hand:
    """Give a hand that prints, in type or in blocks."""
    return blocks(random) if random.random() < 0.3 else typed(random)


def paragraphs(sheet: Sheet, box: Box, size: float, hand: Hand, *, leading: float = 1.45) -> None:
    """Fill a box with lines; some end early, and a gap may follow."""
    left, y, right, bottom = box
    while y + size < bottom:
        ends = sheet.chance(0.15)
        hand(sheet, left, y, (right - left) * (sheet.between(0.2, 0.9) if ends else 1), size)
        y += size * leading * (1.6 if ends and sheet.chance(0.6) else 1)


@cache
def font(name: str, size: int) -> Any:
    """Open one of the fonts that matplotlib carries."""
    try:
        import matplotlib  # has fonts; an extra, for those who train
    except ImportError as error:
        remedy = ".venv/bin/pip install -r requirements-train.txt"
        raise MissingExtraError("pages of text to learn from", "matplotlib", remedy) from error
    folder = os.path.join(matplotlib.get_data_path(), "fonts", "ttf")
    return ImageFont.truetype(os.path.join(folder, f"{name}.ttf"), size)


def _colour(numbers: Any) -> Colour:
    red, green, blue = (int(number) for number in np.clip(numbers, 0, 255))
    return red, green, blue


def image_of(values: np.ndarray) -> Image.Image:
    """Make a picture of numbers, cut off at 0 and 255."""
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
