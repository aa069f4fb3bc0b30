"""All the ways, in the order of the table; `ours` is what those of its group are compared with."""

from dataclasses import replace

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
_LARGE, _SMALL = "12 megapixels", "small"

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
            Way(ENCODER, name, ready, _SMALL, number, settings, packages)
            for name, (settings, packages) in _ENCODERS.items()
        ),
        Way(ENCODER, "ours, f32", ready, _SMALL, number, ("tensorflow", "f32")),
        Way(ENCODER, OURS, ready, _SMALL, number, ("tensorflow", "default")),
    ]


def _feature_ways() -> list[Way]:
    ready = "benchmarks.bench.encoders:with_loading"
    return [
        *(
            Way(FEATURES, f"Pillow and {name}", ready, _LARGE, 32, settings, packages)
            for name, (settings, packages) in _ENCODERS.items()
        ),
        Way(FEATURES, OURS, "benchmarks.bench.ours:load_and_encode", _LARGE, 96),
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
        Way(group, "ours, the whole command and its start", command, photos, number),
    ]  # fmt: skip


def _peer_ways() -> list[Way]:
    ready = "benchmarks.bench.peers:caption_photos"
    return [
        Way(CAPTIONS_SMALL, name, ready, _SMALL, 4, settings, _TORCH)
        for name, settings in _PEERS.items()
    ]


def _tutorial(group: str, photos: str) -> Way:
    return Way(group, "the tutorial's way", "benchmarks.bench.tutorial:caption_photos", photos, 16)


WAYS: tuple[Way, ...] = (
    *_encoder_ways(),
    *_feature_ways(),
    _tutorial(CAPTIONS_LARGE, _LARGE),
    *_caption_ways(CAPTIONS_LARGE, _LARGE, 96),
    _tutorial(CAPTIONS_SMALL, _SMALL),
    *_peer_ways(),
    *_caption_ways(CAPTIONS_SMALL, _SMALL, 256),
    Way(STAGES, "scan", "benchmarks.bench.ours:find", _SMALL, 256),
    Way(STAGES, "load, 224x224", "benchmarks.bench.ours:load", _SMALL, 256),
    Way(STAGES, "load, 12 megapixels", "benchmarks.bench.ours:load", _LARGE, 96),
    Way(
        STAGES,
        "encode",
        "benchmarks.bench.encoders:in_memory",
        _SMALL,
        32,
        ("tensorflow", "default"),
    ),
    Way(STAGES, "caption from the cache", "benchmarks.bench.ours:caption_from_cache", _SMALL, 256),
    Way(STAGES, "keep in the cache", "benchmarks.bench.ours:keep", _SMALL, 256),
    Way(STAGES, "write the manifest", "benchmarks.bench.ours:write", _SMALL, 1),
)


def ways_for_own_photos() -> tuple[Way, ...]:
    """Give those ways that are of use on photos of any size."""
    names = {FEATURES: "own photos to features", CAPTIONS_SMALL: "own photos to captions"}
    return tuple(
        replace(way, group=names.get(way.group, way.group), photos="own")
        for way in WAYS
        if way.group != CAPTIONS_LARGE and way.name != "load, 12 megapixels"
    )
