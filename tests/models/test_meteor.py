"""METEOR agrees with pycocoevalcap, and is left out, with the reason, where it can't run."""

import logging
import os
import shutil
from importlib.util import find_spec

import pytest

import models.meteor
from models.meteor import meteor

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed")
needs_pycocoevalcap = pytest.mark.skipif(
    find_spec("pycocoevalcap") is None, reason="pycocoevalcap is not installed"
)

TWO = {"1": "a dog runs on grass", "2": "two children climb the stairs"}
TWO_REFERENCES = {photo: [caption] for photo, caption in TWO.items()}


@pytest.mark.slow
@needs_java
@needs_pycocoevalcap
def test_meteor_equals_that_of_pycocoevalcap():
    from pycocoevalcap.meteor.meteor import Meteor

    candidates = TWO | {"3": ""}
    references = {
        "1": ["a brown dog is running", "the dogs run on green grass"],
        "2": ["kids climbing stairs"],
        "3": ["a man", "a person sits", "the man is sitting"],
    }
    their, _ = Meteor().compute_score(references, {p: [c] for p, c in candidates.items()})
    assert meteor(candidates, references) == pytest.approx(their, rel=1e-9)


def test_meteor_is_none_and_says_why_without_java(monkeypatch, caplog):
    monkeypatch.setenv("PATH", "")
    assert meteor(TWO, TWO_REFERENCES) is None
    assert "Java" in caplog.text


def test_meteor_is_none_and_says_why_without_pycocoevalcap(monkeypatch, caplog):
    monkeypatch.setattr(models.meteor, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert meteor(TWO, TWO_REFERENCES) is None
    assert "pycocoevalcap" in caplog.text


@needs_pycocoevalcap
@pytest.mark.skipif(os.name == "nt", reason="the Java put in place is a shell script")
@pytest.mark.parametrize("behaviour", ["exec sleep 60", "exit 1", "echo no number"])
def test_meteor_is_none_where_java_hangs_or_fails(behaviour, tmp_path, monkeypatch, caplog):
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\n{behaviour}\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(models.meteor, "METEOR_SECONDS", 0.5)
    with caplog.at_level(logging.WARNING):
        assert meteor(TWO, TWO_REFERENCES) is None
    assert "no METEOR score" in caplog.text


def test_a_photo_without_references_is_refused():
    with pytest.raises(ValueError, match=r"1 .* no references.* '2'"):
        meteor(TWO, {"1": ["a dog"], "2": []})
