"""Read two kinds of old pickles, a list of captions and feature vectors by name, and run neither.

A pickle is a program, and Python's unpickler runs all of it. Here only the instructions that such
lists and dicts are written with are followed, on values of our own: no module is looked up, nothing
that a file names is called, and what numpy wrote is put together again by stand-ins that know
vectors of `FEATURES` floats and nothing else. Everything else is a CheckpointError.
"""

import pickletools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.encoder import FEATURES
from models.errors import CheckpointError
from models.stand_ins import Floats, StandIn, Vector, stand_in

MAX_CAPTIONS_FILE = 1 << 29  # bytes: some five million captions
MAX_FEATURES_FILE = 1 << 32  # bytes: half a million photos
MAX_TEXT = 1 << 29  # characters: a small file can repeat a long text many times
_SMALLEST = 2 * FEATURES  # bytes that a vector of float16 takes
# What the steps below raise where a file is torn or made to harm; pickletools adds ValueError.
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError)

_TEXTS = frozenset(["UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"])
_BYTES = frozenset(["BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"])
_NUMBERS = frozenset(["INT", "BININT", "BININT1", "BININT2", "LONG1"])


def read_caption_list(path: str) -> list[str]:
    """Read a pickled list of str. Raises CheckpointError where it is anything else."""
    remedy = "give the train_captions.pickle that the tutorial's script wrote, copied anew"
    try:
        captions = _Captions().run(_read(path, MAX_CAPTIONS_FILE))
        if type(captions) is not list or any(type(item) is not str for item in captions):
            raise ValueError("holds something else than texts")
        if sum(map(len, captions)) > MAX_TEXT:
            raise ValueError("holds more text than any such list")
        for caption in captions:
            caption.encode()  # half a character cannot be written into a vocabulary
    except _BROKEN as error:
        raise CheckpointError(
            f"{path}: not a pickled list of captions ({error}); {remedy}"
        ) from error
    return captions


def read_feature_vectors(path: str) -> dict[str, np.ndarray]:
    """Read a pickled dict of names to pooled features: float32 (2048,) each.

    Raises CheckpointError where it is anything else.
    """
    remedy = "give the encoded_train_images.pkl that the post's script wrote, copied anew"
    try:
        data = _read(path, MAX_FEATURES_FILE)
        named = _Features().run(data)
        if type(named) is not dict or any(type(item) is not Vector for item in named.values()):
            raise ValueError("holds something else than vectors")
        if len(named) * _SMALLEST > len(data):
            raise ValueError("holds fewer numbers than it names vectors")
        return {name: vector.values() for name, vector in named.items()}
    except _BROKEN as error:
        text = f"not a pickled dict of names to {FEATURES} numbers"
        raise CheckpointError(f"{path}: {text} ({error}); {remedy}") from error


def _read(path: str, limit: int) -> bytes:
    file = Path(path)
    try:
        if file.is_file() and file.stat().st_size > limit:
            raise ValueError(f"has more than {limit:,} bytes")
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); is it there?") from error


class _Captions:
    """Follows the instructions that lists of texts are written with, in any protocol."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}
        self.steps: dict[str, Callable[[Any], None]] = {
            "PROTO": lambda _: None,
            "FRAME": lambda _: None,
            "STOP": lambda _: None,
            "MARK": lambda _: self.marks.append(len(self.stack)),
            "EMPTY_LIST": lambda _: self.stack.append([]),
            "LIST": lambda _: self.stack.append(self.marked()),
            "APPEND": lambda _: self.extend(self.popped(1)),
            "APPENDS": lambda _: self.extend(self.marked()),
            "MEMOIZE": lambda _: self.keep(len(self.memo)),
            **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), self.keep),
            **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), self.recall),
            **dict.fromkeys(_TEXTS, self.stack.append),
        }

    def run(self, data: bytes) -> Any:
        """Follow a pickle to its end; what it was of."""
        for instruction, argument, _ in pickletools.genops(data):
            if instruction.name not in self.steps:
                raise ValueError(f"holds {instruction.name}, which is never followed")
            self.steps[instruction.name](argument)
        if len(self.stack) != 1 or self.marks:
            raise ValueError("ends before it is complete")
        return self.stack[0]

    def popped(self, number: int) -> list[Any]:
        """Take the topmost values off the stack, down to the last mark at most."""
        height = len(self.stack) - number
        if height < (self.marks[-1] if self.marks else 0):
            raise ValueError("takes more than there is")
        taken = self.stack[height:]
        del self.stack[height:]
        return taken

    def marked(self) -> list[Any]:
        """Take all values above the last mark, and the mark."""
        taken = self.popped(len(self.stack) - self.marks[-1])
        self.marks.pop()
        return taken

    def extend(self, items: list[Any]) -> None:
        """Add values to the list on top."""
        if type(self.stack[-1]) is not list:
            raise ValueError("appends to no list")
        self.stack[-1].extend(items)

    def keep(self, number: int) -> None:
        """Note the topmost value under a number."""
        self.memo[number] = self.stack[-1]

    def recall(self, number: int) -> None:
        """Put a noted value on top."""
        self.stack.append(self.memo[number])


class _Features(_Captions):
    """Follows also what dicts, tuples and numpy's vectors are written with."""

    def __init__(self) -> None:
        super().__init__()
        push = self.stack.append
        self.steps |= {
            "EMPTY_DICT": lambda _: push({}),
            "DICT": lambda _: push(dict(self.pairs())),
            "SETITEM": lambda _: self.update(self.popped(2)),
            "SETITEMS": lambda _: self.update(self.marked()),
            "EMPTY_TUPLE": lambda _: push(()),
            "TUPLE": lambda _: push(tuple(self.marked())),
            "TUPLE1": lambda _: push(tuple(self.popped(1))),
            "TUPLE2": lambda _: push(tuple(self.popped(2))),
            "TUPLE3": lambda _: push(tuple(self.popped(3))),
            "GLOBAL": lambda name: push(stand_in(name)),
            "STACK_GLOBAL": lambda _: push(stand_in(" ".join(self.popped(2)))),
            "REDUCE": lambda _: self.make(),
            "BUILD": lambda _: self.complete(),
            "NONE": lambda _: push(None),
            "NEWTRUE": lambda _: push(True),
            "NEWFALSE": lambda _: push(False),
            **dict.fromkeys(_BYTES | _NUMBERS, push),
        }

    def pairs(self, items: list[Any] | None = None) -> Iterator[tuple[str, Any]]:
        """Give the names and values above the last mark, or among `items`."""
        items = self.marked() if items is None else items
        for name, value in zip(items[::2], items[1::2], strict=True):
            if type(name) is not str:
                raise ValueError("names something by no text")
            yield name, value

    def update(self, items: list[Any]) -> None:
        """Put names and values into the dict on top."""
        if type(self.stack[-1]) is not dict:
            raise ValueError("puts names into no dict")
        self.stack[-1].update(self.pairs(items))

    def make(self) -> None:
        """Let a stand-in make what the function that it stands for would."""
        function, arguments = self.popped(2)
        if type(function) is not StandIn or type(arguments) is not tuple:
            raise ValueError("calls what is no function of numpy's")
        self.stack.append(function.make(*arguments))

    def complete(self) -> None:
        """Give an array or its type what they were pickled with."""
        (state,) = self.popped(1)
        if type(self.stack[-1]) not in (Vector, Floats) or type(state) is not tuple:
            raise ValueError("completes what is no array")
        self.stack[-1].complete(*state)
