"""Photos that were made to do harm; and what the program never does, whatever a file asks for."""

import ast
import io
import os
import re
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from batch.corpora.corpus import CorpusError
from batch.corpora.records import load_json
from batch.photos import load
from batch.scan import Photo
from tests.hostile import bounded
from tests.pictures import encoded, noise

ROOT = Path(__file__).parents[2]
PACKAGES = ("batch", "models", "manifests")
FLOOD = zlib.compress(b"a" * (1 << 28), 9)  # a quarter of a gigabyte, in 260 KB


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks, before=True):
    """Give a PNG with chunks of ours before its pixels, or behind them."""
    whole = encoded(noise(40, 30, 1), "PNG")
    at = whole.index(b"IDAT" if before else b"IEND") - 4
    return whole[:at] + b"".join(chunks) + whole[at:]


BOMBS = {
    "zTXt": png(chunk(b"zTXt", b"Comment\0\0" + FLOOD)),
    "zTXt behind": png(chunk(b"zTXt", b"Comment\0\0" + FLOOD), before=False),
    "iTXt": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + FLOOD)),
    "iCCP": png(chunk(b"iCCP", b"profile\0\0" + FLOOD)),
    "exif in text": png(chunk(b"zTXt", b"Raw profile type exif\0\0" + FLOOD)),
    "many texts": png(*[chunk(b"zTXt", b"a\0\0" + zlib.compress(b"a" * 1_000_000))] * 500),
}


def row(tmp_path, data, name="a.png"):
    (tmp_path / name).write_bytes(data)
    return load(Photo(str(tmp_path), name, len(data), 0))


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_texts_in_a_png_that_unpack_without_end_take_no_memory(tmp_path, data):
    with bounded(200):
        found = row(tmp_path, data)
    assert found.status in ("ok", "unreadable", "too_large")


def test_of_what_a_photo_says_of_itself_only_a_moment_is_shown(tmp_path):
    exif = Image.Exif()
    for tag in (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298, 0x9C9B, 0x9C9C):
        exif[tag] = "=1+1<script>\x1b[31m"
    exif[0x0132] = "=cmd|' /C calc'!A0"
    file = io.BytesIO()
    noise(40, 30, 1).save(file, "JPEG", exif=exif)
    found = row(tmp_path, file.getvalue(), "a.jpg")
    assert found.status == "ok"
    assert found.taken_at is None
    assert not re.search("script|=|\x1b", f"{found.error}{found.format}{found.taken_at}")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_corpus_that_is_nested_too_deep_is_told(tmp_path, opening):
    path = tmp_path / "captions.json"
    path.write_bytes(opening * 100_000)
    with pytest.raises(CorpusError, match=r"captions\.json"):
        load_json(str(path))


def test_a_corpus_of_nothing_but_brackets_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "captions.json"
    path.write_bytes(b"[" + b"[]," * 10_000_000 + b"[]]")
    with bounded(200), pytest.raises(CorpusError, match="more values"):
        load_json(str(path))


NEVER = {
    *("eval", "exec", "compile", "__import__", "load_model", "model_from_json", "extractall"),
    *("pickle.load", "pickle.loads", "joblib.load", "yaml.load", "marshal.loads", "os.system"),
    *("enable_unsafe_deserialization", "getoutput", "popen", "mktemp"),
}


def calls():
    """Give all calls of the packages: where they stand, and what is called."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    yield path.relative_to(ROOT), node, ast.unparse(node.func)


def test_nothing_of_a_file_is_ever_run_as_code():
    found = {
        (str(path), name)
        for path, _, name in calls()
        if name in NEVER
        or (name != "re.compile" and name.rpartition(".")[2] in NEVER - {"compile"})
    }
    assert found == set()


def test_no_program_is_started_through_a_shell_and_only_known_ones_are():
    starts = [(path, node) for path, node, name in calls() if name.startswith("subprocess.")]
    assert starts
    for _, node in starts:
        assert not any(each.arg == "shell" for each in node.keywords)
    assert {os.fspath(path) for path, _ in starts} <= {
        "batch/exiftool.py", "models/meteor.py", "batch/device.py", "batch/structure.py",
        "batch/worker_process.py",
    }  # fmt: skip


def test_every_test_that_the_threat_model_names_is_there():
    """docs/security.md says for each threat which test shows that it is met."""
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))
    assert len(named) > 60
    assert named - there == set()


def test_every_module_that_the_threat_model_names_is_there():
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    named = set(re.findall(r"`((?:batch|models|manifests)/[\w/.]+)`", text))
    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()
