"""A corpus' photos are found whatever their folders are called, and never mixed up."""

import errno
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.corpora.corpus import CorpusError
from batch.corpora.places import find_photos
from batch.corpora.records import CaptionRecord


class Search:
    """A folder to look in, and what was said of it."""

    def __init__(self, root: Path) -> None:
        self.root, self.said = root, []

    def put(self, *names: str) -> None:
        """Make empty files."""
        for name in names:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).touch()

    def zip(self, name: str, *members: str) -> None:
        """Make a zip file of empty members."""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(self.root / name, "w") as file:
            for member in members:
                file.writestr(member, b"")

    def find(self, *wanted: str, others: Sequence[str] = (), root: str = "") -> dict[str, str]:
        """Look for photos; give the place of each that was found."""
        self.said = []
        records, rest = (
            [CaptionRecord("c.json", f"image {path}", path, ("a dog",)) for path in paths]
            for paths in (wanted, others)
        )
        place = str(self.root / root)
        found = find_photos(place, records, lambda p: self.said.append(str(p)), rest)
        return {path: photo.path for path, photo in found.items()}


@pytest.fixture
def search(tmp_path):
    return Search(tmp_path)


WANTED = "train2014/a.jpg"


@pytest.mark.parametrize(
    "place", ["train2014/a.jpg", "a.jpg", "images/train2014/a.jpg", "some/where/else/a.jpg"]
)
def test_a_photo_is_found_by_its_path_or_by_its_name_alone(search, place):
    search.put(place, "train2014/b.jpg", "notes.txt")
    assert (search.find(WANTED), search.said) == ({WANTED: place}, [])


@pytest.mark.parametrize("member", ["train2014/a.jpg", "a.jpg", "data/train2014/a.jpg"])
@pytest.mark.parametrize("name", ["train2014.zip", "zips/train2014.ZIP", "all.zip"])
def test_a_photo_is_found_in_a_zip(search, name, member):
    search.zip(name, member, "b.jpg")
    assert (search.find(WANTED), search.said) == ({WANTED: f"{name}/{member}"}, [])


def test_the_place_of_the_photos_may_be_the_folder_or_the_zip_itself(search):
    search.put("train2014/a.jpg")
    search.zip("train2014.zip", "train2014/a.jpg")
    assert search.find(WANTED, root="train2014") == {WANTED: "a.jpg"}
    assert search.find(WANTED, root="train2014.zip") == {WANTED: "train2014/a.jpg"}


def test_of_several_files_of_a_name_the_one_that_fits_best_is_taken(search):
    search.put("train2014/a.jpg", "old/train2014/a.jpg", "val2014/a.jpg", "a.jpg")
    search.zip("train2014.zip", "train2014/a.jpg")
    for best in ["train2014/a.jpg", "old/train2014/a.jpg", "train2014.zip/train2014/a.jpg"]:
        assert search.find(WANTED) == {WANTED: best}
        (search.root / best.removesuffix("/train2014/a.jpg" if ".zip" in best else "")).unlink()
    assert search.find(WANTED) == {WANTED: "a.jpg"}


def test_a_photo_that_could_be_two_files_is_named_and_left_out(search):
    search.put("x/a.jpg", "y/a.jpg", "train2014/b.jpg")
    assert search.find(WANTED, "train2014/b.jpg") == {"train2014/b.jpg": "train2014/b.jpg"}
    assert search.said == [
        f"c.json: image {WANTED} has a photo that could be x/a.jpg or y/a.jpg under {search.root}"
        "; left out"
    ]


def test_a_photo_that_is_nowhere_is_named_and_left_out(search):
    search.put("b.jpg")
    assert search.find(WANTED, "b.jpg") == {"b.jpg": "b.jpg"}
    text = f"c.json: image {WANTED} has no photo, {WANTED} is not under {search.root}; left out"
    assert search.said == [text]


def test_one_file_is_never_two_photos(search):
    search.put("train/1.jpg")
    assert search.find("val/1.jpg", "train/1.jpg") == {"train/1.jpg": "train/1.jpg"}
    assert search.said == [
        f"c.json: image val/1.jpg has no photo, val/1.jpg is not under {search.root}; left out"
    ]


@pytest.mark.parametrize("place", ["1.jpg", "photos/1.jpg", "photos.zip/1.jpg"])
def test_a_file_that_could_be_either_of_two_photos_is_neither(search, place):
    search.put(place) if ".zip" not in place else search.zip("photos.zip", "1.jpg")
    assert search.find("val/1.jpg", "train/1.jpg") == {}
    assert search.said[0] == (
        f"c.json: image val/1.jpg has no photo of its own, {place} is another's too; left out"
    )
    assert len(search.said) == 2


@pytest.mark.parametrize(
    "place", ["train/1.jpg", "new/train/1.jpg", "train/photos/1.jpg", "train.zip/a/1.jpg"]
)
def test_a_photo_in_the_folder_of_other_records_is_none_of_this_one(search, place):
    archive, _, member = place.partition(".zip/")
    search.zip(f"{archive}.zip", member) if member else search.put(place)
    assert search.find("val/1.jpg", "train/2.jpg") == {}
    assert search.find("val/1.jpg", others=["train/1.jpg", "train/2.jpg"]) == {}
    text = f"image val/1.jpg has no photo, val/1.jpg is not under {search.root}; left out"
    assert search.said == [f"c.json: {text}"]
    assert search.find("train/1.jpg", "val/2.jpg") == {"train/1.jpg": place}


