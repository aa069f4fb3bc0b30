"""The precision is what the machine is good at, unless somebody decides."""

import pytest
import tensorflow as tf

from batch import device
from batch.errors import ArchiveError

OLD, NEW, UNKNOWN = {"compute_capability": (7, 5)}, {"compute_capability": (8, 0)}, {}


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be another machine."""

    def machine(gpus, cpu: bool) -> None:
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: gpu)
        monkeypatch.setattr(device, "_cpu_has_bfloat16", lambda: cpu)

    return machine


@pytest.mark.parametrize(
    ("gpus", "cpu", "wanted"),
    [
        ([], True, True),
        ([], False, False),
        ([NEW], False, True),
        ([NEW, NEW], False, True),
        ([OLD], True, False),
        ([NEW, OLD], True, False),
        ([UNKNOWN], True, False),
    ],
)
def test_the_device_that_computes_decides(monkeypatch, machine, gpus, cpu, wanted):
    monkeypatch.delenv("PRECISION", raising=False)
    machine(gpus, cpu)
    assert device.has_bfloat16() is wanted


@pytest.mark.parametrize(
    ("asked", "wanted"), [("float32", False), ("bfloat16", True), ("", True), ("int8", True)]
)
def test_what_was_asked_comes_first(monkeypatch, machine, asked, wanted):
    machine([], cpu=True)
    monkeypatch.setenv("PRECISION", asked)
    assert device.has_bfloat16() is wanted
    if asked == "bfloat16":
        machine([OLD], cpu=False)
        assert device.has_bfloat16()


def test_a_precision_that_there_is_not_is_told(monkeypatch, machine):
    machine([], cpu=True)
    monkeypatch.setenv("PRECISION", "float16")
    with pytest.raises(
        ArchiveError, match="PRECISION=float16: give one of float32, bfloat16, int8"
    ):
        device.has_bfloat16()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512_bf16 sse\n", True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("flags\t\t: fpu avx512f avx512_bf16x\nbugs : avx512_bf16\n", False),
        ("Features : fp asimd bf16\n", False),  # an ARM processor
        ("", False),
    ],
)
def test_the_processor_says_what_it_has(tmp_path, text, wanted):
    (tmp_path / "cpuinfo").write_text(text)
    assert device._cpu_has_bfloat16(str(tmp_path / "cpuinfo")) is wanted


def test_a_system_without_cpuinfo_computes_in_float32(tmp_path):
    assert not device._cpu_has_bfloat16(str(tmp_path / "none"))
