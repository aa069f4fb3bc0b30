"""What this machine's processor or GPU is good at."""

import os


def has_bfloat16() -> bool:
    """Tell whether bfloat16 is computed in hardware: an NVIDIA GPU from Ampere on, or the CPU.

    PRECISION=float32 or PRECISION=bfloat16 in the environment decides instead.
    """
    asked = os.environ.get("PRECISION", "")
    if asked in ("float32", "bfloat16"):
        return asked == "bfloat16"
    return _gpu_has_bfloat16() or _cpu_has_bfloat16()


def _gpu_has_bfloat16() -> bool:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return any(found.get("compute_capability", (0, 0)) >= (8, 0) for found in details)


def _cpu_has_bfloat16() -> bool:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags.split()))
