"""A file whose letters a program has broken is refused whole: none of it is a person's words."""

import pytest

from batch.merge_review import merge_review
from batch.pipeline import run
from manifests.errors import ManifestError
from tests.batch.archives import state_of
from tests.batch.reviewers import Sheet

WORDS = "두 소녀가 \u2013 café"


def opened_as(path, encoding):
    """Let a program open a file in an encoding, and save it as UTF-8, both without a mark."""
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if encoding == "LibreOffice":  # it has letters of its own for what Windows-1252 has none for
        shown = {byte: bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xA0)}
        shown = {byte: letter or chr(0xF100 + byte) for byte, letter in shown.items()}
        text = data.decode("latin-1").translate(shown)
    else:
        text = data.decode(encoding, "replace")
    path.write_text(text, encoding="utf-8", newline="")
    return path


def refused(album, path):
    before = {name: state for name, state in state_of(album.out).items() if "lock" not in name}
    with pytest.raises(ManifestError) as raised:
        merge_review(str(album.out), str(path))
    after = {name: state for name, state in state_of(album.out).items() if "lock" not in name}
    assert after == before
    assert raised.value.path == path
    assert "UTF-8" in raised.value.remedy
    return raised.value.problem


WAYS = ["latin-1", "LibreOffice", "mac_roman", "cp949"]


@pytest.mark.parametrize("encoding", WAYS)
def test_a_path_that_is_the_archives_in_broken_letters(album, encoding):
    sheet = Sheet(album).write("a.png", caption="my words")
    assert "as its path" in refused(album, opened_as(sheet.save(), encoding))
    sheet.drop("photo_id", "base")
    if encoding != "cp949":  # there the row is found no more, and reported
        assert "as its path" in refused(album, opened_as(sheet.save(), encoding))


@pytest.mark.parametrize("encoding", WAYS)
@pytest.mark.parametrize("lost", ["path", "path base", "path machine"])
def test_words_that_stand_here_in_broken_letters(album, encoding, lost):
    sheet = Sheet(album).write("a.png", caption="바닷가의 개 \u2013 café")
    sheet.bring_back()
    path = Sheet(album).drop(*lost.split()).save()
    assert "as its caption" in refused(album, opened_as(path, encoding))


def test_two_letters_are_told_by_what_stands_here(album):
    Sheet(album).write("a.png", caption="a café").bring_back()
    for lost in ("path", "path base"):
        path = Sheet(album).drop(*lost.split()).save()
        assert "'a cafÃ©' as its caption" in refused(album, opened_as(path, "latin-1"))


@pytest.mark.parametrize("encoding", WAYS[:3])
def test_words_that_nobody_has_seen_yet(album, encoding):
    sheet = Sheet(album).write("a.png", caption=WORDS)
    sheet.cells = [row for row in sheet.cells if row["path"] == "a.png"]
    assert "as its caption" in refused(album, opened_as(sheet.save(), encoding))


def test_captions_csv_too_with_its_mark_and_without(album):
    path = album.out / "captions.csv"
    broken = path.read_bytes().decode("latin-1")
    for text in (broken, broken.removeprefix("ï»¿")):
        other = album.out.parent / "view2.csv"
        other.write_text(text, encoding="utf-8", newline="")
        assert refused(album, other)


def test_a_name_that_is_broken_on_the_disk_is_no_broken_file(album):
    name = "바다.png".encode().decode("latin-1")
    album.draw(name, seed=50)
    run(album.config())
    sheet = Sheet(album).write(name, caption="my words")
    typed = {"a.png": "\u201ca dog\u2019s café\u201d", "c.png": "un café\u00a0\u2013 la rue"}
    for path, words in typed.items():
        sheet.write(path, caption=words)
    sheet.bring_back()
    said = {path: record.review.caption for path, record in album.records.items()}
    assert said == said | typed | {name: "my words"}


def test_words_that_came_broken_may_be_edited(album, stub_captioner):
    stub_captioner.accent = " in a dogâ€™s bed"
    run(album.config(overwrite=True))
    words = "a cat in a dogâ€™s bed"
    Sheet(album).write("a.png", caption=words).bring_back()
    assert album.records["a.png"].review.caption == words


def test_a_sheet_of_before_may_hold_what_the_machine_said_in_broken_letters(album, stub_captioner):
    stub_captioner.accent = " in a dogâ€™s bed"
    run(album.config(overwrite=True))
    old = Sheet(album).write("a.png", caption="my words")
    stub_captioner.accent = " asleep"
    run(album.config(overwrite=True))
    old.bring_back()
    assert album.records["a.png"].review.caption == "my words"
