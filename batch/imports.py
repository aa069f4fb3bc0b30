"""Take over what older scripts left: checkpoints, weights and feature pickles."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import numpy as np
from tqdm import tqdm

from batch.amounts import counted
from batch.config import keep_out_of, lasting
from batch.corpora.flickr8k import training_captions
from batch.damage import PhotoError
from batch.encode import batched
from batch.errors import ArchiveError
from batch.features import POOLED, SHARD_PHOTOS, FeatureCache, pooled_folder
from batch.photos import read_bytes
from batch.scan import Photo, scan
from batch.text import printable
from models.captioner import CONFIG_FILE, IMAGENET, Captioner, weights_fingerprint
from models.legacy import CAPTIONS_FILE, find_checkpoint, import_tutorial
from models.legacy_h5 import import_post
from models.unpickle import read_feature_vectors

SHOWN = 20  # names of a list that are printed


@dataclass(frozen=True)
class Origin:
    """What a captioner is made from: a tutorial's folder, or the post's `.h5` and its captions."""

    path: str
    encoder: str = IMAGENET
    captions: str | None = None
    train_list: str | None = None

    @property
    def is_weights(self) -> bool:
        """Tell the post's weights from a tutorial's folder."""
        return os.path.isfile(self.path)

    @property
    def name(self) -> str:
        """Name the captioner after its file or folder."""
        name = os.path.basename(os.path.realpath(self.path)) or "root"
        return os.path.splitext(name)[0] if self.is_weights else name


def import_captioner(origin: Origin, out: str | None) -> str:
    """Make a captioner's folder of an older script's files; say what came of it in one line.

    `out` is `models/imported/<name>` by default. Weights are kept in full precision: rounded ones
    might say other words. Raises ArchiveError where `out` holds a captioner or files are not
    given, CheckpointError where they cannot be used.
    """
    start = perf_counter()
    out = out or os.path.join("models", "imported", origin.name)
    _check(origin, out)
    captioner = _read(origin, lasting(origin.encoder, out))
    seen_through = weights_fingerprint(origin.encoder)
    captioner.config = replace(captioner.config, seen_through=seen_through)
    captioner.save(out, half=False)
    Path(out, "card.md").write_text(_card(captioner, origin), encoding="utf-8", errors="replace")
    seconds = perf_counter() - start
    words = len(captioner.vocabulary) - captioner.vocabulary.specials
    what = f"{captioner.config.architecture}, {captioner.config.language}, {words:,} words"
    return f"{printable(origin.path)}: {what}, {seconds:.1f} s: {printable(out)}"


def _check(origin: Origin, out: str) -> None:
    if not os.path.exists(origin.path):
        raise ArchiveError(f"{origin.path!r}: not there; give FROM= a folder or an .h5 file")
    if origin.is_weights and not origin.path.endswith((".h5", ".hdf5")):
        raise ArchiveError(
            f"{origin.path!r} is no .h5 file; of a tutorial's checkpoint give FROM= the folder"
        )
    if origin.encoder != IMAGENET and not os.path.isfile(origin.encoder):
        raise ArchiveError(f"{origin.encoder!r}: no such file; give ENCODER=imagenet or a file")
    if origin.is_weights and not (origin.captions and origin.train_list):
        raise ArchiveError(
            f"{origin.path!r}: weights name no words; give CAPTIONS= the captions that they were "
            "trained on (Flickr8k.token.txt or descriptions.txt), and TRAIN_LIST= the names of "
            "their photos (Flickr_8k.trainImages.txt)"
        )
    if os.path.exists(os.path.join(out, CONFIG_FILE)):
        raise ArchiveError(f"{out!r} holds a captioner; remove it, or give OUT= another folder")


def _read(origin: Origin, encoder: str) -> Captioner:
    if origin.captions and origin.train_list and origin.is_weights:
        captions = training_captions(origin.captions, origin.train_list)
        return import_post(origin.path, captions, origin.name, encoder)
    return import_tutorial(origin.path, origin.name, encoder)


def _card(captioner: Captioner, origin: Origin) -> str:
    """Write where a captioner came from; what it was trained on is its maker's to say."""
    if origin.is_weights:
        names = (origin.path, str(origin.captions), str(origin.train_list))
        files = ", ".join(f"`{os.path.basename(name)}`" for name in names)
    else:
        prefix = os.path.basename(find_checkpoint(origin.path))
        files = f"`{prefix}` and `{CAPTIONS_FILE}` of `{origin.name}`"
    config, vocabulary = captioner.config, captioner.vocabulary
    return (
        f"# {config.name}\n\n"
        f"Language: {config.language}. Imported from {files}, in full precision.\n\n"
        f"{len(vocabulary) - vocabulary.specials:,} words; rows of its tables that no word has are "
        f"left out. Searched as its script does: {config.search}.\n\n"
        f"Encoder from `{os.path.basename(origin.encoder)}`.\n"
    )


@dataclass(frozen=True)
class ImportedFeatures:
    """What came of an import of vectors: the names whose vector has found no photo, and why."""

    folder: str
    photos: int
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        photos = counted(self.photos, "photo")
        return f"{photos}, {len(self.left_out):,} left out: {printable(self.folder)}"

    def told(self) -> list[str]:
        """Give a line for each name that was left out, the first of them."""
        lines = [f"{printable(name)}: {why}" for name, why in self.left_out.items()]
        more = len(lines) - SHOWN
        return lines[:SHOWN] + ([f"and {more:,} more"] if more > 0 else [])


def import_features(path: str, photos: str, root: str, encoder: str = IMAGENET) -> ImportedFeatures:
    """Put the vectors of a pickle into the cache, under the identities of the photos they are of.

    A vector is of the photo below the folder `photos` that has its name. It is kept as it is: made
    by that script, whose resizing differs a little from ours.
    Raises ArchiveError where the folder cannot be used, CheckpointError where the pickle cannot
    be used.
    """
    if not os.path.isdir(photos):
        raise ArchiveError(f"{photos!r} is not a folder; give PHOTOS= the folder of the photos")
    keep_out_of(photos, {"FEATURES": root})
    vectors = _by_name(read_feature_vectors(path))
    folder = pooled_folder(os.path.join(root, weights_fingerprint(encoder)))
    identities, left_out = _identify(vectors, photos)
    cache = FeatureCache(folder, POOLED)
    for batch in batched(identities.items(), SHARD_PHOTOS):
        cache.write({photo_id: vectors[name] for name, photo_id in batch})
    return ImportedFeatures(folder, len(identities), left_out)


def _by_name(vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name vectors by the last part of their paths, of either kind."""
    named = {name.replace("\\", "/").rpartition("/")[2]: item for name, item in vectors.items()}
    if len(named) < len(vectors):
        raise ArchiveError("two vectors are of photos of one name, in two folders: give each alone")
    return named


def _identify(names: Iterable[str], photos: str) -> tuple[dict[str, str], dict[str, str]]:
    """Give names the identities of their photos; and of those left out, why."""
    places: dict[str, list[Photo]] = defaultdict(list)
    for photo in scan(photos):
        places[os.path.basename(photo.relative)].append(photo)
    identities, left_out = {}, {}
    for name in tqdm(names, desc="reading", unit="photo", disable=None):
        try:
            found = {_identity(photo) for photo in places.get(name, ())}
        except PhotoError as error:
            left_out[name] = str(error)
            continue
        if len(found) == 1:
            identities[name] = found.pop()
        else:
            left_out[name] = "several photos have this name" if found else "no photo has this name"
    return identities, left_out


def _identity(photo: Photo) -> str:
    return sha256(read_bytes(photo.location)).hexdigest()
