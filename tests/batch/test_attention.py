"""A photo once a word, bright where the captioner looked."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from batch.__main__ import main
from batch.attention import Attention, attend, draw_attention, figure_of, shown_word, spotlit
from batch.caption import Stage
from batch.config import Config
from batch.errors import ArchiveError
from batch.figures import default_picture
from batch.pipeline import encode_archive
from models.captioner import Captioner, CaptionerConfig
from models.errors import CheckpointError
from models.merge_decoder import MergeConfig, MergeDecoder
from models.search import SearchConfig
from models.vocabulary import Vocabulary
from tests.batch.archives import state_of
from tests.pictures import RED, encoded, turned, upright


@pytest.fixture
def photo(tmp_path):
    """Draw a photo of four fields in a folder of its own."""
    (tmp_path / "photos").mkdir()
    path = tmp_path / "photos" / "two dogs.v2.jpg"
    path.write_bytes(encoded(upright()))
    return path


@pytest.fixture
def asked(photo, tmp_path, captioner_folder, fake_encoder):
    """Name what draw_attention takes; the encoder is a stand-in."""
    return {
        "photo": str(photo),
        "captioner_folder": captioner_folder,
        "cache_root": str(tmp_path / "features"),
        "out": str(tmp_path / "pictures" / "attention.png"),
        "search": {},
    }


def looked(*places):
    """Make grids, each with all its attention in one cell."""
    grids = np.zeros((len(places), 8, 8), np.float32)
    for grid, place in zip(grids, places, strict=True):
        grid[place] = 1
    return grids


def attention(words, caption, photo=None):
    photo = np.asarray(upright()) if photo is None else photo
    return Attention(photo, caption, words, np.full((len(words), 8, 8), 1 / 64, np.float32))


# The light.


def test_the_light_falls_where_the_attention_was_over_the_whole_photo():
    photo = np.zeros((40, 160, 3), np.uint8)
    first, last = (lit.sum(-1) for lit in spotlit(photo, looked((0, 0), (7, 7))))
    assert first[:5, :20].min() > 3 * first[10:, 40:].max()
    assert last[-5:, -20:].min() > 3 * last[:30, :120].max()


def test_the_light_is_smooth():
    [lit] = spotlit(np.zeros((80, 80, 3), np.uint8), looked((4, 4)))
    line = lit[45, :, 0].astype(int)
    assert len(set(line)) > 8
    assert np.abs(np.diff(line)).max() < 40


def test_lights_can_be_compared_between_words():
    grids = looked((4, 4), (4, 4))
    grids[1] /= 4
    bright, dim = (lit.max() for lit in spotlit(np.zeros((80, 80, 3), np.uint8), grids))
    assert dim == pytest.approx(bright / 4, abs=1)


def test_the_photo_can_be_seen_in_light_and_in_the_dark():
    dark, *_ = spotlit(np.asarray(upright()), looked((7, 7)))
    red, green = dark[10, 20].astype(int), dark[10, 80].astype(int)
    assert abs(green - red).max() > 10
    photo = np.asarray(upright())
    [lit] = spotlit(photo, np.full((1, 8, 8), 1 / 64, np.float32))
    assert lit.astype(int).std(axis=(0, 1)).min() > 5
    assert lit.max() <= 255


def test_white_photos_show_the_light_by_its_colour():
    [lit] = spotlit(np.full((80, 80, 3), 255, np.uint8), looked((4, 4)))
    colour = np.ptp(lit.astype(int), axis=-1)
    assert colour[45, 45] > 100
    assert colour[:20].max() < 10


# The figure.


def test_there_is_a_panel_for_the_photo_and_one_for_each_word():
    words = ["a", "brown", "dog", "runs", "on", "the", "green", "grass"]
    figure = figure_of(attention(words, "A brown dog runs on the green grass."))
    assert figure.get_suptitle() == "A brown dog runs on the green grass."
    assert [axes.get_title() for axes in figure.axes] == ["", *words]
    plain, *lit = (axes.images[0].get_array() for axes in figure.axes)
    assert (plain == np.asarray(upright())).all()
    assert {panel.shape for panel in lit} == {plain.shape}


def test_panels_stand_in_rows_of_five_in_reading_order():
    figure = figure_of(attention(list("abcdefg"), "Letters."))
    figure.canvas.draw()
    corners = [axes.get_position() for axes in figure.axes]
    rows = [round(corner.y0, 2) for corner in corners]
    assert rows[:5] == [rows[0]] * 5
    assert rows[5:] == [rows[5]] * 3
    assert rows[0] > rows[5]
    assert corners[0].x0 < corners[1].x0 < corners[4].x0


@pytest.mark.parametrize("size", [(96, 64), (64, 96)])
def test_the_photo_keeps_its_proportions(size):
    figure = figure_of(attention(["a", "dog"], "A dog.", np.asarray(upright(*size))))
    figure.canvas.draw()
    box = figure.axes[1].get_window_extent()
    assert box.width / box.height == pytest.approx(size[0] / size[1], rel=0.01)


def test_no_text_of_a_figure_reaches_beyond_it_or_into_another():
    words = [f"word{number}" for number in range(20)]
    figure = figure_of(attention(words, " ".join(words)))
    figure.canvas.draw()
    title = figure._suptitle.get_window_extent()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert title.x0 >= 0
    assert title.x1 <= figure.bbox.width
    assert max(box.y1 for box in boxes) <= title.y0
    assert all(box.y0 >= 0 for box in boxes)


def test_what_looks_like_mathematics_is_shown_as_it_is():
    figure = figure_of(attention(["$x^$", "_$"], "$x^$ _$"))
    figure.canvas.draw()


def test_a_piece_that_continues_an_eojeol_gets_a_hyphen():
    assert [shown_word(word) for word in ("개", "##가", "달린", "##다", "a\ndog")] == [
        "개",
        "-가",
        "달린",
        "-다",
        "a dog",
    ]


def test_without_a_font_for_the_words_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", list)
    with pytest.raises(ArchiveError, match="apt install fonts-noto-cjk"):
        figure_of(attention(["개", "##가"], "개가."))


# From the photo on.


def test_words_and_grids_are_the_captioners_own(asked, photo):
    stage = Stage.load([asked["captioner_folder"]], asked["cache_root"], {})
    found = attend(str(photo), stage)
    squashed = np.asarray(upright().resize((299, 299), Image.Resampling.BICUBIC))
    features = stage.encode(squashed[None])[0]
    caption = stage.captioner.caption(features[None])[0]
    assert (found.caption, len(found.grids)) == (caption.text, len(found.words))
    assert found.caption == f"{' '.join(found.words).capitalize()}."
    assert found.grids.shape[1:] == (8, 8)
    assert found.grids.sum(axis=(1, 2)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_photo_is_shown_upright(asked, photo, orientation):
    photo.write_bytes(turned(orientation))
    found = attend(str(photo), Stage.load([asked["captioner_folder"]], asked["cache_root"], {}))
    assert found.photo.shape == (64, 96, 3)
    assert abs(found.photo[10, 10].astype(int) - RED).max() < 12


def test_a_photo_whose_features_are_cached_is_not_encoded_again(asked, photo, fake_encoder):
    draw_attention(**asked)
    assert fake_encoder.photos == 1
    config = Config(str(photo.parent), "", asked["cache_root"], asked["captioner_folder"])
    encode_archive(config)
    assert fake_encoder.photos == 2
    draw_attention(**asked)
    assert fake_encoder.photos == 2


def test_the_same_photo_gives_the_same_png_and_nothing_beside_it(asked, photo):
    before = state_of(photo.parent)
    draw_attention(**asked)
    first = Path(asked["out"]).read_bytes()
    draw_attention(**asked)
    assert Path(asked["out"]).read_bytes() == first
    with Image.open(asked["out"]) as image:
        assert (image.format, np.asarray(image.convert("L")).std() > 5) == ("PNG", True)
    assert list(Path(asked["out"]).parent.iterdir()) == [Path(asked["out"])]
    assert state_of(photo.parent) == before


def test_a_failure_leaves_the_picture_that_was_there(asked, monkeypatch):
    picture = Path(asked["out"])
    picture.parent.mkdir()
    picture.write_bytes(b"before")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("manifests.durable.sync", fail)
    with pytest.raises(OSError, match="No space"):
        draw_attention(**asked)
    assert picture.read_bytes() == b"before"
    assert list(picture.parent.iterdir()) == [picture]


@pytest.mark.parametrize("place", ["a.png", "deeper/a.png"])
def test_no_picture_lands_among_the_photos(asked, photo, place):
    before = state_of(photo.parent)
    with pytest.raises(ArchiveError, match=r"OUT is .*never written to"):
        draw_attention(**asked | {"out": str(photo.parent / place)})
    assert state_of(photo.parent) == before


def test_a_photo_in_this_folder_may_have_its_picture_under_outputs(asked, photo, monkeypatch):
    monkeypatch.chdir(photo.parent)
    (photo.parent / "outputs").mkdir()
    out = default_picture("attention", photo.name)
    assert out == "outputs/attention/two dogs.v2.png"
    draw_attention(**asked | {"photo": photo.name, "out": out})
    assert (photo.parent / out).is_file()
    with pytest.raises(ArchiveError, match="OUT is"):
        draw_attention(**asked | {"photo": photo.name, "out": "a.png"})


def test_a_name_that_says_another_format_is_refused(asked):
    with pytest.raises(ArchiveError, match=r"ends in \.png"):
        draw_attention(**asked | {"out": asked["out"].replace(".png", ".jpg")})


BAD = {
    "no photo": (b"<html>", "is a web page"),
    "cut": (encoded(upright())[:-200], "part of it is missing"),
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_a_bad_photo_is_one_line(asked, photo, data, reason, capsys):
    photo.write_bytes(data)
    options = ["--captioner", asked["captioner_folder"], "--out", asked["out"]]
    code = main(["attention", *options, "--features", asked["cache_root"], "--", str(photo)])
    said = capsys.readouterr()
    assert (code, said.out) == (1, "")
    assert said.err.startswith(f"error: {photo}: ")
    assert reason in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("name", ["gone.jpg", "http://example.org/a.jpg"])
def test_a_photo_that_is_not_there_is_one_line(asked, name, capsys):
    assert main(["attention", "--captioner", asked["captioner_folder"], name]) == 1
    said = f"error: there is no {name!r}; give the path of a photo on this machine\n"
    assert capsys.readouterr().err == said


def test_the_command_says_the_caption_and_where_the_picture_is(asked, photo, capsys):
    options = ["--captioner", asked["captioner_folder"], "--out", asked["out"]]
    options += ["--features", asked["cache_root"], "--max-length", "2", "--", str(photo)]
    assert main(["attention", *options]) == 0
    caption, out = capsys.readouterr().out.splitlines()
    assert out == asked["out"]
    assert 1 <= len(caption.split()) <= 2


def test_a_captioner_that_does_not_attend_is_told(asked, tmp_path):
    vocabulary = Vocabulary.from_captions(["a dog runs"], 1)
    decoder = MergeDecoder(MergeConfig(len(vocabulary), 4, 4))
    search = SearchConfig(num_beams=1, max_length=4)
    config = CaptionerConfig("blind", "en", decoder.config, search, "merge", encoder="imagenet")
    Captioner(config, vocabulary, decoder).save(str(tmp_path / "merge"))
    with pytest.raises(CheckpointError, match="blind does not attend"):
        draw_attention(**asked | {"captioner_folder": str(tmp_path / "merge")})
    assert not Path(asked["out"]).exists()
