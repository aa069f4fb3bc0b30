"""Which photos to compare: a few for each photo, so that a million photos take no million squares.

Two kinds of photos are alike: those taken one after the other, and copies that lie elsewhere. The
first stand next to each other by folder and time. The others are found by codes: each bit tells on
which side of a random plane a photo's vector lies, and photos of a small angle share most bits
(Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002). The codes are
sorted by several draws of their bits, and each photo is compared with the next ones in each order:
as in that paper, so that no crowd of similar photos makes a bucket that is searched all through.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from batch.vectors import Vectors
from manifests.record import Record

BITS = 256  # of a code
MOST_APART = 64  # bits; of a pair with a cosine of 0.9 it is 37, with a deviation of 6
ORDERS = 24  # the codes are sorted in
AHEAD = 8  # photos that each is compared with, in each of these orders
BURST = 20  # photos that each is compared with, of those taken after it
_SEED = 5
_BLOCK = 4096  # photos at once: 32 MiB

Pairs = tuple[np.ndarray, np.ndarray]
"""Photos by their rows: int64 (pairs,), (pairs,)."""

Links = dict[int, dict[int, float]]
"""The photos near a photo, by their rows, with the cosine that they had to have."""


@dataclass(frozen=True)
class Nearness:
    """The cosine from which on photos are almost the same.

    Of 80 photos, all that were saved again or made smaller stayed above 0.99, 95% of those cropped
    by 5% above 0.95. Of the 24 million pairs of 6,999 different photos none reaches 0.97, and 7
    reach 0.95, of which two or three are of one moment (benchmarks/near_duplicates.py). A million
    photos make 20,000 times as many pairs, so what lies anywhere must be nearer than what lies next
    to it.
    """

    in_burst: float = 0.95  # taken one after the other, in one folder
    elsewhere: float = 0.98


def find_links(vectors: Vectors, records: Sequence[Record], nearness: Nearness) -> Links:
    """Find photos that are near each other, among those worth a look.

    `records` tell which photos lie beside which; one without a vector is passed over.
    """
    codes = codes_of(vectors)
    places = {photo_id: row for row, photo_id in enumerate(vectors.photo_ids)}
    bursts = _near_pairs(vectors, codes, burst_pairs(records, places), nearness.in_burst)
    copies = _near_pairs(vectors, codes, code_pairs(codes), nearness.elsewhere)
    links: Links = defaultdict(dict)
    for pairs, needed in ((copies, nearness.elsewhere), (bursts, nearness.in_burst)):
        for pair in pairs.tolist():
            one, other = divmod(pair, len(codes))
            links[one][other] = links[other][one] = needed
    return links


def _near_pairs(
    vectors: Vectors, codes: np.ndarray, candidates: Iterable[Pairs], cosine: float
) -> np.ndarray:
    """Compare candidates; give those that are near enough, each as one number: int64 (pairs,)."""
    pairs = np.zeros(0, np.int64)
    for each in candidates:
        ones, others = _worth_a_look(codes, each)
        new = np.setdiff1d(ones * len(codes) + others, pairs)
        near = vectors.cosine(*np.divmod(new, len(codes))) >= cosine
        pairs = np.union1d(pairs, new[near])
    return pairs


def burst_pairs(records: Sequence[Record], places: dict[str, int]) -> Iterator[Pairs]:
    """Pair photos with the next ones of their folder by time, or by name where that is unknown.

    `places`: the rows of photos by identity; the others are passed over.
    """
    there = [record for record in records if record.photo_id in places]
    there.sort(key=lambda record: (_folder(record), record.taken_at or "", record.raw_path))
    rows = np.array([places[str(record.photo_id)] for record in there], np.int64)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(map(_folder, there)))}
    folder = np.array([numbers[_folder(record)] for record in there], np.int64)
    for step in range(1, min(BURST, len(rows) - 1) + 1):
        same = folder[step:] == folder[:-step]
        yield _sorted(rows[:-step][same], rows[step:][same])


def code_pairs(codes: np.ndarray) -> Iterator[Pairs]:
    """Pair photos whose codes, uint64 (photos, 4), stand near each other in one of the orders."""
    random = np.random.default_rng(_SEED)
    for bits in (random.permutation(BITS) for _ in range(ORDERS)):
        order = np.argsort(_keys(codes, bits[:64]), kind="stable")
        for step in range(1, min(AHEAD, len(order) - 1) + 1):
            yield _sorted(order[:-step], order[step:])


def _worth_a_look(codes: np.ndarray, pairs: Pairs) -> Pairs:
    """Leave out pairs whose codes say that they are far from each other, and photos with none."""
    ones, others = pairs
    differ = np.bitwise_count(codes[ones] ^ codes[others]).sum(axis=1, dtype=np.int64)
    near = (differ <= MOST_APART) & (ones != others)
    return ones[near], others[near]


def codes_of(vectors: Vectors) -> np.ndarray:
    """Give each photo its code: uint64 (photos, 4); it follows from its own vector alone."""
    planes = np.random.default_rng(_SEED).standard_normal((vectors.rows.shape[1], BITS), np.float32)
    codes = np.empty((len(vectors.rows), BITS // 64), np.uint64)
    for start in range(0, len(codes), _BLOCK):
        rows = vectors.rows[start : start + _BLOCK].astype(np.float32)
        codes[start : start + _BLOCK] = np.packbits(rows @ planes > 0, axis=1).view(np.uint64)
    return codes


def _keys(codes: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Make numbers to sort by, uint64 (photos,), from some bits of the codes, the first leading."""
    keys = np.empty(len(codes), np.uint64)
    for start in range(0, len(codes), _BLOCK):
        block = codes[start : start + _BLOCK].view(np.uint8)
        chosen = np.packbits(np.take(np.unpackbits(block, axis=1), bits, axis=1), axis=1)
        keys[start : start + _BLOCK] = chosen.view(">u8")[:, 0]
    return keys


def _sorted(ones: np.ndarray, others: np.ndarray) -> Pairs:
    return np.minimum(ones, others), np.maximum(ones, others)


def _folder(record: Record) -> bytes:
    return record.raw_path.rpartition(b"/")[0]
