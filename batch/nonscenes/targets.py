"""Targets and blanks: colour charts, wedges, test cards, empty sheets, dark and fogged frames."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from batch.nonscenes.sheet import Sheet, any_colour, font, image_of, paper_tint, typed

SIZE = (480, 360)
_BARS = ((190,) * 3, (190, 190, 0), (0, 190, 190), (0, 190, 0), (190, 0, 190), (190, 0, 0))


def colour_chart(random: Any) -> Image.Image:
    """Draw patches of colour in rows, with gaps or without, as charts for cameras have."""
    ground = (20,) * 3 if random.random() < 0.6 else paper_tint(random)
    sheet = Sheet(random, SIZE, ground, (0, 0, 0))
    columns, rows = sheet.count(3, 14), sheet.count(2, 10)
    gap, margin = sheet.between(0, 0.15), sheet.between(0, 40)
    wide, high = (SIZE[0] - 2 * margin) / columns, (SIZE[1] - 2 * margin) / rows
    for row in range(rows):
        last = row == rows - 1 and sheet.chance(0.7)  # a row of greys, from white to black
        for column in range(columns):
            grey = (round(255 * (1 - column / columns)),) * 3
            x, y = margin + wide * (column + gap), margin + high * (row + gap)
            box = (x, y, x + wide * (1 - 2 * gap), y + high * (1 - 2 * gap))
            sheet.pen.rectangle(box, fill=grey if last else any_colour(random))
    return sheet.image


def grey_wedge(random: Any) -> Image.Image:
    """Draw steps of grey, or of one colour, one way or both."""
    steps = int(random.integers(4, 25))
    ramp = np.linspace(0, 1, steps).repeat(-(-SIZE[0] // steps))[: SIZE[0]]
    rows = [ramp, ramp[::-1]] if random.random() < 0.4 else [ramp]
    grey = np.repeat(np.stack(rows), SIZE[1] // len(rows), axis=0)
    tint = random.uniform(0.2, 1, 3) if random.random() < 0.3 else np.ones(3)
    return _turned(random, image_of(grey[..., None] * tint * 255))


def resolution_target(random: Any) -> Image.Image:
    """Draw groups of bars that grow finer, across and along, on a plain ground."""
    sheet = Sheet(random, SIZE, (235,) * 3, (15,) * 3)
    for _ in range(sheet.count(8, 40)):
        x, y, bar = sheet.between(0, 440), sheet.between(0, 320), sheet.between(1, 9)
        length = bar * 5
        for place in np.arange(3) * bar * 2:
            across = (x + place, y, x + place + bar, y + length)
            along = (x, y + place, x + length, y + place + bar)
            sheet.pen.rectangle(along if sheet.chance(0.5) else across, fill=sheet.ink)
    if sheet.chance(0.4):
        _star(sheet)
    return sheet.image


def test_card(random: Any) -> Image.Image:
    """Draw a television's test card: bars of colour, or a circle over squares."""
    sheet = Sheet(random, SIZE, (110,) * 3, (240,) * 3)
    if sheet.chance(0.5):
        wide, high = SIZE[0] / 7, SIZE[1] * sheet.between(0.65, 1)
        for number, colour in enumerate([*_BARS, (0, 0, 190)]):
            sheet.pen.rectangle((wide * number, 0, wide * (number + 1), high), fill=colour)
        return sheet.image
    sheet.grid((0, 0, *SIZE), sheet.count(8, 16), sheet.count(6, 12))
    radius = sheet.between(100, 170)
    middle = (240 - radius, 180 - radius, 240 + radius, 180 + radius)
    sheet.pen.ellipse(middle, fill=any_colour(random), outline=sheet.ink, width=4)
    for number, colour in enumerate(_BARS):
        left = 130 + 36 * number
        sheet.pen.rectangle((left, 120, left + 36, 170), fill=colour)
        grey = (number * 50,) * 3
        sheet.pen.rectangle((left, 175, left + 36, 225), fill=grey)
    return sheet.image


def pattern(random: Any) -> Image.Image:
    """Draw squares, stripes, dots or rings that repeat."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    period, turn = random.uniform(8, 90), random.uniform(0, 3)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    waves = [
        np.sin(x * 2 * np.pi / period) * np.sin(y * 2 * np.pi / period),
        np.sin(along * 2 * np.pi / period),
        np.cos(along * 2 * np.pi / period) + np.cos(across * 2 * np.pi / period) - 1,
        np.sin(np.hypot(x - 240, y - 180) * 2 * np.pi / period),
    ]
    wave = waves[random.integers(4)]
    share = (wave > 0 if random.random() < 0.7 else wave / 2 + 0.5)[..., None]
    colours = np.array([any_colour(random), any_colour(random)])
    if random.random() < 0.5:
        colours = np.array([(10,) * 3, (245,) * 3])
    return image_of(share * colours[0] + (1 - share) * colours[1])


def blank_paper(random: Any) -> Image.Image:
    """Draw an empty sheet: its grain, a crease or a stain, perhaps a page number."""
    sheet = Sheet.of_paper(random)
    if sheet.chance(0.3):
        typed(random)(sheet, sheet.width * 0.48, sheet.height * 0.95, 30, 12)
    if sheet.chance(0.3):
        y = sheet.height * sheet.between(0.2, 0.8)
        darker = tuple(round(part * 0.85) for part in sheet.paper)
        sheet.pen.line((0, y, sheet.width, y + sheet.between(-20, 20)), darker, 2)
    if sheet.chance(0.2):
        x, y, r = sheet.between(0, sheet.width), sheet.between(0, sheet.height), sheet.count(9, 60)
        sheet.pen.ellipse((x - r, y - r, x + r, y + r), outline=(190, 165, 120), width=3)
    return sheet.image


def black_frame(random: Any) -> Image.Image:
    """Draw what a camera sees behind its cap: black, noise, a light leak at an edge."""
    dark = np.full((*SIZE[::-1], 3), random.uniform(0, 18)) + random.uniform(0, 6, 3)
    if random.random() < 0.3:
        depth = np.linspace(1, 0, SIZE[0])[None, :, None] ** random.uniform(4, 20)
        dark = dark + depth * random.uniform(20, 120) * np.array([1, 0.6, 0.4])
    return _turned(random, image_of(dark + random.normal(0, random.uniform(0, 7), dark.shape)))


def plain(random: Any) -> Image.Image:
    """Draw one colour all over: a wall at a hand's breadth, a lens that is covered."""
    colour = np.array(any_colour(random), float) * np.ones((*SIZE[::-1], 1))
    return image_of(colour + random.normal(0, random.uniform(0, 10), colour.shape))


