"""What the tests of runs share: a small captioner, and stand-ins for the large networks."""

import os
import signal
import sys

import pytest

from tests.batch.archives import Archive, FakeEncoder, StubCaptioner, save_captioner
from tests.batch.site import Site
from tests.batch.stores import KEYS, Bucket, served

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@pytest.fixture(scope="session")
def captioner_folder(tmp_path_factory):
    """Save a captioner of a few words and random weights, always the same; no encoder beside it."""
    return save_captioner(tmp_path_factory.mktemp("captioners") / "tiny")


@pytest.fixture
def fake_encoder(monkeypatch):
    """Let runs encode with a stand-in for InceptionV3, which notes what it was asked."""
    import batch.caption

    encoder = FakeEncoder()
    monkeypatch.setattr(batch.caption, "load_encoder", lambda folder, bfloat16: encoder)
    monkeypatch.setattr(batch.caption, "has_bfloat16", lambda: False)
    return encoder


@pytest.fixture
def stub_captioner(monkeypatch, fake_encoder):
    """Let runs caption with a stand-in, whose captions follow from a photo's bytes alone."""
    import batch.caption

    captioner = StubCaptioner()
    monkeypatch.setattr(batch.caption.Captioner, "load", captioner.loaded)
    return captioner


@pytest.fixture
def archive(tmp_path, captioner_folder):
    """Make an empty archive, and name the folders that runs over it write to."""
    return Archive(tmp_path / "photos", tmp_path / "out", tmp_path / "features", captioner_folder)


@pytest.fixture(scope="session", autouse=True)
def quick_search():
    """Spare each search the two seconds that XLA takes to compile it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.search.by_xla", lambda: False)
        yield


@pytest.fixture(scope="session")
def s3():
    """Run a server of S3."""
    with served() as server:
        yield server
    from batch.stores import _opened

    _opened.cache_clear()


@pytest.fixture
def bucket(s3, monkeypatch):
    """Make a bucket, which the environment tells how to reach."""
    for name, value in (KEYS | {"AWS_ENDPOINT_URL": s3.address}).items():
        monkeypatch.setenv(name, value)
    return Bucket(s3)


@pytest.fixture(autouse=True)
def own_signals():
    """Take back the handlers that every command sets."""
    before, hook = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    yield
    signal.signal(signal.SIGTERM, before)
    sys.unraisablehook = hook


@pytest.fixture
def site():
    """Run a rude server on this machine."""
    site = Site()
    yield site
    site.close()
