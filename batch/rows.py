"""The row of a photo as it was loaded, before a captioner has seen it; needs no TensorFlow."""

import struct
from dataclasses import dataclass, replace

from batch.photos import LoadedPhoto
from manifests.record import Record, Status


@dataclass(frozen=True)
class Shard:
    """The records of some photos, in their order, and how many of them had to be encoded."""

    records: list[Record]
    captioned: int  # now; the others that have a caption took one over
    passed_over: int  # now, since they show no scene
    encoded: int


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


def taken_over(photo: LoadedPhoto, known: Record) -> Record:
    """Write the row of a photo whose bytes were seen already: moved, copied or touched."""
    return in_place_of(make_record(photo, Status.CAPTIONED, None), known)


def in_place_of(row: Record, known: Record) -> Record:
    """Say of a row's photo what is known of the same bytes."""
    return replace(
        known.as_answered(),
        path=row.path,
        raw_path=row.raw_path,
        size=row.size,
        mtime_ns=row.mtime_ns,
        reviews=(),  # they are of a photo and its place: the journal knows
        offers=(),
    )


def float32(number: float) -> float:
    """Give a number as the manifest will hold it, so that a row is the same before and after."""
    return float(struct.unpack("f", struct.pack("f", number))[0])
