"""Papers: pages, forms, tables, music and what else lies on a scanner; a function a kind."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from batch.nonscenes.sheet import (
    Box,
    Hand,
    Sheet,
    any_colour,
    blocks,
    paragraphs,
    printed,
    scrawl,
    typed,
)


def typed_page(random: Any) -> Image.Image:
    """Draw a page of type, in one to three columns."""
    return _page(random, typed(random))


def hangul_page(random: Any) -> Image.Image:
    """Draw a page in blocks of strokes, as Korean is written."""
    return _page(random, blocks(random))


def letter(random: Any) -> Image.Image:
    """Draw a page by hand, on plain, ruled or squared paper."""
    sheet = Sheet.of_paper(random)
    size = sheet.between(16, 34)
    if sheet.chance(0.4):
        _rule(sheet, size * 1.4, squared=sheet.chance(0.3))
    margin = sheet.width * sheet.between(0.05, 0.15)
    box = (margin, margin, sheet.width - margin, sheet.height * sheet.between(0.4, 0.97))
    paragraphs(sheet, box, size, scrawl(random), leading=1.4)
    return sheet.image


def newspaper(random: Any) -> Image.Image:
    """Draw a page of narrow columns under headlines, with grey boxes for pictures."""
    sheet = Sheet.of_paper(random)
    hand = printed(random)
    margin = sheet.width * 0.05
    top = margin
    hand(sheet, margin, top, sheet.width - 2 * margin, sheet.between(30, 60))
    top += 70
    columns = sheet.count(2, 5)
    width = (sheet.width - 2 * margin) / columns
    for left in margin + width * np.arange(columns):
        box = (left + 5, top, left + width - 5, sheet.height - margin)
        if sheet.chance(0.3):
            high = sheet.between(60, 140)
            sheet.pen.rectangle((box[0], top, box[2], top + high), fill=(sheet.count(90, 190),) * 3)
            box = (box[0], top + high + 8, box[2], box[3])
        paragraphs(sheet, box, sheet.between(8, 12), hand)
    return sheet.image


def form(random: Any) -> Image.Image:
    """Draw a form: labels, boxes and lines to fill in, some of them filled in by hand."""
    sheet = Sheet.of_paper(random)
    hand, pen = printed(random), scrawl(random)
    margin = sheet.width * sheet.between(0.05, 0.12)
    hand(sheet, margin, margin, sheet.width * 0.6, sheet.between(18, 30))
    step = sheet.between(28, 55)
    for y in np.arange(margin + 60, sheet.height - margin, step):
        hand(sheet, margin, y, sheet.width * sheet.between(0.1, 0.28), 11)
        left = sheet.width * sheet.between(0.32, 0.5)
        right = sheet.width - margin
        if sheet.chance(0.5):
            sheet.pen.rectangle((left, y - 3, right, y + step * 0.6), outline=sheet.ink)
        else:
            sheet.pen.line((left, y + step * 0.5, right, y + step * 0.5), sheet.ink)
        if sheet.chance(0.4):
            pen(sheet, left + 6, y, (right - left) * sheet.between(0.2, 0.9), step * 0.45)
        if sheet.chance(0.3):
            sheet.pen.rectangle((margin - 16, y, margin - 5, y + 11), outline=sheet.ink)
    return sheet.image


def table(random: Any) -> Image.Image:
    """Draw a table of words and figures, ruled or not."""
    sheet = Sheet.of_paper(random, upright=0.5)
    columns, rows = sheet.count(3, 9), sheet.count(6, 30)
    hand = printed(random)
    margin = sheet.width * sheet.between(0.03, 0.1)
    box = (margin, margin, sheet.width - margin, sheet.height - margin)
    wide, high = (box[2] - margin) / columns, (box[3] - margin) / rows
    if sheet.chance(0.5):
        sheet.pen.rectangle((*box[:2], box[2], margin + high), fill=any_colour(random))
    if sheet.chance(0.75):
        sheet.grid(box, columns, rows)
    for row in range(rows):
        for column in range(columns):
            if sheet.chance(0.85):
                x, y = margin + wide * column + 4, margin + high * row + high * 0.2
                hand(sheet, x, y, wide * sheet.between(0.4, 0.9), min(high * 0.6, 16))
    return sheet.image


def receipt(random: Any) -> Image.Image:
    """Draw a till receipt: a narrow strip of short lines and figures."""
    width = int(random.integers(200, 300))
    sheet = Sheet(random, (width, int(width * random.uniform(1.6, 3))), (243, 242, 238), (50,) * 3)
    hand = printed(random)
    hand(sheet, width * 0.2, 14, width * 0.6, 20)
    for y in np.arange(50, sheet.height - 70, sheet.between(14, 20)):
        if sheet.chance(0.08):
            sheet.pen.line((10, y + 6, width - 10, y + 6), sheet.ink)
        else:
            hand(sheet, 12, y, width * sheet.between(0.2, 0.6), 11)
            hand(sheet, width * 0.78, y, width * 0.18, 11)
    _bars(sheet, (width * 0.15, sheet.height - 55, width * 0.85, sheet.height - 15))
    return sheet.image


def barcode(random: Any) -> Image.Image:
    """Draw a label: bars or a square of dots, and a line or two."""
    sheet = Sheet.of_paper(random, upright=0.3)
    width, height = sheet.width, sheet.height
    if sheet.chance(0.5):
        _bars(sheet, (width * 0.1, height * 0.15, width * 0.9, height * 0.75))
    else:
        dots = (random.random((29, 29)) < 0.5).astype(np.uint8) * 255
        side = round(min(width, height) * 0.65)
        square = Image.fromarray(dots).resize((side, side), Image.Resampling.NEAREST)
        sheet.image.paste(square.convert("RGB"), ((width - side) // 2, round(height * 0.08)))
    printed(random)(sheet, width * 0.1, height * 0.82, width * 0.8, height * 0.07)
    return sheet.image


def music(random: Any) -> Image.Image:
    """Draw a page of music: staves, notes with stems and beams, bar lines."""
    sheet = Sheet.of_paper(random)
    gap, margin = sheet.between(4, 9), sheet.width * sheet.between(0.04, 0.1)
    right = sheet.width - margin
    if sheet.chance(0.6):
        printed(random)(sheet, sheet.width * 0.3, margin * 0.4, sheet.width * 0.4, 22)
    for top in np.arange(margin + 40, sheet.height - margin - 4 * gap, gap * sheet.between(8, 13)):
        for line in range(5):
            sheet.pen.line((margin, top + line * gap, right, top + line * gap), sheet.ink)
        for x in np.linspace(margin, right, sheet.count(3, 6)):
            sheet.pen.line((x, top, x, top + 4 * gap), sheet.ink, 2)
        _notes(sheet, margin + 4 * gap, right - 2 * gap, top, gap)
    return sheet.image


PAPERS: dict[str, Callable[[Any], Image.Image]] = {
    function.__name__: function
    for function in (
        *(typed_page, hangul_page, letter, newspaper, form),
        *(table, receipt, barcode, music),
    )
}


def _page(random: Any, hand: Hand) -> Image.Image:
    sheet = Sheet.of_paper(random)
    columns = int(random.choice([1, 1, 1, 2, 3]))
    size = sheet.between(9, 22)
    margin = sheet.width * sheet.between(0.04, 0.16)
    top = margin
    if sheet.chance(0.4):
        hand(sheet, margin, top, sheet.width * sheet.between(0.3, 0.8), size * 2)
        top += size * 4
    bottom = sheet.height * (sheet.between(0.3, 0.9) if sheet.chance(0.3) else 0.93)
    width = (sheet.width - 2 * margin) / columns
    for column in range(columns):
        left = margin + column * width
        paragraphs(sheet, (left, top, left + width - size, bottom), size, hand)
    return sheet.image


def _rule(sheet: Sheet, gap: float, *, squared: bool) -> None:
    for y in np.arange(gap, sheet.height, gap):
        sheet.pen.line((0, y, sheet.width, y), (150, 180, 215))
    for x in np.arange(gap, sheet.width, gap) if squared else ():
        sheet.pen.line((x, 0, x, sheet.height), (150, 180, 215))


def _bars(sheet: Sheet, box: Box) -> None:
    x, top, right, bottom = box
    while x < right:
        thick = sheet.count(1, 4) * (right - box[0]) / 180
        sheet.pen.rectangle((x, top, x + thick, bottom), fill=sheet.ink)
        x += thick + sheet.count(1, 4) * (right - box[0]) / 180


def _notes(sheet: Sheet, left: float, right: float, top: float, gap: float) -> None:
    for x in np.arange(left, right, gap * sheet.between(2, 4)):
        y = top + gap / 2 * sheet.count(-1, 9)
        filled = sheet.ink if sheet.chance(0.8) else sheet.paper
        head = (x - gap * 0.65, y - gap * 0.45, x + gap * 0.65, y + gap * 0.45)
        sheet.pen.ellipse(head, fill=filled, outline=sheet.ink)
        end = y - gap * 3 if y > top + 2 * gap else y + gap * 3
        sheet.pen.line((x + gap * 0.6, y, x + gap * 0.6, end), sheet.ink)
        if sheet.chance(0.3):
            sheet.pen.line((x + gap * 0.6, end, x + gap * 2.5, end), sheet.ink, round(gap / 2))
