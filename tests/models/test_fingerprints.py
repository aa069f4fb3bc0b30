"""Fingerprints without the seconds that Keras takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import CheckpointError
from models.fingerprints import (
    attends,
    captioner_fingerprint,
    captioner_signature,
    encoder_fingerprint,
    weights_fingerprint,
)


def captioner(folder: Path, **config: object) -> str:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(folder)


def test_no_network_is_imported():
    program = "import sys, models.fingerprints; print({'keras', 'tensorflow'} & sys.modules.keys())"
    home = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", program], cwd=home, capture_output=True, text=True)
    assert run.stdout == "set()\n"


def test_the_encoder_is_the_one_that_the_configuration_names(tmp_path):
    (tmp_path / "encoder.weights.h5").write_bytes(b"own")
    (tmp_path / "shared.h5").write_bytes(b"shared")
    own = weights_fingerprint(str(tmp_path / "encoder.weights.h5"))
    assert encoder_fingerprint(captioner(tmp_path)) == own
    shared = weights_fingerprint(str(tmp_path / "shared.h5"))
    assert encoder_fingerprint(captioner(tmp_path, encoder="shared.h5")) == shared
    imagenet = weights_fingerprint("imagenet")
    assert encoder_fingerprint(captioner(tmp_path, encoder="imagenet")) == imagenet
    assert len({own, shared, imagenet}) == 3


def test_a_captioner_is_named_and_told_apart_by_its_files(tmp_path):
    (tmp_path / "encoder.weights.h5").write_bytes(b"own")
    before = captioner_signature(captioner(tmp_path, name="tiny"))
    assert before == f"tiny@{captioner_fingerprint(str(tmp_path))}"
    (tmp_path / "vocabulary.txt").write_text("dog\n")
    after = captioner_signature(str(tmp_path))
    assert after.startswith("tiny@")
    assert after != before


def test_captioners_that_see_a_photo_as_one_vector_do_not_attend(tmp_path):
    assert attends(captioner(tmp_path))
    assert attends(captioner(tmp_path, architecture="tutorial"))
    assert not attends(captioner(tmp_path, architecture="merge"))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"encoder": 3}', "\ud800"])
def test_a_damaged_configuration_is_told_with_what_to_do(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(CheckpointError, match=r"config\.json.*copy the file again"):
        encoder_fingerprint(str(tmp_path))


def test_a_folder_of_something_else_and_an_encoder_that_is_gone_are_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"is .* a captioner's folder"):
        encoder_fingerprint(str(tmp_path))
    with pytest.raises(CheckpointError, match="put it back"):
        encoder_fingerprint(captioner(tmp_path, encoder="gone.h5"))
