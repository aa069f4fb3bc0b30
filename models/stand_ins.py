"""Stands in for numpy where its pickles name it: vectors of `FEATURES` floats, and nothing else.

What pickles of numpy 1 and 2 name, in protocols 0 to 5, has a stand-in that checks what it is given
before numpy sees any of it. Whatever is wrong is a ValueError or a TypeError.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.encoder import FEATURES


@dataclass
class Floats:
    """Stands for a numpy dtype of floats."""

    code: str
    order: str = "<"

    def complete(self, _version: int, order: str, *_: Any) -> None:
        """Take the byte order; nothing else of a float's type is not the same everywhere."""
        if order not in ("<", ">", "="):
            raise ValueError("orders bytes in no way that is known")
        self.order = order.replace("=", "<")

    @property
    def size(self) -> int:
        """Bytes a number."""
        return int(self.code[1:])


@dataclass
class Vector:
    """Stands for a numpy array: one photo's vector, or nothing yet."""

    floats: Floats | None = None
    data: bytes = b""

    def complete(self, *state: Any) -> None:
        """Take version, shape, type, order and bytes; all must be those of a vector."""
        _, shape, floats, _, data = state
        if type(floats) is not Floats or type(data) not in (bytes, bytearray):
            raise ValueError("holds an array of something else than floats")
        if shape not in ((FEATURES,), (1, FEATURES)) or len(data) != FEATURES * floats.size:
            raise ValueError(f"holds an array of another shape than ({FEATURES},)")
        self.floats, self.data = floats, data

    def values(self) -> np.ndarray:
        """Give the vector, float32 (2048,)."""
        if self.floats is None:
            raise ValueError("holds an array without numbers")
        vector = np.frombuffer(self.data, self.floats.order + self.floats.code)
        with np.errstate(over="ignore"):
            vector = vector.astype(np.float32)
            kept = vector.astype(np.float16)  # as the cache keeps it
        if not np.isfinite(kept).all():
            raise ValueError("holds numbers that no feature has")
        return vector


@dataclass(frozen=True)
class StandIn:
    """Stands for a function or class that numpy's pickles name."""

    make: Callable[..., Any]


def _floats(code: str, *_: Any) -> Floats:
    if code not in ("f2", "f4", "f8"):
        raise ValueError("holds an array of something else than floats")
    return Floats(code)


def _blank(kind: Any, *_: Any) -> Vector:
    if kind is not _NDARRAY:
        raise ValueError("holds an array of a kind of its own")
    return Vector()


def _from_buffer(data: Any, floats: Any, shape: Any, _order: Any) -> Vector:
    array = Vector()
    array.complete(1, shape, floats, False, data)
    return array


def _latin_1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError("encodes in a way that numpy does not")
    return text.encode("latin-1")


def _never(*_: Any) -> Any:
    raise ValueError("makes an array in a way that numpy does not")


_NDARRAY = StandIn(_never)
_STAND_INS: Mapping[str, StandIn] = {
    "numpy dtype": StandIn(_floats),
    "numpy ndarray": _NDARRAY,
    "_codecs encode": StandIn(_latin_1),  # how protocols 0 to 2 write bytes
    **{
        f"numpy.{core}.multiarray _reconstruct": StandIn(_blank) for core in ("core", "_core")
    },  # numpy 1 and 2
    **{f"numpy.{core}.numeric _frombuffer": StandIn(_from_buffer) for core in ("core", "_core")},
}


def stand_in(name: str) -> StandIn:
    """Find what stands for a function, by its module and name. Raises ValueError for any other."""
    if name not in _STAND_INS:
        raise ValueError(f"names {name.replace(' ', '.')[:80]!r}, which is never looked up")
    return _STAND_INS[name]
