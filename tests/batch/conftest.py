"""What the tests of reviewing share."""

import pytest

from batch.pipeline import run
from tests.batch.archives import Archive

NAMES = ["a.png", "b/a.png", "b/바다.png", "c.png"]


@pytest.fixture
def few_captioners(tmp_path, monkeypatch):
    """Let there be no captioners that ship: reading them takes the most of a look at few photos."""
    import batch.check_captioners

    (tmp_path / "pretrained").mkdir()
    (tmp_path / "pretrained" / "SHA256SUMS").touch()
    monkeypatch.setattr(batch.check_captioners, "PRETRAINED", str(tmp_path / "pretrained"))
    monkeypatch.setattr(batch.check_captioners, "shipped", list)


@pytest.fixture
def album(archive, stub_captioner):
    """Caption an archive of four photos."""
    archive.draw(*NAMES)
    run(archive.config())
    return archive


@pytest.fixture
def small_shards(monkeypatch):
    """Let a shard hold two photos, so that a few photos make several."""
    import batch.caption
    import batch.encode

    monkeypatch.setattr(batch.encode, "CHUNK", 2)
    monkeypatch.setattr(batch.caption, "SHARD_PHOTOS", 2)


@pytest.fixture
def twin(album, tmp_path):
    """Give the same archive other results: what an undisturbed run gives."""
    twin = Archive(tmp_path / "unused", tmp_path / "out2", tmp_path / "features2", album.captioner)
    twin.root = album.root
    return twin
