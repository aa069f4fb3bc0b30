"""Look at the captioners: those that ship are whole, and those that wrote the rows are known."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from batch.config import PRETRAINED, setting_of, shipped
from batch.errors import ArchiveError
from batch.findings import Findings, Kind
from manifests.durable import sha256_file
from manifests.record import Record
from models.errors import CheckpointError
from models.fingerprints import captioner_signature

SUMS = "SHA256SUMS"  # beside the captioners that ship, as `sha256sum` writes it
_MADE = [os.path.join("models", name) for name in ("trained", "imported")]
_REMEDY = "Take the project's folder models/pretrained again from where it came from"


def check_captioners(records: Iterable[Record], named: Iterable[str], findings: Findings) -> None:
    """Check the captioners that ship, and whether each row's is one of those, or `named`."""
    for line in Path(PRETRAINED, SUMS).read_text(encoding="ascii").splitlines():
        expected, _, name = line.partition("  ")
        path = Path(PRETRAINED, name)
        if not path.is_file():
            findings.tell(Kind.CAPTIONER, path, "it is not there", _REMEDY)
            continue
        with findings.looking(Kind.CAPTIONER, path, _REMEDY):
            findings.count(path.stat().st_size)
            if sha256_file(path) != expected:
                raise ValueError("it is not the file that shipped")
    wrote = Counter(name for record in records for name in _writers(record))
    names = {signature.rpartition("@")[0] for signature in wrote}
    here = {folder for folder in {*captioners_here(), *named} if _name(folder) in names}
    known = {*map(_signature, here)}
    for name in sorted(wrote.keys() - known):
        text = f"captions are of {name}, of which there is no captioner here any more, or by now"
        findings.note(wrote[name], text)


def captioners_here() -> list[str]:
    """Give the folders of the captioners that ship, and of those that were trained or imported."""
    folders = [os.path.join(PRETRAINED, name) for name in shipped()]
    for made in filter(os.path.isdir, _MADE):
        folders += [os.path.join(made, name) for name in sorted(os.listdir(made))]
    return [folder for folder in folders if os.path.isfile(os.path.join(folder, "config.json"))]


def _name(folder: str) -> str:
    try:
        return setting_of(folder, "name")
    except ArchiveError:
        return ""


def _signature(folder: str) -> str:
    try:
        return captioner_signature(folder)
    except (CheckpointError, OSError):
        return ""


def _writers(record: Record) -> set[str]:
    said = {record.captioner, *(each.captioner for each in record.languages)}
    return {name for name in said if name and "@" in name}  # others were taken in from elsewhere
