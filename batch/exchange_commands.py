"""The commands that bring captions out to other programs, and in from others."""

import argparse
import sys

from batch.errors import ArchiveError
from batch.lock import locked
from batch.text import printable
from batch.whereabouts import found_by, results_of

NOTES_SHOWN = 20  # photos that need a look


def export(options: argparse.Namespace) -> int:
    """Bring captions to where other programs look: sidecars, photos, files for trainers."""
    from batch.export import TARGETS

    if options.to in ("xmp", "iptc"):
        return _export_xmp(options)
    if options.to not in TARGETS:
        known = ", ".join(("xmp", "iptc", *TARGETS))
        raise ArchiveError(f"TO={options.to!r} is unknown; give one of {known}")
    from batch.export import Export, export_captions

    asked = Export(
        options.to, options.into, options.beside, options.machine, options.language or None
    )
    found = found_by(options)
    with locked(found.out):
        done = export_captions(found, asked)
    for line in done.told():
        print(line, file=sys.stderr)
    print(done)
    return done.exit_code


def _export_xmp(options: argparse.Namespace) -> int:
    """Write sidecars, or with --embed into the photos themselves, which alone holds IPTC."""
    if options.embed or options.to == "iptc":
        if not options.embed:
            raise ArchiveError(
                "IPTC fields are inside the photos: give EMBED=1 to have the photos themselves "
                "changed, or TO=xmp for sidecars, which have the same fields"
            )
        from batch.embedding import embed

        done = embed(
            results_of(options),
            options.features,
            include_machine=options.machine,
            replaces=options.replace,
        )
    else:
        from batch.sidecar_places import Naming
        from batch.sidecars import export_sidecars

        found = found_by(options)
        with locked(found.out):
            done = export_sidecars(
                found,
                Naming(options.naming),
                include_machine=options.machine,
                replaces=options.replace,
                to=options.into,
            )
    for path, what in done.notes[:NOTES_SHOWN]:
        print(printable(f"{path}: {what}"), file=sys.stderr)
    print(printable(str(done)))
    return done.exit_code


def import_captions(options: argparse.Namespace) -> int:
    """Take in what another captioner wrote, as a machine's captions, to be reviewed here."""
    from batch.import_captions import Source
    from batch.import_captions import import_captions as take_in
    from manifests.foreign import Columns
    from manifests.sidecar import read_xmp

    source = Source(
        options.source,
        options.name,
        options.language or None,
        Columns(options.path_column, options.caption_column),
        options.root,
        options.images,
        options.dry_run,
    )
    out = results_of(options)
    done = take_in(options.archive, out, source, lambda data: read_xmp(data).captions)
    for line in done.told():
        print(line, file=sys.stderr)
    print(done)
    return done.exit_code
