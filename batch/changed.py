"""A page of what captioning anew has changed: each photo's old caption against its new one."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from batch.captioned import Captioned
from batch.damage import PhotoError
from batch.pages import PICTURE, Card, captions_page, data_address
from batch.stores import is_there
from batch.undecided import Said, texts
from manifests.durable import atomic_write
from manifests.record import Record

SHOWN = 500  # changes, about 15 KB of the page each where the photos are at hand


@dataclass(frozen=True)
class Change:
    """A photo's caption in one language, as it was and as it is; without words: none."""

    before: Record
    after: Record
    language: str
    old: Said
    new: Said

    @property
    def size(self) -> float:
        """The share of both captions' words that the other has not, wherever they stand."""
        old, new = (Counter(text.split()) for text, _ in (self.old, self.new))
        return ((old - new) + (new - old)).total() / max(1, old.total() + new.total())


def changes_of(pairs: Iterable[tuple[Record, Record]]) -> list[Change]:
    """Give what differs in words between old rows and new ones."""
    return [change for before, after in pairs for change in _changes(before, after)]


def _changes(before: Record, after: Record) -> Iterable[Change]:
    if before is after:
        return
    old, new = texts(before), texts(after)
    for language in sorted(old.keys() | new.keys()):
        was, now = old.get(language, ("", None)), new.get(language, ("", None))
        if was[0] != now[0]:
            yield Change(before, after, language, was, now)


def write_changes(
    found: Captioned, changes: Sequence[Change], captioners: Iterable[str], told: Mapping[str, int]
) -> str:
    """Write changed.html into a run's folder, what changed most first; return its path.

    captioners: the signatures of the new ones; told: how many rows had what become of them. Photos
    are shown where their folder is there; what is on the web is not fetched.
    """
    ranked = sorted(changes, key=lambda change: -change.size)  # stable: rows keep their order
    facts = {
        "Archive": found.archive,
        "Captioned by": ", ".join(captioners),
        **{name: f"{number:,}" for name, number in told.items()},
        "Shown": f"{min(SHOWN, len(ranked)):,} of {len(ranked):,} changes, the largest first",
    }
    at_hand = is_there(found.archive)
    if not at_hand:
        facts["Photos"] = "not at hand: captions alone"
    cards = (_card(change, found, at_hand=at_hand) for change in ranked[:SHOWN])
    page = captions_page(f"What changed in {found.name}", facts, cards)
    path = Path(found.out, "changed.html")
    with atomic_write(path) as file:
        file.write(page.encode())
    return str(path)


def _card(change: Change, found: Captioned, *, at_hand: bool) -> Card:
    picture, problem = _picture(change.after, found) if at_hand else ("", "")
    (old, was), (new, now) = change.old, change.new
    confidence = f"{_shown(was)} → {_shown(now)}"
    return Card(
        change.after.path,
        picture,
        new,
        {"confidence": confidence},
        problem=problem if new else change.after.error or problem,
        language=change.language,
        before=old,
    )


def _shown(confidence: float | None) -> str:
    return "-" if confidence is None else f"{confidence:.2f}"


def _picture(record: Record, found: Captioned) -> tuple[str, str]:
    """Give a photo's picture, or why there is none."""
    try:
        return data_address(found.picture(record, PICTURE)), ""
    except PhotoError as error:
        return "", str(error)
