"""The cache gives back what was put in, or nothing: never something else, whatever breaks."""

import errno
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import batch.features
from batch.features import SHAPE, FeatureCache


def identity(number: int) -> str:
    return sha256(b"%d" % number).hexdigest()


def grid(number: int) -> np.ndarray:
    """Give features of some photo; mostly zeros, so that a shard is small."""
    features = np.zeros(SHAPE, np.float16)
    features[:, :, :16] = np.random.default_rng(number).random((8, 8, 16))
    return features


def grids(*numbers: int) -> dict[str, np.ndarray]:
    return {identity(number): grid(number) for number in numbers}


def shards(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.parquet"))


def assert_holds(cache: FeatureCache, *numbers: int) -> None:
    found = cache.read(identity(number) for number in numbers)
    assert found.keys() == {identity(number) for number in numbers}
    for number in numbers:
        np.testing.assert_array_equal(found[identity(number)], grid(number), strict=True)


def written(folder: Path, *numbers: int) -> FeatureCache:
    """Write a cache and open it anew."""
    FeatureCache(str(folder)).write(grids(*numbers))
    return FeatureCache(str(folder))


def test_what_is_written_is_read_back_bit_by_bit(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2**16, SHAPE, dtype=np.uint16)
    every = bits.view(np.float16)  # infinities, NaN and subnormal numbers too
    FeatureCache(str(tmp_path)).write({identity(0): every})
    found = FeatureCache(str(tmp_path)).read([identity(0)])[identity(0)]
    assert (found.dtype, found.shape) == (np.float16, SHAPE)
    np.testing.assert_array_equal(found.view(np.uint16), bits)


def test_wider_numbers_are_kept_as_float16(tmp_path):
    wide = grid(1).astype(np.float32) + np.float32(1e-7)
    cache = FeatureCache(str(tmp_path))
    cache.write({identity(1): wide})
    found = cache.read([identity(1)])[identity(1)]
    np.testing.assert_array_equal(found, wide.astype(np.float16), strict=True)


def test_a_cache_holds_what_was_written_at_once_and_when_opened_anew(tmp_path):
    cache = FeatureCache(str(tmp_path))
    cache.write(grids(1, 2))
    cache.write(grids(3))
    for now in (cache, FeatureCache(str(tmp_path))):
        assert len(now) == 3
        assert identity(2) in now
        assert identity(4) not in now
        assert_holds(now, 3, 1, 2)


def test_photos_that_are_not_there_are_left_out(tmp_path):
    cache = written(tmp_path, 1)
    assert cache.read([identity(2)]) == {}
    assert cache.read([identity(2), identity(1)]).keys() == {identity(1)}
    assert cache.read([]) == {}


def test_a_second_write_of_known_photos_adds_no_file(tmp_path):
    cache = written(tmp_path, 1, 2)
    before = shards(tmp_path)
    cache.write(grids(2, 1))
    cache.write({})
    assert shards(tmp_path) == before
    cache.write(grids(2, 3))
    assert len(shards(tmp_path)) == 2
    assert sum(pq.read_metadata(tmp_path / name).num_rows for name in shards(tmp_path)) == 3


def test_equal_photos_make_a_shard_of_equal_name_and_bytes(tmp_path):
    for place, numbers in (("a", (1, 2, 3)), ("b", (3, 1, 2)), ("c", (1, 2))):
        FeatureCache(str(tmp_path / place)).write(grids(*numbers))
    ((a,), (b,), (c,)) = (shards(tmp_path / place) for place in "abc")
    assert a == b != c
    assert (tmp_path / "a" / a).read_bytes() == (tmp_path / "b" / b).read_bytes()


@pytest.mark.parametrize("number", [1, 7, 8, 9, 16, 17])
def test_every_row_is_found_whatever_group_of_rows_it_is_in(tmp_path, number):
    cache = written(tmp_path, *range(number))
    assert_holds(cache, *reversed(range(number)))
    for one in range(number):
        assert_holds(cache, one)


def test_a_look_up_reads_the_identities_and_no_features(tmp_path, monkeypatch):
    written(tmp_path, 1, 2)
    asked = []
    read = pq.ParquetFile.read

    def spy(file, columns=None, **options):
        asked.append(columns)
        return read(file, columns=columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read", spy)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", None)
    cache = FeatureCache(str(tmp_path))
    assert identity(1) in cache
    assert len(cache) == 2
    assert asked == [["photo_id"]]


def test_reading_a_photo_decodes_its_group_of_rows_alone(tmp_path, monkeypatch):
    cache = written(tmp_path, *range(40))
    asked = []
    read_row_group = pq.ParquetFile.read_row_group

    def spy(file, group, **options):
        asked.append(group)
        return read_row_group(file, group, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", spy)
    assert_holds(cache, 5)
    assert len(asked) == 1
    asked.clear()
    assert_holds(cache, *range(40))
    assert sorted(asked) == [0, 1, 2, 3, 4]


def test_other_files_in_the_folder_do_not_matter(tmp_path):
    written(tmp_path, 1)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".hidden.parquet").write_bytes(b"half a file")
    assert_holds(FeatureCache(str(tmp_path)), 1)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / ".hidden.parquet").exists()


def cut(keep: float):
    return lambda data: data[: int(len(data) * keep)]


def flipped(place: float):
    """Flip a bit at a share of the file: features come first in it, the footer last."""

    def damage(data: bytes) -> bytes:
        at = int(len(data) * place)
        return data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]

    return damage


