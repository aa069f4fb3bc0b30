"""Two captioners on photos whose captions people let stand: which leaves a reviewer less to do.

The yardstick is the words that a person has to change to come from a captioner's caption to the one
that stands. Scores against several people's captions do not exist here: there is one caption a
photo, and CIDEr over a few dozen of those is mostly chance. The words that stand are in part those
of the captioner that wrote them, which a person approved: that one needs no change there, and
another needs some however good its own words are. So the yardstick favours the older captioner: a
newer one that needs less work all the same does better, and one that is refused may be as good.
What chance alone would do does not count: of two captioners that are alike each wins every other
time. Near-duplicates count together there: ten photos of a burst tell about as much as one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from batch.lessons import Lesson
from batch.tables import Table
from models.edits import word_edits
from models.metrics import score

_RESAMPLES = 10_000


@dataclass(frozen=True)
class Figures:
    """What a captioner does: scores of all, and the words to change in each of the photos."""

    name: str
    edits: np.ndarray  # (photos,)
    rouge_l: float
    cider: float


@dataclass(frozen=True)
class Trial:
    """What came out, of the same photos in the same order; `edited` of them by a person's hand.

    `groups`: the same for near-duplicates.
    """

    old: Figures
    new: Figures
    edited: np.ndarray  # bool (photos,)
    groups: np.ndarray  # names or numbers (photos,)

    @property
    def better(self) -> bool:
        """Whether the new captioner leaves fewer words to change, by more than chance."""
        return self.gain > 0 and self.sure

    @property
    def gain(self) -> float:
        """Words a photo that the new captioner spares its reviewer."""
        return float((self.old.edits - self.new.edits).mean())

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Where the gain is on other photos like these, 95 times of 100.

        A paired bootstrap (Koehn, "Statistical significance tests for machine translation
        evaluation", EMNLP 2004) that draws groups whole, as their photos do not vary on their own
        (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8).
        """
        _, group = np.unique(self.groups, return_inverse=True)
        gains = np.bincount(group, self.old.edits - self.new.edits)  # (groups,)
        photos = np.bincount(group)
        draw = np.random.default_rng(0).integers
        resamples = (draw(0, len(gains), len(gains)) for _ in range(_RESAMPLES))
        drawn = [gains[each].sum() / photos[each].sum() for each in resamples]
        low, high = np.quantile(drawn, (0.025, 0.975))
        return float(low), float(high)

    @property
    def sure(self) -> bool:
        """Whether the difference is more than chance would make it."""
        low, high = self.interval
        return low > 0 or high < 0

    def table(self) -> Table:
        """Show the figures of both."""
        pair = (self.old, self.new)
        kinds = {"approved": ~self.edited, "edited": self.edited}
        rows = [("words to change a photo", *(f"{each.edits.mean():.2f}" for each in pair))]
        rows += [
            (
                f"  of {int(kind.sum()):,} {name}",
                *(f"{each.edits[kind].mean():.2f}" for each in pair),
            )
            for name, kind in kinds.items()
            if kind.any()
        ]
        exact = ("nothing to change", *(f"{(each.edits == 0).mean():.1%}" for each in pair))
        rouge = ("ROUGE-L", *(f"{100 * each.rouge_l:.1f}" for each in pair))
        cider = ("CIDEr, one caption a photo", *(f"{100 * each.cider:.1f}" for each in pair))
        header = ("", self.old.name, self.new.name)
        return Table("On the photos held out", [*rows, exact, rouge, cider], header, numbers=True)

    def __str__(self) -> str:
        low, high = self.interval
        side = "fewer" if self.gain >= 0 else "more"
        chance = "more than chance" if self.sure else "which may be chance"
        groups = len(np.unique(self.groups))
        alike = f", {groups:,} if near-duplicates count once" if groups < len(self.edited) else ""
        photos = f"{len(self.edited):,} photos{alike}"
        return (
            f"{abs(self.gain):.2f} words a photo {side} to change, on {photos} "
            f"(95% interval of what is saved: {low:.2f} to {high:.2f}): {chance}"
        )


def figures(
    name: str,
    captions: Mapping[str, str],
    lessons: Sequence[Lesson],
    split: Callable[[str], list[str]],
) -> Figures:
    """Measure a captioner's captions, by photo identity; `split` gives words."""
    references = {each.photo_id: each.captions for each in lessons}
    found = score({photo: captions[photo] for photo in references}, references, split)
    edits = [
        min(word_edits(split(captions[photo]), split(each)) for each in said)
        for photo, said in references.items()
    ]
    return Figures(name, np.array(edits, float), found.rouge_l, found.cider)
