"""Numbers as people read them."""

import pytest

from batch.amounts import counted


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 photos"), (1, "1 photo"), (2, "2 photos"), (12_345, "12,345 photos")],
)
def test_one_is_not_many(number, said):
    assert counted(number, "photo") == said
