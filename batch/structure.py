"""The layers of a captioner's decoder: a table to print and a picture."""

import os
import shutil
import sys
from pathlib import Path

import keras

from batch.errors import ArchiveError
from batch.figures import check_png
from manifests.durable import atomic_write
from models.captioner import CaptionerConfig
from models.errors import MissingExtraError
from models.structure import POST_2017, POST_2017_LENGTH, merge_model, structure_of

_WIDTH = "112"  # letters of a line of the table
_DPI = 72


def draw_structure(captioner_folder: str | None, out: str) -> str:
    """Draw a captioner's decoder as the PNG `out`; return its layers as a table.

    Without a captioner, the merge model in the sizes of the 2017 post. Raises CheckpointError where
    there is no captioner in the folder, ArchiveError without Graphviz, MissingExtraError without
    pydot.
    """
    check_png(out)
    model = _model(captioner_folder)
    picture = _picture(model)
    os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
    with atomic_write(Path(out)) as file:
        file.write(picture)
    return summary_of(model)


def _model(folder: str | None) -> keras.Model:
    if folder is None:
        return merge_model(POST_2017, POST_2017_LENGTH)
    return structure_of(CaptionerConfig.read(folder))


def summary_of(model: keras.Model) -> str:
    """Write a model's layers, their shapes and parameters as Keras does."""
    if not sys.stdout.isatty():  # a file has no width: Keras would cut the table off at 80
        os.environ.setdefault("COLUMNS", _WIDTH)
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    return "\n".join(lines).rstrip()


def _picture(model: keras.Model) -> bytes:
    if shutil.which("dot") is None:
        raise ArchiveError("pictures of models need Graphviz; run `apt install graphviz`")
    try:
        # Graphviz 2.43 can die of orthogonal lines, Keras' default ("Trapezoid-table overflow").
        dot = keras.utils.model_to_dot(
            model, show_shapes=True, show_layer_names=True, dpi=_DPI, splines="spline"
        )
    except ImportError as error:
        remedy = ".venv/bin/pip install -r requirements-train.txt"
        raise MissingExtraError("pictures of models", "pydot", remedy) from error
    return bytes(dot.create(format="png"))
