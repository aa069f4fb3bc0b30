"""Keep TensorFlow's greetings off the terminal."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from batch.device import cores, has_share
from batch.memory import FOR_SEARCHES, keep_memory

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its errors reach us as exceptions too
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def start_tensorflow() -> None:
    """Import TensorFlow and let it look at the machine, which takes seconds; without a word.

    From then on the process keeps memory that it has done with, for the next search.
    Where others like this process share the cores, it has as many threads as its share.
    """
    keep_memory(FOR_SEARCHES)
    with quiet():
        import tensorflow as tf

        if has_share():
            tf.config.threading.set_intra_op_parallelism_threads(cores())
            tf.config.threading.set_inter_op_parallelism_threads(cores())
        tf.zeros(1)


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to stderr, by C++ code too; show it if the block fails.

    TensorFlow says a few lines about the processor that no setting turns off.
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
