"""Where captioners looked, from the cache: the row's own words, each photo's own grid."""

import numpy as np
import pytest

from batch.attended import Attended, brightest_255
from batch.gallery import said_in
from batch.pipeline import run
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
    [captioner] = told.captioners.values()
    for said in captions:
        words, grids = captioner.attend(told.cache.read([said.photo_id])[said.photo_id])
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
