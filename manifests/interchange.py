"""Captions as other programs take them: `.txt` for trainers, COCO, Hugging Face, JSON lines.

COCO: cocodataset.org, "Results format" and "Data format". Hugging Face: "Create an image dataset",
imagefolder. A `.txt` is read by trainers (kohya's sd-scripts) as that of the photo with its stem.
Each writer writes to an open file, line by line; equal lines give equal bytes.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final
from urllib.parse import quote_from_bytes

from manifests.record import Record
from manifests.review import Review
from manifests.text import escape_cell

HUMAN: Final = "human"
HUMAN_LIKE: Final = "human, of a photo like it"  # filled in: nobody looked at this very photo
_BEGINS_FORMULA: Final = re.compile("['=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


@dataclass(frozen=True, slots=True)
class Line:
    """A photo and the one caption that leaves for it."""

    name: str  # from the archive's root, POSIX; whole text
    image_id: int
    caption: str
    language: str
    source: str  # `HUMAN`, `HUMAN_LIKE`, or the captioner's signature
    confidence: float | None = None  # of a machine's caption
    width: int | None = None
    height: int | None = None


def by_person(source: str) -> bool:
    """Tell whether words are a person's, by where they come from."""
    return source in (HUMAN, HUMAN_LIKE)


def txt_of(caption: str) -> bytes:
    """Give the content of a `.txt`: trainers read the first line alone, so there is but one."""
    return f"{' '.join(caption.split())}\n".encode("utf-8", "backslashreplace")


def write_coco_results(file: BinaryIO, lines: Iterable[Line]) -> None:
    """Write COCO's results: `[{"image_id": 1, "caption": "…"}]`."""
    _write_list(file, ({"image_id": each.image_id, "caption": each.caption} for each in lines))


def write_coco(file: BinaryIO, lines: Sequence[Line]) -> None:
    """Write COCO's annotations: images with their `file_name`, and a caption for each.

    An annotation says besides in which language it is and where it comes from.
    """
    file.write(b'{"info": {}, "licenses": [], "images": ')
    _write_list(file, map(_image, lines))
    file.write(b', "annotations": ')
    _write_list(file, map(_annotation, lines))
    file.write(b"}\n")


def write_imagefolder_csv(file: BinaryIO, lines: Sequence[Line]) -> None:
    """Write `metadata.csv`.

    Captions are escaped as in our other CSV files, since people open this one in a spreadsheet too;
    a name that would begin a formula gets `./` in front, which means the same file.
    """
    mixed = _is_mixed(lines)
    text = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["file_name", "text", *(["language", "source"] if mixed else [])])
    for each in lines:
        name = f"./{each.name}" if _BEGINS_FORMULA.match(each.name) else each.name
        said = [each.caption, *([each.language, each.source] if mixed else [])]
        writer.writerow([name, *map(escape_cell, said)])
    text.detach()


def write_imagefolder(file: BinaryIO, lines: Sequence[Line]) -> None:
    """Write `metadata.jsonl`: `{"file_name": "…", "text": "…"}`.

    Where a machine's captions are among them, or some filled in from photos alike, each line says
    where its own comes from.
    """
    mixed = _is_mixed(lines)
    for each in lines:
        source = {"language": each.language, "source": each.source} if mixed else {}
        _write_line(file, {"file_name": each.name, "text": each.caption} | source)


def write_jsonl(file: BinaryIO, records: Iterable[Record], languages: Sequence[str]) -> None:
    """Write all that is known of each photo, a line each, machine and human apart.

    languages: those to write, or all. A path that is no text has its bytes in `raw_path`, as
    percent escapes.
    """
    for record in records:
        _write_line(file, _everything(record, languages))


def _is_mixed(lines: Sequence[Line]) -> bool:
    """Tell whether there are captions that no person gave to the photo itself."""
    return any(each.source != HUMAN for each in lines)


def _image(line: Line) -> dict[str, Any]:
    size = {"width": line.width, "height": line.height}
    known = {name: value for name, value in size.items() if value is not None}
    return {"id": line.image_id, "file_name": line.name} | known


def _annotation(line: Line) -> dict[str, Any]:
    return {
        "id": line.image_id,
        "image_id": line.image_id,
        "caption": line.caption,
        "language": line.language,
        "source": line.source,
    }


def _everything(record: Record, languages: Sequence[str]) -> dict[str, Any]:
    raw = record.raw_path.decode("utf-8", "surrogateescape")
    odd = {} if raw.isprintable() and raw == record.path else {"raw_path": record.raw_path}
    own = record.language or ""
    named = [own]
    named += [each.language for each in record.languages]
    named += [each.language for each in record.reviews]
    captions = {
        each: _in_language(record, each)
        for each in dict.fromkeys(named)
        if not languages or each in languages
    }
    return {
        "path": record.path,
        **{name: quote_from_bytes(value) for name, value in odd.items()},
        "photo_id": record.photo_id,
        "status": record.status.value,
        "captions": {name: said for name, said in captions.items() if said},
        "alternatives": list(record.alternatives),
        "error": record.error,
        "width": record.width,
        "height": record.height,
        "taken_at": record.taken_at,
    }


def _in_language(record: Record, language: str) -> dict[str, Any]:
    """Give what a machine and what people say in a language; nothing where neither does."""
    said = next((each for each in record.languages if each.language == language), None)
    of_row = record if language == (record.language or "") else None
    machine, review = said or of_row, record.review_in(language)
    found: dict[str, Any] = {}
    if machine is not None and machine.caption is not None:
        found |= {"machine": machine.caption, "confidence": _finite(machine.confidence)}
        found |= {"captioner": machine.captioner}
    return found | (_reviewed(review) if review else {})


def _reviewed(review: Review) -> dict[str, Any]:
    return {
        "human": review.caption,
        "review_status": review.status.value,
        "reviewer": review.reviewer,
        "notes": review.notes,
        "like": review.like,
        "reviewed_at": review.at,
    }


def _finite(number: float | None) -> float | None:
    """Give a number that JSON has."""
    return number if number is not None and abs(number) < float("inf") else None


def _write_list(file: BinaryIO, rows: Iterable[dict[str, Any]]) -> None:
    file.write(b"[")
    for number, row in enumerate(rows):
        file.write((b",\n" if number else b"\n") + _json(row))
    file.write(b"\n]")


def _write_line(file: BinaryIO, row: dict[str, Any]) -> None:
    file.write(_json(row) + b"\n")


def _json(row: dict[str, Any]) -> bytes:
    text = json.dumps(row, ensure_ascii=False, allow_nan=False)
    # Line ends that JSON lets stand would end a line of JSON for some readers.
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return text.encode("utf-8", "backslashreplace")
