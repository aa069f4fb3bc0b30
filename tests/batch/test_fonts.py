"""Text in pictures is written in a font that has it: no boxes where letters should be."""

import warnings

import matplotlib.font_manager
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection

from batch.errors import ArchiveError
from batch.figures import new_figure
from batch.fonts import font_for

KOREAN = "개가 달린다."


def glyph(*corners):
    """Draw a letter as one polygon."""
    pen = TTGlyphPen(None)
    pen.moveTo(corners[0])
    for corner in corners[1:]:
        pen.lineTo(corner)
    pen.closePath()
    return pen.glyph()


def made_font(family, letters, style="Regular"):
    """Make a font: its letters are triangles, each of another height, its missing one a box."""
    names = [".notdef", *(f"letter{number}" for number, _ in enumerate(letters))]
    triangles = (
        glyph((50, 0), (500, 300 + 50 * number), (950, 0)) for number, _ in enumerate(letters)
    )
    shapes = [glyph((50, 0), (50, 900), (950, 900), (950, 0)), *triangles]
    font = FontBuilder(1000)
    font.setupGlyphOrder(names)
    font.setupCharacterMap(dict(zip(map(ord, letters), names[1:], strict=True)))
    font.setupGlyf(dict(zip(names, shapes, strict=True)))
    font.setupHorizontalMetrics(dict.fromkeys(names, (1000, 50)))
    font.setupHorizontalHeader(ascent=900, descent=-100)
    font.setupNameTable({"familyName": family, "styleName": style})
    font.setupOS2()
    font.setupPost()
    return font.font


def save(font, path):
    font.save(path)
    return str(path)


@pytest.fixture
def machine(monkeypatch):
    """Let the machine have these fonts alone."""

    def has(*paths):
        monkeypatch.setattr(matplotlib.font_manager, "findSystemFonts", lambda: list(paths))

    return has


def drawn(text, font):
    """Draw a text; a letter that the font lacks is an error."""
    figure = new_figure(2, 1)
    figure.text(0.1, 0.3, text, fontproperties=font, fontsize=40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def test_english_needs_no_font_of_the_machine(machine):
    machine()
    assert (drawn("A dog runs.", font_for("A dog runs.")) < 128).any()
    font_for("")


def test_korean_is_drawn_in_a_font_that_has_it(machine, tmp_path):
    latin = save(made_font("Noto Sans KR", "abc"), tmp_path / "latin.ttf")
    korean = save(made_font("Somebody's", "개가 달린다."), tmp_path / "korean.ttf")
    machine(latin, korean)
    font = font_for(KOREAN)
    assert font.get_file() == korean
    drawn(KOREAN, font)
    with pytest.raises(UserWarning, match="missing"):
        drawn("고", font)


def test_on_this_machine_korean_letters_are_no_boxes():
    try:
        font = font_for(KOREAN + "고")
    except ArchiveError:
        pytest.skip("no Korean font here")
    drawn(KOREAN, font)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = new_figure(2, 1)
        figure.text(0.1, 0.3, "\U0010fffd", fontproperties=font, fontsize=40)
        figure.canvas.draw()
        box = np.asarray(figure.canvas.buffer_rgba())
    dog, and_so = drawn("개", font), drawn("고", font)
    assert (dog != box).any()
    assert (and_so != box).any()
    assert (dog != and_so).any()


def test_a_collection_of_fonts_is_looked_into(machine, tmp_path):
    collection = TTCollection()
    collection.fonts = [made_font("Noto Sans CJK JP", "개"), made_font("Noto Sans CJK KR", "개")]
    collection.save(tmp_path / "both.ttc")
    machine(str(tmp_path / "both.ttc"))
    drawn("개", font_for("개"))


def test_plain_sans_serif_fonts_for_korean_come_first(machine, tmp_path):
    families = [
        ("Batang", "Regular"),
        ("Noto Sans CJK JP", "Bold"),
        ("Malgun Gothic", "Regular"),
        ("Noto Sans CJK JP", "Regular"),
    ]
    paths = [
        save(made_font(family, "개", style), tmp_path / f"{number}.ttf")
        for number, (family, style) in enumerate(families)
    ]
    for expected in (3, 1, 2, 0):  # each time without those that were chosen before
        machine(*paths)
        chosen = font_for("개").get_file()
        assert chosen == str(tmp_path / f"{expected}.ttf")
        paths.remove(chosen)


def test_broken_fonts_are_passed_over(machine, tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    korean = save(made_font("NanumGothic", "개"), tmp_path / "korean.ttf")
    machine(str(tmp_path / "broken.ttf"), str(tmp_path / "gone.ttf"), korean)
    assert font_for("개").get_file() == korean


def test_without_such_a_font_the_error_says_what_to_install(machine, tmp_path):
    machine(save(made_font("Noto Sans KR", "abc"), tmp_path / "latin.ttf"))
    with pytest.raises(ArchiveError, match=r"apt install fonts-noto-cjk.*Nanum") as error:
        font_for("개")
    assert "개" in str(error.value)
