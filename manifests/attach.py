"""Reviews to their photos: the rows of a manifest, with what people have said of each.

The journal knows what was said of which bytes at which path. A photo that was moved takes its
review along. Byte-identical copies are offered what was said of one of them; a file that has
changed is offered what was said of it before. An offer is never a person's word.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from manifests.journal import Moved, Place, Reviews, Said
from manifests.record import Record
from manifests.review import Offer, Review, ReviewStatus


def place_of(record: Record) -> Place:
    """Give where a row's photo is, and which; without an identity where it was never read."""
    return Place(record.raw_path, record.photo_id or "")


def attach(records: Iterable[Record], reviews: Reviews) -> list[Record]:
    """Give the rows with their reviews and offers, whatever they had before."""
    rows = list(records)
    copies, earlier = _by_photo(reviews), _by_path(reviews)
    there = {record.photo_id for record in rows}
    return [_attached(record, reviews, copies, earlier, there) for record in rows]


def _attached(
    record: Record,
    reviews: Reviews,
    copies: Mapping[str, Sequence[Place]],
    earlier: Mapping[bytes, Sequence[Place]],
    there: set[str | None],
) -> Record:
    place = place_of(record)
    own = reviews.decided.get(place, {})
    offers = dict(reviews.offered.get(place, {}))
    same = copies.get(record.photo_id, ()) if record.photo_id else ()
    others = [each for each in same if each != place]
    changed = [each for each in earlier.get(record.raw_path, ()) if each.photo_id not in there]
    for each in (*others, *changed):
        for language, review in reviews.decided[each].items():
            if review.stands and review.caption and not _decided(own.get(language)):
                offers.setdefault(language, Offer(language, review.caption, _why(each, record)))
    if not (own or offers or record.reviews or record.offers):
        return record
    shown = (own[language] for language in sorted(own) if _says(own[language]))
    return replace(
        record,
        reviews=tuple(shown),
        offers=tuple(offers[language] for language in sorted(offers)),
    )


def _why(place: Place, record: Record) -> str:
    if place.photo_id != record.photo_id:
        return "said of this file before it changed"
    return f"copy of {place.raw_path.decode('utf-8', 'backslashreplace')}"


def _decided(review: Review | None) -> bool:
    return review is not None and review.status is not ReviewStatus.UNREVIEWED


def _says(review: Review) -> bool:
    return _decided(review) or bool(review.notes or review.reviewer)


def moves(
    records: Sequence[Record], reviews: Reviews, committed: Mapping[bytes, str | None]
) -> Iterator[Moved]:
    """Tell which reviews go on at another place, since their photo does.

    Their own place has no row any more, or other bytes now; the photo is at a place of which
    nothing was said. Where other bytes have taken the old place (two files have swapped names, or
    one was edited), only a photo that has arrived since goes with its review: a copy that was there
    all along does not. `committed` tells which photo the last manifest had at a path.
    """
    rows = {record.raw_path: record for record in records}
    free: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.photo_id and not reviews.decided.get(place_of(record)):
            free[record.photo_id].append(record)
    for place in sorted(filter(reviews.decided.get, reviews.decided)):
        row = rows.get(place.raw_path)
        if row is not None and (row.photo_id in (None, place.photo_id) or not row.answered):
            continue
        stayed = [each for each in free[place.photo_id] if _was_there(each, committed)]
        arrived = [each for each in free[place.photo_id] if not _was_there(each, committed)]
        for each in [*arrived, *(stayed if row is None else [])][:1]:
            free[place.photo_id].remove(each)
            yield Moved(place, Place(each.raw_path, place.photo_id))


def _was_there(record: Record, committed: Mapping[bytes, str | None]) -> bool:
    return committed.get(record.raw_path) == record.photo_id


def adopted(records: Iterable[Record], reviews: Reviews) -> Iterator[Said]:
    """Tell which reviews a manifest has that the journal has never heard of: one was put back."""
    for record in records:
        place = place_of(record)
        for review in record.reviews:
            if review.at > reviews.known.get((place, review.language), ""):
                yield Said(place, review)


def _by_photo(reviews: Reviews) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = defaultdict(list)
    for place in sorted(reviews.decided):
        found[place.photo_id].append(place)
    return found


def _by_path(reviews: Reviews) -> dict[bytes, list[Place]]:
    found: dict[bytes, list[Place]] = defaultdict(list)
    for place in sorted(reviews.decided):
        found[place.raw_path].append(place)
    return found
