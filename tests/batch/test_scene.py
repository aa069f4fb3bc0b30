"""A photo that is no scene has a status of its own, no caption, and is no failure."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import batch.caption
import batch.scene
from batch.__main__ import main
from batch.caption import encode_with
from batch.config import PRETRAINED
from batch.errors import ArchiveError
from batch.features import FeatureCache
from batch.nonscenes.drawings import KINDS, drawings
from batch.nonscenes.looks import odd_photo
from batch.page import write_page
from batch.photos import load
from batch.pipeline import encode_archive, run
from batch.preflight import describe
from batch.scan import Photo
from batch.scene import teach_scenes
from batch.show import table
from manifests.record import NO_SCENE, Status
from models.captioner import encoder_fingerprint
from models.errors import CheckpointError
from models.scene import SCENE_FILE, SceneHead
from tests.batch.archives import save_captioner
from tests.batch.test_pages import Reader
from tests.data import shared
from tests.pictures import encoded, noise

# What runs do with photos that are no scenes.


def take_dark_for_none(folder):
    """Give a captioner a head by which dark photos are no scenes."""
    kernel = np.full(2048, -40 / 2048, np.float32)
    SceneHead(kernel, 4.0, encoder_fingerprint(folder)).save(folder)


def darkness(path: Path, light: int = 9) -> None:
    path.write_bytes(encoded(Image.new("RGB", (48, 32), (light,) * 3), "PNG"))


@pytest.fixture
def choosy(archive, captioner_folder, tmp_path):
    """Make an archive of two photos and a dark frame, and a captioner that passes that over."""
    archive.captioner = shutil.copytree(captioner_folder, tmp_path / "choosy")
    archive.captioner = str(archive.captioner)
    take_dark_for_none(archive.captioner)
    archive.draw("a.png", "c.png")
    darkness(archive.root / "b.png")
    return archive


def test_its_row_says_so_and_the_run_is_complete(choosy, stub_captioner):
    summary = run(choosy.config())
    row = choosy.records["b.png"]
    assert (row.status, row.caption, row.error) == (Status.NOT_A_SCENE, None, NO_SCENE)
    assert (row.confidence, row.log_prob, row.alternatives, row.decode) == (None, None, (), None)
    assert (row.width, row.height, row.format) == (48, 32, "PNG")
    assert row.captioner == choosy.records["a.png"].captioner
    assert choosy.records["a.png"].caption
    assert (summary.exit_code, summary.captioned, summary.not_a_scene) == (0, 2, 1)
    assert not summary.failed
    assert "3 photos, 2 captioned in" in str(summary)
    assert ", 1 not a scene: " in str(summary)
    assert choosy.last_run["not_a_scene"] == 1
    [sheet] = [each for each in choosy.csv_rows if each["path"] == "b.png"]
    assert (sheet["status"], sheet["caption"], sheet["error"]) == ("not_a_scene", "", NO_SCENE)


def test_the_captions_of_scenes_are_those_that_they_have_alone(choosy, stub_captioner, tmp_path):
    run(choosy.config())
    both = choosy.captions
    (choosy.root / "b.png").unlink()
    choosy.out = tmp_path / "alone"
    run(choosy.config())
    assert choosy.captions == {path: both[path] for path in ("a.png", "c.png")}


def test_a_second_run_looks_at_nothing_again(choosy, stub_captioner, monkeypatch):
    run(choosy.config())
    before = choosy.results
    monkeypatch.setattr("batch.pipeline.load_stage", lambda config: pytest.fail("loads a model"))
    for asked in ({}, {"retry_failed": True}):
        summary = run(choosy.config(**asked))
        assert (summary.exit_code, summary.unchanged, summary.not_a_scene) == (0, 2, 1)
        assert "3 photos, nothing new, 1 not a scene: " in str(summary)
    assert choosy.results == before


def test_copies_and_moved_files_take_it_over_without_being_encoded(
    choosy, stub_captioner, fake_encoder
):
    run(choosy.config())
    shutil.copy(choosy.root / "b.png", choosy.root / "copy.png")
    (choosy.root / "b.png").rename(choosy.root / "moved.png")
    shutil.rmtree(choosy.features)
    summary = run(choosy.config())
    assert (summary.encoded, summary.moved, summary.not_a_scene) == (0, 1, 2)
    for name in ("copy.png", "moved.png"):
        row = choosy.records[name]
        assert (row.status, row.error, row.path) == (Status.NOT_A_SCENE, NO_SCENE, name)
    assert fake_encoder.photos == 3


def test_one_that_is_missing_and_comes_back_is_as_it_was(choosy, stub_captioner):
    run(choosy.config())
    before = choosy.records["b.png"]
    (choosy.root / "b.png").rename(choosy.out / "aside.png")
    run(choosy.config())
    assert choosy.records["b.png"].status is Status.MISSING
    (choosy.out / "aside.png").rename(choosy.root / "b.png")
    assert run(choosy.config()).captioned == 0
    assert choosy.records["b.png"] == before


def test_other_bytes_are_looked_at_anew(choosy, stub_captioner):
    run(choosy.config())
    choosy.draw("b.png", seed=7)
    summary = run(choosy.config())
    assert (summary.captioned, summary.not_a_scene) == (1, 0)
    assert choosy.records["b.png"].status is Status.CAPTIONED


def test_to_overwrite_is_to_ask_again(choosy, stub_captioner):
    run(choosy.config())
    Path(choosy.captioner, SCENE_FILE).unlink()
    assert run(choosy.config()).captioned == 0
    summary = run(choosy.config(overwrite=True))
    assert (summary.captioned, summary.encoded, summary.not_a_scene) == (3, 0, 0)


def test_another_captioner_leaves_it_and_says_so(choosy, fake_encoder, captioner_folder, tmp_path):
    run(choosy.config())
    other = Path(shutil.copytree(captioner_folder, tmp_path / "other"))
    config = json.loads((other / "config.json").read_text()) | {"name": "other"}
    (other / "config.json").write_text(json.dumps(config))
    summary = run(choosy.config(captioner=str(other)))
    assert (summary.captioned, summary.not_a_scene) == (0, 1)
    assert choosy.last_run["others"] == {"tiny": 3}


def test_in_several_languages_the_first_captioner_decides(choosy, fake_encoder, tmp_path):
    other = Path(save_captioner(tmp_path / "korean"))
    config = json.loads((other / "config.json").read_text()) | {"name": "ko", "language": "ko"}
    (other / "config.json").write_text(json.dumps(config))
    asked = choosy.config(others=(str(other),))
    summary = run(asked)
    assert (summary.captioned, summary.not_a_scene) == (2, 1)
    row = choosy.records["b.png"]
    assert (row.status, row.languages) == (Status.NOT_A_SCENE, ())
    assert run(asked).encoded == 0
    assert choosy.records["b.png"] == row


def test_the_line_counts_what_was_looked_at_now(choosy, stub_captioner):
    encode_archive(choosy.config())
    summary = run(choosy.config())
    assert "2 captioned (3 from cached features)" in str(summary)
    assert (summary.captioned, summary.passed_over, summary.encoded) == (2, 1, 0)


def test_a_dry_run_counts_it_apart(choosy, stub_captioner):
    run(choosy.config())
    lines = [" ".join(line.split()) for line in describe(choosy.config()).splitlines()]
    assert {"captioned before 2", "not a scene before 1", "failed before 0"} <= {*lines}


def test_the_terminal_and_the_page_give_the_reason(choosy, stub_captioner):
    run(choosy.config())
    assert f"(not_a_scene: {NO_SCENE})" in table(str(choosy.out), 5).split("\n")[1]
    read = Reader(Path(write_page(str(choosy.out))).read_text(encoding="utf-8"))
    assert NO_SCENE in read.said("p")
    assert len(read.all("img")) == 3


def test_without_a_head_every_photo_gets_a_caption(choosy, stub_captioner):
    Path(choosy.captioner, SCENE_FILE).unlink()
    assert run(choosy.config()).captioned == 3


def test_a_head_for_another_encoder_stops_the_run(choosy, fake_encoder, capsys):
    SceneHead(np.zeros(2048, np.float32), 0.0, "0" * 16).save(choosy.captioner)
    with pytest.raises(CheckpointError, match="another encoder"):
        run(choosy.config())


# What it learns from.


def test_drawings_are_the_same_every_time_and_none_is_like_another():
    pictures = [(kind, picture.tobytes()) for kind, picture in drawings(2)]
    assert [kind for kind, _ in pictures] == [kind for kind in KINDS for _ in range(2)]
    assert len({data for _, data in pictures}) == len(pictures)
    assert pictures[:4] == [(kind, picture.tobytes()) for kind, picture in list(drawings(2))[:4]]


def test_odd_photos_stay_photos():
    photo = noise(200, 150)
    made = [odd_photo(photo, np.random.default_rng(seed)) for seed in range(20)]
    assert {picture.mode for picture in made} == {"RGB"}
    assert min(min(picture.size) for picture in made) >= 150 // 4 - 1
    assert len({picture.tobytes() for picture in made}) > 10


class ColourCounter:
    """Features that say which colours a picture has, without a network."""

    def predict_on_batch(self, pixels):
        """Give (photos, 8, 8, 2048): the share of each of 512 colours, everywhere the same."""
        levels = pixels.astype(int) // 32
        codes = (levels @ [64, 8, 1]).reshape(len(pixels), -1)
        shares = np.stack([np.bincount(row, minlength=512) / row.size for row in codes])
        return np.tile(shares[:, None, None], (1, 8, 8, 4)).astype(np.float32)


@pytest.fixture
def lesson(tmp_path, captioner_folder, monkeypatch):
    """Draw photos to learn from, and let a captioner learn scenes from them and few drawings."""
    monkeypatch.setattr(batch.caption, "load_encoder", lambda folder, bfloat16: ColourCounter())
    for name, value in {"ENOUGH": 20, "ODD": 4, "EACH": 2, "FOLDS": 2}.items():
        monkeypatch.setattr(batch.scene, name, value)
    folder = str(shutil.copytree(captioner_folder, tmp_path / "pupil"))
    (tmp_path / "photos").mkdir()
    paths = [str(tmp_path / "photos" / f"{number}.png") for number in range(30)]
    for number, path in enumerate(paths):
        Path(path).write_bytes(encoded(noise(24, 16, number).resize((300, 200)), "PNG"))
    return folder, paths[:24], paths[24:], str(tmp_path / "features")


@pytest.mark.slow
def test_a_captioner_learns_to_pass_over_what_is_no_scene(lesson):
    folder, _, dev, _ = lesson
    report = teach_scenes(*lesson)
    assert (report.photos, report.flagged) == (3, 0)
    assert [*report.found] == [*KINDS]
    assert str(report).startswith("taken for no scene: 0 of 3 photos to validate on, ")
    head = SceneHead.load(folder, encoder_fingerprint(folder))
    encode = encode_with(folder)
    page = Image.new("RGB", (299, 299), (250,) * 3)
    assert not head.shown_in(encode(np.asarray(page)[None])[0])
    assert head.shown_in(encode(load(Photo("", dev[0], 0, 0)).pixels[None])[0])


@pytest.mark.slow
def test_the_same_photos_teach_the_same(lesson):
    folder, *_ = lesson
    teach_scenes(*lesson)
    before = Path(folder, SCENE_FILE).read_bytes()
    teach_scenes(*lesson)  # from the cache, and over the old file
    assert Path(folder, SCENE_FILE).read_bytes() == before


@pytest.mark.slow
def test_photos_that_cannot_be_read_any_more_are_left_out(lesson):
    _, train, dev, features = lesson
    Path(dev[0]).unlink()
    Path(train[0]).write_bytes(b"notes")
    told = []
    assert teach_scenes(*lesson, told.append).photos == 2
    assert {problem.file for problem in told} == {dev[0], train[0]}
    assert len(FeatureCache(str(next(Path(features).iterdir())))) == 28


def test_a_few_photos_are_too_few(lesson):
    folder, train, dev, features = lesson
    with pytest.raises(ArchiveError, match=r"5 photos are too few .* 20 are enough"):
        teach_scenes(folder, train[:5], dev, features)
    assert not Path(folder, SCENE_FILE).exists()


@pytest.mark.slow
def test_the_command_reads_the_lists_and_tells_how_it_went(lesson, tmp_path, capsys):
    folder, train, dev, features = lesson
    for name, paths in {"train": train, "dev": dev}.items():
        (tmp_path / f"{name}.txt").write_text("".join(f"{Path(p).name}\n" for p in paths))
    lines = (f"{Path(path).name}#0\ta dog runs\n" for path in (*train, *dev))
    (tmp_path / "token.txt").write_text("".join(lines))
    asked = ["scene", "--captioner", folder, "--features", features]
    asked += ["--captions", str(tmp_path / "token.txt"), "--photos", str(tmp_path / "photos")]
    asked += ["--train-list", str(tmp_path / "train.txt"), "--dev-list", str(tmp_path / "dev.txt")]
    assert main(asked) == 0
    assert "of 3 photos to validate on" in capsys.readouterr().out
    assert Path(folder, SCENE_FILE).exists()


@pytest.mark.slow
def test_real_photos_stay_and_pages_and_patterns_go(tmp_path, monkeypatch):
    """Few photos and drawings, the encoder that ships: scenes it never saw, a page that is real."""
    import skimage

    photos = sorted(map(str, shared("flickr8k/images").iterdir()))
    for name, value in {"ENOUGH": 100, "ODD": 32, "EACH": 4}.items():
        monkeypatch.setattr(batch.scene, name, value)
    folder = str(tmp_path / "pupil")
    shutil.copytree(Path(PRETRAINED, "flickr8k-en"), folder)
    report = teach_scenes(folder, photos[:200], photos[200:260], str(tmp_path / "features"))
    assert report.flagged == 0
    assert sum(report.found.values()) > 0.8 * 4 * len(KINDS)
    head = SceneHead.load(folder, encoder_fingerprint(folder))
    encode = encode_with(folder)
    for name, is_scene in {
        **dict.fromkeys(["page.png", "text.png", "chessboard_GRAY.png"], False),
        **dict.fromkeys(["astronaut.png", "camera.png", "chelsea.png", "coffee.png"], True),
    }.items():
        pixels = load(Photo(skimage.data_dir, name, 0, 0)).pixels
        assert head.shown_in(np.asarray(encode(pixels[None]))[0]) == is_scene, name
