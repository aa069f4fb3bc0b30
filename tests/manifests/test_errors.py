"""What can be wrong with a manifest."""

import pickle
from pathlib import Path

from manifests.errors import ManifestError

ERROR = ManifestError(Path("out/manifest.parquet"), "it is damaged", "Put back a copy")


def test_the_message_names_the_file_the_problem_and_the_remedy():
    assert str(ERROR) == "out/manifest.parquet: it is damaged. Put back a copy."


def test_an_error_survives_the_way_between_processes():
    assert str(pickle.loads(pickle.dumps(ERROR))) == str(ERROR)