def gradient(random: Any) -> Image.Image:
    """Draw one colour that runs into another, straight or from a point."""
    x, y = np.meshgrid(np.linspace(-1, 1, SIZE[0]), np.linspace(-1, 1, SIZE[1]))
    turn = random.uniform(0, 6.3)
    straight = (x * np.cos(turn) + y * np.sin(turn)) / 2 + 0.5
    round_ = np.hypot(x - random.uniform(-1, 1), y - random.uniform(-1, 1)) / 2
    share = np.clip(straight if random.random() < 0.6 else round_, 0, 1)[..., None]
    start, end = np.array(any_colour(random)), np.array(any_colour(random))
    return image_of(share * start + (1 - share) * end)


def fogged_frame(random: Any) -> Image.Image:
    """Draw film that has seen light: clouds of orange and white, streaks, scratches."""
    small = random.normal(0, 1, (random.integers(2, 5), random.integers(2, 6)))
    clouds = np.asarray(Image.fromarray(small).resize(SIZE, Image.Resampling.BICUBIC))
    base = np.array(
        random.choice([(250, 235, 210), (240, 150, 60), (200, 60, 30), (225, 225, 225)])
    )
    fog = base * (0.75 + 0.2 * clouds[..., None]) + random.normal(0, 8, (*SIZE[::-1], 1))
    sheet = Sheet(random, SIZE, (0, 0, 0), (255, 250, 240))
    sheet.image.paste(image_of(fog))
    for _ in range(sheet.count(0, 6)):
        x = sheet.between(0, SIZE[0])
        sheet.pen.line((x, 0, x + sheet.between(-15, 15), SIZE[1]), sheet.ink)
    return sheet.image


def film_leader(random: Any) -> Image.Image:
    """Draw the leader of a film: a number within rings, a cross, dust and scratches."""
    grey = int(random.integers(90, 200))
    sheet = Sheet(random, SIZE, (grey,) * 3, (20,) * 3)
    sheet.pen.pieslice((-300, -400, 780, 760), -90, sheet.between(-80, 250), fill=(grey - 40,) * 3)
    for radius in (110, 140):
        ring = (240 - radius, 180 - radius, 240 + radius, 180 + radius)
        sheet.pen.ellipse(ring, outline=(235,) * 3, width=5)
    sheet.pen.line((240, 0, 240, 360), sheet.ink, 2)
    sheet.pen.line((0, 180, 480, 180), sheet.ink, 2)
    if sheet.chance(0.8):
        face = font("DejaVuSans-Bold", sheet.count(90, 180))
        sheet.pen.text((240, 180), str(sheet.count(1, 9)), sheet.ink, face, anchor="mm")
    for _ in range(sheet.count(0, 60)):
        x, y = sheet.between(0, 480), sheet.between(0, 360)
        sheet.pen.line((x, y, x + sheet.between(-4, 4), y + sheet.between(-20, 20)), (240,) * 3)
    return sheet.image


def static(random: Any) -> Image.Image:
    """Draw noise, fine or coarse, grey or coloured: no signal."""
    coarse = int(random.integers(1, 12))
    shape = (SIZE[1] // coarse, SIZE[0] // coarse, 3 if random.random() < 0.4 else 1)
    noise = random.uniform(0, 255, shape) * np.ones(3)
    return image_of(noise).resize(SIZE, Image.Resampling.NEAREST)


TARGETS: dict[str, Callable[[Any], Image.Image]] = {
    function.__name__: function
    for function in (
        *(colour_chart, grey_wedge, resolution_target, test_card, pattern, blank_paper),
        *(black_frame, plain, gradient, fogged_frame, film_leader, static),
    )
}


def _star(sheet: Sheet) -> None:
    """Draw a Siemens star in the middle."""
    box, spokes = (140, 80, 340, 280), sheet.count(12, 40)
    for spoke in range(spokes):
        start = 360 * spoke / spokes
        sheet.pen.pieslice(box, start, start + 180 / spokes, fill=sheet.ink)


def _turned(random: Any, image: Image.Image) -> Image.Image:
    """Turn a picture by quarters."""
    return image.rotate(90 * int(random.integers(4)), expand=True)
