"""Caption photos shard by shard: loaded and encoded photos in, records out."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from operator import attrgetter
from threading import Lock
from typing import Any

import numpy as np

from batch.cache_limit import CacheLimit
from batch.device import has_bfloat16
from batch.encode import Encode, encode_photos, load_and_encode
from batch.errors import ArchiveError, NoRoomError
from batch.features import SHARD_PHOTOS, FeatureCache, open_cache
from batch.frozen import Encoder, load_encoder
from batch.photos import LoadedPhoto
from batch.rows import Shard, float32, make_record, taken_over
from batch.scan import Photo
from manifests.record import NO_SCENE, LanguageCaption, Record, Status
from models.captioner import (
    Caption,
    Captioner,
    encoder_fingerprint,
)
from models.fingerprints import captioner_signature
from models.scene import SceneHead


@dataclass(frozen=True)
class Stage:
    """What captioning needs beside photos.

    `captioners` by the signatures that go into the rows they write; the first one's captions are
    those of the row, with several each one's go under its language as well. `scene` is the first
    one's too, and tells which photos get no caption; None: all of them get one.
    """

    cache: FeatureCache
    encode: Encode
    captioners: Mapping[str, Captioner]
    scene: SceneHead | None = None

    @classmethod
    def load(
        cls,
        folders: Sequence[str],
        features: str,
        search: Mapping[str, Any],
        cache_limit: int | None = None,
    ) -> "Stage":
        """Load captioners, the encoder that they share, and the cache of that encoder's features.

        folders: the captioners'; features: the root of the caches, which may take `cache_limit`
        bytes; search: settings to change.
        Raises CheckpointError where a folder is not whole, ArchiveError where captioners do not go
        together.
        """
        loaded = [Captioner.load(folder, **search) for folder in folders]
        _check_languages(loaded)
        encoder = _shared_encoder(folders)
        kinds = {captioner.config.architecture for captioner in loaded}
        kind = kinds.pop() if len(kinds) == 1 else "attention"
        cache = open_cache(features, encoder, kind)
        cache.limit = CacheLimit(features, cache_limit) if cache_limit else None
        signed = dict(zip(map(captioner_signature, folders), loaded, strict=True))
        return cls(cache, encode_with(folders[0]), signed, SceneHead.load(folders[0], encoder))

    @property
    def captioner(self) -> Captioner:
        """The first captioner."""
        return next(iter(self.captioners.values()))

    def caption_shards(
        self, photos: Iterable[Photo], known: Mapping[str, Record]
    ) -> Iterator[Shard]:
        """Caption photos in their order, a shard at a time.

        A photo whose identity is `known` takes over that caption. New features are in the cache
        before their shard is given. While a thread captions a shard, the next photos are encoded:
        a GPU does not wait at a shard's edge. Where loading them fails, that shard is given first.
        """
        captioning = ThreadPoolExecutor(1)
        at_work: list[Future[Shard]] = []
        loaded: list[LoadedPhoto] = []
        features: dict[str, np.ndarray] = {}
        have = _Either(self.cache, known)
        try:
            for chunk, new in load_and_encode(photos, have, self.encode):
                loaded += chunk
                features |= new
                if len(loaded) >= SHARD_PHOTOS:
                    yield from _results(at_work)
                    at_work = [captioning.submit(self._caption, loaded, features, known)]
                    loaded, features = [], {}
                elif at_work and at_work[0].done():
                    yield at_work.pop().result()
        except Exception:
            yield from _results(at_work)
            raise
        except GeneratorExit:  # a run that stops early: what was encoded since is not lost
            with suppress(OSError):
                self._keep(features)
            raise
        finally:
            captioning.shutdown(wait=False)  # Ctrl-C does not wait for it either
        yield from _results(at_work)
        if loaded:
            yield self._caption(loaded, features, known)

    def _caption(
        self,
        loaded: Sequence[LoadedPhoto],
        features: dict[str, np.ndarray],
        known: Mapping[str, Record],
    ) -> Shard:
        self._keep(features)
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
        answers = self.answer({each: features[each] for each in wanted if each in features})
        records = [self._record(photo, answers, known) for photo in loaded]
        new = Counter(record.status for record in records if record.photo_id in answers)
        return Shard(records, new[Status.CAPTIONED], new[Status.NOT_A_SCENE], encoded)

    def answer(self, features: Mapping[str, np.ndarray]) -> dict[str, Sequence[Caption]]:
        """Give each photo's captions, by each captioner in its order; of what is no scene none.

        features: (8, 8, 2048) by photo identity, or (2048,) where captioners take vectors.
        """
        scene = self.scene
        ids = [each for each, grid in features.items() if scene is None or scene.shown_in(grid)]
        grids = [features[photo_id] for photo_id in ids]
        said = [captioner.caption(grids) for captioner in self.captioners.values()]
        return dict.fromkeys(features, ()) | dict(zip(ids, zip(*said, strict=True), strict=True))

    def _encode_again(self, photos: Sequence[Photo]) -> dict[str, np.ndarray]:
        """Encode photos whose features were damaged on disk."""
        features = encode_photos(photos, self.encode) if photos else {}
        self._keep(features)
        return features

    def _keep(self, features: Mapping[str, np.ndarray]) -> None:
        with suppress(NoRoomError):  # they are at hand, and captioned all the same
            self.cache.write(features)

    def _record(
        self,
        photo: LoadedPhoto,
        answers: Mapping[str, Sequence[Caption]],
        known: Mapping[str, Record],
    ) -> Record:
        if photo.status != "ok" or photo.photo_id is None:
            return make_record(photo, Status(photo.status), photo.error)
        if photo.photo_id in answers:
            return answered(photo, answers[photo.photo_id], self.captioners)
        if photo.photo_id in known:
            return taken_over(photo, known[photo.photo_id])
        return make_record(photo, Status.UNSTABLE, "changed during the run: run again")


def _results(at_work: Iterable[Future[Shard]]) -> Iterator[Shard]:
    return (shard.result() for shard in at_work)


def _shared_encoder(folders: Sequence[str]) -> str:
    """Give the fingerprint of captioners' encoder. Raises ArchiveError where they have several."""
    encoder, *others = {encoder_fingerprint(folder) for folder in folders}
    if others:
        raise ArchiveError(
            f"{' and '.join(folders)} look through different encoders; caption with each of them "
            "in a run of its own, with another OUT="
        )
    return encoder


