"""AI Hub's captions of MS-COCO in Korean: a JSON list, one entry a photo, both splits in one file.

An entry has `file_path` (`val2014/COCO_val2014_000000391895.jpg`), `captions` in English and
`caption_ko`, the same captions in Korean. Some are blank; a lone caption may stand for a list.
"""

from collections.abc import Sequence
from typing import Any

from batch.corpora.corpus import CorpusError, Problem, Tell
from batch.corpora.records import CaptionRecord, Split, tidy, wrong_caption

CAPTIONS = {"ko": "caption_ko", "en": "captions"}
SPLITS: dict[str, Split] = {"train": "train", "val": "dev", "dev": "dev"}


def read_aihub(path: str, entries: Sequence[Any], language: str, tell: Tell) -> list[CaptionRecord]:
    """Give a record for each photo with captions in a language, `ko` or `en`.

    Blank captions are skipped; what is broken is told and left out. Raises CorpusError where the
    file has no captions in that language.
    """
    key = CAPTIONS.get(language.partition("-")[0])
    if key is None:
        text = f"has captions in Korean and English (ko, en), none in {language!r}"
        raise CorpusError(f"{path}: {text}; choose a recipe or a captioner of these languages")
    records: dict[str, CaptionRecord] = {}
    for number, entry in enumerate(entries, 1):
        name = _name(entry, number)
        wrong = _wrong(entry, key)
        if not wrong and entry["file_path"] in records:
            wrong = "is listed twice, the first one counts"
        captions = () if wrong else _captions(path, name, entry[key], tell)
        if captions:
            photo = entry["file_path"]
            records[photo] = CaptionRecord(path, name, photo, captions, _split(photo))
        else:
            tell(Problem(path, name, wrong or f"has no caption under {key} that is not blank"))
    return list(records.values())


def _name(entry: Any, number: int) -> str:
    photo = entry.get("file_path") if isinstance(entry, dict) else None
    return f"entry {number} ({photo})" if isinstance(photo, str) else f"entry {number}"


def _wrong(entry: Any, key: str) -> str:
    if not isinstance(entry, dict):
        return "is no record of a photo"
    if not isinstance(entry.get("file_path"), str):
        return "has no file_path"
    if _split(entry["file_path"]) is None:
        return "is in no split, its file_path begins with neither train, val nor dev"
    return "" if isinstance(entry.get(key), str | list) else f"has no {key}"


def _split(photo: str) -> Split | None:
    """Tell the split by the first folder of a path."""
    folder = photo.partition("/")[0].lower() if "/" in photo else ""
    found = (split for start, split in SPLITS.items() if folder.startswith(start))
    return next(found, None)


def _captions(path: str, name: str, value: str | list[Any], tell: Tell) -> tuple[str, ...]:
    """Give the captions that are not blank; null is blank too."""
    captions = []
    for number, text in enumerate([value] if isinstance(value, str) else value, 1):
        wrong = "is blank" if text is None else wrong_caption(text)
        if not wrong:
            captions.append(tidy(text))
        elif wrong != "is blank":
            tell(Problem(path, f"{name}, caption {number},", wrong))
    return tuple(captions)
