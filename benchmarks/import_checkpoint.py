"""Seconds that a full-size checkpoint of TensorFlow's captioning tutorial takes to import.

python -m benchmarks.import_checkpoint

The checkpoint is written here, with random weights, in the tutorial's layout and usual sizes: 5,001
rows, 256 and 512 units, 30,000 captions. Prints what the command says and the seconds of the whole
command, TensorFlow's start-up included.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS, EMBEDDING, UNITS, CAPTIONS, WORDS = 5_001, 256, 512, 30_000, 6_000


def main() -> None:
    """Write a checkpoint, import it three times."""
    from tests.models.tutorial import Tutorial, said_captions

    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, "train")
        captions = said_captions(CAPTIONS, WORDS)
        Tutorial.draw(captions, ROWS, EMBEDDING, UNITS).save(folder)
        for number in range(3):
            out = f"{work}/captioner{number}"
            command = [
                sys.executable,
                "-m",
                "batch",
                "import-checkpoint",
                "--out",
                out,
                str(folder),
            ]
            start = time.monotonic()
            subprocess.run(command, check=True)
            print(f"{time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
