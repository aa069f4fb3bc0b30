"""The precision is what the machine is good at, unless somebody decides."""

import pytest

from batch import device


@pytest.mark.parametrize(
    ("asked", "gpu", "cpu", "wanted"),
    [
        ("", True, False, True),
        ("", False, True, True),
        ("", False, False, False),
        ("float32", True, True, False),
        ("bfloat16", False, False, True),
        ("float16", False, True, True),
    ],
)
def test_what_was_asked_comes_first_then_gpu_then_cpu(monkeypatch, asked, gpu, cpu, wanted):
    monkeypatch.setenv("PRECISION", asked)
    monkeypatch.setattr(device, "_gpu_has_bfloat16", lambda: gpu)
    monkeypatch.setattr(device, "_cpu_has_bfloat16", lambda: cpu)
    assert device.has_bfloat16() is wanted
