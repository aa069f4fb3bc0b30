"""Calibrating a captioner changes how sure it is of its captions, and nothing else of it."""

import json
import shutil
from pathlib import Path

import pytest

import batch.calibrate
from batch.calibrate import FEWEST, calibrate, table
from batch.corpora.corpus import CaptionedPhoto
from batch.errors import ArchiveError
from batch.evaluate import Places, evaluate
from models.calibration import CONFIDENCE_FILE
from models.captioner import CaptionerConfig, captioner_fingerprint
from models.errors import CheckpointError
from tests.batch.archives import draw, state_of

TEXTS = ("a dog runs on the grass", "two people sit", "a red boat near the water")


class Run:
    """A captioner of its own, and photos with what people wrote of them."""

    def __init__(self, root: Path, captioner: str) -> None:
        self.folder = Path(shutil.copytree(captioner, root / "captioner"))
        self.place, self.features = root / "photos", str(root / "features")
        self.photos = []
        for number in range(FEWEST + 2):
            draw(self.place / f"{number}.png", number)
            texts = (TEXTS[number % 3], f"{TEXTS[(number + 1) % 3]} {number}")
            self.photos.append(CaptionedPhoto(f"{number}.png", texts))
        self.told = []

    def go(self):
        """Calibrate, and give what came out."""
        place, tell = str(self.place), self.told.append
        return calibrate(str(self.folder), self.photos, place, self.features, tell)

    def captions(self, out: Path, **search):
        """Caption and score the photos: text and confidence by path."""
        places = Places(str(self.place), self.features, str(out))
        found = evaluate(str(self.folder), self.photos[:20], places, search)
        return {photo.path: (photo.caption, photo.confidence) for photo in found.photos}

    @property
    def written(self):
        """What confidence.json holds."""
        return json.loads((self.folder / CONFIDENCE_FILE).read_text(encoding="utf-8"))


@pytest.fixture
def run(tmp_path, captioner_folder, fake_encoder, monkeypatch):
    monkeypatch.setattr("batch.judge.meteor", lambda *_: None)
    return Run(tmp_path, captioner_folder)


@pytest.mark.parametrize("search", [{}, {"num_beams": 1}, {"temperature": 1.0}], ids=str)
def test_captions_stay_and_their_confidence_changes(run, tmp_path, search):
    before = run.captions(tmp_path / "before", **search)
    run.go()
    after = run.captions(tmp_path / "after", **search)
    assert [text for text, _ in before.values()] == [text for text, _ in after.values()]
    assert all(before[path][1] != after[path][1] for path in before)
    assert all(0 <= confidence <= 1 for _, confidence in after.values())


def test_the_file_says_on_what_it_was_fitted_and_how_well(run):
    found = run.go()
    assert run.written["fitted_on"]["photos"] == FEWEST + 2
    assert run.written["fitted_on"]["language"] == "en"
    assert run.written["several_beams"]["search"].startswith("beams=2 ")
    assert run.written["single_caption"]["search"].startswith("beams=1 ")
    shown = table(found)
    assert len(shown.splitlines()) == 5
    assert f"{found.several_beams.calibrated.spearman:.3f}" in shown


def test_a_calibrated_captioner_is_another_one(run):
    before = captioner_fingerprint(str(run.folder))
    run.go()
    assert captioner_fingerprint(str(run.folder)) != before


def test_calibrating_again_changes_nothing_and_encodes_nothing(run, fake_encoder):
    run.go()
    before, seen = (run.folder / CONFIDENCE_FILE).read_bytes(), fake_encoder.photos
    run.go()
    assert (run.folder / CONFIDENCE_FILE).read_bytes() == before
    assert fake_encoder.photos == seen


def test_a_captioner_that_searches_greedily_is_calibrated_for_beams_too(run):
    config = json.loads((run.folder / "config.json").read_text())
    config["search"]["num_beams"] = 1
    (run.folder / "config.json").write_text(json.dumps(config))
    assert CaptionerConfig.read(str(run.folder)).search.num_beams == 1
    run.go()
    assert run.written["several_beams"]["search"].startswith("beams=4 ")


def test_photos_that_cannot_be_read_are_told_of_and_left_out(run):
    (run.place / "3.png").write_bytes(b"no photo")
    run.go()
    assert [problem.file for problem in run.told] == [str(run.place / "3.png")]
    assert run.written["fitted_on"]["photos"] == FEWEST + 1


def test_too_few_photos_are_an_error_and_leave_the_captioner_as_it_is(run):
    before = state_of(run.folder)
    run.photos = run.photos[: FEWEST - 1]
    with pytest.raises(ArchiveError, match=rf"{FEWEST - 1} photos .* at least {FEWEST}"):
        run.go()
    assert state_of(run.folder) == before


def test_an_interruption_leaves_the_captioner_as_it_is(run, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    before = state_of(run.folder)
    monkeypatch.setattr(batch.calibrate.Fitted, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        run.go()
    assert state_of(run.folder) == before


def test_a_folder_that_is_no_captioner_is_an_error(run):
    (run.folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json"):
        run.go()


def test_nothing_is_written_among_the_photos(run):
    run.folder = Path(shutil.move(run.folder, run.place / "captioner"))
    with pytest.raises(ArchiveError, match="inside the photo folder"):
        run.go()
