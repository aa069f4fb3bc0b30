"""How an export of captions to XMP went."""

from collections import Counter
from dataclasses import dataclass, field

from batch.amounts import counted
from batch.summary import COMPLETE, WITH_FAILURES
from manifests.record import Record


@dataclass
class SidecarReport:
    """What an export did, for one line to print; `notes` say what is to be known of which photo."""

    what: str  # is written: "sidecar"
    photos: int = 0
    written: int = 0
    unchanged: int = 0
    taken_back: int = 0  # files that held captions which no longer stand
    without: Counter[str] = field(default_factory=Counter)  # photos with nothing to say, by why
    kept_words: int = 0  # photos in whose sidecar another's caption stands
    other_name: int = 0
    left: Counter[str] = field(default_factory=Counter)  # photos left alone, by reason
    notes: list[tuple[str, str]] = field(default_factory=list)  # path, what is to be said of it

    @property
    def exit_code(self) -> int:
        """Exit code 3 where a caption did not get to its place."""
        return WITH_FAILURES if self.left or self.kept_words else COMPLETE

    def leave(self, record: Record, why: str) -> None:
        """Note a photo that was left alone; reasons are counted without what follows a colon."""
        self.left[why.partition(":")[0]] += 1
        self.notes.append((record.path, why))

    def __str__(self) -> str:
        counts = [
            (self.taken_back, "taken back"),
            (self.unchanged, "unchanged"),
            (self.other_name, "named photo.ext.xmp, as photo.xmp may be another's"),
            (self.kept_words, "with a caption by others, which was kept"),
            *((number, why) for why, number in sorted(self.without.items())),
        ]
        parts = [f"{counted(self.photos, 'photo')}, {counted(self.written, self.what)} written"]
        parts += [f"{n:,} {what}" for n, what in counts if n]
        if self.left:
            reasons = "; ".join(f"{n:,} {why}" for why, n in sorted(self.left.items()))
            parts.append(f"{self.left.total():,} left alone ({reasons})")
        return ", ".join(parts)
