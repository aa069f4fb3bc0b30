"""Which results a command is about: those of a folder of photos, of OUT, or of a person's file."""

import argparse
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from batch.config import OUTPUTS, captioner_folder, default_out
from batch.errors import ArchiveError

if TYPE_CHECKING:
    from batch.captioned import Captioned


def captioners_of(found: "Captioned") -> list[str]:
    """Give the folders of the captioners that wrote an archive's captions, as far as they ship."""
    names = [record.captioner or "" for record in found.records]
    names += [each.captioner for record in found.records for each in record.languages]
    folders = (captioner_folder(name.rpartition("@")[0]) for name in dict.fromkeys(names))
    return [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]


def found_by(options: argparse.Namespace) -> "Captioned":
    """Read the results that a command is about; raises as `open_captioned`."""
    from batch.captioned import open_captioned

    return open_captioned(results_of(options))


def out_of(options: argparse.Namespace) -> str | None:
    """Give the folder of the results: OUT, or that of the archive DIR or of the list URLS."""
    if options.out:
        return str(options.out)
    if getattr(options, "urls", None):
        return default_out(options.urls, is_list=True)
    return default_out(options.archive) if options.archive else None


def results_of(options: argparse.Namespace) -> str:
    """Give the folder of the results; raises ArchiveError where neither is named."""
    out = out_of(options)
    if out is None:
        raise ArchiveError("give DIR= the folder of photos, or OUT= the folder of its results")
    return out


def results_of_file(file: str) -> str:
    """Find the results that a person's file is of: those that know most of its photos.

    Raises ArchiveError where none does, or several know as many.
    """
    from manifests.corrections import read_corrections
    from manifests.errors import ManifestError
    from manifests.manifest import read_names

    cells = [each.cells for each in read_corrections(Path(file))]
    named = {each.get(name, "").strip() for each in cells for name in ("photo_id", "path")} - {""}
    known: dict[str, int] = {}
    for path in sorted(Path(OUTPUTS).glob("*/captions.parquet")):
        with suppress(ManifestError, OSError):  # another archive's need not be whole
            known[str(path.parent)] = len(named & read_names(path))
    best = max(known.values(), default=0)
    found = [out for out, photos in known.items() if photos and photos == best]
    if len(found) != 1:
        which = " and ".join(found) if found else f"none of {OUTPUTS}/*"
        has = "have" if found[1:] else "has"
        raise ArchiveError(
            f"{which} {has} the photos of {file}; give OUT= the folder of its results"
        )
    return found[0]
