"""Captioners of `transformers` on PyTorch: BLIP-base and ViT-GPT2, for their speed alone.

Built from their configurations with random weights, so that nothing is downloaded. Such weights
never end a caption: each has 12 tokens, the likeliest one each time, about as many as captions of
photos have. Li et al. 2022, "BLIP"; ViT-GPT2: Dosovitskiy et al. 2021 before Radford et al. 2019.
"""

from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from PIL import Image

from batch.encode import batched
from benchmarks.bench.way import Task, Work

BATCH = 4  # quicker than one photo at a time
TOKENS = 12
_SIZES = {"blip": 384, "vit-gpt2": 224}


def caption_photos(task: Task, kind: str, precision: str) -> Work:
    """Make ready to caption photos."""
    import torch

    torch.manual_seed(1)
    model = (_blip() if kind == "blip" else _vit_gpt2()).eval()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    model.to(dtype)

    def run(paths: list[str]) -> int:
        captions = (_generate(model, _pixels(some, kind), dtype) for some in batched(paths, BATCH))
        return sum(1 for _ in chain.from_iterable(captions))

    run(task.paths[:BATCH])
    return partial(run, task.paths)


def _generate(model: Any, pixels: np.ndarray, dtype: Any) -> Any:
    import torch

    with torch.inference_mode():
        tensors = torch.from_numpy(pixels).to(dtype)
        return model.generate(
            pixel_values=tensors,
            max_new_tokens=TOKENS,
            min_new_tokens=TOKENS,
            num_beams=1,
            do_sample=False,
        )


def _pixels(paths: list[str], kind: str) -> np.ndarray:
    """Decode photos whole, scaled as the models want them: float32 (photos, 3, side, side)."""
    side = _SIZES[kind]
    photos = []
    for path in paths:
        with Image.open(path) as image:
            small = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        photos.append(np.asarray(small, np.float32))
    scaled = np.stack(photos) / 127.5 - 1
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def _blip() -> Any:
    from transformers import BlipConfig, BlipForConditionalGeneration

    heads = {"num_attention_heads": 12}  # as in BLIP-base; by default others
    return BlipForConditionalGeneration(BlipConfig(text_config=heads))


def _vit_gpt2() -> Any:
    from transformers import (
        GPT2Config,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
    )

    text = GPT2Config(add_cross_attention=True, is_decoder=True)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(), text)
    model = VisionEncoderDecoderModel(config)
    end = text.eos_token_id
    model.generation_config.update(decoder_start_token_id=end, pad_token_id=end, eos_token_id=end)
    return model
