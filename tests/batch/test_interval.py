"""How many of a population have what some of a sample have."""

from math import comb

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from batch.interval import finite_interval


def chance(found: int, count: int, seen: int, population: int) -> float:
    """Give the hypergeometric probability, by its definition."""
    return comb(count, found) * comb(population - count, seen - found) / comb(population, seen)


@pytest.mark.parametrize(("population", "seen"), [(1, 1), (30, 5), (60, 20), (200, 40), (60, 59)])
def test_whatever_is_true_lies_in_the_interval_95_times_in_100(population, seen):
    intervals = [finite_interval(found, seen, population) for found in range(seen + 1)]
    for count in range(population + 1):
        covered = sum(
            chance(found, count, seen, population)
            for found, (low, high) in enumerate(intervals)
            if found <= count and seen - found <= population - count and low <= count <= high
        )
        assert covered >= 0.95 - 1e-9


def test_the_ends_are_where_the_tails_are_a_fortieth():
    found, seen, population = 7, 30, 120
    low, high = finite_interval(found, seen, population)

    def tail(count: int, values: range) -> float:
        return sum(chance(each, count, seen, population) for each in values)

    assert tail(low - 1, range(found, seen + 1)) <= 0.025 < tail(low, range(found, seen + 1))
    assert tail(high + 1, range(found + 1)) <= 0.025 < tail(high, range(found + 1))


@given(st.data())
def test_the_interval_holds_the_share_seen_and_what_is_possible(data):
    population = data.draw(st.integers(1, 5000))
    seen = data.draw(st.integers(0, population))
    found = data.draw(st.integers(0, seen))
    low, high = finite_interval(found, seen, population)
    assert found <= low <= high <= population - (seen - found)
    if seen:
        assert low <= population * found / seen <= high
    assert finite_interval(seen - found, seen, population) == (population - high, population - low)


@given(st.integers(1, 400), st.integers(0, 400))
def test_who_has_seen_all_knows(population, found):
    assume(found <= population)
    assert finite_interval(found, population, population) == (found, found)


def test_who_has_seen_nothing_knows_nothing():
    assert finite_interval(0, 0, 50) == (0, 50)


def test_of_very_many_it_is_the_interval_of_clopper_and_pearson():
    low, high = finite_interval(30, 200, 10_000_000)
    assert low / 1e7 == pytest.approx(0.1035, abs=3e-4)  # of 30 in 200, as tables have it
    assert high / 1e7 == pytest.approx(0.2072, abs=3e-4)
