"""Captions go into the photos, and rows, reviews and features follow the photos' new bytes."""

import shutil
from hashlib import sha256

import pytest

import batch.embedding
from batch.captioned import open_captioned
from batch.embedded import NOTES
from batch.embedding import embed
from batch.pipeline import run
from batch.sample import current_sample
from manifests.groups import Groups, add_apart, read_apart, read_groups, write_groups
from manifests.samples import last_sample
from tests.batch.reviewers import Sheet

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="ExifTool is not installed"
)


@pytest.fixture
def album(archive, stub_captioner):
    """Caption two photos, one of which a person has described."""
    archive.draw("a.png", "b.png")
    run(archive.config())
    Sheet(archive).write("a.png", caption="my words", reviewer="Kim").bring_back()
    return archive


def embedded(album):
    return embed(str(album.out), str(album.features))


def identity(album, name):
    return sha256((album.root / name).read_bytes()).hexdigest()


def test_the_photo_has_other_bytes_and_is_the_same_photo(album, fake_encoder):
    before = album.records["a.png"]
    done = embedded(album)
    assert (done.written, done.exit_code) == (1, 0)
    after = album.records["a.png"]
    assert after.photo_id == identity(album, "a.png") != before.photo_id
    assert (after.review.caption, after.caption) == ("my words", before.caption)
    encoded = fake_encoder.photos
    summary = run(album.config())
    assert (summary.captioned, summary.unchanged) == (0, 2)
    run(album.config(overwrite=True))
    assert fake_encoder.photos == encoded
    assert album.records["a.png"].review.caption == "my words"


def test_the_same_again_changes_nothing(album):
    embedded(album)
    whole = album.results, identity(album, "a.png")
    assert embedded(album).unchanged == 1
    assert (album.results, identity(album, "a.png")) == whole


@pytest.mark.fault
@pytest.mark.parametrize("again", ["run", "embed", "merge"])
def test_whoever_comes_after_a_kill_knows_the_photos_again(album, monkeypatch, again):
    with monkeypatch.context() as patched:
        patched.setattr(batch.embedding, "follow_embedded", lambda _: None)
        embedded(album)
    assert album.records["a.png"].photo_id != identity(album, "a.png")
    if again == "run":
        assert run(album.config()).captioned == 0
    elif again == "embed":
        assert embedded(album).unchanged == 1
    else:
        Sheet(album, "later.csv").write("b.png", caption="more words").bring_back()
    record = album.records["a.png"]
    assert (record.photo_id, record.review.caption) == (identity(album, "a.png"), "my words")


@pytest.mark.fault
def test_a_note_of_a_photo_that_was_not_written_changes_nothing(album):
    notes = album.out / NOTES
    line = '{"raw_path": "a.png", "old_id": "x", "new_id": "y", "size": 1, "mtime_ns": 1}'
    notes.write_text(f'{{"features": "{album.features}"}}\n{line}\n{{"raw')
    whole = album.records
    embedded(album)
    assert album.records["b.png"] == whole["b.png"]
    assert album.records["a.png"].review.caption == "my words"
    assert not notes.exists()


def test_samples_and_groups_taken_apart_follow_the_photo(album):
    folder = album.out / "reviews"
    sample = current_sample(open_captioned(str(album.out)), 2)
    old = album.records["a.png"].photo_id
    add_apart(folder, [(old, "f" * 64)])
    embedded(album)
    new = identity(album, "a.png")
    assert {each.photo_id for each in last_sample(folder).drawn} == {
        new if each.photo_id == old else each.photo_id for each in sample.drawn
    }
    assert read_apart(folder) == (tuple(sorted((new, "f" * 64))),)


def test_near_duplicates_follow_what_is_said_of_the_first_after_it_too(album):
    first, second = (record.photo_id for record in album.records.values())
    write_groups(album.out / "reviews", Groups([(first, second)]))
    sheet = Sheet(album, "again.csv").write("a.png", caption="two dogs", reviewer="Kim")
    sheet.bring_back()
    assert album.records["b.png"].review.caption == "two dogs"
    embedded(album)
    assert album.records["b.png"].photo_id != second
    report = sheet.write("a.png", caption="three dogs").bring_back()
    assert [line.what for line in report.lines] == ["edited", "filled in"]
    filled = album.records["b.png"].review
    assert (filled.caption, filled.like) == ("three dogs", "a.png")


def test_a_copy_that_was_left_alone_keeps_its_place_among_groups_and_samples(album):
    shutil.copy(album.root / "b.png", album.root / "z.png")
    (album.root / "z2.png").hardlink_to(album.root / "z.png")  # which is never written into
    run(album.config())
    folder, old = album.out / "reviews", album.records["b.png"].photo_id
    others = ("e" * 64, "f" * 64)
    write_groups(folder, Groups([(old, others[0])]))
    add_apart(folder, [(old, others[1])])
    current_sample(open_captioned(str(album.out)), 3)
    Sheet(album).write("b.png", caption="more words").bring_back()
    embedded(album)
    new = album.records["b.png"].photo_id
    assert album.records["z.png"].photo_id == old != new
    assert read_groups(folder).members == [(new, old, others[0])]
    assert set(read_apart(folder)) == {tuple(sorted((each, others[1]))) for each in (new, old)}
    drawn = {each.raw_path: each.photo_id for each in last_sample(folder).drawn}
    assert drawn[b"b.png"] == new


def test_words_for_a_copy_that_was_left_alone_do_not_land_on_the_one_written_into(album):
    shutil.copy(album.root / "b.png", album.root / "z.png")
    (album.root / "z2.png").hardlink_to(album.root / "z.png")  # which is never written into
    run(album.config())
    sheet = Sheet(album, "again.csv").write("b.png", caption="more words")
    sheet.bring_back()
    embedded(album)
    sheet.write("z.png", caption="words of z").write("b.png", caption="words of b").bring_back()
    said = {path: record.review.caption for path, record in album.records.items()}
    assert (said["b.png"], said["z.png"]) == ("words of b", "words of z")


def test_words_for_one_of_two_copies_that_other_words_were_written_into_land_on_it(album):
    shutil.copy(album.root / "b.png", album.root / "z.png")
    run(album.config())
    sheet = Sheet(album, "again.csv").write("b.png", caption="b").write("z.png", caption="z")
    sheet.bring_back()
    embedded(album)
    assert album.records["b.png"].photo_id != album.records["z.png"].photo_id
    sheet.write("b.png", caption="words of b").bring_back()
    said = {path: record.review.caption for path, record in album.records.items()}
    assert (said["b.png"], said["z.png"]) == ("words of b", "z")
    (album.root / "b.png").rename(album.root / "c.png")
    run(album.config())
    report = sheet.write("b.png", caption="more of b").bring_back()
    assert [(line.what, line.after) for line in report.lines] == [("not matched", "more of b")]


@pytest.mark.fault
def test_damaged_groups_do_not_stop_what_follows(album):
    (album.out / "reviews/groups.parquet").write_bytes(b"PAR1")
    embedded(album)
    assert album.records["a.png"].photo_id == identity(album, "a.png")


def test_what_the_machine_said_of_it_before_is_no_persons_word_after_it(album, stub_captioner):
    old = Sheet(album, "old.csv").drop("base", "machine")
    stub_captioner.accent = " by another"
    run(album.config(overwrite=True))
    embedded(album)
    assert old.write("a.png", caption=stub_before(album)).bring_back().unchanged == 2
    assert album.records["a.png"].review.caption == "my words"


def stub_before(album):
    """Give what the machine said of a photo before it had an accent."""
    return album.captions["a.png"].removesuffix(" by another")
