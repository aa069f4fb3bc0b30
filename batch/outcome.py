"""What a learning came to: told on a terminal, and on the card of the captioner that is offered."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from batch.lessons import LEARNT_FILE, Split
from batch.trial import Trial


@dataclass(frozen=True)
class Outcome:
    """What a learning came to."""

    captioner: str  # the old one's folder
    place: str  # the new one's, where it is offered
    language: str
    parts: Split
    uncached: int
    unknown: Counter[str]
    trial: Trial

    @property
    def offered(self) -> bool:
        """Whether there is a new captioner."""
        return self.trial.better

    def told(self) -> Iterator[str]:
        """Say from what was learnt, and how well."""
        yield (
            f"learnt from what people let stand in {self.language} of {len(self.parts.train):,} "
            f"photos; passes chosen on {len(self.parts.chosen_on):,} others, captioners compared "
            f"on {len(self.parts.held_out):,} more that neither has learnt from here"
        )
        if self.uncached:
            yield f"{self.uncached:,} photos left out: their features are not cached"
        if self.unknown:
            words = ", ".join(word for word, _ in self.unknown.most_common(10))
            yield (
                f"{len(self.unknown):,} words of people's, used {self.unknown.total():,} times, "
                f"are not known to it and cannot be learnt: {words}"
            )
        yield f"{self.trial.table().as_text()}\n{self.trial}"

    def __str__(self) -> str:
        end = (
            f"offered: {self.place}, used by CAPTIONER=; {self.captioner} stays as it is"
            if self.offered
            else f"nothing is offered: it is not surely better than {self.captioner}, which stays"
        )
        return "\n".join([*self.told(), end])


def card(outcome: Outcome) -> str:
    """Write what people should know of a captioner that learnt; nobody's words are in it."""
    parts, old = outcome.parts, os.path.basename(os.path.normpath(outcome.captioner))
    edited = sum(lesson.edited for lesson in parts.train)
    return f"""# {os.path.basename(os.path.normpath(outcome.place))}

Language: {outcome.language}. Made from `{old}` on {datetime.now(UTC).date()}, by going on from its
decoder with the captions that people approved or wrote in one archive. What the card of `{old}`
says of its encoder, its words, its data and its licence holds here too.

- Learnt from {len(parts.train):,} photos: {edited:,} captions that people wrote, the others
  approved. The best pass was chosen on {len(parts.chosen_on):,} others.
- {len(outcome.unknown):,} words of people's that `{old}` does not know were not learnt.
- `{LEARNT_FILE}` tells, by the beginnings of their SHA-256, which photos it has learnt from: these
  are never held out when it learns again. No photo, name or caption is in this folder.
- The weights follow from the captions: do not give them to people who may not know those.

## On {len(parts.held_out):,} photos held out

{outcome.trial.table().as_markdown()}

{outcome.trial}. The captions to compare with are in part those of `{old}` that people approved,
where it has nothing to change: the comparison favours `{old}`.

## Confidence

Its confidence is the geometric mean of the words' probabilities, not calibrated: what `{old}` was
calibrated by is of other weights, and takes several people's captions a photo, where reviews give
one. `make calibrate` with such captions calibrates it.
"""
