"""Which photos to compare: a few for each photo, so that a million photos take no million squares.

Two kinds of photos are alike: those taken one after the other, and copies that lie elsewhere. The
first stand next to each other by folder and time. The others are found by codes: each bit tells on
which side of a random plane a photo's vector lies, and photos of a small angle share most bits
(Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002). The codes are
sorted by several draws of their bits, and each photo is compared with the next ones in each order:
as in that paper, so that no crowd of similar photos makes a bucket that is searched all through.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from batch.vectors import Vectors
from manifests.record import Record

BITS = 256  # of a code
MOST_APART = 72  # bits, of a pair that is worth its cosine; at a cosine of 0.9 they are 60 at most
ORDERS = 24  # the codes are sorted in
AHEAD = 8  # photos that each is compared with, in each of these orders
BURST = 20  # photos that each is compared with, of those taken after it
_SEED = 5
_BLOCK = 4096  # photos at once: 32 MiB
_CENTRE = 8192  # photos whose mean is the middle of all; their identities are as good as drawn

Pairs = tuple[np.ndarray, np.ndarray]
"""Photos by their rows: int64 (pairs,), (pairs,)."""

Links = dict[int, list[int]]
"""The photos that are near a photo, by their rows, for those photos that have any."""


def find_links(vectors: Vectors, records: Sequence[Record], threshold: float) -> Links:
    """Find photos that are as near each other as `threshold`, a cosine, among those worth a look.

    `records` tell which photos lie beside which; one without a vector is passed over.
    """
    codes = codes_of(vectors)
    places = {photo_id: row for row, photo_id in enumerate(vectors.photo_ids)}
    pairs = np.zeros(0, np.int64)  # numbers of pairs
    for candidates in chain(burst_pairs(records, places), code_pairs(codes)):
        ones, others = near_enough(codes, candidates)
        new = np.setdiff1d(ones * len(codes) + others, pairs)
        near = vectors.cosine(*np.divmod(new, len(codes))) >= threshold
        pairs = np.union1d(pairs, new[near])
    links: Links = defaultdict(list)
    for pair in pairs.tolist():
        one, other = divmod(pair, len(codes))
        links[one].append(other)
        links[other].append(one)
    return links


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


def near_enough(codes: np.ndarray, pairs: Pairs) -> Pairs:
    """Leave out pairs whose codes say that they are far from each other, and photos with none."""
    ones, others = pairs
    differ = np.bitwise_count(codes[ones] ^ codes[others]).sum(axis=1, dtype=np.int64)
    near = (differ <= MOST_APART) & (ones != others)
    return ones[near], others[near]


def codes_of(vectors: Vectors) -> np.ndarray:
    """Give each photo its code: uint64 (photos, 4).

    Features are never negative, all vectors lie to one side: the planes go through their middle.
    """
    planes = np.random.default_rng(_SEED).standard_normal((vectors.rows.shape[1], BITS), np.float32)
    centre = vectors.rows[:_CENTRE].astype(np.float32).mean(axis=0)
    codes = np.empty((len(vectors.rows), BITS // 64), np.uint64)
    for start in range(0, len(codes), _BLOCK):
        rows = vectors.rows[start : start + _BLOCK].astype(np.float32) - centre
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
