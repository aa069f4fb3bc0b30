"""All the ways, in the order of the table; `ours` is what those of its group are compared with."""

from dataclasses import replace

from benchmarks.bench.drawn import LARGE, PACKED, SMALL
from benchmarks.bench.way import Way

ENCODER = "the encoder, pixels in memory"
FEATURES = "12-megapixel photos to features"
CAPTIONS_LARGE = "12-megapixel photos to captions"
CAPTIONS_SMALL = "224x224 photos to captions"
STAGES = "ours, stage by stage"
OURS = "ours"

_OPENVINO, _ONNX, _TORCH = ("openvino",), ("onnxruntime", "onnx"), ("torch", "transformers")
_BY_OPENVINO = (("ENCODER_BACKEND", "openvino"),)
_F32 = (("PRECISION", "float32"),)  # else what the machine is good at
_INT8 = (("PRECISION", "int8"),)

# backend, precision, and what it needs
_ENCODERS = {
    "Keras predict, f32": (("keras", "f32"), ()),
    "Keras predict, mixed bf16": (("keras", "bf16"), ()),
    "OpenVINO, f32": (("openvino", "f32"), _OPENVINO),
    "OpenVINO, bf16": (("openvino", "bf16"), _OPENVINO),
    "ONNX Runtime, f32": (("onnx", "f32"), _ONNX),
}
_PEERS = {
    "BLIP-base, f32": ("blip", "f32"),
    "BLIP-base, bf16": ("blip", "bf16"),
    "ViT-GPT2, f32": ("vit-gpt2", "f32"),
    "ViT-GPT2, bf16": ("vit-gpt2", "bf16"),
}


def _encoder_ways() -> list[Way]:
    ready, number = "benchmarks.bench.encoders:in_memory", 32
    return [
        *(
            Way(ENCODER, name, ready, SMALL, number, settings, packages)
            for name, (settings, packages) in _ENCODERS.items()
        ),
        Way(ENCODER, "ours, f32", ready, SMALL, number, ("tensorflow", "f32")),
        Way(
            ENCODER,
            "ours, int8 by OpenVINO",
            ready,
            SMALL,
            number,
            ("openvino", "int8"),
            _OPENVINO,
        ),
        Way(ENCODER, OURS, ready, SMALL, number, ("tensorflow", "default")),
    ]


def _feature_ways() -> list[Way]:
    ready = "benchmarks.bench.encoders:with_loading"
    return [
        *(
            Way(FEATURES, f"Pillow and {name}", ready, LARGE, 32, settings, packages)
            for name, (settings, packages) in _ENCODERS.items()
        ),
        Way(FEATURES, OURS, "benchmarks.bench.ours:load_and_encode", LARGE, 96),
    ]


def _caption_ways(group: str, photos: str, number: int) -> list[Way]:
    ready, command = "benchmarks.bench.ours:caption_photos", "benchmarks.bench.ours:command"
    return [
        Way(group, OURS, ready, photos, number),
        Way(group, "ours, f32", ready, photos, number, environment=_F32),
        Way(
            group, "ours by OpenVINO", ready, photos, number, (), _OPENVINO,
            environment=_BY_OPENVINO,
        ),
        Way(
            group, "ours, int8 by OpenVINO", ready, photos, number, (), _OPENVINO,
            environment=_INT8,
        ),
        Way(group, "ours, the whole command and its start", command, photos, number),
    ]  # fmt: skip


def _peer_ways() -> list[Way]:
    ready = "benchmarks.bench.peers:caption_photos"
    return [
        Way(CAPTIONS_SMALL, name, ready, SMALL, 4, settings, _TORCH)
        for name, settings in _PEERS.items()
    ]


def _tutorial(group: str, photos: str) -> Way:
    return Way(group, "the tutorial's way", "benchmarks.bench.tutorial:caption_photos", photos, 16)


WAYS: tuple[Way, ...] = (
    *_encoder_ways(),
    *_feature_ways(),
    _tutorial(CAPTIONS_LARGE, LARGE),
    *_caption_ways(CAPTIONS_LARGE, LARGE, 256),
    _tutorial(CAPTIONS_SMALL, SMALL),
    *_peer_ways(),
    *_caption_ways(CAPTIONS_SMALL, SMALL, 256),
    Way(STAGES, "scan", "benchmarks.bench.ours:find", SMALL, 256),
    Way(STAGES, f"load, {SMALL}", "benchmarks.bench.ours:load", SMALL, 256),
    *(
        Way(STAGES, f"load, {photos}", "benchmarks.bench.ours:load", photos, 96)
        for photos in (LARGE, PACKED)
    ),
    Way(
        STAGES,
        "encode",
        "benchmarks.bench.encoders:in_memory",
        SMALL,
        32,
        ("tensorflow", "default"),
    ),
    Way(STAGES, "caption from the cache", "benchmarks.bench.ours:caption_from_cache", SMALL, 256),
    Way(STAGES, "keep in the cache", "benchmarks.bench.ours:keep", SMALL, 256),
    Way(STAGES, "write the manifest", "benchmarks.bench.ours:write", SMALL, 1),
)


def ways_for_own_photos() -> tuple[Way, ...]:
    """Give those ways that are of use on photos of any size."""
    names = {FEATURES: "own photos to features", CAPTIONS_SMALL: "own photos to captions"}
    return tuple(
        replace(way, group=names.get(way.group, way.group), photos="own")
        for way in WAYS
        if way.group != CAPTIONS_LARGE and way.photos != PACKED and way.name != f"load, {LARGE}"
    )
