"""Where captioners looked, from the cache: the row's own words, each photo's own grid."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from batch.attended import Attended, brightest_255
from batch.gallery import said_in, write_looks
from batch.pipeline import run
from models.errors import CheckpointError
from models.fingerprints import captioner_signature, encoder_fingerprint
from tests.batch.galleries import row_of

NAMES = [f"{number}.png" for number in range(5)]


@pytest.fixture
def captioned(archive, fake_encoder):
    """Caption a few photos; give their archive, and the captions as a gallery asks for them."""
    archive.draw(*NAMES)
    run(archive.config())
    records = [*archive.records.values()]
    return archive, said_in(records, map(row_of, records))


def attended(archive):
    return Attended.load([archive.captioner], str(archive.features))


def test_photos_together_are_looked_at_as_each_alone(captioned):
    archive, captions = captioned
    told = attended(archive)
    looks = dict(told.looks(captions))
    assert [*looks] == captions
    captioner, cache = told.captioner(captions[0].captioner), told.caches[captions[0].captioner]
    for said in captions:
        words, grids = captioner.attend(cache.read([said.photo_id])[said.photo_id])
        assert looks[said].words == tuple(words)
        assert captioner.vocabulary.tokenizer.join(words) == said.caption
        found = np.frombuffer(looks[said].grids, np.uint8).reshape(len(words), 8, 8)
        assert np.abs(found.astype(int) - brightest_255(grids)).max() <= 1


def test_a_search_that_would_end_elsewhere_still_shows_the_rows_own_words(captioned):
    archive, captions = captioned
    said = captions[0]._replace(caption="Red ball.")
    [(_, looked)] = attended(archive).looks([said])
    assert looked.words == ("red", "ball")


def test_only_captions_of_these_captioners_over_kept_features_are_told(captioned):
    archive, captions = captioned
    told = attended(archive)
    assert all(map(told.can_tell, captions))
    others = [captions[0]._replace(captioner="other@0"), captions[0]._replace(photo_id="0" * 64)]
    assert not any(map(told.can_tell, others))
    assert [*told.looks(others)] == []


def another(archive, name, **config):
    """Copy the captioner's folder, with another configuration; return the copy's path."""
    folder = Path(shutil.copytree(archive.captioner, archive.out.parent / name))
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": name} | config))
    return str(folder)


def test_captioners_that_caption_no_archive_together_each_tell_what_they_can(captioned):
    archive, captions = captioned
    blind = another(archive, "blind", architecture="merge")
    twin = another(archive, "twin")
    elsewhere = another(archive, "elsewhere", encoder="encoder.weights.h5")
    Path(elsewhere, "encoder.weights.h5").write_bytes(b"another encoder")
    names = list(map(captioner_signature, (blind, twin, elsewhere)))
    folders = [blind, archive.captioner, twin, elsewhere]
    told = Attended.load(folders, str(archive.features))
    asked = [said._replace(captioner=each) for said in captions[:2] for each in names]
    looks = dict(told.looks([*captions, *asked]))
    twins = [said for said in asked if said.captioner == names[1]]
    assert sorted(looks) == sorted([*captions, *twins])
    assert not list(archive.features.glob(f"*{encoder_fingerprint(elsewhere)}*"))


def test_without_captioners_or_features_nothing_is_told(captioned, tmp_path):
    archive, captions = captioned
    for told in (
        Attended.load([], str(archive.features)),
        Attended.load([archive.captioner], str(tmp_path / "none")),
        Attended.load([another(archive, "blind", architecture="merge")], str(archive.features)),
    ):
        assert not any(map(told.can_tell, captions))
        assert [*told.looks(captions)] == []
        home = tmp_path / "gallery"
        assert write_looks(home, captions, told) == {}


def test_a_folder_that_is_no_captioners_is_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"is .* a captioner's folder"):
        Attended.load([str(tmp_path)], str(tmp_path))


def test_a_gallery_with_nothing_new_needs_no_tensorflow(captioned):
    archive, captions = captioned
    program = f"""
import sys
from batch.attended import Attended
from batch.captioned import open_captioned
from batch.gallery import write_gallery
from batch.review import sheet_rows
found = open_captioned({str(archive.out)!r})
told = Attended.load([{archive.captioner!r}], {str(archive.features)!r})
write_gallery(found, sheet_rows(found), told)
print(*sorted({{"keras", "tensorflow"}} & sys.modules.keys()))
"""
    home = Path(__file__).parents[2]
    runs = [
        subprocess.run([sys.executable, "-c", program], cwd=home, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [run.stdout for run in runs] == ["keras tensorflow\n", "\n"]
    looks = [path.read_text() for path in (archive.out / "gallery" / "looks").iterdir()]
    assert sum(text.count(said.photo_id) for said in captions for text in looks) == len(captions)


def test_words_that_the_captioner_does_not_know_are_not_told(captioned):
    archive, captions = captioned
    assert [*attended(archive).looks([captions[0]._replace(caption="A zebra yawns.")])] == []
    assert [*attended(archive).looks([])] == []


def test_damaged_features_leave_their_photos_out(captioned):
    archive, captions = captioned
    told = attended(archive)
    for shard in archive.features.rglob("*.parquet"):
        shard.write_bytes(shard.read_bytes()[:-100])
    assert [*told.looks(captions)] == []


def test_the_brightest_cell_of_a_photo_is_255_and_words_can_be_compared():
    grids = np.full((2, 8, 8), 0.01, np.float32)
    grids[0, 3, 4], grids[1, 0, 0] = 0.5, 0.25
    found = brightest_255(grids)
    assert (found[0, 3, 4], found[1, 0, 0], found[1, 1, 1]) == (255, 128, 5)
    assert found.dtype == np.uint8
    assert brightest_255(grids[:0]).shape == (0, 8, 8)
