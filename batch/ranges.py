"""Measure what PRECISION=int8 needs to know of a captioner's encoder, on photos like its own."""

from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from batch.config import keep_out_of
from batch.encode import load_chunks
from batch.errors import ArchiveError
from batch.scan import Photo, scan
from manifests.durable import write_json
from models.captioner import CaptionerConfig
from models.encoder import read_encoder_weights
from models.fingerprints import encoder_fingerprint
from models.inference import Weights, largest_inputs, place
from models.ranges import Ranges, ranges_path

PHOTOS = 512  # more of them made captions no better
FEWEST = 64
SHARE = 0.99  # of the photos, whose largest are kept: features are nearer to those of float32


def measure_ranges(folder: str, archive: str) -> str:
    """Write the ranges of the encoder that a captioner's folder names, beside its weights.

    archive: a folder of photos, of which some are taken from all over it. Returns a line that tells
    what was done. Raises CheckpointError where the encoder is not whole; ArchiveError where
    too few photos can be read, or no ranges come of them: of black ones none do.
    """
    fingerprint = encoder_fingerprint(folder)
    weights = CaptionerConfig.read(folder).encoder_weights(folder)
    path = ranges_path(weights)
    keep_out_of(archive, {"CAPTIONER": str(path)})
    arrays = Weights(read_encoder_weights(weights), weights)
    largest = list(_largest(_some(list(scan(archive))), arrays))
    if len(largest) < FEWEST:
        raise ArchiveError(f"{archive}: {len(largest)} photos are too few; {FEWEST} are enough")
    most = np.quantile(largest, SHARE, axis=0)
    ranges = Ranges(fingerprint, len(largest), most.tolist())
    try:
        ranges.check()
    except ValueError as error:
        raise ArchiveError(
            f"{archive}: of these photos, or of this encoder, no ranges come ({error}): give others"
        ) from error
    write_json(path, ranges.as_json())
    return f"{path}: the ranges of {len(largest)} photos"


def _some(photos: Sequence[Photo]) -> Sequence[Photo]:
    number = min(PHOTOS, len(photos))
    return [photos[each * len(photos) // number] for each in range(number)]


def _largest(photos: Sequence[Photo], weights: Weights) -> Iterator[np.ndarray]:
    """Give of each photo that is sound the largest number that each convolution takes in."""
    import tensorflow as tf

    tensors = place(weights, "float32")
    graph = tf.function(lambda pixels: largest_inputs(pixels, tensors), reduce_retracing=True)
    with tqdm(total=len(photos), desc="encoding", unit="photo", disable=None) as bar:
        for loaded in load_chunks(photos, ()):
            pixels = [photo.pixels for photo in loaded if photo.pixels is not None]
            if pixels:
                yield from np.asarray(graph(tf.constant(np.stack(pixels))))
            bar.update(len(loaded))
