"""Captions leave the archive for trainers and other programs: `.txt`, COCO, imagefolder, JSONL."""

import itertools
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import BinaryIO

from batch.captioned import Captioned
from batch.config import is_within, keep_out_of, refuse_store
from batch.errors import ArchiveError
from batch.exported import Exported, Ledger, write_beside, write_file
from batch.leaving import Words, languages_leaving, words_in
from batch.stores import is_url
from manifests.interchange import (
    Line,
    by_person,
    txt_of,
    write_coco,
    write_coco_results,
    write_imagefolder,
    write_imagefolder_csv,
    write_jsonl,
)
from manifests.path_names import numbers
from manifests.record import Record, Status, sort_key

Writer = Callable[[BinaryIO, Sequence[Line]], None]
FILES: Mapping[str, Mapping[str, Writer]] = {
    "coco": {"captions.json": write_coco, "results.json": write_coco_results},
    "imagefolder": {"metadata.jsonl": write_imagefolder},
    "imagefolder-csv": {"metadata.csv": write_imagefolder_csv},
}
TARGETS = ("txt", *FILES, "jsonl")


@dataclass(frozen=True)
class Export:
    """What is to leave, and to where."""

    to: str  # one of TARGETS
    into: str | None = None  # a folder; None: one within the run's folder
    beside: bool = False  # beside the photos, as a person has asked for
    include_machine: bool = False  # captions that nobody has reviewed, too
    language: str | None = None


def export_captions(found: Captioned, asked: Export) -> Exported:
    """Write an archive's captions for another program; those approved and edited alone by default.

    The same again changes nothing. Nothing goes among the photos unless asked for. Raises
    ArchiveError where nothing is to be exported, or it cannot be told in which language.
    """
    summary = Exported(_place(found, asked))
    languages = _languages(found, asked)
    ledger = Ledger(found.out, summary.place, asked.to)
    if not languages and not ledger.hashes:
        raise ArchiveError(
            f"{found.out}: no caption is approved or edited yet; review some, or ask for the "
            "machine's as well"
        )
    if asked.to == "jsonl":
        _write_records(found, asked, ledger, summary)
        return summary
    words = _all_words(found.records, asked, next(iter(languages), ""))
    if asked.to == "txt":
        _write_txt(found, words, ledger, summary, beside=asked.beside)
    else:
        _write_files(FILES[asked.to], list(_lines(found, words, summary)), ledger, summary)
    return summary


def _place(found: Captioned, asked: Export) -> str:
    if asked.to not in TARGETS:
        raise ArchiveError(f"TO={asked.to!r} is unknown; give one of {', '.join(TARGETS)}")
    if asked.beside:
        refuse_store(found.archive, "leave out BESIDE=1, or give INTO= a folder")
        if not os.path.isdir(found.archive):
            raise ArchiveError(f"{found.archive!r} is not there: nothing can be put beside photos")
        return found.archive
    name = f"{asked.to}-{asked.language}" if asked.language else asked.to
    place = asked.into or os.path.join(found.out, "export", name)
    if is_url(found.archive) or os.path.exists(found.archive):
        keep_out_of(found.archive, {"INTO": place})
    return place


def _languages(found: Captioned, asked: Export) -> list[str]:
    """Give the languages that there is something to export in, of those asked for.

    Raises ArchiveError where there are several, and a photo is to have but one caption.
    """
    languages: set[str] = set()
    for record in found.records:
        languages.update(languages_leaving(record, include_machine=asked.include_machine))
    if asked.language is not None:
        languages &= {asked.language}
    if len(languages) > 1 and asked.to != "jsonl":
        raise ArchiveError(
            f"the captions are in {' and '.join(sorted(languages))}, and a photo gets one: give "
            "LANGUAGE= one of them"
        )
    return sorted(languages)


