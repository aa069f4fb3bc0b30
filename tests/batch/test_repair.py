"""Repair makes anew what was broken: the bytes of an undisturbed run, and all that people said."""

import errno
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from batch.__main__ import main
from batch.errors import ArchiveError
from batch.findings import Kind
from batch.lock import locked
from batch.pipeline import run
from batch.repair import repair
from batch.results import Results
from batch.verify import Place, verify
from manifests.journal import Journal
from manifests.manifest import read_records
from manifests.record import Record
from tests.batch.archives import Archive, draw, state_of
from tests.batch.reviewers import Sheet

pytestmark = pytest.mark.usefixtures("few_captioners")

WORDS = {"a.png": "one dog", "b/a.png": 'two, "dogs"', "c.png": "three dogs\n개"}


@pytest.fixture
def said(album):
    """Let people say something in two merges, and undo a third."""
    Sheet(album).write("a.png", caption=WORDS["a.png"], reviewer="Kim").bring_back()
    sheet = Sheet(album)
    sheet.write("b/a.png", caption=WORDS["b/a.png"]).write("c.png", caption=WORDS["c.png"])
    sheet.bring_back()
    Sheet(album).write("b/바다.png", caption="a mistake").bring_back()
    assert main(["undo-merge", "--out", str(album.out)]) == 0
    run(album.config())
    return album


def place_of(album: Archive) -> Place:
    return Place(str(album.out), str(album.features), captioners=(album.captioner,))


def mend(album: Archive) -> list[str]:
    """Repair, and give what was told; all is to be well then."""
    told: list[str] = []
    found = repair(place_of(album), told.append, lambda archive: run(album.config()) and None)
    assert found.broken == [], told
    return told


def human(album: Archive) -> dict[str, str | None]:
    return {path: row.review.caption for path, row in album.records.items() if row.reviews}


def flips(path: Path, count: int, seed: int = 3) -> Iterator[bytes]:
    """Give a file's bytes with one bit flipped: in all regions, and most of all in the footer."""
    data = path.read_bytes()
    random = np.random.default_rng(seed)
    ends = [len(data) - 1 - at for at in range(0, min(len(data), 3 * count), 6)]
    for place in {0, *random.integers(0, len(data), count).tolist(), *ends}:
        bad = bytearray(data)
        bad[place] ^= 1 << int(random.integers(8))
        yield bytes(bad)


FILES = {
    "manifest": "captions.parquet",
    "copy": ".captions-copy.parquet",
    "note": "last_run.json",
    "journal": "reviews/000001-*.jsonl",
    "undo": "reviews/000004-*.jsonl",
}


@pytest.mark.fault
@pytest.mark.parametrize("pattern", FILES.values(), ids=FILES)
def test_a_flipped_bit_anywhere_is_found_and_the_bytes_come_back(said, pattern):
    (path,) = said.out.glob(pattern)
    before, data = said.results, path.read_bytes()
    place = place_of(said)
    cases = 0
    for number, bad in enumerate(flips(path, 40)):
        path.write_bytes(bad)
        found = {broken.path for broken in verify(place).broken}
        harmless = pattern == "last_run.json" and is_the_same_but_for_its_seal(path, data)
        assert path in found or harmless, bad
        if number % 8 == 0:
            mend(said)
            assert said.results == before
            assert human(said) == WORDS
        elif path.name != "last_run.json":
            path.write_bytes(data)
        path.write_bytes(data)
        cases += 1
    assert cases >= 40
    assert verify(place).broken == []


def is_the_same_but_for_its_seal(path: Path, data: bytes) -> bool:
    """Tell whether the flip was in the name of the seal: it is then one of an older version."""
    changed = [
        at for at, (one, two) in enumerate(zip(path.read_bytes(), data, strict=True)) if one != two
    ]
    return data.index(b"sha256_of_the_rest") - 1 <= changed[0] < data.index(b"sha256_of") + 19


@pytest.mark.fault
def test_a_flipped_bit_in_features_is_found_and_they_are_encoded_again(said, fake_encoder):
    (shard,) = said.features.rglob("*.parquet")
    before, data = said.results, shard.read_bytes()
    for bad in flips(shard, 60):
        shard.write_bytes(bad)
        assert [broken.path for broken in verify(place_of(said)).broken] == [shard]
    mend(said)
    assert shard.with_name(f"{shard.name}.damaged").exists()
    run(said.config(overwrite=True))
    assert shard.read_bytes() == data
    assert said.results == before


