"""A new captioner speaks from cached features alone; what people decided stays as it is."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import batch.caption
import batch.encode
import batch.photos
import batch.recaption
from batch.errors import ArchiveError, LockedError
from batch.features import FeatureCache
from batch.lock import locked
from batch.pipeline import run
from batch.recaption import recaption
from batch.results import Results
from manifests.manifest import read_archive, read_records, write_records
from manifests.record import Status
from manifests.review import Review, ReviewStatus
from models.captioner import captioner_fingerprint
from tests.batch.archives import Archive, FakeEncoder, spelled, state_of
from tests.batch.test_pages import Reader

NAMES = ["a.png", "b.png", "sub/c.png", "sub/d.png", "z.png"]


class Speaker:
    """Says a word of its own before what spells the features, as its folder's name asks."""

    def __init__(self, folder, search):
        read = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
        names = ("name", "language")
        self.config = SimpleNamespace(architecture="attention", **{n: read[n] for n in names})
        self.config.search = f"search {search}"

    def caption(self, grids):
        """Caption features (photos, 8, 8, 2048)."""
        said = map(spelled, grids)
        return [replace(each, text=f"{self.config.name}: {each.text}") for each in said]


def speaker(captioner_folder, folder, **config):
    """Make a captioner's folder like another one, which says other words."""
    shutil.copytree(captioner_folder, folder)
    found = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(found | config))
    return str(folder)


