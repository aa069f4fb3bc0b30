"""Caption photos shard by shard: loaded and encoded photos in, records out."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import keras
import numpy as np

from batch.device import has_bfloat16
from batch.encode import Encode, encode_photos, load_and_encode
from batch.features import SHARD_PHOTOS, FeatureCache
from batch.photos import LoadedPhoto
from batch.scan import Photo
from manifests.record import Record, Status
from models.captioner import (
    Caption,
    Captioner,
    captioner_fingerprint,
    encoder_fingerprint,
    load_encoder,
)


@dataclass(frozen=True)
class Shard:
    """The records of some photos, in their order, and how many of them had to be encoded."""

    records: list[Record]
    captioned: int  # now; the others that have a caption took one over
    encoded: int


@dataclass(frozen=True)
class Stage:
    """What captioning needs beside photos; `signature` goes into every row it writes."""

    cache: FeatureCache
    encode: Encode
    captioner: Captioner
    signature: str

    @classmethod
    def load(cls, folder: str, features: str, search: Mapping[str, Any]) -> "Stage":
        """Load the captioner, its encoder, and the cache of that encoder's features.

        folder: the captioner's; features: the root of the caches; search: settings to change.
        Raises CheckpointError where the captioner's folder is not whole.
        """
        captioner = Captioner.load(folder, **search)
        return cls(
            FeatureCache(os.path.join(features, encoder_fingerprint(folder))),
            _encode_with(folder),
            captioner,
            f"{captioner.config.name}@{captioner_fingerprint(folder)}",
        )

    def caption_shards(
        self, photos: Iterable[Photo], known: Mapping[str, Record]
    ) -> Iterator[Shard]:
        """Caption photos in their order, a shard at a time.

        A photo whose identity is `known` takes over that caption. New features are in the cache
        before their shard is given.
        """
        loaded: list[LoadedPhoto] = []
        features: dict[str, np.ndarray] = {}
        have = _Either(self.cache, known)
        for chunk, new in load_and_encode(photos, have, self.encode):
            loaded += chunk
            features |= new
            if len(loaded) >= SHARD_PHOTOS:
                yield self._caption(loaded, features, known)
                loaded, features = [], {}
        if loaded:
            yield self._caption(loaded, features, known)

    def _caption(
        self,
        loaded: Sequence[LoadedPhoto],
        features: dict[str, np.ndarray],
        known: Mapping[str, Record],
    ) -> Shard:
        self.cache.write(features)
        encoded = len(features)
        wanted = {
            photo.photo_id: photo
            for photo in loaded
            if photo.status == "ok" and photo.photo_id and photo.photo_id not in known
        }
        features = self.cache.read(wanted.keys() - features.keys()) | features
        lost = [photo.photo for photo_id, photo in wanted.items() if photo_id not in features]
        features |= self._encode_again(lost)
        encoded += len(lost)
        ids = [photo_id for photo_id in wanted if photo_id in features]
        texts = self.captioner.caption(np.stack([features[i] for i in ids])) if ids else []
        captions = dict(zip(ids, texts, strict=True))
        records = [self._record(photo, captions, known) for photo in loaded]
        captioned = sum(record.photo_id in captions for record in records)
        return Shard(records, captioned, encoded)

    def _encode_again(self, photos: Sequence[Photo]) -> dict[str, np.ndarray]:
        """Encode photos whose features were damaged on disk."""
        features = encode_photos(photos, self.encode) if photos else {}
        self.cache.write(features)
        return features

    def _record(
        self, photo: LoadedPhoto, captions: Mapping[str, Caption], known: Mapping[str, Record]
    ) -> Record:
        if photo.status != "ok" or photo.photo_id is None:
            return make_record(photo, Status(photo.status), photo.error)
        if photo.photo_id in captions:
            return captioned(photo, captions[photo.photo_id], self.captioner, self.signature)
        if photo.photo_id in known:
            return taken_over(photo, known[photo.photo_id])
        return make_record(photo, Status.UNSTABLE, "changed during the run: run again")


def _encode_with(folder: str) -> Encode:
    """Encode with a captioner's encoder, which is built when a first photo needs it."""

    @cache
    def encoder() -> keras.Model:
        return load_encoder(folder, bfloat16=has_bfloat16())

    return lambda pixels: encoder().predict_on_batch(pixels)


@dataclass(frozen=True)
class _Either:
    """Identities that need no encoding."""

    cache: FeatureCache
    known: Mapping[str, Record]

    def __contains__(self, photo_id: object) -> bool:
        return photo_id in self.known or photo_id in self.cache


def make_record(photo: LoadedPhoto, status: Status, error: str | None) -> Record:
    """Write the row of a photo that has no caption, for now."""
    return Record(
        path=photo.photo.path,
        caption=None,
        status=status,
        confidence=None,
        alternatives=(),
        log_prob=None,
        photo_id=photo.photo_id,
        captioner=None,
        decode=None,
        width=photo.width,
        height=photo.height,
        format=photo.format,
        frames=photo.frames,
        taken_at=photo.taken_at,
        error=error,
        raw_path=photo.photo.raw_path,
        size=photo.size,
        mtime_ns=photo.mtime_ns,
    )


def captioned(photo: LoadedPhoto, caption: Caption, captioner: Captioner, signature: str) -> Record:
    """Write the row of a photo that was captioned now.

    Its numbers are those that the manifest will hold: the views come out alike from either.
    """
    return replace(
        make_record(photo, Status.CAPTIONED, None),
        caption=caption.text,
        confidence=float(np.float32(caption.confidence)),
        alternatives=caption.alternatives,
        log_prob=float(np.float32(caption.log_prob)),
        captioner=signature,
        decode=str(captioner.config.search),
    )


def taken_over(photo: LoadedPhoto, known: Record) -> Record:
    """Write the row of a photo whose bytes have a caption already: moved, copied or touched."""
    return replace(
        known,
        status=Status.CAPTIONED,
        error=None,
        path=photo.photo.path,
        raw_path=photo.photo.raw_path,
        size=photo.size,
        mtime_ns=photo.mtime_ns,
    )