def _check_languages(captioners: Collection[Captioner]) -> None:
    """Raise ArchiveError unless each captioner has a language of its own."""
    languages = [captioner.config.language for captioner in captioners]
    if len({*languages}) < len(languages):
        raise ArchiveError(
            f"captioners for one run are of different languages; these are of {languages}"
        )


def encode_with(folder: str) -> Encode:
    """Encode with a captioner's encoder, which is built when a first photo needs it.

    Any thread may: photos whose features were damaged are encoded beside the next ones.
    """
    one_at_a_time = Lock()  # OpenVINO takes no batch beside another one

    @cache
    def encoder() -> Encoder:
        return load_encoder(folder, bfloat16=has_bfloat16())

    def encode(pixels: np.ndarray) -> Any:
        with one_at_a_time:
            return encoder().predict_on_batch(pixels)

    return encode


@dataclass(frozen=True)
class _Either:
    """Identities that need no encoding."""

    cache: FeatureCache
    known: Mapping[str, Record]

    def __contains__(self, photo_id: object) -> bool:
        return photo_id in self.known or photo_id in self.cache


def answered(
    photo: LoadedPhoto, captions: Sequence[Caption], captioners: Mapping[str, Captioner]
) -> Record:
    """Write the row of a photo that was captioned now, by each captioner in its order.

    One without captions is no scene. The row's numbers are those that the manifest will hold: the
    views come out alike from either.
    """
    signature = next(iter(captioners))
    if not captions:
        return replace(make_record(photo, Status.NOT_A_SCENE, NO_SCENE), captioner=signature)
    captioner = captioners[signature]
    record = saying(make_record(photo, Status.CAPTIONED, None), captions[0], signature, captioner)
    said = [
        in_language(caption, *signed)
        for caption, signed in zip(captions, captioners.items(), strict=True)
    ]
    languages = sorted(said, key=attrgetter("language")) if len(said) > 1 else ()
    return replace(record, languages=tuple(languages))


def saying(record: Record, caption: Caption, signature: str, captioner: Captioner) -> Record:
    """Give a row with another caption of its own: that of a captioner, and how it was found."""
    return replace(
        record,
        caption=caption.text,
        confidence=float32(caption.confidence),
        alternatives=caption.alternatives,
        log_prob=float32(caption.log_prob),
        captioner=signature,
        decode=str(captioner.config.search),
        language=captioner.config.language,
    )


def in_language(caption: Caption, signature: str, captioner: Captioner) -> LanguageCaption:
    """Write a captioner's caption down under its language."""
    confidence = float32(caption.confidence)
    return LanguageCaption(captioner.config.language, caption.text, confidence, signature)
