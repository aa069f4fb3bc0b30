"""The captioner that ships: whole, small, and telling photos apart."""

from pathlib import Path

import pytest

from batch.caption import Stage
from batch.config import CAPTIONER, captioner_folder
from batch.scan import scan

FOLDER = Path(captioner_folder(CAPTIONER))


def test_it_takes_less_than_60_mb_with_its_encoder_and_has_a_card():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.h5")) < 60e6
    assert {"encoder.weights.h5", "decoder.weights.h5", "config.json"} <= {
        path.name for path in FOLDER.iterdir()
    }
    card = (FOLDER / "card.md").read_text(encoding="utf-8")
    assert "CIDEr" in card and "@@" not in card


@pytest.mark.slow
def test_it_tells_a_person_from_a_motorcycle(tmp_path):
    skimage = pytest.importorskip("skimage")
    photos = scan(skimage.data_dir, include=["astronaut.png", "motorcycle_left.png"])
    stage = Stage.load([str(FOLDER)], str(tmp_path), {})
    [shard] = stage.caption_shards(photos, {})
    astronaut, motorcycle = (
        str(record.caption).lower().rstrip(".").split() for record in shard.records
    )
    assert {"woman", "man", "girl", "boy", "person", "lady", "child"} & set(astronaut)
    assert {"motorcycle", "bike", "motorbike", "bicycle"} & set(motorcycle)
    assert all(0 < (record.confidence or 0) <= 1 for record in shard.records)


@pytest.mark.slow
def test_its_encoder_is_no_longer_the_one_that_training_began_with(tmp_path):
    source = Path(__file__).parents[2] / "shared/data/weights/inception_v3_imagenet.npz"
    if not source.exists():
        pytest.skip("the ImageNet weights are not here: ../shared/data/weights")
    import numpy as np

    from models.encoder import build_encoder, load_encoder_weights

    first, ours = build_encoder(), build_encoder()
    load_encoder_weights(first, str(source))
    load_encoder_weights(ours, str(FOLDER / "encoder.weights.h5"))
    for before, after in zip(first.weights, ours.weights, strict=True):
        halves = (np.asarray(array).astype(np.float16) for array in (before, after))
        # Of every layer, in half precision; biases began near where they are best.
        enough = 0.75 if before.path.endswith("kernel") else 0.1
        assert np.not_equal(*halves).mean() > enough, before.path
