"""Fonts for text in pictures: one that has the characters, so that none comes out as a box.

What matplotlib brings along has no Hangul. The machine's fonts are looked at anew each time, since
matplotlib's own list is kept from before a font was installed.
"""

import os
from collections.abc import Collection
from typing import TYPE_CHECKING

from batch.errors import ArchiveError
from batch.text import printable

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties
    from matplotlib.ft2font import FT2Font

# Sans-serif ones that are made for Korean, as they call themselves: the first face of Noto's
# collection says JP and has every syllable.
PREFERRED = (
    "Noto Sans KR",
    "Noto Sans CJK",
    "Source Han Sans",
    "Pretendard",
    "NanumGothic",
    "NanumBarunGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
)
_PLAIN = ("Regular", "Book", "Medium", "Normal")
_SHOWN = 10  # characters of a message


def font_for(text: str) -> "FontProperties":
    """Find a font that has every character of a text.

    Raises ArchiveError naming what to install where there is none, ImportError without matplotlib.
    """
    from matplotlib import get_data_path
    from matplotlib.font_manager import FontProperties

    characters = set(text) - {"\n"}
    own = os.path.join(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    path = own if _has(own, characters) else _installed(characters)
    return FontProperties(fname=path)  # type: ignore[arg-type,unused-ignore]


def _installed(characters: Collection[str]) -> str:
    from matplotlib.font_manager import findSystemFonts

    fonts = [path for path in findSystemFonts() if _has(path, characters)]
    if not fonts:
        missing = printable(" ".join(sorted(characters)[-_SHOWN:]))
        raise ArchiveError(
            f"no font of this machine has all of these characters: {missing}; "
            "run `apt install fonts-noto-cjk`, or install Nanum Gothic, and try again"
        )
    return min(fonts, key=_rank)


def _has(path: str, characters: Collection[str]) -> bool:
    font = _opened(path)
    if font is None or not font.scalable:  # as some for emoji: not to be drawn at our sizes
        return False
    return all(font.get_char_index(ord(letter)) for letter in characters)


def _rank(path: str) -> tuple[int, bool, str]:
    font = _opened(path)
    family, style = (font.family_name, font.style_name) if font else ("", "")
    place = (place for place, name in enumerate(PREFERRED) if family.startswith(name))
    return next(place, len(PREFERRED)), style not in _PLAIN, path


def _opened(path: str) -> "FT2Font | None":
    from matplotlib.ft2font import FT2Font

    try:
        return FT2Font(path)
    except (OSError, RuntimeError):  # broken, or of a kind that FreeType does not read
        return None