@pytest.mark.fault
def test_a_flipped_bit_in_the_rows_of_an_unfinished_run_costs_that_shard_alone(said, monkeypatch):
    draw(said.root / "new.png", 50)
    whole = said.out.with_name("whole")
    shutil.copytree(said.out, whole)
    run(said.config())
    undisturbed = said.results
    shutil.rmtree(said.out)
    whole.rename(said.out)
    with monkeypatch.context() as killed:
        killed.setattr(Results, "commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(said.config())
    (part,) = (said.out / ".parts").rglob("*.parquet")
    rows, data = read_records(part), part.read_bytes()
    for bad in flips(part, 60):
        part.write_bytes(bad)
        found = [broken.path for broken in verify(place_of(said)).broken]
        assert found == [part] or read_records(part) == rows
    part.write_bytes(data[:-40])
    mend(said)
    assert said.results == undisturbed


@pytest.mark.fault
def test_a_flipped_bit_in_the_spreadsheet_is_told_and_nothing_of_it_is_lost(said):
    path = said.out / "captions.csv"
    before, data = said.results, path.read_bytes()
    for bad in flips(path, 60):
        path.write_bytes(bad)
        found = verify(place_of(said))
        assert found.broken or "it was edited" in found.notes[0]
    path.write_bytes(data[:300] + b"\xff\0" + data[302:])
    mend(said)
    assert said.results == before
    assert (said.out / ".damaged" / "captions.csv").exists()


@pytest.mark.parametrize("name", ["captions.csv", "captions.parquet", ".captions-copy.parquet"])
@pytest.mark.parametrize("damage", [None, b"", b"PAR1", b"\0" * 5000])
def test_a_lost_file_comes_back(said, name, damage):
    path = said.out / name
    before = said.results
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    mend(said)
    assert said.results == before
    assert human(said) == WORDS
    run(said.config())
    assert said.results == before


def test_without_a_copy_the_rows_are_made_anew_and_people_keep_their_words(said):
    before = said.results
    view = (said.out / "captions.csv").read_bytes()
    (said.out / "captions.parquet").write_bytes(b"PAR1")
    (said.out / ".captions-copy.parquet").write_bytes(b"")
    told = mend(said)
    assert any("made anew, from the photos and the cache" in line for line in told)
    assert (said.out / ".damaged" / "captions.csv").read_bytes() == view
    assert said.results == before
    assert human(said) == WORDS


def test_with_photos_away_too_it_says_what_is_left_to_do(said):
    (said.out / "captions.parquet").write_bytes(b"PAR1")
    (said.out / ".captions-copy.parquet").unlink()
    said.root.rename(said.root.with_name("away"))
    assert any("when the photos are at hand" in line for line in mend(said))
    said.root.with_name("away").rename(said.root)
    run(said.config())
    assert human(said) == WORDS


# The journal


def test_words_whose_line_is_lost_come_back_from_the_manifest(said):
    before = said.results
    (path,) = said.out.glob("reviews/000002-*")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"\0" * 40 + b"\n", *lines[2:]]))
    told = mend(said)
    assert any("1 entries could be read, 1 could not" in line for line in told)
    assert any("in the journal again" in line for line in told)
    assert (said.out / ".damaged" / path.name).exists()
    assert human(said) == WORDS
    assert said.results == before
    assert "a mistake" not in {row.review.caption for row in said.records.values()}


def test_what_nobody_can_read_any_more_is_told_word_by_word(said):
    """The journal and the manifest are damaged, and the copy is lost."""
    (path,) = said.out.glob("reviews/000002-*")
    data = path.read_bytes().replace(b"two, ", b"t\0o, ")
    path.write_bytes(data.replace(b"Kim", b"Lee").replace(b"en", b"ne"))
    (said.out / "captions.parquet").write_bytes(b"")
    (said.out / ".captions-copy.parquet").unlink()
    told = mend(said)
    assert any("could not be read: " in line and "dogs" in line for line in told)
    assert human(said)["a.png"] == WORDS["a.png"]


def test_a_file_of_the_journal_that_is_gone_is_told_and_the_words_come_from_the_manifest(said):
    (path,) = said.out.glob("reviews/000002-*")
    path.unlink()
    told = mend(said)
    assert any("file 2 is not there" in line for line in told)
    assert human(said) == WORDS
    assert len(Journal(said.out).deeds()) == 5
    assert main(["undo-merge", "--out", str(said.out)]) == 0


