"""The data that is not the project's: beside it on some machines, on others not."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "shared" / "data"


def shared(name: str) -> Path:
    """Give a file or folder of the data, or skip the test."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"not here: ../shared/data/{name}")
    return path
