"""What the tests of reviewing share."""

import pytest

from batch.pipeline import run

NAMES = ["a.png", "b/a.png", "b/바다.png", "c.png"]


@pytest.fixture
def album(archive, stub_captioner):
    """Caption an archive of four photos."""
    archive.draw(*NAMES)
    run(archive.config())
    return archive
