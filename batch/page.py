"""An archive's captions as a page: its photos beside what was written of them."""

from collections import Counter
from pathlib import Path

from batch.captioned import Captioned, language_of_record, open_captioned
from batch.damage import PhotoError
from batch.pages import PICTURE, Card, captions_page, data_address
from manifests.durable import atomic_write
from manifests.record import Record
from manifests.review import ReviewStatus

SHOWN = 200  # photos, about 15 KB of the page each


def write_page(out: str, limit: int = SHOWN) -> str:
    """Write the first photos of a run's folder with their captions; return the page's path.

    A photo that cannot be read now has no picture; what is on the web is not fetched. Raises
    ArchiveError where the folder holds no manifest or is among the photos, ManifestError where the
    manifest is damaged.
    """
    found = open_captioned(out)
    cards = (_card(record, found) for record in found.records[:limit])
    page = captions_page(f"Captions of {found.name}", _facts(found, limit), cards)
    path = Path(out, "captions.html")
    with atomic_write(path) as file:
        file.write(page.encode())
    return str(path)


def _facts(found: Captioned, limit: int) -> dict[str, str]:
    records = found.records
    counts = Counter(record.status.value for record in records)
    captioners = {record.captioner for record in records if record.captioner}
    captioners |= {each.captioner for record in records for each in record.languages}
    return {
        "Archive": found.shown,
        "Photos": f"{min(limit, len(records)):,} of {len(records):,}",
        "Captioned by": ", ".join(sorted(captioners)) or "-",
    } | {status: f"{count:,}" for status, count in sorted(counts.items())}


def _card(record: Record, found: Captioned) -> Card:
    picture, problem = _picture(record, found)
    return Card(
        record.path,
        picture,
        record.review.caption or record.caption or "",
        _sure(record) | {"status": record.status.value},
        alternatives=record.alternatives,
        problem=record.error or problem,
        language=language_of_record(record),
        also=[
            (each.language, each.caption)
            for each in record.languages
            if each.captioner != record.captioner
        ],
    )


def _sure(record: Record) -> dict[str, str]:
    """Tell what a person has decided of the caption, else how sure the captioner is."""
    if record.review.status is not ReviewStatus.UNREVIEWED:
        return {"review": record.review.status.value}
    return {} if record.confidence is None else {"confidence": f"{record.confidence:.2f}"}


def _picture(record: Record, found: Captioned) -> tuple[str, str]:
    """Give a photo's picture, or why there is none."""
    try:
        return data_address(found.picture(record, PICTURE)), ""
    except PhotoError as error:
        return "", str(error)