def _all_words(
    records: Iterable[Record], asked: Export, language: str
) -> Iterator[tuple[int, Record, Words]]:
    """Give the photos with a caption to export, in the order of their paths, and numbers for them.

    As COCO's own, these are those in their names, where each photo of the archive has one that is
    no other's; else its place among all.
    """
    ordered = sorted(records, key=sort_key)
    named = numbers(record.raw_path.decode("utf-8", "surrogateescape") for record in ordered)
    for number, record in zip(named or itertools.count(1), ordered, strict=False):
        words = words_in(record, language, include_machine=asked.include_machine)
        if words is not None and record.status is not Status.MISSING:
            yield number, record, words


def _lines(
    found: Captioned, words: Iterable[tuple[int, Record, Words]], summary: Exported
) -> Iterator[Line]:
    for number, record, said in words:
        why = _no_file(found, record) or _no_text(record)
        if why:
            summary.skip(record, why)
            continue
        yield Line(
            record.raw_path.decode(),
            number,
            said.caption,
            said.language,
            said.source,
            said.confidence,
            record.width,
            record.height,
        )


def _no_file(found: Captioned, record: Record) -> str:
    """Say why a photo is none that another program could open below the archive's folder."""
    return "" if found.location(record) else "the photo is no file of the archive"


def _no_text(record: Record) -> str:
    try:
        record.raw_path.decode()
    except UnicodeDecodeError:
        return "its name is no text in UTF-8: rename the photo"
    return ""


def _write_txt(
    found: Captioned,
    words: Iterable[tuple[int, Record, Words]],
    ledger: Ledger,
    summary: Exported,
    *,
    beside: bool,
) -> None:
    """Write a `.txt` for each photo; none where it would be read as another photo's as well."""
    claims = Counter(_folded(_txt_name(record)) for record in found.records if _is_there(record))
    wanted: dict[str, bytes] = {}
    sources: dict[str, str] = {}
    is_inside = cache(lambda folder: is_within(folder, found.archive))
    for _, record, said in words:
        name = _txt_name(record)
        why = _no_file(found, record)
        if not why and claims[_folded(name)] - _is_there(record):
            why = "two photos would share its .txt: rename one"
        if not why and beside and not is_inside(os.path.dirname(f"{ledger.place}/{name}")):
            why = "a link leads out of the archive there"
        if why:
            summary.skip(record, why)
        else:
            wanted[name] = txt_of(said.caption)
            sources[name] = said.source
    summary.changes = write_beside(ledger, wanted)
    stayed = {*summary.changes.kept, *(name for name, _ in summary.changes.failed)}
    _count(summary, (source for name, source in sources.items() if name not in stayed))


def _txt_name(record: Record) -> str:
    return f"{os.path.splitext(os.fsdecode(record.raw_path))[0]}.txt"


def _folded(name: str) -> str:
    """Give what disks that ignore case and the forms of Unicode take for the same name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _is_there(record: Record) -> bool:
    """Tell whether a trainer would take the file for a photo: a camera's raw file it does not."""
    return not record.failed and record.status is not Status.MISSING


def _count(summary: Exported, sources: Iterable[str]) -> None:
    counts = Counter(map(by_person, sources))
    summary.photos, summary.machine = counts.total(), counts[False]


def _write_files(
    files: Mapping[str, Writer], lines: Sequence[Line], ledger: Ledger, summary: Exported
) -> None:
    _count(summary, (line.source for line in lines))
    for name, writer in files.items():
        summary.changes += write_file(ledger, name, partial(_write, writer, lines))


def _write(writer: Writer, lines: Sequence[Line], file: BinaryIO) -> None:
    writer(file, lines)


def _write_records(found: Captioned, asked: Export, ledger: Ledger, summary: Exported) -> None:
    """Write all that is known of the photos that have a caption to export."""
    records, wanted = [], {asked.language}
    for record in found.records:
        languages = languages_leaving(record, include_machine=asked.include_machine)
        said = [each for each in languages if asked.language is None or each in wanted]
        if said:
            records.append(record)
            words = words_in(record, said[0], include_machine=asked.include_machine)
            summary.machine += words is not None and not by_person(words.source)
    summary.photos = len(records)
    only = [asked.language] if asked.language else []
    write = partial(write_jsonl, records=records, languages=only)
    summary.changes = write_file(ledger, "captions.jsonl", write)
