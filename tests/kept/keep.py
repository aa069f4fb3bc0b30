"""Write what this version leaves on a disk, small, to be read by every later one.

python -m tests.kept.keep /archive; mv /archive tests/kept/0.5.0

Run it once for each release, and never change what it has written: a later version that cannot read
it needs a migration.
"""

import json
import shutil
import sys
from pathlib import Path

import batch.caption
from batch.photos import load
from batch.pipeline import run
from batch.scan import Photo
from tests.batch.archives import Archive, FakeEncoder, save_captioner
from tests.batch.reviewers import Sheet

PHOTOS = Path(__file__).parent / "photos"


class ChoosyHead:
    """Takes c.png for no scene."""

    @classmethod
    def load(cls, *_: object) -> "ChoosyHead":
        """Stand in for SceneHead.load."""
        return cls()

    def shown_in(self, grid: object) -> bool:
        """Tell c.png by its features."""
        pixels = load(Photo(str(PHOTOS), "c.png", 0, 0)).pixels
        return bool((FakeEncoder().predict_on_batch(pixels[None])[0] != grid).any())


def keep(home: Path) -> None:
    """Caption four photos in two languages, and review two."""
    home.mkdir()
    archive = Archive(home / "photos", home / "out", home / "features", save_captioner(home / "en"))
    shutil.copytree(PHOTOS, archive.root, dirs_exist_ok=True)
    korean = Path(shutil.copytree(home / "en", home / "ko"))
    config = json.loads((korean / "config.json").read_text()) | {
        "name": "tiny-ko",
        "language": "ko",
    }
    (korean / "config.json").write_text(json.dumps(config))
    run(archive.config(others=(str(korean),)))
    sheet = Sheet(archive).write("a.png", caption="a person's words", reviewer="Kim")
    sheet.write("b/바다.png", review_status="approved").bring_back()
    Sheet(archive, "later.csv").write("b/바다.png", caption="the sea").save()
    for left in (archive.root, korean, home / "review.csv"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    (archive.out / ".lock").unlink()


def main() -> None:
    """Keep this version's files in the folder that is named."""
    batch.caption.load_encoder = lambda folder, bfloat16: FakeEncoder()
    batch.caption.has_bfloat16 = lambda: False
    batch.caption.SceneHead = ChoosyHead
    keep(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
