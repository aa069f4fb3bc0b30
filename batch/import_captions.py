"""Captions of other captioners enter the manifest, so that people review them here.

They are a machine's: people's words are other columns, and stay. Whose a caption is, is found among
the archive's own photos; no path of a source is ever looked for on the disk. An archive that was
never captioned gets rows for the photos that a source speaks of, and needs no TensorFlow for it.
"""

import os
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from batch.captioned import language_of_record, open_captioned
from batch.config import keep_out_of, shipped
from batch.corpora.records import wrong_caption
from batch.errors import ArchiveError
from batch.imported import Credit, Imported, language_of_words, same_language
from batch.lock import locked
from batch.results import Results
from batch.stored_results import keep_safe
from batch.stores import is_there
from batch.summary import Summary
from batch.taking_in import Photos, Wanted, find_photos, take_in
from manifests.foreign import Columns, Said, Unread
from manifests.foreign_files import ReadXmp, read_captions
from manifests.misread import meant_by, misread
from manifests.path_match import Matcher
from manifests.record import Record

MAX_CAPTION = 10_000  # letters; a spreadsheet's cell holds 32,767
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True)
class Source:
    """Captions to take in, and whose they are."""

    path: str  # a file, or a folder of .txt or .xmp files
    name: str  # of their captioner
    language: str | None = None  # BCP 47; None: as the source tells, or the letters
    columns: Columns = field(default_factory=Columns)
    root: str | None = None  # the folder that the source's paths begin at
    images: str | None = None  # COCO's list of images, for results
    dry_run: bool = False


def import_captions(archive: str | None, out: str, source: Source, read_xmp: ReadXmp) -> Imported:
    """Take in what another captioner wrote; the same again changes nothing.

    archive: the photos' folder; None: that of the manifest in `out`; read_xmp: what reads sidecars.
    Raises ArchiveError where
    names mean nothing or results would land among the photos, ManifestError where a file cannot be
    used, LockedError where another run writes to `out`.
    """
    archive = open_captioned(out).archive if archive is None else archive
    _check(archive, out, source)
    results = Results(out, archive)
    imported = Imported(source.name, str(results.csv), dry_run=source.dry_run)
    said = _read(source, read_xmp, imported)
    if source.dry_run:
        results.claim(moved=False)
        found = find_photos(archive, results.read())
        take_in(found, _match(found, said, source, imported), _credit(source), imported)
        return imported
    with locked(out):
        summary = Summary(archive, str(results.csv), verb="imported")
        results.claim(moved=False)
        with results.noted(summary):
            found = find_photos(archive, results.read())
            wanted = _match(found, said, source, imported)

            def keep(records: Sequence[Record]) -> None:
                results.keep(records)
                keep_safe(out)

            take_in(found, wanted, _credit(source), imported, keep=keep)
            rows = found.settled(imported)
            summary.captioned, summary.photos = imported.captioned, len(rows)
            summary.exit_code = imported.exit_code
            imported.set_aside = summary.set_aside = results.commit(rows)
    return imported


def _credit(source: Source) -> Credit:
    return Credit(source.name, source.path)


def _check(archive: str, out: str, source: Source) -> None:
    if not re.fullmatch(r"[^\s@/\\][^@/\\]{0,63}", source.name) or not source.name.isprintable():
        raise ArchiveError(
            f"NAME={source.name!r} cannot name a captioner; give letters, up to 64, no @ and no /"
        )
    if source.name in shipped():
        raise ArchiveError(f"NAME={source.name!r} is a captioner of this program; give another")
    if source.language is not None and not _LANGUAGE.fullmatch(source.language):
        raise ArchiveError(f"LANGUAGE={source.language!r} is no language; give en, ko or the like")
    if is_there(archive):
        keep_out_of(archive, {"OUT": out})
    elif not os.path.isfile(os.path.join(out, "captions.parquet")):
        raise ArchiveError(f"{archive!r} is not a folder; give DIR= the folder of photos")
    if not os.path.exists(source.path):
        raise ArchiveError(f"there is no {source.path!r}; give FROM= a file or folder of captions")


def _read(source: Source, read_xmp: ReadXmp, imported: Imported) -> list[Said]:
    images = Path(source.images) if source.images else None
    said = []
    for each in read_captions(Path(source.path), source.columns, read_xmp, images):
        if isinstance(each, Unread):
            imported.unread.append(each)
        elif why := _wrong(each):
            imported.unread.append(Unread(each.where, why))
        else:
            said.append(each)
    imported.said = sum(len(each.captions) for each in said)
    return said


def _wrong(said: Said) -> str:
    for caption in said.captions:
        wrong = wrong_caption(caption)
        if wrong:
            return f"has a caption that {wrong}"
        if len(caption) > MAX_CAPTION:
            return f"has a caption of more than {MAX_CAPTION:,} letters"
    known = not said.language or _LANGUAGE.fullmatch(said.language)
    return "" if known else f"has a language that is none: {said.language[:40]}"


def _match(found: Photos, said: Sequence[Said], source: Source, imported: Imported) -> Wanted:
    """Find the photos of each caption; one that has none is noted."""
    places = found.places
    matcher = Matcher(places, found.roots, source.root)
    wanted: Wanted = {}
    matches = matcher.match(said)
    if os.path.isfile(source.path):
        left = [each for each, match in zip(said, matches, strict=True) if match.why]
        _check_letters(Path(source.path), left, {each.photo for each in said}, matcher)
    for each, match in zip(said, matches, strict=True):
        imported.by[match.by] += len(each.captions)
        if match.why:
            imported.leave(each, match.why)
        for at in match.photos:
            _want(wanted, each, found, places[at].raw_path, source.language, imported)
    return wanted


def _check_letters(path: Path, left: Sequence[Said], named: Set[str], matcher: Matcher) -> None:
    """Raise ManifestError where what found no photo is one's path in broken letters.

    A path that is named as it should be as well was broken before, on somebody's disk.
    """
    read = [replace(each, photo=photo) for each in left for photo in meant_by(each.photo)]
    meant = [each for each in read if each.photo not in named]
    for each, match in zip(meant, matcher.match(meant), strict=True):
        if match.photos:
            raise misread(path, f"{each.where} means {each.photo[:200]!r}")


def _want(
    wanted: Wanted, said: Said, found: Photos, raw: bytes, asked: str | None, imported: Imported
) -> None:
    """Note what is said of a photo, under its language."""
    if asked and said.language and not same_language(asked, said.language):
        imported.other_languages += 1
        return
    language = asked or said.language or language_of_words(said.captions[0])
    record = found.rows.get(raw)
    if not asked and record is not None:  # en-GB is what the archive calls en
        known = [language_of_record(record), *(each.language for each in record.languages)]
        language = next((each for each in known if same_language(each, language)), language)
    if not language:
        imported.leave(said, "is in a language that its letters do not tell: give LANGUAGE=")
        return
    wanted.setdefault(raw, {}).setdefault(language, []).append(said)
