"""Captions into the photos; what is known of the photos follows them to their new bytes."""

from pathlib import Path

from batch.captioned import open_captioned
from batch.config import refuse_store
from batch.embed import embed_captions
from batch.embedded import follow_embedded, noting
from batch.results import reopened
from batch.sidecar_report import SidecarReport


def embed(
    out: str, features: str, *, include_machine: bool = False, replaces: bool = False
) -> SidecarReport:
    """Write what people have said of photos into the photos; their reviews and features stay.

    features: the root of the caches. Raises the errors of `batch.embed.embed_captions`,
    ManifestError and LockedError.
    """
    with reopened(out) as (results, _):
        refuse_store(results.archive, "TO=xmp INTO= writes sidecars to a folder")
        try:
            with noting(Path(out), features) as note:
                found = open_captioned(out)
                return embed_captions(
                    found, note, include_machine=include_machine, replaces=replaces
                )
        finally:
            follow_embedded(results)
