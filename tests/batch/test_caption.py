"""A thread captions a shard while the next is encoded: in order, and whatever goes wrong there."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import batch.caption
import batch.encode
from batch.caption import Stage, encode_with
from batch.features import FeatureCache
from batch.scan import scan
from tests.batch.archives import caption_of


@pytest.fixture
def shards(archive, stub_captioner, monkeypatch):
    """Draw six photos, and give what captions those of the archive, two at a time."""
    monkeypatch.setattr(batch.caption, "SHARD_PHOTOS", 2)
    monkeypatch.setattr(batch.encode, "CHUNK", 2)
    archive.draw(*(f"{number}.png" for number in range(6)))

    def shards():
        stage = Stage.load([archive.captioner], str(archive.features), {})
        return stage.caption_shards(list(scan(archive.root)), {})

    return shards


def slowly(monkeypatch, seconds):
    """Let each shard's captions take a while."""
    caption = Stage._caption

    def wait_and_caption(self, *arguments):
        time.sleep(seconds)
        return caption(self, *arguments)

    monkeypatch.setattr(Stage, "_caption", wait_and_caption)


@pytest.mark.parametrize("seconds", [0, 0.2], ids=["captions are quick", "captions are slow"])
def test_shards_come_in_order_each_with_its_own_captions(archive, shards, monkeypatch, seconds):
    slowly(monkeypatch, seconds)
    found = [[(row.path, row.caption) for row in shard.records] for shard in shards()]
    names = [f"{number}.png" for number in range(6)]
    said = [(name, caption_of(archive.root / name)) for name in names]
    assert found == [said[0:2], said[2:4], said[4:6]]


def test_a_shard_that_was_captioned_is_given_though_loading_the_next_fails(shards, monkeypatch):
    slowly(monkeypatch, 0.2)
    load_and_encode = batch.caption.load_and_encode

    def failing(*arguments):
        yield next(load_and_encode(*arguments))
        raise OSError("the disk is gone")

    monkeypatch.setattr(batch.caption, "load_and_encode", failing)
    found = shards()
    assert [row.path for row in next(found).records] == ["0.png", "1.png"]
    with pytest.raises(OSError, match="the disk is gone"):
        next(found)


def test_a_shard_is_given_while_the_next_photos_take_long_to_load(shards, monkeypatch):
    """Servers are slow: whoever stops the run meanwhile is not to lose the shard."""
    given = threading.Event()
    load, in_time = batch.encode.load, []

    def load_in_the_end(photo, **asked):
        if photo.path == "2.png":
            in_time.append(given.wait(20))
        return load(photo, **asked)

    monkeypatch.setattr(batch.encode, "load", load_in_the_end)
    monkeypatch.setattr(batch.encode, "A_WHILE", 0.05)
    found = shards()
    assert [row.path for row in next(found).records] == ["0.png", "1.png"]
    given.set()
    assert len(list(found)) == 2
    assert in_time == [True]


def test_what_was_encoded_when_a_run_stops_is_not_encoded_again(shards, fake_encoder, monkeypatch):
    slowly(monkeypatch, 0.2)
    found = shards()
    next(found)
    found.close()
    assert fake_encoder.photos > 2
    assert len(list(shards())) == 3
    assert fake_encoder.photos == 6


def test_what_goes_wrong_in_the_thread_ends_the_run(shards, monkeypatch):
    def broken(*_):
        raise OSError("no room")

    monkeypatch.setattr(FeatureCache, "write", broken)
    with pytest.raises(OSError, match="no room"):
        list(shards())


def test_ctrl_c_does_not_wait_for_the_shard_that_is_captioned(shards, monkeypatch):
    slowly(monkeypatch, 5)
    load_and_encode = batch.caption.load_and_encode

    def interrupted(*arguments):
        yield next(load_and_encode(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(batch.caption, "load_and_encode", interrupted)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(shards())
    assert time.monotonic() - start < 4


def test_the_encoder_is_built_once_and_asked_by_one_thread_at_a_time(monkeypatch):
    """A shard that was damaged in the cache is encoded again beside the next one's photos."""
    built, at_work, most = [], [], []

    class Encoder:
        def predict_on_batch(self, pixels):
            at_work.append(pixels)
            time.sleep(0.05)
            most.append(len(at_work))
            at_work.remove(pixels)
            return pixels

    def load(folder, bfloat16):
        time.sleep(0.05)
        built.append(folder)
        return Encoder()

    monkeypatch.setattr(batch.caption, "load_encoder", load)
    encode = encode_with("captioner")
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(encode, "abcd")) == [*"abcd"]
    assert (built, max(most)) == (["captioner"], 1)
