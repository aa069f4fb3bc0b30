"""What a captioner can learn from an archive: captions that people approved or wrote.

Photos are split group by group, so that near-duplicates are never on both sides. A photo alone is
on the side that its identity tells, in every learning. A group is on that of its member of the
least identity, and may change sides when it grows, is joined to another one or taken apart. What
holds whatever becomes of groups: a photo that a captioner has learnt from, and what is in one group
with it today, is not held out when that captioner learns again. What was held out may be learnt
from later.
"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from batch.errors import ArchiveError
from manifests.record import Record
from manifests.review import Review, ReviewStatus
from models.small_files import read_json

HELD_OUT, CHOSEN_ON = 1 / 4, 1 / 8  # shares of the groups; the rest is learnt from
FILLED_IN = 3  # photos of a group that nobody looked at one by one; more would drown the others
LEARNT_FILE = "learnt.json"
MAX_LEARNT = 1 << 28  # bytes: ten million photos
_SHORT = 16  # hexadecimals of an identity, enough to tell photos apart


@dataclass(frozen=True)
class Lesson:
    """A photo and what people let stand of it; copies of its bytes may have several captions."""

    photo_id: str
    captions: tuple[str, ...]
    group: str  # the same for near-duplicates
    seen: bool  # a person looked at this photo, not only at one like it
    edited: bool  # a person wrote the caption; else it is a captioner's that was approved
    alike: frozenset[str] = frozenset()  # identities of its group, those nobody reviewed as well


@dataclass(frozen=True)
class Split:
    """Lessons to learn from, to choose the best pass on, and to compare captioners on."""

    train: tuple[Lesson, ...]
    chosen_on: tuple[Lesson, ...]
    held_out: tuple[Lesson, ...]


def read_lessons(
    records: Sequence[Record], language: str, groups: Mapping[str, str]
) -> list[Lesson]:
    """Give what people let stand in a language, a lesson for each photo, in the rows' order.

    groups: of near-duplicates, one photo's identity by another's; what reviews were filled in from
    tells of groups too.
    """
    photos = {record.path: record.photo_id for record in records}
    reviews: dict[str, list[Review]] = defaultdict(list)
    together = _Groups(groups)
    for record in records:
        review = record.review_in(language)
        if record.photo_id and review and review.stands and (review.caption or "").strip():
            reviews[record.photo_id].append(review)
            if review.like:  # the path of a photo, or its identity
                together.join(record.photo_id, photos.get(review.like) or review.like)
    members = together.members()
    lessons = (_lesson(each, said, together.name(each)) for each, said in reviews.items())
    return [replace(each, alike=members.get(each.group, each.alike)) for each in lessons]


def _lesson(photo_id: str, said: Sequence[Review], group: str) -> Lesson:
    return Lesson(
        photo_id,
        tuple(dict.fromkeys(str(review.caption) for review in said)),
        group,
        seen=any(not review.like for review in said),
        edited=any(review.status is ReviewStatus.EDITED for review in said),
    )


class _Groups:
    """Which photos go together, joined one by one; a group is named by its least member."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._above: dict[str, str] = {}
        for pair in pairs.items():
            self.join(*pair)

    def join(self, one: str, other: str) -> None:
        """Put two photos, and all that go with them, together."""
        least, greatest = sorted((self.name(one), self.name(other)))
        if least != greatest:
            self._above[greatest] = least

    def name(self, photo: str) -> str:
        """Name a photo's group; that of a photo alone is its own name."""
        while photo in self._above:
            photo = self._above[photo]
        return photo

    def members(self) -> dict[str, frozenset[str]]:
        """Give all photos of each group of several, by the group's name."""
        found: dict[str, set[str]] = defaultdict(set)
        for photo in self._above:
            found[self.name(photo)].add(photo)
        return {name: frozenset({name, *photos}) for name, photos in found.items()}


def split(lessons: Iterable[Lesson], learnt: Collection[str]) -> Split:
    """Split lessons by their groups' names: a group of one name is on one side, unless learnt from.

    learnt: what `read_learnt` gives. A group with a photo that was learnt from before is never held
    out, though nobody's words stand for that photo by now: groups grow together, and their names
    change with them. Only photos that a person looked at are chosen on or held out.
    """
    groups: dict[str, list[Lesson]] = defaultdict(list)
    for lesson in lessons:
        groups[lesson.group].append(lesson)
    train, chosen_on, held_out = [], [], []
    for group, members in groups.items():
        seen = [each for each in members if each.seen]
        alike = {photo for each in members for photo in (each.photo_id, *each.alike)}
        share, known = _share(group), any(_short(photo) in learnt for photo in alike)
        if share >= HELD_OUT + CHOSEN_ON or (known and share < HELD_OUT):
            train += [*seen, *[each for each in members if not each.seen][:FILLED_IN]]
        elif share >= HELD_OUT:
            chosen_on += seen
        else:
            held_out += seen
    return Split(tuple(train), tuple(chosen_on), tuple(held_out))


def _share(group: str) -> float:
    """Give a number in [0, 1) that follows from a group's name."""
    digest = hashlib.sha256(f"held out: {group}".encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:8]) / 2**64


def unknown_words(captions: Iterable[Sequence[str]], known: Collection[str]) -> Counter[str]:
    """Count the words of captions that a captioner has not: it cannot learn to say them."""
    return Counter(word for words in captions for word in words if word not in known)


def read_learnt(captioner: str) -> frozenset[str]:
    """Read which photos a captioner has learnt from in archives, by their identities' beginnings.

    Raises ArchiveError where the file is damaged.
    """
    path = os.path.join(captioner, LEARNT_FILE)
    if not os.path.exists(path):
        return frozenset()
    try:
        return frozenset(map(str, read_json(path, MAX_LEARNT)["photos"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArchiveError(
            f"{path}: cannot tell what the captioner has learnt from ({error!r}); copy it again"
        ) from error


def followed(learnt: frozenset[str], renamed: Mapping[str, Collection[str]]) -> frozenset[str]:
    """Add what photos that were learnt from go by since captions were written into them.

    renamed: identities that they and their copies have had since, by those that they had.
    """
    known = [new for old, new in renamed.items() if _short(old) in learnt]
    return learnt | {_short(each) for new in known for each in new}


def learnt_after(before: Collection[str], parts: Split) -> dict[str, list[str]]:
    """Give what learnt.json holds after a learning from some photos."""
    photos = {_short(lesson.photo_id) for lesson in (*parts.train, *parts.chosen_on)}
    return {"photos": sorted(photos | set(before))}


def _short(photo_id: str) -> str:
    return photo_id[:_SHORT]
