"""Old pickles give texts and numbers, or a CheckpointError: nothing that they name is ever run."""

import builtins
import os
import pickle
import pickletools
import subprocess
from collections import OrderedDict, defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import CheckpointError
from models.unpickle import read_caption_list, read_feature_vectors
from tests.data import shared

PROTOCOLS = range(6)
READERS = (read_caption_list, read_feature_vectors)
CAPTIONS = ["<start> A dog. <end>", "<start> 개가 달린다 <end>", "line\nfeed\ttab", "", "é" * 300]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Write bytes into a file and name it."""
    path = tmp_path_factory.mktemp("pickles") / "old.pickle"

    def put(data):
        path.write_bytes(data)
        return str(path)

    return put


def vectors(number, kind=np.float32, shape=(2048,)):
    random = np.random.default_rng(number)
    return {f"{i}.jpg": random.random(shape).astype(kind) for i in range(number)}


HELD = [(read_caption_list, CAPTIONS), (read_feature_vectors, vectors(1))]


def refused(read, path):
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert path in str(caught.value)
    assert "give the " in str(caught.value)
    return str(caught.value)


# What is read


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_captions_of_any_protocol_are_read(place, protocol):
    captions = [*CAPTIONS, CAPTIONS[0], *map(str, range(3000))]  # one of them twice, as one object
    assert read_caption_list(place(pickle.dumps(captions, protocol))) == captions
    assert read_caption_list(place(pickle.dumps([], protocol))) == []
    assert read_caption_list(place(pickle.dumps(["one"], protocol))) == ["one"]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.sampled_from(PROTOCOLS))
def test_any_texts_come_back(place, texts, protocol):
    assert read_caption_list(place(pickle.dumps(texts, protocol))) == texts


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["<f4", "<f2", "<f8", ">f4"])
@pytest.mark.parametrize("shape", [(2048,), (1, 2048)])
def test_vectors_of_any_protocol_and_float_are_read(place, protocol, kind, shape):
    written = vectors(3, kind, shape)
    found = read_feature_vectors(place(pickle.dumps(written, protocol)))
    assert found.keys() == written.keys()
    for name, vector in found.items():
        expected = written[name].reshape(2048).astype(np.float32)
        np.testing.assert_array_equal(vector, expected, strict=True)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_vectors_that_numpy_1_wrote_are_read(place, protocol):
    """Numpy 2 writes numpy._core; the older name is longer or shorter where lengths are told."""
    written = vectors(2)
    data = pickle.dumps(written, protocol)
    assert b"numpy._core." in data
    for module in (b"multiarray", b"numeric"):
        new, old = b"numpy._core." + module, b"numpy.core." + module
        data = data.replace(bytes([len(new)]) + new, bytes([len(old)]) + old).replace(new, old)
    if protocol == 4:  # a frame tells its length too
        data = data.replace(data[2:11], b"", 1)
    if protocol == 5:
        data = b"".join(parts_without_frames(data))
    found = read_feature_vectors(place(data))
    np.testing.assert_array_equal(found["1.jpg"], written["1.jpg"], strict=True)


def parts_without_frames(data):
    """Leave out the lengths of frames, which a change of a name makes wrong."""
    whole = data
    while (at := whole.find(b"\x95")) >= 0 and at < 3:
        whole = whole[:at] + whole[at + 9 :]
    yield whole


def test_vectors_that_are_views_are_read(place):
    rows = np.random.default_rng(0).random((4, 2048)).astype(np.float32)
    written = {"a": rows[1], "b": rows[::2][1], "c": np.asfortranarray(rows[:1]), "d": rows.T[:, 0]}
    found = read_feature_vectors(place(pickle.dumps(written)))
    for name, row in zip("abcd", (1, 2, 0, 0), strict=True):
        np.testing.assert_array_equal(found[name], rows[row])


@pytest.mark.parametrize("folder", ["iamfredrik-caption-api-coco", "lee513-image_caption_deploy"])
def test_real_caption_lists_are_read_as_python_reads_them(folder):
    path = shared(f"checkpoints/{folder}") / "train_captions.pickle"
    captions = read_caption_list(str(path))
    assert captions == pickle.loads(path.read_bytes())
    assert len(captions) > 5000


def test_a_real_tokenizer_is_no_list_of_captions():
    path = shared("checkpoints/anishLearnsToCode-image-captioning/tokenizer.p")
    assert "GLOBAL" in refused(read_caption_list, str(path))
    assert "keras_preprocessing.text.Tokenizer" in refused(read_feature_vectors, str(path))


# What is refused


@pytest.mark.parametrize(
    "held",
    [
        "text",
        ("a", "b"),
        {"a": "b"},
        None,
        3,
        [1],
        ["a", None],
        ["a", b"b"],
        ["a", ["b"]],
        [["a"]],
        ["half \ud83d"],
        {"a"},
        [1.5],
        OrderedDict(a="b"),
        b"bytes",
        np.array(["a"]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_no_list_of_texts_is_refused(place, held, protocol):
    refused(read_caption_list, place(pickle.dumps(held, protocol)))


@pytest.mark.parametrize(
    "held",
    [
        [],
        ["a"],
        {"a": "b"},
        {"a": None},
        {"a": 1.5},
        {"a": np.float32(1)},
        {"a": [0.5] * 2048},
        {"a": np.zeros(2047, np.float32)},
        {"a": np.zeros((2, 1024), np.float32)},
        {"a": np.zeros((8, 8, 2048), np.float16)},
        {"a": np.zeros((), np.float32)},
        {"a": np.zeros(2048, np.int32)},
        {"a": np.zeros(2048, np.complex64)},
        {"a": np.zeros(2048, object)},
        {"a": np.zeros(2048, "U3")},
        {"a": np.zeros(2048, [("x", "f4")])},
        {"a": np.full(2048, np.nan, np.float32)},
        {"a": np.full(2048, 1e300)},
        {"a": np.full(2048, 70_000, np.float32)},  # more than the cache can keep
        {"a": np.zeros((1, 2048), np.float32).view(np.matrix)},
        {"a": np.ma.zeros(2048, np.float32)},
        {1: np.zeros(2048, np.float32)},
        {b"a": np.zeros(2048, np.float32)},
        {"a": {"b": np.zeros(2048, np.float32)}},
        defaultdict(list, a=np.zeros(2048, np.float32)),
        np.zeros(2048, np.float32),
    ],
    ids=lambda held: f"{held!r:.40}",
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_what_is_no_dict_of_vectors_is_refused(place, held, protocol):
    if type(held) is dict and not held:
        pytest.skip("an empty dict is one")
    refused(read_feature_vectors, place(pickle.dumps(held, protocol)))


def test_few_bytes_cannot_name_many_vectors(place):
    shown = np.zeros(2048, np.float32)
    refused(read_feature_vectors, place(pickle.dumps(dict.fromkeys(map(str, range(99)), shown))))


@pytest.mark.parametrize("read", READERS)
def test_what_cannot_be_read_is_told(read, tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(CheckpointError, match=r"cannot be read"):
            read(str(path))


# What is hostile


def hostile(canary):
    """Give pickles that would write a file, each in another way."""
    command = f"touch {canary}"

    class Reduced:
        def __init__(self, function, *arguments):
            self.made = function, arguments

        def __reduce__(self):
            return self.made

    traps = {
        "system": Reduced(os.system, command),
        "eval": Reduced(builtins.eval, f"open({canary!r}, 'w')"),
        "exec": Reduced(builtins.exec, f"open({canary!r}, 'w')"),
        "popen": Reduced(subprocess.Popen, ["touch", canary]),
        "getattr": Reduced(builtins.getattr, "", "x"),
        "load": Reduced(np.load, canary),
        "open": Reduced(open, canary, "w"),
    }
    for name, trap in traps.items():
        for protocol in PROTOCOLS:
            for held in (trap, ["a", trap], {"a.jpg": trap}, [[("a", trap)]], {trap: "a"}):
                yield name, pickle.dumps(held, protocol)
    touch = command.encode()
    yield "inst", b"(S'" + touch + b"'\nios\nsystem\n."
    yield "obj", b"(cos\nsystem\nS'" + touch + b"'\no."
    yield "newobj", b"\x80\x02cos\nsystem\nX%c\x00\x00\x00%b\x85\x81." % (len(touch), touch)
    yield "persistent", b"Ptouch\n."
    yield "binary persistent", b"\x80\x02X\x01\x00\x00\x00aQ."
    yield "extension", b"\x80\x02\x82\x01."
    yield "buffers", b"\x80\x05\x97."
    yield "build", b"\x80\x02]}X\x09\x00\x00\x00__class__K\x01sb."
    yield "setstate", b"\x80\x02cnumpy\ndtype\n}X\x04\x00\x00\x00makeK\x01sb."
    yield "dotted", b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93."


@pytest.mark.parametrize("read", READERS)
def test_nothing_that_a_pickle_names_is_run(read, place, tmp_path):
    canary = str(tmp_path / "canary")
    for _, data in hostile(canary):
        refused(read, place(data))
        assert not Path(canary).exists()


def test_the_traps_do_work_where_pickles_are_trusted(tmp_path):
    canary = str(tmp_path / "canary")
    for name, data in hostile(canary):
        if name in ("system", "eval", "exec", "open", "inst", "obj") and b"canary" in data:
            with suppress(TypeError):  # a trap that is a key
                pickle.loads(data)
            assert Path(canary).exists(), name
            Path(canary).unlink()


BOMBS = {
    "huge text": b"\x80\x04\x8d" + (2**62).to_bytes(8, "little") + b"a.",
    "huge bytes": b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b"a.",
    "huge bytearray": b"\x80\x05\x96" + (2**62).to_bytes(8, "little") + b"a.",
    "huge frame": b"\x80\x04\x95" + (2**62).to_bytes(8, "little") + b"](.",
    "huge memo": b"\x80\x02]r\xff\xff\xff\xffX\x01\x00\x00\x00aaK\x01a.",
    "negative text": b"T\xff\xff\xff\xffa.",
    "deep lists": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "deep marks": b"\x80\x02" + b"(" * 200_000 + b".",
    "deep tuples": b"\x80\x02)" + b"\x85" * 200_000 + b".",
    "own item": b"\x80\x02]q\x00h\x00a.",
    "own value": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
    "long number": b"I" + b"9" * 100_000 + b"\n.",
    "empty": b"",
    "no stop": b"\x80\x02]",
    "two results": b"\x80\x02]].",
    "no result": b"\x80\x02.",
    "unknown memo": b"\x80\x02h\x07.",
    "no list": b"\x80\x02(X\x01\x00\x00\x00ae.",
    "no mark": b"\x80\x02]e.",
    "below the mark": b"\x80\x02](X\x01\x00\x00\x00aa.",
    "odd dict": b"\x80\x02}(X\x01\x00\x00\x00au.",
    "shape of many": pickle.dumps({"a": np.zeros(2048, np.float32)}, 2).replace(
        b"M\x00\x08", b"J\x00\x00\x00\x7f"
    ),
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused(read, bomb, place):
    refused(read, place(BOMBS[bomb]))


def test_one_text_many_times_is_refused(place):
    data = b"\x80\x02](X\x00\x00\x10\x00" + b"a" * 2**20 + b"q\x01" + b"h\x01" * 5_000 + b"e."
    assert "more text" in refused(read_caption_list, place(data))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("read", "held"), HELD)
def test_a_truncated_pickle_is_refused(place, protocol, read, held):
    data = pickle.dumps(held, protocol)
    for end in {*range(0, len(data), 97), len(data) - 1}:
        refused(read, place(data[:end]))


@settings(deadline=None, max_examples=200)
@given(st.data())
@pytest.mark.parametrize(("read", "held"), HELD)
def test_changed_bits_are_refused_or_change_no_kind(place, read, held, data):
    """A changed letter cannot be seen; whatever is given is still texts, or vectors."""
    changed = bytearray(pickle.dumps(held, data.draw(st.sampled_from(PROTOCOLS))))
    size = min(len(changed), data.draw(st.sampled_from([60, 400, len(changed)])))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, size - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(place(bytes(changed)))
    except CheckpointError:
        return
    items = found if type(found) is list else found.values()
    for item in items:
        assert type(item) is str or (item.dtype == np.float32 and item.shape == (2048,))


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            [
                op.code.encode("latin-1")
                for op in pickletools.opcodes
                if op.arg is None and op.name != "STOP"
            ]
            + [b"X\x01\x00\x00\x00a", b"K\x01", b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"h\x00"]
            + [b"cnumpy.core.multiarray\n_reconstruct\n", b"X\x02\x00\x00\x00f4", b"q\x00"]
        ),
        max_size=30,
    )
)
@pytest.mark.parametrize("read", READERS)
def test_no_program_of_instructions_does_anything_else(place, read, instructions):
    try:
        found = read(place(b"".join(instructions) + b"."))
    except CheckpointError:
        return
    assert found in ([], {}) or all(type(item) is str for item in found)
