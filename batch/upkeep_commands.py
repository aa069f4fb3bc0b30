"""The commands that look after what was written: from arguments to what is printed."""

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from batch.config import CAPTIONER, Config, captioner_folders
from batch.summary import COMPLETE, FATAL
from batch.text import printable
from batch.whereabouts import out_of, results_of

if TYPE_CHECKING:
    from batch.findings import Findings
    from batch.verify import Place


def verify(options: argparse.Namespace) -> int:
    """Check every file that was written, and that each photo is accounted for."""
    from batch.verify import Place
    from batch.verify import verify as look

    named = captioner_folders(options.captioner) if options.captioner else ()
    place = Place(results_of(options), options.features, options.archive, tuple(named))
    found = _repair(place, options) if options.repair else look(place, deep=options.deep)
    for note in found.notes:
        print(printable(note))
    for broken in found.broken:
        print(printable(str(broken)), file=sys.stderr)
    print(printable(str(found)))
    return FATAL if found.broken else COMPLETE


def _repair(place: "Place", options: argparse.Namespace) -> "Findings":
    """Mend what is broken, and caption the archive again where rows were lost."""
    from batch.pipeline import run
    from batch.repair import repair

    def caption(archive: str) -> None:
        captioner, *others = captioner_folders(options.captioner or CAPTIONER)
        asked = Config(archive, place.out, place.features, captioner, tuple(others))
        asked = replace(asked, include=tuple(options.include), exclude=tuple(options.exclude))
        print(printable(str(run(asked))))

    return repair(place, lambda line: print(printable(line)), caption, deep=options.deep)


def prune(options: argparse.Namespace) -> int:
    """Remove cached features that no manifest needs; without --yes only tell of them."""
    from batch.prune import Asked
    from batch.prune import prune as remove

    out = out_of(options)
    named = [out] if out else []
    asked = Asked(options.features, named, options.other_encoders, options.yes)
    print(printable(remove(asked, lambda line: print(printable(line)))))
    return COMPLETE
