"""What a person wrote survives whatever happens to photos, captioners and manifests.

Random sequences of deeds are held against a plain model: which words a person last wrote of which
bytes, and which paths have held these bytes ever since.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.errors import ArchiveError
from batch.merge_review import undo_merge
from batch.pipeline import run
from batch.results import Results
from tests.batch.archives import Archive, photo
from tests.batch.reviewers import Sheet

PATHS = ["a.png", "b.png", "c/a.png", "c/바다.png"]
DEEDS = st.sampled_from(
    [
        *("draw", "draw", "copy", "move", "remove", "swap", "put back"),
        *("run", "run", "overwrite", "another captioner"),
        *("take a sheet", "write", "write", "write and be killed", "lose columns"),
        *("undo", "back up", "restore", "lose the manifest"),
    ]
)
STEPS = st.lists(st.tuples(DEEDS, st.integers(0, 3), st.integers(0, 3)), max_size=24)


@dataclass
class World:
    """An archive, somebody who works in it, and what must hold of their words."""

    archive: Archive
    stub: object
    number: int = 0
    words: dict[str, str] = field(default_factory=dict)  # photo -> the last words that came in
    written: set[tuple[str, str]] = field(default_factory=set)  # photo, words: all that came in
    undone: set[str] = field(default_factory=set)
    stayed: dict[str, str] = field(default_factory=dict)  # path -> the words its bytes came in with
    history: list[tuple[dict[str, str], dict[str, str]]] = field(default_factory=list)
    trash: list[tuple[str, bytes]] = field(default_factory=list)
    sheet: Sheet | None = None
    backup: Path | None = None

    def at(self, number: int) -> Path:
        return self.archive.root / PATHS[number]

    def holds(self, path: str, photo_id: str) -> bool:
        location = self.archive.root / path
        return location.exists() and sha256(location.read_bytes()).hexdigest() == photo_id

    def touched(self, *paths: Path) -> None:
        """Note that a path holds other bytes from now on."""
        for path in paths:
            self.stayed.pop(str(path.relative_to(self.archive.root)), None)

    def draw(self, one: int, _: int) -> None:
        self.number += 1
        path = self.at(one)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(photo(1000 + self.number))
        self.touched(path)

    def copy(self, one: int, other: int) -> None:
        if one != other and self.at(one).exists():
            self.at(other).parent.mkdir(exist_ok=True)
            shutil.copy2(self.at(one), self.at(other))
            self.touched(self.at(other))

    def move(self, one: int, other: int) -> None:
        if one != other and self.at(one).exists():
            self.at(other).parent.mkdir(exist_ok=True)
            self.at(one).replace(self.at(other))
            self.touched(self.at(one), self.at(other))

    def swap(self, one: int, other: int) -> None:
        if one != other and self.at(one).exists() and self.at(other).exists():
            first, second = self.at(one).read_bytes(), self.at(other).read_bytes()
            self.at(one).write_bytes(second)
            self.at(other).write_bytes(first)
            self.touched(self.at(one), self.at(other))

    def remove(self, one: int, _: int) -> None:
        if self.at(one).exists():
            self.trash.append((PATHS[one], self.at(one).read_bytes()))
            self.at(one).unlink()
            self.touched(self.at(one))

    def put_back(self, *_: int) -> None:
        if self.trash:
            path, data = self.trash.pop()
            if not (self.archive.root / path).exists():
                (self.archive.root / path).write_bytes(data)

    def run(self, *_: int, **changes: bool) -> None:
        try:
            run(self.archive.config(**changes))
        except ArchiveError:  # no photo is left: nothing is written
            return
        self.check()

    def overwrite(self, *_: int) -> None:
        self.run(overwrite=True)

    def another_captioner(self, one: int, _: int) -> None:
        self.stub.accent = f" by {one}"
        self.run(overwrite=True)

    @property
    def captioned(self) -> bool:
        return (self.archive.out / "captions.parquet").exists()

    def take_a_sheet(self, *_: int) -> None:
        if self.captioned:
            self.sheet = Sheet(self.archive)

    def write(self, one: int, other: int, *, killed: bool = False) -> None:
        """Write into one row of a sheet that may be old, and bring it back at once."""
        self.number += 1
        if self.sheet is None or not self.sheet.cells or not self.captioned:
            return
        row = self.sheet.cells[one % len(self.sheet.cells)]
        row.update(caption=f"words {self.number}", reviewer=["Kim", "Lee", "Kim", "Kim"][other])
        before = dict(self.words), dict(self.stayed)
        told = self.sheet.bring_back(dry_run=True)
        if killed:
            stop = patch.object(Results, "recommit", side_effect=KeyboardInterrupt)
            with stop, suppress(KeyboardInterrupt):
                self.sheet.bring_back()
            self.sheet.bring_back("the same again.csv")
        else:
            assert self.sheet.bring_back().lines == told.lines
        if told.lines:
            self.history.append(before)
        for line in told.of("edited"):
            (photo_id,) = {
                each["photo_id"] for each in self.sheet.cells if each["caption"] == line.after
            }
            self.words[photo_id] = line.after
            self.written.add((photo_id, line.after))
            self.undone.discard(line.after)  # what was undone comes back with the same file
            if self.holds(line.path, photo_id):
                self.stayed[line.path] = line.after
        self.check()

    def write_and_be_killed(self, one: int, other: int) -> None:
        self.write(one, other, killed=True)

    def lose_columns(self, *_: int) -> None:
        """Leave out what tells old captions of the machine from a person's words."""
        if self.sheet is not None:
            self.sheet.drop("base", "machine")

    def undo(self, *_: int) -> None:
        if self.history and self.captioned:
            undo_merge(str(self.archive.out))
            after = set(self.words.values())
            self.words, self.stayed = self.history.pop()[0], {}
            self.undone |= after - set(self.words.values())
            self.check()

    def back_up(self, *_: int) -> None:
        if self.captioned:
            self.backup = self.archive.out.with_name(f"backup {self.number}")
            shutil.copytree(self.archive.out, self.backup, dirs_exist_ok=True)

    def restore(self, *_: int) -> None:
        """Put back the manifest of a backup; the journal stays."""
        if self.backup:
            for name in ("captions.parquet", "captions.csv", "last_run.json"):
                shutil.copy2(self.backup / name, self.archive.out / name)
            self.run()

    def lose_the_manifest(self, *_: int) -> None:
        for path in self.archive.out.glob("captions.*"):
            path.unlink()
        self.run()

    def check(self) -> None:
        """Hold the manifest against the model."""
        rows = self.archive.records
        said = {
            (row.photo_id, review.caption)
            for row in rows.values()
            for review in row.reviews
            if review.caption
        }
        # A person's words are never on a photo that they were not written of, nor back from undo.
        assert said <= self.written
        assert not {words for _, words in said} & self.undone
        # They are on a photo of these bytes as long as the manifest has one; of copies that were
        # each described, one may be gone.
        for photo_id in self.words:
            if photo_id in {row.photo_id for row in rows.values()}:
                assert photo_id in {photo_id for photo_id, _ in said}
        # A photo that has never been touched keeps them at its place.
        for path, caption in self.stayed.items():
            if path in rows and self.words.get(rows[path].photo_id) == caption:
                assert rows[path].review.caption == caption
        # The machine's words are never given for a person's.
        for row in rows.values():
            assert row.review.caption is None or row.review.caption.startswith("words ")


@pytest.mark.slow
@given(STEPS)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_persons_words_survive_any_sequence_of_deeds(
    tmp_path_factory, captioner_folder, stub_captioner, steps
):
    place = tmp_path_factory.mktemp("world")
    archive = Archive(
        place / "photos",
        place / "out",
        tmp_path_factory.getbasetemp() / "features",
        captioner_folder,
    )
    world = World(archive, stub_captioner)
    for number in range(3):
        world.draw(number, 0)
    world.run()
    world.take_a_sheet()
    for deed, one, other in steps:
        getattr(world, deed.replace(" ", "_"))(one, other)
