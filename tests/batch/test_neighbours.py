"""Which photos are compared: few for each, and those that are near."""

from itertools import combinations

import numpy as np

from batch.neighbours import (
    AHEAD,
    BURST,
    ORDERS,
    Nearness,
    burst_pairs,
    code_pairs,
    codes_of,
    find_links,
)
from batch.vectors import Vectors
from tests.manifests.examples import record


def crowd(photos: int, seed: int = 0) -> Vectors:
    """Give photos in families, so that cosines of all sizes are there."""
    random = np.random.default_rng(seed)
    family = random.random((photos // 4, 2048), np.float32) ** 8
    spread = random.uniform(0.05, 1.5, (photos, 1)).astype(np.float32)
    vectors = family[np.arange(photos) // 4] * (
        1 + spread * random.random((photos, 2048), np.float32)
    )
    return Vectors.of({f"{n:05}": vector for n, vector in enumerate(vectors)})


def pairs_of(found) -> list[tuple[int, int]]:
    return [pair for each in found for pair in zip(*map(np.ndarray.tolist, each), strict=True)]


def test_all_but_a_few_near_pairs_are_found_without_comparing_all():
    vectors = crowd(2000)
    rows = vectors.rows.astype(np.float32)
    cosines = np.triu(rows @ rows.T, 1)
    for cosine in (0.98, 0.95):
        near = set(zip(*(side.tolist() for side in np.nonzero(cosines >= cosine)), strict=True))
        links = find_links(vectors, [], Nearness(cosine, cosine))
        found = {(one, other) for one in links for other in links[one] if one < other}
        assert len(near) > 100
        assert found <= {*near} | set(
            zip(*(side.tolist() for side in np.nonzero(cosines >= cosine - 1e-3)), strict=True)
        )
        assert len(found & near) >= 0.99 * len(near)


def test_each_photo_is_compared_with_so_many_and_no_more():
    codes = codes_of(crowd(400))
    assert len(pairs_of(code_pairs(codes))) <= 400 * AHEAD * ORDERS
    same = np.tile(codes[:1], (400, 1))  # a crowd of the same photo makes no difference
    assert len(pairs_of(code_pairs(same))) <= 400 * AHEAD * ORDERS


def test_a_code_follows_from_its_photo_alone():
    vectors = crowd(40)
    few = Vectors(vectors.photo_ids[5:9], vectors.rows[5:9])
    np.testing.assert_array_equal(codes_of(vectors)[5:9], codes_of(few))


def test_photos_are_paired_with_the_next_ones_of_their_folder():
    rows = [
        record(b"%s/%02d.jpg" % (f, n), photo_id=f"{f}{n}") for f in (b"x", b"y") for n in range(30)
    ]
    places = {each.photo_id: place for place, each in enumerate(rows)}
    expected = {
        (one, other)
        for one, other in combinations(range(60), 2)
        if other - one <= BURST and (one < 30) == (other < 30)
    }
    found = pairs_of(burst_pairs(rows[::-1], places))
    assert set(found) == expected
    assert len(found) == len(expected)


def test_time_goes_before_names_and_photos_without_a_vector_are_passed_over():
    rows = [
        record(b"c.jpg", photo_id="c", taken_at="2019-05-01T10:00:00"),
        record(b"b.jpg", photo_id="b", taken_at="2019-05-01T10:00:01"),
        record(b"a.jpg", photo_id="a", taken_at="2019-05-01T10:00:02"),
        record(b"aa.jpg", photo_id="none"),
        record(b"bb.jpg", photo_id=None),
    ]
    steps = list(burst_pairs(rows, {"a": 0, "b": 1, "c": 2}))
    assert [pairs_of([step]) for step in steps] == [[(1, 2), (0, 1)], [(0, 2)]]


def test_there_is_nothing_to_compare_in_nothing():
    assert find_links(Vectors.of({}), [], Nearness()) == {}
    assert find_links(Vectors.of({"a": np.ones(2048)}), [], Nearness()) == {}


def test_a_vector_that_could_not_be_read_is_near_nothing():
    vectors = Vectors.of({"a": np.zeros(2048), "b": np.zeros(2048), "c": np.full(2048, np.nan)})
    rows = [record(each.encode(), photo_id=each) for each in "abc"]
    assert find_links(vectors, rows, Nearness()) == {}
