"""The gallery's pictures: one small JPEG a photo, made once, kept by the photo's identity."""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from joblib import Parallel, delayed
from tqdm import tqdm

from batch.captioned import Captioned
from batch.damage import PhotoError
from batch.encode import FETCHING, THREADS
from batch.pages import PICTURE
from batch.stores import is_url
from manifests.durable import atomic_write, remove_leftovers
from manifests.gallery import picture_name
from manifests.record import Record, Status

_IDENTITY: Final = re.compile(r"[0-9a-f]{64}")  # nothing else becomes a file's name
_TO_PICTURE: Final = frozenset({Status.CAPTIONED, Status.NOT_A_SCENE, Status.MISSING})
_A_DAY: Final = 86_400.0  # seconds


def make_pictures(found: Captioned, photo_ids: Iterable[str], home: Path) -> dict[str, str]:
    """Make the pictures that are not there yet; tell of which photos there is none, and why.

    Those of other photos are removed. A picture that is there stays when its photo can't be
    reached any more.
    """
    wanted = set(photo_ids)
    remove_pictures(home, wanted)
    copies = _copies(found.records, wanted)
    new = [photo_id for photo_id in copies if not (home / picture_name(photo_id)).exists()]
    problems = dict.fromkeys(wanted - copies.keys(), "has no identity that is known: run again")
    threads = FETCHING if is_url(found.archive) else THREADS
    with Parallel(n_jobs=threads, prefer="threads", return_as="generator") as parallel:
        made = parallel(delayed(_make)(found, copies[photo_id], home) for photo_id in new)
        bar = tqdm(made, desc="pictures", unit="photo", total=len(new), disable=None)
        problems |= {photo_id: why for photo_id, why in zip(new, bar, strict=True) if why}
    return problems


def remove_pictures(home: Path, but_of: Collection[str]) -> None:
    """Remove the pictures of all photos but some, and what killed runs left behind."""
    for folder in (home / "thumbs").glob("??"):
        remove_leftovers(folder, older_than=_A_DAY)
        for picture in folder.glob("*.jpg"):
            if picture.stem not in but_of:
                picture.unlink(missing_ok=True)


def _copies(records: Sequence[Record], wanted: Collection[str]) -> Mapping[str, list[Record]]:
    """Give the rows of each photo, in their order: copies have the same picture."""
    copies: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        photo_id = record.photo_id or ""
        if photo_id in wanted and _IDENTITY.fullmatch(photo_id):
            copies[photo_id].append(record)
    return copies


def _make(found: Captioned, copies: Sequence[Record], home: Path) -> str:
    """Make a photo's picture from the first copy that can be read; say why where none can."""
    problems = []
    for record in copies:
        if record.status not in _TO_PICTURE:  # what failed once is not read again
            problems.append(record.error or str(record.status))
            continue
        try:
            _keep(home / picture_name(record.photo_id or ""), found.picture(record, PICTURE))
            return ""
        except PhotoError as error:
            problems.append(str(error))
    return problems[0]


def _keep(path: Path, picture: bytes) -> None:
    os.makedirs(path.parent, exist_ok=True)
    with atomic_write(path) as file:
        file.write(picture)
