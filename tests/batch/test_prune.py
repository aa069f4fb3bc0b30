"""Prune takes what no manifest needs, and nothing else; without a yes it only tells."""

import os

import numpy as np
import pyarrow.parquet as pq
import pytest

import batch.prune
from batch.__main__ import main
from batch.features import SHAPE, FeatureCache
from batch.lock import locked
from batch.pipeline import run
from batch.results import Results
from batch.verify import Place, verify
from tests.batch.archives import Archive, draw, state_of
from tests.batch.test_features import grids, identity

pytestmark = pytest.mark.usefixtures("few_captioners")


@pytest.fixture(autouse=True)
def no_other_results(tmp_path, monkeypatch):
    monkeypatch.setattr(batch.prune, "OUTPUTS", str(tmp_path / "outputs"))


def cache_of(album) -> FeatureCache:
    return FeatureCache(str(next(album.features.iterdir())))


def prune(album, *options: str) -> int:
    return main(["prune", "--out", str(album.out), "--features", str(album.features), *options])


def photos_of(album) -> set[str]:
    return {row.photo_id for row in album.records.values()}


def cached(album) -> set[str]:
    shards = album.features.rglob("*.parquet")
    return {each for shard in shards for each in pq.read_table(shard)["photo_id"].to_pylist()}


def test_without_a_yes_it_only_tells(album, capsys):
    cache_of(album).write(grids(1, 2))
    before = [state_of(folder) for folder in (album.features, album.out)]
    assert prune(album) == 0
    assert [state_of(folder) for folder in (album.features, album.out)] == before
    out = capsys.readouterr().out
    assert "4 photos needed by" in out
    assert "of photos that no results have: 1 file, 2 photos, " in out
    assert out.endswith("would be freed; YES=1 does it\n")


def test_features_that_no_manifest_needs_go_and_the_others_stay(album, fake_encoder, capsys):
    before = cache_of(album).read(photos_of(album))
    cache_of(album).write(grids(1, 2))
    draw(album.root / "mixed.png", 70)  # in one shard with photos that nobody needs
    run(album.config())
    (shard,) = (path for path in album.features.rglob("*.parquet") if rows(path) == 1)
    added = cache_of(album).read(photos_of(album))
    shard.unlink()
    cache_of(album).write({**added, **grids(3, 4, 5)})
    assert prune(album, "--yes") == 0
    assert cached(album) == photos_of(album)
    found = cache_of(album).read(photos_of(album))
    assert all((found[each] == before[each]).all() for each in before)
    assert verify(Place(str(album.out), str(album.features))).broken == []
    assert " freed\n" in capsys.readouterr().out
    assert prune(album, "--yes") == 0
    assert "0 files, 0 bytes freed" in capsys.readouterr().out


def rows(path) -> int:
    return pq.read_metadata(path).num_rows


def test_a_kill_between_the_new_shard_and_the_old_ones_end_leaves_both(album, monkeypatch):
    needed = cache_of(album).read(photos_of(album))
    (shard,) = album.features.rglob("*.parquet")
    shard.unlink()
    cache_of(album).write({**needed, **grids(1)})
    with monkeypatch.context() as killed:
        killed.setattr(
            batch.prune.Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        assert prune(album, "--yes") == 130
    assert len([*shard.parent.glob("*.parquet")]) == 2
    assert prune(album, "--yes") == 0
    assert cached(album) == photos_of(album)


def test_all_results_in_outputs_count_and_unfinished_runs_too(album, tmp_path, monkeypatch):
    other = Archive(
        tmp_path / "others", tmp_path / "outputs" / "others", album.features, album.captioner
    )
    other.draw("1.png", "2.png", seed=30)
    with monkeypatch.context() as killed:
        killed.setattr(Results, "commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(other.config())
    before = cached(album)
    assert len(before) == 6
    assert prune(album, "--yes") == 0
    assert cached(album) == before


def test_where_a_manifest_cannot_be_read_nothing_goes(album, tmp_path, capsys):
    broken = tmp_path / "outputs" / "broken" / "captions.parquet"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"PAR1")
    cache_of(album).write(grids(1))
    before = state_of(album.features)
    assert prune(album, "--yes") == 1
    assert f"make verify REPAIR=1 OUT={broken.parent}" in capsys.readouterr().err
    assert state_of(album.features) == before


def test_without_any_results_nothing_goes(tmp_path, capsys):
    assert main(["prune", "--features", str(tmp_path), "--yes"]) == 1
    assert "nothing tells which photos are needed" in capsys.readouterr().err


def test_beside_a_run_it_leaves_at_once(album):
    cache_of(album).write(grids(1))
    before = state_of(album.features)
    with locked(str(album.out)):
        assert prune(album, "--yes") == 75
        assert prune(album) == 0
    assert state_of(album.features) == before


def test_damage_and_what_kills_have_left_goes(album):
    folder = next(album.features.iterdir())
    (folder / "a.parquet.damaged").write_bytes(b"torn")
    old, new = (folder / f".photo-captions-{name}.tmp" for name in ("old", "new"))
    old.touch()
    new.touch()
    (folder / "notes.txt").touch()
    os.utime(old, (0, 0))
    assert prune(album, "--yes") == 0
    names = {path.name for path in folder.iterdir() if path.suffix != ".parquet"}
    assert names == {new.name, "notes.txt"}
    assert cached(album) == photos_of(album)


def test_a_cache_of_an_encoder_that_is_no_more_goes_whole_when_asked(album, capsys):
    gone = album.features / ("f" * 16)
    FeatureCache(str(gone)).write(dict.fromkeys(photos_of(album), grids(1)[identity(1)]))
    assert prune(album) == 0
    assert "OTHER_ENCODERS=1 removes it whole" in capsys.readouterr().out
    assert prune(album, "--yes") == 0
    assert [*gone.glob("*.parquet")] != []
    assert prune(album, "--yes", "--other-encoders") == 0
    assert [*gone.glob("*.parquet")] == []


def test_other_folders_are_not_looked_into(album):
    (album.features / "mine").mkdir()
    other = album.features / "mine" / "table.parquet"
    other.write_bytes(b"mine")
    assert prune(album, "--yes", "--other-encoders") == 0
    assert other.read_bytes() == b"mine"


def test_a_damaged_shard_is_passed_over(album):
    (shard,) = album.features.rglob("*.parquet")
    data = shard.read_bytes()
    shard.write_bytes(data[:-30])
    assert prune(album, "--yes") == 0
    assert shard.exists()


def test_a_shard_with_damaged_features_goes_aside_and_the_others_are_pruned(album, capsys):
    cache = cache_of(album)
    needed = next(iter(photos_of(album)))
    cache.write(grids(1))
    for path in album.features.rglob("*.parquet"):
        path.unlink()
    mixed = FeatureCache(cache.folder)
    mixed.write({needed: np.zeros(SHAPE, np.float16), **grids(2)})
    (shard,) = album.features.rglob("*.parquet")
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 1  # in a page of features: the identities can still be read
    shard.write_bytes(data)
    FeatureCache(cache.folder).write(grids(3))
    assert prune(album, "--yes") == 0
    assert [path.name for path in shard.parent.iterdir()] == [f"{shard.name}.damaged"]
