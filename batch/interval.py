"""How many of a population have what some of a sample have.

The interval is exact for a sample without replacement, so that it never promises more than is so:
Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 1934, with the
hypergeometric distribution in the binomial's place (Buonaccorsi, "A note on confidence intervals
for proportions in finite populations", The American Statistician 1987). It holds the true number at
least 95 times in 100. Wilson's is a little narrower, and does so on average only, less where
errors are rare (Brown, Cai and DasGupta, "Interval estimation for a binomial proportion",
Statistical Science 2001).
"""

from bisect import bisect_left

import numpy as np

_MISS = 0.05  # how often the true number may lie outside


def finite_interval(found: int, seen: int, population: int) -> tuple[int, int]:
    """Tell how many of a population have what `found` of the `seen` ones have: at least 95% sure.

    Both ends are counts. Where all were seen, both are `found`; where none was, 0 and all.
    """
    counts = range(found, population - (seen - found) + 1)

    def too_few(count: int) -> bool:
        return _chances(count, seen, population, range(found, seen + 1)) <= _MISS / 2

    def too_many(count: int) -> bool:
        return _chances(count, seen, population, range(found + 1)) <= _MISS / 2

    low = bisect_left(counts, True, key=lambda count: not too_few(count))
    high = bisect_left(counts, True, key=too_many) - 1
    return counts[low], counts[high]


def _chances(count: int, seen: int, population: int, found: range) -> float:
    """Give the probability that as many as in `found` are met, of `count` in the population.

    The hypergeometric distribution, by the ratios of its neighbours.
    """
    least, most = max(0, seen - (population - count)), min(seen, count)
    k = np.arange(least, most, dtype=float)
    steps = np.log((count - k) * (seen - k)) - np.log((k + 1) * (population - count - seen + k + 1))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    weights = np.exp(logs - logs.max())
    first, last = max(found.start - least, 0), max(found.stop - least, 0)
    return float(weights[first:last].sum() / weights.sum())