def test_folders_above_tell_photos_apart_where_those_right_above_are_alike(search):
    search.put("train/x/1.jpg")
    assert search.find("val/x/1.jpg", others=["train/x/2.jpg"]) == {}
    assert search.find("train/x/1.jpg", others=["val/x/1.jpg"]) == {
        "train/x/1.jpg": "train/x/1.jpg"
    }


def test_the_name_of_the_place_itself_tells_whose_photos_it_holds(search):
    search.put("val/1.jpg")
    assert search.find("val/1.jpg", others=["train/1.jpg"], root="val") == {"val/1.jpg": "1.jpg"}
    assert search.find("train/1.jpg", others=["val/2.jpg"], root="val") == {}


def test_a_path_that_fits_as_it_is_fits_whatever_the_place_is_called(search):
    search.put("val/1.jpg")
    assert search.find("1.jpg", others=["val/2.jpg"], root="val") == {"1.jpg": "1.jpg"}


def test_other_records_are_given_no_photo_and_nothing_is_told_of_them(search):
    search.put("train/1.jpg", "val/1.jpg")
    others = ["train/1.jpg", "train/2.jpg"]
    assert search.find("val/1.jpg", others=others) == {"val/1.jpg": "val/1.jpg"}
    assert search.said == []


def test_a_zip_that_has_one_name_twice_has_one_photo_of_it(search):
    with pytest.warns(UserWarning, match="Duplicate name"):
        search.zip("t.zip", "a.jpg", "a.jpg")
    assert (search.find("a.jpg"), search.said) == ({"a.jpg": "t.zip/a.jpg"}, [])


@pytest.mark.parametrize(
    "path", ["../a.jpg", "/etc/hostname", "..", "", "a\0.jpg", "b/../../a.jpg"]
)
def test_a_path_never_leads_out_of_the_folder(search, path):
    search.put("inside/b.jpg", "a.jpg")
    assert search.find(path, root="inside") == {}
    assert len(search.said) == 1


def test_links_are_followed_and_loops_are_not(search):
    search.put("elsewhere/a.jpg", "photos/b.jpg")
    (search.root / "photos/train2014").symlink_to(search.root / "elsewhere")
    (search.root / "photos/loop").symlink_to(search.root / "photos")
    found = search.find(WANTED, "b.jpg", root="photos")
    assert (found, search.said) == ({WANTED: WANTED, "b.jpg": "b.jpg"}, [])


def test_what_systems_keep_beside_photos_is_not_looked_into(search):
    search.put(".Trash/a.jpg", "@eaDir/a.jpg", "x/a.jpg")
    assert search.find(WANTED) == {WANTED: "x/a.jpg"}


def test_a_zip_that_is_none_is_named_and_the_rest_is_found(search):
    search.put("train2014.zip", "b.jpg")
    assert search.find(WANTED, "b.jpg") == {"b.jpg": "b.jpg"}
    path = search.root / "train2014.zip"
    text = f"{path}: is no whole zip file, copy it again; its photos are left out"
    assert search.said[0] == text
    assert len(search.said) == 2


def test_a_folder_that_cannot_be_listed_is_named(search, monkeypatch):
    search.put("closed/a.jpg", "b.jpg")
    real = os.scandir

    def scandir(path):
        if path.endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert search.find(WANTED, "b.jpg") == {"b.jpg": "b.jpg"}
    text = f"{search.root}/closed: cannot be listed (Permission denied); its photos are left out"
    assert search.said[0] == text


@pytest.mark.parametrize("root", ["nowhere", "c.json"])
def test_photos_need_a_folder_or_a_zip(search, root):
    search.put("c.json")
    with pytest.raises(CorpusError, match="is no folder and no zip file; give PHOTOS="):
        search.find(WANTED, root=root)


NAMES = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("abc")), unique=True, min_size=1)


@given(names=NAMES)
def test_photos_in_their_own_folders_are_all_found_there(tmp_path_factory, names):
    search = Search(tmp_path_factory.mktemp("photos"))
    wanted = [f"{folder}/{name}.jpg" for folder, name in names]
    search.put(*wanted)
    assert (search.find(*wanted), search.said) == ({path: path for path in wanted}, [])


def test_the_folder_is_walked_once_for_all_photos(search, monkeypatch):
    wanted = [f"train2014/{number}.jpg" for number in range(500)]
    search.put(*wanted)
    listed = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or real(path))
    assert len(search.find(*wanted)) == 500
    assert len(listed) == 2


def test_a_zip_stands_for_the_folder_of_its_name(search):
    search.zip("train2014.zip", "a.jpg")
    search.zip("val2014.zip", "a.jpg")
    assert search.find(WANTED, "val2014/a.jpg") == {
        WANTED: "train2014.zip/a.jpg",
        "val2014/a.jpg": "val2014.zip/a.jpg",
    }