@pytest.fixture(autouse=True)
def speakers(monkeypatch):
    load = lambda folder, **search: Speaker(folder, search)  # noqa: E731
    monkeypatch.setattr(batch.caption.Captioner, "load", load)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Let a shard hold two photos, so that a few photos make several."""
    monkeypatch.setattr(batch.encode, "CHUNK", 2)
    for module in (batch.caption, batch.recaption):
        monkeypatch.setattr(module, "SHARD_PHOTOS", 2)


@pytest.fixture
def newer(captioner_folder, tmp_path):
    return speaker(captioner_folder, tmp_path / "newer", name="newer")


@pytest.fixture
def korean(captioner_folder, tmp_path):
    return speaker(captioner_folder, tmp_path / "korean", name="낱말", language="ko")


@pytest.fixture
def album(archive, fake_encoder):
    """Caption five photos, and take them away."""
    archive.draw(*NAMES)
    run(archive.config())
    unplug(archive)
    return archive


def unplug(archive):
    archive.root.rename(archive.root.with_name("elsewhere"))


def change(album, **changes):
    """Change fields of rows of the manifest, by path without its ending."""
    path = album.out / "captions.parquet"
    rows = [
        replace(row, **changes.get(row.path.removesuffix(".png").replace("/", "_"), {}))
        for row in read_records(path)
    ]
    write_records(path, rows, read_archive(path))


def review(status, caption=None, language="en", **changes):
    return Review(language, ReviewStatus(status), caption, **changes)


def anew(album, *captioners, **search):
    return recaption(str(album.out), captioners, str(album.features), search)


def page(album):
    return Reader((album.out / "changed.html").read_text(encoding="utf-8"))


# From the cache alone.


def test_every_undecided_row_says_what_the_new_captioner_says_and_no_photo_is_opened(
    album, newer, monkeypatch, tmp_path
):
    before = album.records
    monkeypatch.setattr(batch.encode, "load", lambda *_, **__: pytest.fail("a photo was loaded"))
    monkeypatch.setattr(FakeEncoder, "predict_on_batch", lambda *_: pytest.fail("encoded"))
    summary = anew(album, newer)
    assert (summary.photos, summary.captioned, summary.changed, summary.exit_code) == (5, 5, 5, 0)
    for path, row in album.records.items():
        assert row.caption.startswith("newer: ")
        assert row.captioner == f"newer@{captioner_fingerprint(newer)}"
        same = ("photo_id", "status", "raw_path", "size", "mtime_ns", "width", "format", "language")
        assert all(getattr(row, name) == getattr(before[path], name) for name in same)
    assert [row["caption"] for row in album.csv_rows] == list(album.captions.values())
    assert not album.root.exists()


def test_the_captions_are_those_of_a_run_over_the_photos(album, newer, tmp_path):
    anew(album, newer)
    said = album.records
    album.root.with_name("elsewhere").rename(album.root)
    album.out = tmp_path / "undisturbed"
    run(album.config(captioner=newer))
    assert said == album.records


def test_photos_at_hand_are_left_as_they_are(album, newer):
    album.root.with_name("elsewhere").rename(album.root)
    before = state_of(album.root)
    anew(album, newer)
    assert state_of(album.root) == before
    assert all(attrs["src"].startswith("data:image/jpeg") for attrs in page(album).all("img"))
    assert len(page(album).all("img")) == 5


def test_an_archive_is_known_again_whatever_bytes_its_name_has(
    tmp_path, captioner_folder, fake_encoder, newer
):
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \n<b>"))
    album = Archive(root, tmp_path / "out", tmp_path / "features", captioner_folder)
    album.draw("=1+1.png", "바다.png")
    run(album.config())
    root.rename(tmp_path / "elsewhere")
    named = read_archive(album.out / "captions.parquet")
    assert anew(album, newer).captioned == 2
    assert read_archive(album.out / "captions.parquet") == named


def test_copies_share_features(archive, fake_encoder, newer):
    archive.draw("a.png")
    for number in range(4):
        shutil.copy(archive.root / "a.png", archive.root / f"copy{number}.png")
    run(archive.config())
    unplug(archive)
    assert anew(archive, newer).captioned == 5
    assert len({row.caption for row in archive.records.values()}) == 1


# What stays.


@pytest.mark.parametrize("status", ["approved", "edited", "rejected"])
def test_a_row_that_a_person_has_decided_stays_as_it_is(album, newer, status):
    change(
        album, a={"reviews": (review(status, "A dog."),)}, b={"reviews": (review("unreviewed"),)}
    )
    before = album.records
    summary = anew(album, newer)
    assert album.records["a.png"] == before["a.png"]
    assert album.records["b.png"].caption.startswith("newer: ")
    assert album.records["b.png"].reviews == ()
    assert (summary.decided, summary.captioned) == (1, 4)
    assert "1 as people decided" in str(summary)


def test_a_row_without_features_stays_and_is_counted(album, newer):
    change(album, a={"photo_id": "00" * 32})
    before = album.records["a.png"]
    summary = anew(album, newer)
    assert album.records["a.png"] == before
    assert (summary.not_cached, summary.captioned) == (1, 4)
    assert "1 not cached" in str(summary)
    assert "make caption EXISTING=overwrite" in str(summary)


def test_rows_whose_features_are_damaged_stay_and_are_counted(album, newer):
    (shard, *_) = sorted(album.features.rglob("*.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 255
    shard.write_bytes(bytes(data))
    summary = anew(album, newer)
    said = [row.caption.startswith("newer: ") for row in album.records.values()]
    assert 0 < said.count(False) == summary.not_cached < 5
    assert len(said) == 5


def test_missing_photos_are_captioned_and_stay_missing_failed_ones_stay(album, newer):
    gone = {"status": Status.MISSING, "error": "is no longer in the archive"}
    change(album, a=gone, b={"status": Status.IO, "error": "a bad disk"})
    before = album.records
    summary = anew(album, newer)
    row = album.records["a.png"]
    assert (row.status, row.error) == (Status.MISSING, gone["error"])
    assert row.caption.startswith("newer: ")
    assert album.records["b.png"] == before["b.png"]
    assert "1 not readable" in str(summary)


# Photos that are no scene.


class Verdict:
    """Take photos of these identities for no scene."""

    def __init__(self, found):
        self.found = found

    def shown_in(self, grid):
        """Tell by the bytes of the features."""
        return grid.tobytes() not in self.found


@pytest.fixture
def no_scene(album, monkeypatch):
    """Take a photo for no scene, by its name."""

    def refuse(name):
        (folder,) = album.features.iterdir()
        photo_id = album.records[name].photo_id
        grid = FeatureCache(str(folder)).read([photo_id])[photo_id]
        verdict = Verdict({grid.tobytes()})
        monkeypatch.setattr(batch.caption.SceneHead, "load", lambda *_: verdict)

    return refuse


def test_a_photo_that_is_no_scene_to_the_new_captioner_loses_its_caption(album, newer, no_scene):
    no_scene("a.png")
    anew(album, newer)
    row = album.records["a.png"]
    assert (row.status, row.caption, row.confidence) == (Status.NOT_A_SCENE, None, None)
    assert row.captioner == f"newer@{captioner_fingerprint(newer)}"
    assert anew(album, newer).same == 5


def test_a_photo_that_was_no_scene_to_the_old_one_gets_a_caption(album, newer):
    change(
        album,
        a={"status": Status.NOT_A_SCENE, "caption": None, "language": None, "error": "a page"},
    )
    anew(album, newer)
    row = album.records["a.png"]
    assert (row.status, row.error, row.language) == (Status.CAPTIONED, None, "en")
    assert row.caption.startswith("newer: ")


def test_a_caption_that_a_person_lets_stand_in_another_language_shows_that_there_is_a_scene(
    album, newer, korean, no_scene
):
    anew(album, korean)
    change(album, a={"reviews": (review("approved", "개", "ko"),)})
    before = album.records["a.png"]
    no_scene("a.png")
    anew(album, newer)
    assert album.records["a.png"] == before


# Languages.


def test_a_new_language_comes_beside_the_one_that_leads(album, korean):
    before = album.records
    anew(album, korean)
    for path, row in album.records.items():
        assert (row.caption, row.language) == (before[path].caption, "en")
        english, other = row.languages
        assert (english.caption, english.captioner) == (row.caption, row.captioner)
        assert other.caption.startswith("낱말")
    assert anew(album, korean).same == 5


def test_a_caption_of_unknown_confidence_stays_so_beside_a_new_language(album, korean):
    change(album, a={"confidence": None})
    anew(album, korean)
    assert album.records["a.png"].languages[0].confidence is None


def test_captioning_one_language_anew_leaves_the_other_as_it_is(album, newer, korean):
    anew(album, korean)
    before = album.records
    anew(album, newer)
    for path, row in album.records.items():
        english, other = row.languages
        assert english.caption == row.caption
        assert row.caption.startswith("newer: ")
        assert other == before[path].languages[1]


def test_a_decision_holds_in_its_own_language_alone(
    album, newer, korean, captioner_folder, tmp_path
):
    anew(album, korean)
    change(album, a={"reviews": (review("approved", "A dog."),)})
    before = album.records["a.png"]
    second = speaker(captioner_folder, tmp_path / "second", name="말", language="ko")
    anew(album, newer, second)
    row = album.records["a.png"]
    assert (row.caption, row.captioner) == (before.caption, before.captioner)
    assert row.languages[0] == before.languages[0]
    assert row.languages[1].caption.startswith("말")
    assert album.records["b.png"].caption.startswith("newer: ")


# Interruptions, locks, repeats.


def test_an_interrupted_run_goes_on_and_ends_like_an_undisturbed_one(
    album, newer, monkeypatch, tmp_path
):
    whole = tmp_path / "whole"
    shutil.copytree(album.out, whole)
    recaption(str(whole), [newer], str(album.features), {})
    keep = Results.keep

    def keep_and_stop(self, records):
        keep(self, records)
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Results, "keep", keep_and_stop)
        with pytest.raises(KeyboardInterrupt):
            anew(album, newer)
    assert album.last_run["error"] == "interrupted"
    summary = anew(album, newer)
    assert (summary.captioned, summary.same, summary.changed) == (3, 2, 5)
    for name in ("captions.parquet", "captions.csv"):
        assert (album.out / name).read_bytes() == (whole / name).read_bytes()
    assert page(album).said("ins") == page_of(whole).said("ins")


def page_of(out):
    return Reader((out / "changed.html").read_text(encoding="utf-8"))


def test_doing_it_again_changes_nothing_and_keeps_the_page(album, newer):
    anew(album, newer)
    before = album.results, (album.out / "changed.html").read_bytes()
    summary = anew(album, newer)
    assert (summary.captioned, summary.same) == (0, 5)
    assert (album.results, (album.out / "changed.html").read_bytes()) == before


def test_another_search_captions_anew(album, newer):
    anew(album, newer)
    assert anew(album, newer, num_beams=1).captioned == 5


def test_a_later_run_over_the_photos_has_nothing_to_do(album, newer):
    anew(album, newer)
    before = album.results
    album.root.with_name("elsewhere").rename(album.root)
    summary = run(album.config(captioner=newer))
    assert (summary.captioned, summary.unchanged or summary.photos) == (0, 5)
    assert album.results == before


def test_a_second_run_at_once_is_refused(album, newer):
    with locked(str(album.out)), pytest.raises(LockedError):
        anew(album, newer)


def test_a_dry_run_tells_and_writes_nothing(album, newer):
    change(album, a={"reviews": (review("rejected"),)})
    before = state_of(album.out)
    said = str(recaption(str(album.out), [newer], str(album.features), {}, dry_run=True))
    assert "5 photos, 4 to caption anew, 1 as people decided" in said
    assert state_of(album.out) == before


# What is refused.


def test_a_captioner_with_another_encoder_says_what_encodes_anew(album, captioner_folder, tmp_path):
    weights = tmp_path / "other.weights.h5"
    weights.write_bytes(b"weights")
    other = speaker(captioner_folder, tmp_path / "other", encoder=str(weights))
    before = state_of(album.features)
    with pytest.raises(ArchiveError, match=r"make features DIR=… CAPTIONER=.*other"):
        anew(album, other)
    assert state_of(album.features) == before


def test_a_cache_of_other_photos_says_so(album, newer):
    for path in album.features.rglob("*.parquet"):
        path.unlink()
    with pytest.raises(ArchiveError, match="no features of these photos"):
        anew(album, newer)
    assert not (album.out / "changed.html").exists()


def test_a_folder_without_a_manifest_is_refused_and_not_made(newer, tmp_path):
    with pytest.raises(ArchiveError, match=r"captions\.parquet"):
        recaption(str(tmp_path / "nowhere"), [newer], str(tmp_path), {})
    assert not (tmp_path / "nowhere").exists()


# The page.


def test_the_page_shows_old_against_new_and_escapes_both(album, newer):
    hostile = "<script>alert(1)</script> & two"
    change(album, a={"caption": hostile, "confidence": 0.25})
    anew(album, newer)
    shown = page(album)
    assert not shown.all("script")
    assert hostile in shown.said("del")
    assert not shown.all("img")  # the photos are not at hand
    assert set(NAMES) == set(shown.said("bdi"))
    assert any(each.startswith("0.25 → 0.") for each in shown.said("dd"))
    assert "as people decided" in shown.said("th")


def test_the_page_shows_the_most_changed_first_and_counts_the_rest(album, newer, monkeypatch):
    anew(album, newer)
    said = album.records["z.png"].caption
    words = said.split()
    change(album, z={"caption": " ".join(["Old", *words[1:]]), "captioner": "old@1"})
    change(album, a={"caption": "nothing like it", "captioner": "old@1"})
    monkeypatch.setattr("batch.changed.SHOWN", 1)
    anew(album, newer)
    assert page(album).said("bdi") == ["a.png"]
    assert any(each.startswith("1 of 2 changes") for each in page(album).said("td"))
