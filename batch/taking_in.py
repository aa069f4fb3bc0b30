"""The photos that captions of others are taken in for: those with rows, and those to load."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tqdm import tqdm

from batch.captioned import language_of_record
from batch.encode import batched, load_chunks
from batch.features import SHARD_PHOTOS
from batch.imported import Credit, Imported, with_caption
from batch.photos import LoadedPhoto
from batch.plan import Plan, beside_others, carried, gone_from, make_plan, settle_absent
from batch.results import Previous
from batch.rows import make_record, taken_over
from batch.scan import Photo, scan
from batch.stores import absolute, is_there, real
from manifests.foreign import Said
from manifests.path_names import Place
from manifests.record import Record, Status, languages_of
from manifests.review import ReviewStatus

_IDENTITY = re.compile("[0-9a-f]{64}")

Wanted = dict[bytes, dict[str, list[Said]]]
"""What is said of photos, by raw path and language."""


@dataclass
class Photos:
    """The photos of an archive: their rows, and those to load, which are new or have changed."""

    archive: str
    rows: dict[bytes, Record]
    previous: Previous
    to_load: Mapping[bytes, Photo] = field(default_factory=dict)
    known: Mapping[str, Record] = field(default_factory=dict)
    absent: Sequence[Record] = ()
    loaded: list[Record] = field(default_factory=list)

    @property
    def roots(self) -> list[str]:
        """The archive's folder, as paths may name it."""
        return [self.archive, absolute(self.archive), real(self.archive)]

    @property
    def places(self) -> list[Place]:
        """The photos, in order: those with rows, then the new ones."""
        found = [self._place(record) for record in self.rows.values()]
        return found + [Place(raw, None) for raw in self.to_load if raw not in self.rows]

    def _place(self, record: Record) -> Place:
        changed = record.raw_path in self.to_load
        return Place(record.raw_path, None if changed else record.photo_id, record.failed)

    def settled(self, imported: Imported) -> list[Record]:
        """Give the rows of the manifest to be; what has moved goes on under its new path alone."""
        arrived = {record.photo_id for record in self.loaded}
        perhaps = [record for record in self.absent if record.photo_id in arrived]
        committed = self.previous.committed
        stay, imported.moved = settle_absent(
            perhaps, self.loaded, committed, gone_from(self.archive)
        )
        left = {record.raw_path for record in perhaps} - {record.raw_path for record in stay}
        return _evened([row for raw_path, row in self.rows.items() if raw_path not in left])


def find_photos(archive: str, previous: Previous) -> Photos:
    """Tell which photos there are; a folder that cannot be reached has those of the manifest."""
    rows = {record.raw_path: record for record in previous.rows}
    if not is_there(archive):
        return Photos(archive, rows, previous)
    plan = make_plan(scan(archive), previous.rows, overwrite=False, retry_failed=False)
    to_load = {photo.raw_path: photo for photo in plan.todo if _is_new(photo, plan)}
    rows |= {record.raw_path: record for record in plan.kept}
    return Photos(archive, rows, previous, to_load, plan.known, plan.absent)


def _is_new(photo: Photo, plan: Plan) -> bool:
    old = plan.old.get(photo.raw_path)
    return old is None or old.photo_id is None or not photo.is_as_it_was(old.size, old.mtime_ns)


def take_in(
    found: Photos,
    wanted: Wanted,
    credit: Credit,
    imported: Imported,
    keep: Callable[[Sequence[Record]], None] | None = None,
) -> None:
    """Give photos their captions; new and changed ones are loaded first, and kept shard by shard.

    Without `keep` nothing is loaded: it is counted what would come of it.
    """
    for raw_path, said in wanted.items():
        if raw_path not in found.to_load:
            old = found.rows[raw_path]
            if old.photo_id is None:
                _leave(said, f"could not be read ({old.status}): run again", imported)
            else:
                _settle(found, old, said, credit, imported)
    photos = [photo for raw_path, photo in found.to_load.items() if raw_path in wanted]
    if keep is None:
        imported.captioned += len(photos)
        return
    with tqdm(total=len(photos), desc="looking", unit="photo", disable=None) as bar:
        for shard in batched(photos, SHARD_PHOTOS):
            for chunk in load_chunks(shard, cached=_Everything()):
                for photo in chunk:
                    _settle_loaded(found, photo, wanted[photo.photo.raw_path], credit, imported)
                bar.update(len(chunk))
            keep([found.rows[photo.raw_path] for photo in shard if photo.raw_path in found.rows])


class _Everything:
    """All identities: no pixels are needed of any photo."""

    def __contains__(self, photo_id: object) -> bool:
        return True


def _settle(
    found: Photos,
    record: Record,
    said: Mapping[str, Sequence[Said]],
    credit: Credit,
    imported: Imported,
) -> Record:
    new = record
    for language, each in said.items():
        new = with_caption(new, each, language, credit)
        imported.several += sum(len(one.captions) for one in each) - 1
    same = new == found.rows.get(record.raw_path)
    imported.unchanged += same
    imported.captioned += not same
    reviews = [review.status is not ReviewStatus.UNREVIEWED for review in record.reviews]
    imported.reviewed += any(reviews)
    found.rows[record.raw_path] = new
    return new


def _settle_loaded(
    found: Photos,
    photo: LoadedPhoto,
    said: Mapping[str, Sequence[Said]],
    credit: Credit,
    imported: Imported,
) -> None:
    """Make the row of a photo that was loaded now; what is said of other bytes is left out."""
    raw_path = photo.photo.raw_path
    old = found.rows.get(raw_path)
    if photo.photo_id is None:
        row = make_record(photo, Status(photo.status), photo.error)
        found.rows[raw_path] = carried(row, old)
        imported.failed[photo.status] += 1
        _leave(said, f"cannot be read: it {photo.error}", imported)
        return
    fits: dict[str, list[Said]] = {}
    for language, each in said.items():
        for one in each:
            if _fits(one, photo):
                fits.setdefault(language, []).append(one)
            else:
                imported.leave(one, "is of another file than the one at its path now")
    if fits:
        imported.new += old is None
        row = _settle(found, _base(photo, old, found.known), fits, credit, imported)
        found.loaded.append(row)


def _fits(said: Said, photo: LoadedPhoto) -> bool:
    return not _IDENTITY.fullmatch(said.photo_id) or said.photo_id == photo.photo_id


def _base(photo: LoadedPhoto, old: Record | None, known: Mapping[str, Record]) -> Record:
    """Give the row that a caption goes to: the old one, as long as the bytes are those."""
    if old is not None and old.photo_id == photo.photo_id:
        return replace(old, size=photo.size, mtime_ns=photo.mtime_ns)
    if photo.photo_id is not None and photo.photo_id in known:
        return taken_over(photo, known[photo.photo_id])
    failed = photo.status != "ok"
    status = Status(photo.status) if failed else Status.CAPTIONED
    return make_record(photo, status, photo.error if failed else None)


def _leave(said: Mapping[str, Sequence[Said]], why: str, imported: Imported) -> None:
    for each in said.values():
        for one in each:
            imported.leave(one, why)


def _evened(rows: Sequence[Record]) -> list[Record]:
    """List every row's caption by language, where there are several languages."""
    if not languages_of(rows):
        return list(rows)
    return [
        beside_others(row, None, language_of_record(row)) if _told(row) else row for row in rows
    ]


def _told(record: Record) -> bool:
    return bool(language_of_record(record))
