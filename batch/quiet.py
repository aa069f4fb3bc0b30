"""Keep the chatter of libraries off the terminal while they start."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to stderr, by C++ code too; show it if the block fails.

    TensorFlow greets every start with lines about processors that no setting turns off.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            said.seek(0)
            with open(os.dup(2), "wb") as stderr:
                shutil.copyfileobj(said, stderr)
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
