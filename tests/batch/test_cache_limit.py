"""The cache stays under its limit: what was used longest ago goes, and nothing that a run needs."""

import os
from argparse import ArgumentTypeError

import pytest

from batch.__main__ import main
from batch.cache_limit import SMALLEST, CacheLimit, cache_size
from batch.errors import ArchiveError
from batch.features import FeatureCache
from batch.pipeline import encode_archive, run
from tests.batch.archives import caption_of
from tests.batch.test_features import assert_holds, grids, identity

ENCODER = "0123456789abcdef"
SIZES = {
    "50GB": 50 * 10**9,
    "50G": 50 * 10**9,
    "800MB": 800 * 10**6,
    " 1.5 tb ": 15 * 10**11,
    "200000000": 2 * 10**8,
}


@pytest.mark.parametrize("text", SIZES)
def test_sizes_are_read(text):
    assert cache_size(text) == SIZES[text]


@pytest.mark.parametrize("text", ["", "GB", "-5GB", "5 Gibibytes", "many", "1e9", "5,5GB", "50GBB"])
def test_what_is_no_size_is_told(text):
    with pytest.raises(ArgumentTypeError, match="give one like 50GB or 800MB"):
        cache_size(text)


@pytest.mark.parametrize("text", ["0", "1", "20MB"])
def test_a_limit_below_a_few_shards_is_told(text):
    with pytest.raises(ArgumentTypeError, match="give 105MB or more"):
        cache_size(text)


def test_the_command_tells_of_a_wrong_limit(capsys):
    with pytest.raises(SystemExit) as end:
        main(["caption", "--cache-limit", "lots", "photos"])
    assert end.value.code == 2
    assert "'lots' is no size" in capsys.readouterr().err


def size_of(root) -> int:
    return sum(path.stat().st_size for path in root.rglob("*.parquet*"))


def one_shard(tmp_path) -> int:
    FeatureCache(str(tmp_path / "one")).write(grids(0))
    return size_of(tmp_path / "one")


@pytest.fixture
def limited(tmp_path):
    """Open a cache that may hold some shards of one photo, before or behind others."""
    shard = one_shard(tmp_path)

    def open_cache(shards: float) -> FeatureCache:
        cache = FeatureCache(str(tmp_path / "features" / ENCODER))
        cache.limit = CacheLimit(str(tmp_path / "features"), int(shard * shards))
        return cache

    return open_cache


def age(root, *numbers: int) -> None:
    """Let shards have been used in this order, long ago."""
    cache = FeatureCache(str(root))
    for second, number in enumerate(numbers, 1):
        name, _ = cache._places[identity(number)]
        os.utime(root / name, (second, second))


def test_what_was_used_longest_ago_makes_room(limited, tmp_path):
    cache = limited(4.5)
    root = tmp_path / "features" / ENCODER
    for number in (1, 2, 3, 4):
        cache.write(grids(number))
    age(root, 3, 1, 4, 2)
    cache.write(grids(5))
    assert [number for number in range(6) if identity(number) in cache] == [1, 2, 4, 5]
    assert_holds(FeatureCache(str(root)), 1, 2, 4, 5)
    assert len(FeatureCache(str(root))) == 4


def test_reading_counts_as_use(limited, tmp_path):
    cache = limited(3.5)
    root = tmp_path / "features" / ENCODER
    for number in (1, 2, 3):
        cache.write(grids(number))
    age(root, 1, 2, 3)
    assert_holds(cache, 1)
    cache.write(grids(4))
    assert identity(1) in FeatureCache(str(root))
    assert identity(2) not in FeatureCache(str(root))


def test_workers_of_one_run_keep_to_the_limit_together(limited, tmp_path):
    workers = [limited(4.5) for _ in range(3)]
    for cache in workers:
        cache.limit.is_shared = True
    for number in range(12):
        workers[number % 3].write(grids(number))
        assert size_of(tmp_path / "features") <= workers[0].limit.limit
    assert len(FeatureCache(str(tmp_path / "features" / ENCODER))) == 4


def test_what_the_run_has_found_and_not_read_yet_stays(limited, tmp_path):
    cache = limited(3.5)
    root = tmp_path / "features" / ENCODER
    for number in (1, 2, 3):
        cache.write(grids(number))
    age(root, 1, 2, 3)
    assert identity(1) in cache  # a photo that is loaded without its pixels
    cache.write(grids(4))
    assert_holds(cache, 1, 4)
    assert identity(2) not in FeatureCache(str(root))


