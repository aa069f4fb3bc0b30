"""What stands on screens and in reports: slides, windows, charts, diagrams; a function a kind."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image

from batch.nonscenes.sheet import Box, Colour, Sheet, any_colour, paragraphs, printed


def slide(random: Any) -> Image.Image:
    """Draw a slide of a talk: a heading, points under it, in any colours."""
    sheet = Sheet(random, (640, int(random.choice([360, 400, 480]))), *_two_colours(random))
    hand = printed(random)
    if sheet.chance(0.4):
        sheet.pen.rectangle((0, 0, 640, sheet.height * 0.2), fill=any_colour(random))
    hand(sheet, 40, sheet.height * 0.06, sheet.between(200, 560), sheet.between(28, 46))
    size = sheet.between(14, 26)
    for y in np.arange(sheet.height * 0.28, sheet.height * sheet.between(0.5, 0.9), size * 1.9):
        sheet.pen.ellipse((44, y + size * 0.4, 44 + size * 0.4, y + size * 0.8), fill=sheet.ink)
        hand(sheet, 44 + size, y, sheet.between(150, 520), size)
    return sheet.image


def screenshot(random: Any) -> Image.Image:
    """Draw a program's window: bars, a column at the side, lines of text, light or dark."""
    size = (640, 400) if random.random() < 0.6 else (300, 620)
    sheet = Sheet(random, size, *_two_colours(random))
    width, height = size
    hand, bar = printed(random), any_colour(random)
    side = width * (sheet.between(0.15, 0.3) if sheet.chance(0.6) else 0.02)
    sheet.pen.rectangle((0, 0, width, height * 0.07), fill=bar)
    hand(sheet, 8, height * 0.015, width * 0.4, height * 0.035)
    if side > 20:
        sheet.pen.rectangle((0, height * 0.07, side, height), fill=tuple(c // 2 for c in bar))
        paragraphs(sheet, (8, height * 0.1, side - 4, height * 0.7), 10, hand, leading=1.9)
    box = (side + 12, height * 0.11, width - 12, height * 0.96)
    paragraphs(sheet, box, sheet.between(9, 14), hand, leading=sheet.between(1.3, 1.8))
    return sheet.image


def plot(random: Any) -> Image.Image:
    """Draw a chart: axes, and bars, a line, points or a pie."""
    sheet = Sheet.of_paper(random, upright=0.2)
    hand = printed(random)
    left, top = sheet.width * 0.12, sheet.height * 0.12
    right, bottom = sheet.width * 0.94, sheet.height * 0.86
    hand(sheet, left, top * 0.3, (right - left) * sheet.between(0.3, 0.9), 16)
    values = bottom - random.random(sheet.count(5, 24)) * (bottom - top)
    places = np.linspace(left + 10, right - 10, len(values))
    match sheet.count(0, 3):
        case 0:
            _pie(sheet, (left, top, left + bottom - top, bottom))
            return sheet.image
        case 1:
            colour, half = any_colour(random), (places[1] - places[0]) * 0.35
            for x, y in zip(places, values, strict=True):
                sheet.pen.rectangle((x - half, y, x + half, bottom), fill=colour)
        case 2:
            for _ in range(sheet.count(1, 4)):
                moved = np.clip(random.permutation(values), top, bottom)
                sheet.pen.line(np.stack([places, moved], 1).ravel().tolist(), any_colour(random), 3)
        case _:
            for _ in range(200):
                x, y = sheet.between(left, right), sheet.between(top, bottom)
                sheet.pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=sheet.ink)
    sheet.pen.line((left, top, left, bottom, right, bottom), sheet.ink, 2)
    for y in np.linspace(top, bottom, 6):
        hand(sheet, left * 0.3, y - 6, left * 0.6, 10)
    return sheet.image


def diagram(random: Any) -> Image.Image:
    """Draw boxes and rings with words in them, joined by lines: plans, family trees."""
    sheet = Sheet.of_paper(random, upright=0.4)
    hand = printed(random)
    middles = random.uniform((0.12, 0.1), (0.88, 0.9), (sheet.count(4, 14), 2))
    middles *= (sheet.width, sheet.height)
    for start, end in pairwise(middles):
        sheet.pen.line((*start, *end), sheet.ink, sheet.count(1, 3))
    for x, y in middles:
        wide, high = sheet.between(35, 80), sheet.between(15, 40)
        box = (x - wide, y - high, x + wide, y + high)
        shape = sheet.pen.ellipse if sheet.chance(0.3) else sheet.pen.rectangle
        shape(box, fill=sheet.paper, outline=sheet.ink, width=2)
        hand(sheet, x - wide * 0.7, y - 7, wide * 1.4, 12)
    return sheet.image


SCREENS: dict[str, Callable[[Any], Image.Image]] = {
    function.__name__: function for function in (slide, screenshot, plot, diagram)
}


def _pie(sheet: Sheet, box: Box) -> None:
    turns = np.concatenate([[0], np.sort(sheet.random.uniform(0, 360, sheet.count(2, 7))), [360]])
    for start, end in pairwise(turns):
        sheet.pen.pieslice(box, start, end, fill=any_colour(sheet.random), outline=sheet.paper)


def _two_colours(random: Any) -> tuple[Colour, Colour]:
    """Choose a ground and an ink that can be read on it."""
    light = tuple(int(c) for c in random.integers(215, 256, 3))
    dark = tuple(int(c) for c in random.integers(0, 60, 3))
    ground, ink = (light, dark) if random.random() < 0.6 else (dark, light)
    return (ground[0], ground[1], ground[2]), (ink[0], ink[1], ink[2])
