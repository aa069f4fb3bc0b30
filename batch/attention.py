"""Where a captioner looked: a photo once a word, bright where the attention was."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from batch.caption import Stage
from batch.config import OUTPUTS, is_within, keep_out_of
from batch.damage import PhotoError
from batch.encode import encode_photos
from batch.errors import ArchiveError
from batch.figures import check_png, new_figure, save
from batch.fonts import font_for
from batch.photos import load, open_upright, read_bytes
from batch.scan import Photo
from models.errors import MissingExtraError
from models.morphemes import PIECE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 5
_PANEL = 2.4  # inches, the width of one photo
_PIXELS = 480  # the longest side of a photo as it is drawn
_LIGHT = np.array([255, 205, 60])  # its colour where the attention was greatest


@dataclass(frozen=True)
class Attention:
    """A photo, its caption, and the share of attention of each cell at each word.

    photo: uint8 (height, width, 3); grids: float32 (words, 8, 8), each sums to one.
    """

    photo: np.ndarray
    caption: str
    words: list[str]
    grids: np.ndarray


def draw_attention(
    photo: str, captioner_folder: str, cache_root: str, out: str, search: Mapping[str, Any]
) -> str:
    """Draw where a captioner looks in a photo, as the PNG `out`; return the caption.

    Features are taken from `cache_root` where they are there; `search` changes settings of the
    captioner's search. Raises ArchiveError where the photo cannot be read, where the picture would
    land beside it, or where no font has the words; CheckpointError where the captioner does not
    attend; MissingExtraError without matplotlib.
    """
    check_png(out)
    _keep_out(photo, {"FEATURES": cache_root, "OUT": out})
    _check_sound(photo)
    attention = attend(photo, Stage.load([captioner_folder], cache_root, search))
    try:
        figure = figure_of(attention)
    except ImportError as error:
        remedy = ".venv/bin/pip install -r requirements-train.txt"
        raise MissingExtraError("attention pictures", "matplotlib", remedy) from error
    os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
    save(figure, out)
    return attention.caption


def _keep_out(photo: str, places: Mapping[str, str]) -> None:
    """Write nothing beside the photo; this program's own outputs/ is no folder of photos."""
    own = os.path.exists(OUTPUTS)
    away = {name: p for name, p in places.items() if not (own and is_within(p, OUTPUTS))}
    folder = os.path.dirname(photo) or "."
    if os.path.isdir(folder):
        keep_out_of(folder, away)


def _check_sound(photo: str) -> None:
    """Raise ArchiveError for a bad photo, before a model is loaded."""
    if not os.path.lexists(photo) and ".zip" not in photo.lower():
        raise ArchiveError(f"there is no {photo!r}; give the path of a photo on this machine")
    loaded = load(Photo(*os.path.split(photo), 0, 0))
    if loaded.status != "ok":
        raise ArchiveError(f"{photo}: {loaded.error}")


def attend(photo: str, stage: Stage) -> Attention:
    """Caption one photo and tell where each word was looked for; raises as `draw_attention`."""
    features = _features(photo, stage)
    words, grids = stage.captioner.attend(features)
    caption = stage.captioner.vocabulary.tokenizer.join(words)
    return Attention(_pixels(photo), caption, words, grids)


def _features(photo: str, stage: Stage) -> np.ndarray:
    """Give the features (8, 8, 2048) of a photo, from the cache or by the encoder."""
    waiting = Photo(*os.path.split(photo), 0, 0)
    photo_id = load(waiting, needs_pixels=lambda photo_id: False).photo_id or ""  # noqa: ARG005
    features = stage.cache.read([photo_id]) or encode_photos([waiting], stage.encode)
    if photo_id not in features:
        raise ArchiveError(f"{photo}: changed while it was read; try again")
    return features[photo_id]


def _pixels(path: str) -> np.ndarray:
    try:
        image = open_upright(read_bytes(path), _PIXELS)
    except PhotoError as error:
        raise ArchiveError(f"{path}: {error}") from error
    image.thumbnail((_PIXELS, _PIXELS))
    return np.asarray(image)


def figure_of(attention: Attention) -> "Figure":
    """Draw the plain photo under its caption, then one photo a word. Raises ArchiveError."""
    titles = [shown_word(word) for word in attention.words]
    font = font_for("".join([attention.caption, *titles]))
    panels = [attention.photo, *spotlit(attention.photo, attention.grids)]
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    height, width = attention.photo.shape[:2]
    figure = new_figure(columns * _PANEL, rows * (_PANEL * height / width + 0.3) + 0.5)
    for number, (panel, title) in enumerate(zip(panels, ["", *titles], strict=True), 1):
        axes = figure.add_subplot(rows, columns, number)
        axes.imshow(panel)
        axes.set_axis_off()
        axes.set_title(title, fontproperties=font, fontsize=11, parse_math=False)
    caption = figure.suptitle(attention.caption, fontproperties=font, fontsize=14, wrap=True)
    caption.set_parse_math(False)
    return figure


def shown_word(word: str) -> str:
    """Write a word of a vocabulary for people: a piece that continues an eojeol gets a hyphen."""
    plain = " ".join(word.split())
    return f"-{plain.removeprefix(PIECE)}" if plain.startswith(PIECE) else plain


def spotlit(photo: np.ndarray, grids: np.ndarray) -> list[np.ndarray]:
    """Light a photo (height, width, 3) by each grid (8, 8), stretched over the whole of it.

    The brightest spot of all grids is as bright as can be: words can be compared.
    """
    height, width = photo.shape[:2]
    size = (width, height)
    lights = [Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC) for grid in grids]
    shares = np.clip(np.array(lights).reshape(-1, height, width), 0, None)
    top = shares.max(initial=np.finfo(np.float32).tiny)
    return [_lit(photo, share / top) for share in shares]


def _lit(photo: np.ndarray, light: np.ndarray) -> np.ndarray:
    # Added to a grey photo, not multiplied, and in colour: it shows in the night and on snow.
    grey = np.asarray(Image.fromarray(photo).convert("L"))[..., None]
    return np.asarray(0.4 * grey + 0.6 * light[..., None] * _LIGHT, np.uint8)