def test_of_two_files_of_one_number_neither_is_lost(said):
    """As when a folder is kept alike on two machines, and people merge on both."""
    (path,) = said.out.glob("reviews/000002-*.jsonl")
    journal = Journal(said.out)
    before = [each.read_bytes() for each in journal.paths()]
    head, *_ = path.read_bytes().splitlines()
    other = journal.write(2, json.loads(head) | {"source": "other.csv"}, ())
    before.append(other.read_bytes())
    mend(said)
    assert sorted(each.read_bytes() for each in journal.paths()) == sorted(before)
    assert human(said) == WORDS


def test_a_repair_that_was_killed_is_finished_by_the_next_one(said, monkeypatch):
    (path,) = said.out.glob("reviews/000002-*")
    path.write_bytes(path.read_bytes()[:-60])
    with monkeypatch.context() as killed:
        stop = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # noqa: E731
        killed.setattr("batch.repair_journal.put_aside", stop)
        with pytest.raises(KeyboardInterrupt):
            mend(said)
    assert len([*said.out.glob("reviews/000002-*")]) == 2
    mend(said)
    assert human(said) == WORDS


def test_a_file_of_a_newer_version_is_left_alone(said):
    journal = Journal(said.out)
    head = {"photo_captions.reviews": 9, "kind": "x", "at": "", "source": "", "undoes": None}
    new = journal.write(5, head, [])
    before = new.read_bytes()
    found = repair(place_of(said), lambda line: None, lambda archive: None)
    assert [broken.kind for broken in found.broken] == [Kind.NEWER]
    assert new.read_bytes() == before


# Beside


def test_a_copy_that_may_be_whole_is_waited_for_and_nothing_is_made_anew(said, monkeypatch):
    (said.out / "captions.parquet").write_bytes(b"damaged")
    before = bytes_in(said.out)

    def fails(path: Path) -> list[Record]:
        raise OSError(errno.EIO, "Input/output error", str(path))

    with monkeypatch.context() as broken:
        broken.setattr("batch.repair.read_records", fails)
        with pytest.raises(ArchiveError, match="may be whole"):
            repair(place_of(said), lambda _: None, lambda _: None)
    assert bytes_in(said.out) == before
    mend(said)
    assert human(said) == WORDS


def bytes_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["000001 (copy).jsonl", "2026-notes.jsonl", "1.jsonl"])
def test_a_file_among_the_journal_s_that_is_none_of_it_goes_aside(said, name):
    (said.out / "reviews" / name).write_text("words", "utf-8")
    before = said.results
    assert any("its name is none" in line for line in mend(said))
    assert (said.out / ".damaged" / name).read_text("utf-8") == "words"
    assert (said.results, human(said)) == (before, WORDS)


def test_the_gallery_keeps_its_key(said):
    (said.out / ".gallery-key").write_text("0123456789abcdef\n")
    (said.out / "gallery").mkdir()
    head = 'open({"key": "0123456789abcdef"})'
    (said.out / "gallery" / "head.js").write_text(head)
    (said.out / ".gallery-key").write_text("0123456789abcdee\n")
    assert any("taken from the gallery" in line for line in mend(said))
    assert (said.out / ".gallery-key").read_text() == "0123456789abcdef\n"


@pytest.mark.parametrize("name", ["groups.parquet", "apart.json", "sample-0001.json"])
def test_what_lies_beside_the_journal_goes_aside_and_is_told(said, name):
    path = said.out / "reviews" / name
    path.write_bytes(b"{torn")
    told = mend(said)
    assert any(str(path) in line and "out of the way" in line for line in told)
    assert (said.out / ".damaged" / name).read_bytes() == b"{torn"
    run(said.config())


def test_repair_waits_for_no_run_and_touches_nothing_beside_it(said):
    (said.out / "captions.csv").unlink()
    before = state_of(said.out)
    with locked(str(said.out)):
        assert main(["verify", "--repair", "--out", str(said.out)]) == 75
    after = state_of(said.out)
    assert after.keys() == before.keys()


def test_the_command_repairs_and_says_so(said, capsys):
    before = said.results
    (said.out / "captions.csv").unlink()
    asked = ["verify", "--out", str(said.out), "--features", str(said.features)]
    assert main([*asked, "--captioner", said.captioner, "--repair"]) == 0
    out = capsys.readouterr().out
    assert "captions.csv: made anew from the manifest" in out
    assert out.endswith(": all well\n")
    assert said.results == before