def test_where_all_is_needed_the_limit_is_told_to_be_too_small(limited):
    cache = limited(2.5)
    for number in (1, 2):
        cache.write(grids(number))
        assert identity(number) in cache
    with pytest.raises(ArchiveError, match=r"CACHE_LIMIT=.*too small.*give more"):
        cache.write(grids(3))
    assert_holds(cache, 1, 2)


def test_a_shard_that_is_larger_than_the_limit_is_told(limited):
    with pytest.raises(ArchiveError, match="less than the 0MB that one shard"):
        limited(0.5).write(grids(1))


def test_other_encoders_and_damaged_shards_count_and_go_first(limited, tmp_path):
    root = tmp_path / "features"
    other = FeatureCache(str(root / "fedcba9876543210"))
    other.write(grids(7))
    damaged = root / ENCODER / "a.parquet.damaged"
    damaged.parent.mkdir()
    damaged.write_bytes(bytes(one_shard(tmp_path)))
    mine = root / "mine" / "a.parquet"
    mine.parent.mkdir()
    mine.write_bytes(bytes(one_shard(tmp_path) * 9))
    cache = limited(3.6)
    cache.write(grids(1))
    cache.write(grids(2))
    assert not damaged.exists()
    assert_holds(other, 7)
    assert mine.exists()


def test_the_folders_are_not_listed_for_every_shard(limited, monkeypatch):
    cache = limited(30)
    listed = []
    shards = CacheLimit._shards
    monkeypatch.setattr(CacheLimit, "_shards", lambda self: listed.append(1) or shards(self))
    for number in range(40):
        cache.write(grids(number))
    assert 1 <= len(listed) <= 4


def test_a_shard_that_another_run_drops_is_encoded_again(album, fake_encoder, monkeypatch):
    """Between the look that finds it in the cache, and its reading."""
    before = album.captions
    read = FeatureCache.read

    def drop_and_read(cache, photo_ids):
        for path in album.features.rglob("*.parquet"):
            path.unlink()
        return read(cache, photo_ids)

    fake_encoder.photos = 0
    with monkeypatch.context() as beside:
        beside.setattr(FeatureCache, "read", drop_and_read)
        run(album.config(overwrite=True, cache_limit=SMALLEST))
    assert album.captions == before
    assert fake_encoder.photos == 4


def test_runs_under_a_limit_give_the_captions_of_runs_without_one(
    archive, stub_captioner, monkeypatch
):
    monkeypatch.setattr("batch.caption.SHARD_PHOTOS", 2)
    monkeypatch.setattr("batch.encode.CHUNK", 2)
    archive.draw(*(f"{number:02}.png" for number in range(24)))
    run(archive.config())
    whole, without = size_of(archive.features), archive.results
    limit = whole // 3
    run(archive.config(cache_limit=limit, overwrite=True))  # from what is cached already
    assert archive.results == without
    for path in archive.features.rglob("*.parquet"):
        path.unlink()
    run(archive.config(cache_limit=limit, overwrite=True))
    assert archive.results == without
    assert 0 < size_of(archive.features) <= limit
    assert archive.captions["07.png"] == caption_of(archive.root / "07.png")


def test_a_run_whose_features_have_no_room_captions_all_the_same(album, fake_encoder, monkeypatch):
    album.draw("new.png", seed=80)
    monkeypatch.setattr("batch.features.FeatureCache._is_needed", lambda *_: True)
    limit = size_of(album.features) + 10
    run(album.config(cache_limit=limit, overwrite=True))
    assert album.captions["new.png"] == caption_of(album.root / "new.png")
    assert size_of(album.features) <= limit
    with pytest.raises(ArchiveError, match="too small"):
        encode_archive(album.config(cache_limit=limit))


def test_features_alone_keep_to_the_limit(archive, stub_captioner, monkeypatch):
    monkeypatch.setattr("batch.encode.SHARD_PHOTOS", 2)
    monkeypatch.setattr("batch.encode.CHUNK", 2)
    archive.draw(*(f"{number:02}.png" for number in range(12)))
    encode_archive(archive.config())
    limit = size_of(archive.features) // 2
    for path in archive.features.rglob("*.parquet"):
        path.unlink()
    summary = encode_archive(archive.config(cache_limit=limit))
    assert summary.encoded == 12
    assert 0 < size_of(archive.features) <= limit
