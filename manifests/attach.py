"""Reviews to their photos: the rows of a manifest, with what people have said of each.

The journal knows what was said of which bytes at which path. A photo that was moved takes its
review along. Byte-identical copies of which nothing is decided are offered what was said of one of
them; a file that has changed is offered what was said of it before. An offer is never a person's
word.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from operator import attrgetter

from manifests.journal import Moved, Place, Reviews, Said
from manifests.record import FINAL, Record
from manifests.review import COPY_OF, Offer, Review, ReviewStatus


def place_of(record: Record) -> Place:
    """Give where a row's photo is, and which; without an identity where it was never read."""
    return Place(record.raw_path, record.photo_id or "")


def attach(records: Iterable[Record], reviews: Reviews) -> list[Record]:
    """Give the rows with their reviews and offers, whatever they had before."""
    rows = list(records)
    if not (reviews.decided or reviews.offered) and not any(
        record.reviews or record.offers for record in rows
    ):
        return rows
    standing = _Standing(reviews, {record.photo_id for record in rows})
    return [_attached(record, reviews, standing) for record in rows]


class _Standing:
    """What people let stand, to be offered to copies of a photo, and to a file that has changed."""

    def __init__(self, reviews: Reviews, there: set[str | None]) -> None:
        self.by_photo: dict[str, dict[str, list[Place]]] = defaultdict(lambda: defaultdict(list))
        self.by_path: dict[bytes, dict[str, list[Place]]] = defaultdict(lambda: defaultdict(list))
        for place in sorted(reviews.decided):
            for language, review in reviews.decided[place].items():
                if not (review.stands and review.caption):
                    continue
                same = self.by_photo[place.photo_id][language]
                if place.photo_id and len(same) < 2:  # one may be the row's own
                    same.append(place)
                if place.photo_id not in there:
                    self.by_path[place.raw_path][language].append(place)

    def offered_to(self, place: Place) -> Iterator[tuple[str, Place]]:
        """Give the languages and places of what may be offered to a photo."""
        for found in (self.by_photo.get(place.photo_id, {}), self.by_path.get(place.raw_path, {})):
            for language, others in found.items():
                yield from ((language, other) for other in others if other != place)


def _attached(record: Record, reviews: Reviews, standing: _Standing) -> Record:
    place = place_of(record)
    own = reviews.decided.get(place, {})
    offers = list(reviews.offered.get(place, ()))
    taken = {language for language, review in own.items() if _decided(review)}
    for language, other in standing.offered_to(place):
        if language not in taken:
            taken.add(language)
            caption = reviews.decided[other][language].caption or ""
            offers.append(Offer(language, caption, _why(other, record)))
    if not (own or offers or record.reviews or record.offers):
        return record
    shown = (own[language] for language in sorted(own) if _says(own[language]))
    return replace(
        record,
        reviews=tuple(shown),
        offers=tuple(sorted(offers, key=attrgetter("language"))),
    )


def _why(place: Place, record: Record) -> str:
    if place.photo_id != record.photo_id:
        return "said of this file before it changed"
    return f"{COPY_OF}{place.raw_path.decode('utf-8', 'backslashreplace')}"


def _decided(review: Review | None) -> bool:
    return review is not None and review.status is not ReviewStatus.UNREVIEWED


def _says(review: Review) -> bool:
    return _decided(review) or bool(review.notes or review.reviewer)


def moves(
    records: Iterable[Record], reviews: Reviews, committed: Mapping[bytes, Record]
) -> Iterator[Moved]:
    """Tell which reviews go on at another place, since their photo does.

    Their own place has no row any more, or other bytes now; the photo is at a place of which
    nothing was said. Where other bytes have taken the old place (two files have swapped names, or
    one was edited), only a photo that has arrived since goes with its review: a copy that was there
    all along does not. What was said of a file that could not be read goes on with the photo that
    it turns out to be. `committed` are the rows of the last manifest, by raw path.
    """
    rows: dict[bytes, Record] = {}
    free = _Free(committed)
    for record in _spoken_of(records, reviews):
        rows[record.raw_path] = record
        if record.photo_id and not reviews.decided.get(place_of(record)):
            free.add(record)
    for place in sorted(filter(reviews.decided.get, reviews.decided)):
        row = rows.get(place.raw_path)
        if not place.photo_id:
            to = free.take(row) if row is not None else None
        elif row is not None and (row.photo_id in (None, place.photo_id) or _may_pass(row)):
            continue
        else:
            to = free.first(place.photo_id, arrived=True)
            if to is None and row is None:
                to = free.first(place.photo_id, arrived=False)
        if to is not None:
            yield Moved(place, place_of(to))


def _spoken_of(records: Iterable[Record], reviews: Reviews) -> Iterator[Record]:
    """Give the rows of whose path or photo something was said."""
    paths = {place.raw_path for place in reviews.decided}
    photo_ids = {place.photo_id for place in reviews.decided}
    for record in records:
        if record.raw_path in paths or record.photo_id in photo_ids:
            yield record


class _Free:
    """Photos of which nothing was said, by identity, in order: any of thousands of copies."""

    def __init__(self, committed: Mapping[bytes, Record]) -> None:
        self.committed = committed
        self.photos: dict[tuple[str | None, bool], OrderedDict[bytes, Record]] = defaultdict(
            OrderedDict
        )

    def add(self, record: Record) -> None:
        self._of(record)[record.raw_path] = record

    def take(self, record: Record) -> Record | None:
        return self._of(record).pop(record.raw_path, None)

    def first(self, photo_id: str, *, arrived: bool) -> Record | None:
        found = self.photos[photo_id, arrived]
        return found.popitem(last=False)[1] if found else None

    def _of(self, record: Record) -> OrderedDict[bytes, Record]:
        before = self.committed.get(record.raw_path)
        arrived = before is None or before.photo_id != record.photo_id
        return self.photos[record.photo_id, arrived]


def _may_pass(record: Record) -> bool:
    """Tell whether a photo could not be seen this time, and may be what it was the next time."""
    return record.failed and record.status not in FINAL


def adopted(records: Iterable[Record], reviews: Reviews) -> Iterator[Said]:
    """Tell which reviews a manifest has that the journal has never heard of: one was put back."""
    for record in records:
        place = place_of(record)
        for review in record.reviews:
            if not reviews.has_heard(place, review):
                yield Said(place, review)
