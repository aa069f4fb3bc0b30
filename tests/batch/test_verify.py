"""Verify reads all that was written, says what is broken and what it means, and changes nothing."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import batch.check_captioners
from batch.__main__ import main
from batch.config import PRETRAINED
from batch.features import FeatureCache
from batch.findings import Kind
from batch.lock import locked
from batch.pipeline import run
from batch.results import Results
from batch.verify import Place, verify
from manifests.record import Status
from tests.batch.archives import draw, state_of
from tests.batch.reviewers import Sheet


def place_of(album) -> Place:
    return Place(str(album.out), str(album.features), captioners=(album.captioner,))


def command(album, *options: str) -> list[str]:
    places = ("--out", str(album.out), "--features", str(album.features))
    return ["verify", *places, "--captioner", album.captioner, *options]


def test_after_a_run_all_is_well_and_nothing_was_touched(album, capsys):
    Sheet(album).write("a.png", caption="mine").bring_back()
    before = [state_of(folder) for folder in (album.root, album.out, album.features)]
    assert main(command(album, "--deep")) == 0
    said = capsys.readouterr()
    assert said.out.endswith(", 4 photos: all well\n")
    assert (said.out.count("\n"), said.err) == (1, "")
    assert [state_of(folder) for folder in (album.root, album.out, album.features)] == before


def test_no_tensorflow_is_needed(album, monkeypatch):
    monkeypatch.setattr("batch.pipeline.load_stage", lambda config: pytest.fail("loads a model"))
    assert main(command(album, "--deep", "--repair")) == 0


def test_what_is_broken_is_told_with_a_remedy_and_the_exit_code_is_1(album, capsys):
    flip(album.out / "captions.parquet", 100)
    assert main(command(album)) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"broken: {album.out}/captions.parquet: ")
    assert said.err.endswith("REPAIR=1 mends it\n")
    assert said.out.endswith(": 1 broken\n")


@pytest.mark.parametrize("out", ["nowhere", "empty"])
def test_a_folder_without_results_is_told(tmp_path, out, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["verify", "--out", str(tmp_path / out)]) == 1
    assert "give OUT= the folder of a run" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty"]


def flip(path, place: int, bit: int = 3) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


# Photos


def test_every_photo_is_accounted_for(album):
    draw(album.root / "new.png", 50)
    draw(album.root / "c.png", 51)
    (album.root / "a.png").unlink()
    found = verify(place_of(album))
    assert found.broken == []
    assert [note.partition(":")[0] for note in found.notes] == [
        "1 photos have no row yet",
        "1 photos have changed since",
        "1 photos are gone since",
    ]
    run(album.config())
    assert verify(place_of(album)).notes == []
    assert album.records["a.png"].status is Status.MISSING


def test_a_disk_that_is_away_is_no_damage(album):
    album.root.rename(album.root.with_name("away"))
    assert (verify(place_of(album)).broken, verify(place_of(album)).notes) == ([], [])
    (album.root).mkdir()
    assert "is its disk there?" in verify(place_of(album)).notes[0]


def test_a_photo_that_has_rotted_is_told_by_a_deep_look_and_left_alone(album):
    photo = album.root / "b" / "a.png"
    times = photo.stat()
    flip(photo, 60)
    os.utime(photo, ns=(times.st_atime_ns, times.st_mtime_ns))
    draw(album.root / "c.png", 51)  # a change that shows is no rot
    before = state_of(album.root)
    assert verify(place_of(album)).broken == []
    (broken,) = verify(place_of(album), deep=True).broken
    assert (broken.kind, broken.path) == (Kind.ORIGINAL, photo)
    assert "backups" in broken.remedy
    assert main(command(album, "--deep", "--repair")) == 1
    assert state_of(album.root) == before


# The view, and what people said


def test_an_edited_spreadsheet_is_told_as_edited_and_stays(album, capsys):
    with (album.out / "captions.csv").open("a") as file:
        file.write("mine\n")
    before = state_of(album.out)
    assert main(command(album)) == 0
    assert "it was edited" in capsys.readouterr().out
    assert main(command(album, "--repair")) == 0
    after = state_of(album.out)
    after.pop(str(album.out / ".lock"))
    before.pop(str(album.out / ".lock"))
    assert after.keys() == before.keys()
    assert (album.out / "captions.csv").read_text().endswith("mine\n")


def test_words_that_the_manifest_does_not_show_yet_are_no_damage(album, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(Results, "recommit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Sheet(album).write("a.png", caption="mine").bring_back()
    found = verify(place_of(album))
    assert found.broken == []
    assert found.notes == ["1 rows do not show yet what people said: the next command shows it"]


# Seals


def test_a_note_of_an_older_version_seals_nothing_and_is_no_damage(album):
    note = album.last_run
    old = {name: note[name] for name in note if "sha256" not in name}
    (album.out / "last_run.json").write_text(json.dumps(old))
    (album.out / ".captions-copy.parquet").unlink()
    found = verify(place_of(album))
    assert (found.broken, found.notes, found.unsealed) == ([], [], 0)


def test_a_manifest_that_was_put_back_is_whole(album):
    shutil.copy(album.out / "captions.parquet", album.out.parent / "backup")
    draw(album.root / "new.png", 50)
    run(album.config())
    shutil.copy(album.out.parent / "backup", album.out / "captions.parquet")
    found = verify(place_of(album))
    assert found.broken == []
    assert "was it put back?" in found.notes[0]


def test_a_copy_of_other_rows_is_told(album):
    copy, before = album.out / ".captions-copy.parquet", album.out.parent / "backup"
    shutil.copy(copy, before)
    draw(album.root / "new.png", 50)
    run(album.config())
    shutil.copy(before, copy)
    found = verify(place_of(album))
    assert found.broken == []
    assert any("of other rows than the manifest" in note for note in found.notes)


def test_a_shard_of_an_older_version_is_held_against_what_its_rows_give(album, few_captioners):
    (shard,) = album.features.rglob("*.parquet")
    old = shard.rename(shard.with_name(f"{shard.name[:16]}.parquet"))
    assert str(verify(place_of(album))).endswith("all well")
    data = old.read_bytes()
    for place in range(len(data) - 600, len(data) - 8, 13):  # the footer, which has no checksum
        old.write_bytes(data)
        flip(old, place)
        found = verify(place_of(album))
        assert found.broken or found.unsealed, place


def test_a_shard_under_the_name_of_others_is_broken(album):
    (shard,) = album.features.rglob("*.parquet")
    shutil.copy(shard, shard.with_name(f"{'0' * 16}.parquet"))
    (broken,) = verify(place_of(album)).broken
    assert "its name tells of other photos" in broken.problem


def test_features_that_are_no_numbers_are_broken(album):
    cache = FeatureCache(str(next(album.features.iterdir())))
    cache.write({"f" * 64: np.full((8, 8, 2048), np.nan, np.float16)})
    (broken,) = verify(place_of(album)).broken
    assert "numbers that no feature has" in broken.problem


def test_vectors_are_looked_at_too(album):
    cache = FeatureCache(f"{next(album.features.iterdir())}-pooled", (2048,))
    cache.write({"f" * 64: np.ones(2048, np.float16)})
    (path,) = album.features.rglob("*-pooled/*.parquet")
    assert verify(place_of(album)).broken == []
    flip(path, 50)
    (broken,) = verify(place_of(album)).broken
    assert broken.path == path


# Captioners


def test_the_sums_of_the_captioners_that_ship_are_theirs():
    """After a new training: sha256sum */config.json */*.txt */*.h5 */*.json > SHA256SUMS there."""
    lines = Path(PRETRAINED, "SHA256SUMS").read_text().splitlines()
    listed = {line.partition("  ")[2] for line in lines}
    there = {
        f"{name}/{path.name}"
        for name in batch.check_captioners.shipped()
        for path in Path(PRETRAINED, name).iterdir()
        if path.name != "card.md"
    }
    assert listed == there


def test_a_captioner_that_is_not_as_it_shipped_is_told(album, tmp_path, monkeypatch):
    copy = tmp_path / "pretrained"
    for name in ("one", "two"):
        (copy / name).mkdir(parents=True)
        (copy / name / "config.json").write_text("{}")
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    (copy / "SHA256SUMS").write_text(
        f"{digest}  one/config.json\n{digest[::-1]}  two/config.json\n{digest}  three/a.h5\n"
    )
    monkeypatch.setattr(batch.check_captioners, "PRETRAINED", str(copy))
    monkeypatch.setattr(batch.check_captioners, "shipped", list)
    broken = verify(place_of(album)).broken
    assert [str(each.path.relative_to(copy)) for each in broken] == [
        "two/config.json",
        "three/a.h5",
    ]
    assert "models/pretrained" in broken[0].remedy


def test_rows_of_a_captioner_that_is_not_here_are_told(album):
    (note,) = verify(Place(str(album.out), str(album.features))).notes
    assert note.startswith("4 captions are of tiny@")


# Beside a run


def test_a_run_at_work_is_told_and_not_disturbed(album):
    with locked(str(album.out)):
        assert "a run is at work" in verify(place_of(album)).notes[0]
    assert verify(place_of(album)).notes == []


def test_the_rows_of_an_unfinished_run_are_looked_at(album, monkeypatch):
    draw(album.root / "new.png", 50)
    with monkeypatch.context() as killed:
        killed.setattr(Results, "commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(album.config())
    assert verify(place_of(album)).broken == []
    (part,) = (album.out / ".parts").rglob("*.parquet")
    assert pq.read_metadata(part).num_rows == 1
    flip(part, 30)
    (broken,) = verify(place_of(album)).broken
    assert (broken.kind, broken.path) == (Kind.PART, part)


def test_what_the_disk_does_not_give_may_be_whole_and_is_left_alone(album, monkeypatch):
    (shard,) = album.features.rglob("*.parquet")
    read = Path.read_bytes

    def fail(path):
        if path == shard:
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    before = state_of(album.features)
    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", fail)
        assert main(command(album, "--repair")) == 1
        (found,) = verify(place_of(album)).broken
    assert found.kind is Kind.DISK
    assert "Input/output error" in found.problem
    assert state_of(album.features) == before