DAMAGES = {
    "empty": cut(0),
    "half": cut(0.5),
    "without its last byte": cut(0.9999),
    "zeros": lambda data: bytes(len(data)),
    "zeros inside": lambda data: data[:2000] + bytes(1000) + data[3000:],
    "a bit early": flipped(0.02),
    "a bit in the middle": flipped(0.5),
    "a bit in the footer": lambda data: data[:-6] + bytes([data[-6] ^ 1]) + data[-5:],
    "another program's": lambda data: parquet_of({"other": [1, 2]}),
    "no features": lambda data: parquet_of({"photo_id": [identity(n) for n in range(12)]}),
}


def parquet_of(columns) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("open_before", [False, True])
def test_a_damaged_shard_counts_as_absent_and_the_cache_heals(tmp_path, damage, open_before):
    numbers = range(12)
    cache = written(tmp_path, *numbers)
    cache.write(grids(90))  # another shard, which is whole
    (broken,) = (name for name in shards(tmp_path) if rows_of(tmp_path / name) == 12)
    data = (tmp_path / broken).read_bytes()
    (tmp_path / broken).write_bytes(damage(data))
    cache = cache if open_before else FeatureCache(str(tmp_path))

    found = cache.read(identity(number) for number in (*numbers, 90))
    assert len(found) < 13
    for number in (*numbers, 90):
        if identity(number) in found:
            np.testing.assert_array_equal(found[identity(number)], grid(number))
    assert identity(90) in found

    cache.write(grids(*numbers))
    assert_holds(cache, *numbers, 90)
    assert_holds(FeatureCache(str(tmp_path)), *numbers, 90)
    assert (tmp_path / f"{broken}.damaged").exists()


def rows_of(path: Path) -> int:
    return pq.read_metadata(path).num_rows


def test_a_cache_heals_for_good_though_only_one_damaged_photo_is_encoded_again(tmp_path):
    cache = written(tmp_path, *range(12))
    (broken,) = shards(tmp_path)
    data = (tmp_path / broken).read_bytes()
    (tmp_path / broken).write_bytes(flipped(0.5)(data))
    lost = [n for n in range(12) if identity(n) not in cache.read([identity(n)])]
    assert lost
    cache.write(grids(lost[0]))
    again = FeatureCache(str(tmp_path))
    assert identity(lost[0]) in again
    assert_holds(again, lost[0])


@pytest.mark.fault
def test_no_flipped_bit_ever_gives_wrong_features(tmp_path):
    written(tmp_path / "whole", *range(9))
    (name,) = shards(tmp_path / "whole")
    data = (tmp_path / "whole" / name).read_bytes()
    random = np.random.default_rng(0)
    end = len(data) - np.arange(1, 1200, 5)  # the footer has no checksum: look closer there
    absent = 0
    for case, place in enumerate([*random.integers(0, len(data), 100), *end]):
        bad = bytearray(data)
        bad[place] ^= 1 << int(random.integers(8))
        folder = tmp_path / str(case)
        folder.mkdir()
        (folder / name).write_bytes(bad)
        found = FeatureCache(str(folder)).read(map(identity, range(9)))
        absent += len(found) < 9
        for number in range(9):
            if identity(number) in found:
                assert found[identity(number)].tobytes() == grid(number).tobytes(), place
    assert absent > 100


def test_a_shard_that_the_disk_does_not_give_is_not_taken_for_damaged(tmp_path, monkeypatch):
    cache = written(tmp_path, 1, 2)
    with monkeypatch.context() as broken:
        error = OSError(errno.EIO, os.strerror(errno.EIO))
        broken.setattr(batch.features.pq, "ParquetFile", raising(error))
        assert cache.read([identity(1)]) == {}
        assert identity(1) not in cache  # it will be encoded again
    assert_holds(FeatureCache(str(tmp_path)), 1, 2)


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


def test_a_shard_that_another_run_has_taken_away_counts_as_absent(tmp_path):
    cache = written(tmp_path, 1)
    (tmp_path / shards(tmp_path)[0]).unlink()
    assert cache.read([identity(1)]) == {}
    cache.write(grids(1))
    assert_holds(FeatureCache(str(tmp_path)), 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "disk full")])
def test_a_writer_that_fails_leaves_nothing(tmp_path, monkeypatch, error):
    cache = FeatureCache(str(tmp_path))

    def write_half(table, file, **_):
        file.write(b"PAR1 and a bit")
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(batch.features.pq, "write_table", write_half)
        with pytest.raises(type(error)):
            cache.write(grids(1))
    assert list(tmp_path.iterdir()) == []
    assert identity(1) not in cache
    cache.write(grids(1))
    assert_holds(cache, 1)


KILLED_WRITER = """
import os, signal, sys
from batch import features
from manifests import durable
from tests.batch.test_features import grids
def die(handle):
    handle.flush()
    os.kill(os.getpid(), signal.SIGKILL)
durable.sync = die
features.FeatureCache(sys.argv[1]).write(grids(1))
"""


@pytest.mark.fault
def test_a_writer_that_is_killed_leaves_nothing_that_is_seen(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (leftover,) = tmp_path.iterdir()
    cache = FeatureCache(str(tmp_path))
    assert len(cache) == 0
    cache.write(grids(1))
    assert_holds(FeatureCache(str(tmp_path)), 1)
    assert leftover.exists()  # it might be a file that another run is writing
    os.utime(leftover, (0, 0))
    FeatureCache(str(tmp_path))
    assert not leftover.exists()


def test_a_shard_that_claims_more_photos_than_fit_is_not_read(tmp_path):
    run_of_one = pa.array(["0" * 64] * 1_000_000, pa.string())
    table = pa.table({"photo_id": run_of_one, "features": pa.nulls(1_000_000, pa.binary())})
    pq.write_table(table, tmp_path / "claims.parquet", compression="zstd")
    assert len(FeatureCache(str(tmp_path))) == 0
    assert (tmp_path / "claims.parquet.damaged").exists()
