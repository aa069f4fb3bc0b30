"""What this machine's processor or GPU is good at."""

import os
from typing import Any

from batch.errors import ArchiveError

OPENVINO = ("ENCODER_BACKEND=openvino or PRECISION=int8", "OpenVINO", "make openvino")
"""What asks for it, its name, and what installs it."""

_PRECISIONS = ("float32", "bfloat16", "int8")
_sharers = 1


def share_cores(among: int) -> None:
    """Let this process be one of so many alike on this machine, before it counts the cores."""
    global _sharers  # of the process, as the cores are
    _sharers = among


def has_share() -> bool:
    """Tell whether others like this process use the machine's cores too."""
    return _sharers > 1


def cores() -> int:
    """Count the processor's cores that are for this process; a container may have fewer."""
    if hasattr(os, "sched_getaffinity"):
        there = len(os.sched_getaffinity(0))
    else:
        there = os.cpu_count() or 1
    return max(1, there // _sharers)


def has_gpu() -> bool:
    """Tell whether TensorFlow sees a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def asked_precision() -> str:
    """Give PRECISION of the environment, "" without it. Raises ArchiveError for any other."""
    asked = os.environ.get("PRECISION", "")
    if asked and asked not in _PRECISIONS:
        raise ArchiveError(f"PRECISION={asked}: give one of {', '.join(_PRECISIONS)}")
    return asked


def asked_backend() -> str:
    """Say what is to compute the encoder, by ENCODER_BACKEND and PRECISION of the environment.

    Gives `tensorflow` or `openvino`. Raises ArchiveError where they name nothing that there is.
    """
    in_bytes = asked_precision() == "int8"
    backend = os.environ.get("ENCODER_BACKEND") or ("openvino" if in_bytes else "tensorflow")
    if backend not in ("tensorflow", "openvino"):
        raise ArchiveError(f"ENCODER_BACKEND={backend}: give tensorflow or openvino")
    if in_bytes and backend == "tensorflow":
        raise ArchiveError("PRECISION=int8 is OpenVINO's: leave ENCODER_BACKEND=tensorflow out")
    return backend


def has_bfloat16() -> bool:
    """Tell whether bfloat16 is computed in hardware: an NVIDIA GPU from Ampere on, or the CPU.

    PRECISION=float32 or PRECISION=bfloat16 in the environment decides instead.
    """
    asked = asked_precision()
    if asked in ("float32", "bfloat16"):
        return asked == "bfloat16"
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return all(map(_gpu_has_bfloat16, gpus)) if gpus else _cpu_has_bfloat16()


def _gpu_has_bfloat16(gpu: Any) -> bool:
    import tensorflow as tf

    capability = tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
    return bool(capability >= (8, 0))


def _cpu_has_bfloat16(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Read what Linux says of an x86 processor; others compute in float32."""
    try:
        with open(cpuinfo, encoding="ascii", errors="replace") as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16"} & set(flags.split()))
