"""What a person has typed is set aside before it is replaced."""

import errno
import os
from pathlib import Path

import pytest

from manifests.aside import keep_edits
from manifests.durable import sha256_file
from tests.manifests.examples import names


@pytest.fixture
def edited(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_bytes(b"edited")
    return path


@pytest.fixture(params=["hard links", "no hard links"])
def links(request, monkeypatch):
    """Run a test on a file system with hard links, and on one without, as FAT is."""

    def refuse(self, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    if request.param == "no hard links":
        monkeypatch.setattr(Path, "hardlink_to", refuse)


def test_nothing_to_keep_where_there_is_no_file(tmp_path):
    assert keep_edits(tmp_path / "captions.csv", known=(None,)) is None
    assert names(tmp_path) == []


def test_a_file_we_know_is_not_kept(edited):
    assert keep_edits(edited, known=("0" * 64, sha256_file(edited))) is None
    assert names(edited.parent) == ["captions.csv"]


def test_an_edited_file_is_kept_and_stays_where_it_is(edited, links):
    assert keep_edits(edited, known=(None,)) == "captions.edited-1.csv"
    assert edited.read_bytes() == b"edited"
    assert edited.with_name("captions.edited-1.csv").read_bytes() == b"edited"
    assert len(names(edited.parent)) == 2


def test_a_name_that_is_taken_is_never_overwritten(edited, links):
    edited.with_name("captions.edited-1.csv").write_bytes(b"edited before")
    edited.with_name("captions.edited-2.csv").mkdir()
    edited.with_name("captions.edited-3.csv").symlink_to("nowhere")
    assert keep_edits(edited, known=()) == "captions.edited-4.csv"
    assert edited.with_name("captions.edited-1.csv").read_bytes() == b"edited before"
    assert edited.with_name("captions.edited-3.csv").is_symlink()


def test_a_name_taken_at_the_last_moment_is_passed_over(edited, monkeypatch):
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    edited.with_name("captions.edited-1.csv").write_bytes(b"just now")
    assert keep_edits(edited, known=()) == "captions.edited-2.csv"
    assert edited.with_name("captions.edited-1.csv").read_bytes() == b"just now"


def test_the_same_edit_is_kept_once(edited, links):
    keep_edits(edited, known=())
    assert keep_edits(edited, known=()) == "captions.edited-1.csv"
    assert len(names(edited.parent)) == 2


def test_what_is_typed_after_the_look_is_kept_too(edited):
    name = keep_edits(edited, known=())
    edited.write_bytes(b"edited once more")
    assert edited.with_name(name).read_bytes() == b"edited once more"
