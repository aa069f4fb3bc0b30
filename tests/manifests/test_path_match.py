"""Captions find their own photo, or none: never another one that merely has a like name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.foreign import Named, Said
from manifests.path_match import Matcher
from manifests.path_names import Place

ONE, TWO = "ab" * 32, "cd" * 32


def matched(ours, said, root=None, named=Named.PATH, roots=("/photos",)):
    """Give the photos found, by path, or why there is none."""
    places = [Place(name.encode("utf-8", "surrogateescape"), None) for name in ours]
    rows = [Said(f"line {at}", photo, ("a",), named=named) for at, photo in enumerate(said)]
    found = Matcher(places, roots, root).match(rows)
    return [[ours[at] for at in each.photos] or each.why for each in found]


def found_by(ours, said, **more):
    places = [Place(name.encode(), None) for name in ours]
    rows = [Said("", photo, ("a",), **more) for photo in said]
    return [each.by for each in Matcher(places, ["/photos"], None).match(rows)]


@pytest.mark.parametrize(
    "said",
    [
        "2019/dog.jpg",
        "./2019/dog.jpg",
        "2019\\dog.jpg",
        "/photos/2019/dog.jpg",
        "/old/disk/2019/dog.jpg",
        "C:\\Users\\kim\\2019\\dog.jpg",
        "dog.jpg",
    ],
)
def test_a_photo_is_found_however_its_path_is_written(said):
    assert matched(["2019/dog.jpg", "2020/cat.jpg"], [said]) == [["2019/dog.jpg"]]


@pytest.mark.parametrize(
    "said",
    [
        "../photos/2019/dog.jpg",
        "2019/../2019/dog.jpg",
        "/etc/passwd",
        "/etc/dog.jpg",
        "other/dog.jpg",
        "http://x/2019/dog.jpg",
        "file:///photos/2019/dog.jpg",
        "2019/dog.jpg\0",
        "2019/DOG.jpg",
        "",
        "/",
        "2019",
    ],
)
def test_what_is_no_path_of_the_archive_finds_nothing(said):
    (found,) = matched(["2019/dog.jpg", "2020/cat.jpg"], [said])
    assert isinstance(found, str)


def test_a_base_name_alone_is_taken_only_where_it_is_the_only_one():
    ours = ["a/1.jpg", "b/1.jpg", "a/2.jpg"]
    found = matched(ours, ["1.jpg", "2.jpg"])
    assert found == ["may be of a/1.jpg or b/1.jpg", ["a/2.jpg"]]
    assert found_by(ours, ["2.jpg"]) == ["name"]


def test_a_base_name_beside_paths_with_folders_is_a_path():
    assert (
        matched(["a/1.jpg", "b/2.jpg"], ["2.jpg", "a/1.jpg"])[0] == "the archive has no such photo"
    )


def test_the_root_s_photo_is_not_taken_for_one_of_its_name_in_a_folder():
    assert matched(["1.jpg", "a/1.jpg"], ["1.jpg"]) == ["may be of 1.jpg or a/1.jpg"]


def test_one_place_where_paths_begin_holds_for_all_of_them():
    """A photo that was removed does not lend its caption to one of its name elsewhere."""
    ours = ["a/1.jpg", "a/2.jpg", "x/a/3.jpg"]
    found = matched(ours, ["a/1.jpg", "a/2.jpg", "a/3.jpg"])
    assert found[:2] == [["a/1.jpg"], ["a/2.jpg"]]
    assert found[2] == "the archive has no such photo"


def test_paths_of_a_folder_of_the_archive_go_there_even_where_others_are_like_them():
    ours = ["a/1.jpg", "2019/a/1.jpg", "2019/b/2.jpg", "2019/b/3.jpg", "2019/4.jpg"]
    found = matched(ours, ["a/1.jpg", "b/2.jpg", "b/3.jpg", "4.jpg"])
    assert found == [["2019/a/1.jpg"], ["2019/b/2.jpg"], ["2019/b/3.jpg"], ["2019/4.jpg"]]


def test_where_two_places_fit_as_well_none_is_taken():
    found = matched(["a/1.jpg", "old/a/1.jpg"], ["/old/a/1.jpg"])
    assert "ROOT=" in found[0]
    assert matched(["a/1.jpg", "old/a/1.jpg"], ["/old/a/1.jpg"], root="/old") == [["a/1.jpg"]]


def test_a_flat_folder_that_has_moved_needs_its_old_place():
    assert "ROOT=" in matched(["1.jpg", "2.jpg"], ["/old/1.jpg"])[0]
    assert matched(["1.jpg", "2.jpg"], ["/old/1.jpg"], root="/old/") == [["1.jpg"]]
    assert "ROOT=" in matched(["1.jpg"], ["/new/1.jpg"], root="/old")[0]


def test_hangul_in_pieces_is_found_and_the_exact_form_comes_first():
    composed, pieces = "바다/개.jpg", "\u1107\u1161\u1103\u1161/\u1100\u1162.jpg"
    assert matched([composed], [pieces]) == [[composed]]
    assert matched([composed, pieces], [pieces]) == [[pieces]]
    assert matched(["\uac1c.jpg", "\u1100\u1162.jpg"], ["\u1100\u1162.jpg"]) == [
        ["\u1100\u1162.jpg"]
    ]


def test_bytes_that_are_no_text_are_found_as_they_are_shown_and_as_they_are():
    ours = ["a/caf\udce9.jpg"]
    assert matched(ours, ["a/caf\udce9.jpg", r"a/caf\xe9.jpg"]) == [ours, ours]
    assert matched(["caf\udce9.jpg"], [r"caf\xe9.jpg"]) == [["caf\udce9.jpg"]]


def test_a_url_is_that_of_an_archive_of_urls_alone():
    url = "https://example.org/a//b.jpg?c=1"
    assert matched([url], [url]) == [[url]]
    assert isinstance(matched(["a/b.jpg"], ["https://example.org/a/b.jpg"])[0], str)


@pytest.mark.parametrize("said", ["2019/dog", "2019/dog.jpg", "/old/x/2019/dog", "dog"])
def test_a_file_beside_a_photo_is_of_it_with_or_without_its_ending(said):
    assert matched(["2019/dog.jpg", "b/c.jpg"], [said], named=Named.BESIDE) == [["2019/dog.jpg"]]


def test_a_file_beside_two_photos_of_its_name_is_of_neither():
    found = matched(["a/1.jpg", "a/1.png"], ["a/1", "a/1.png"], named=Named.BESIDE)
    assert found == ["may be of a/1.jpg or a/1.png", ["a/1.png"]]


def test_a_raw_file_does_not_claim_what_is_beside_its_jpeg():
    places = [Place(b"a/1.jpg", ONE), Place(b"a/1.nef", TWO, failed=True)]
    (found,) = Matcher(places, [], None).match([Said("", "a/1", ("a",), named=Named.BESIDE)])
    assert found.photos == (0,)


@pytest.mark.parametrize(
    "name", ["COCO_val2014_000000391895.jpg", "000000391895.jpg", "391895.png"]
)
def test_coco_s_numbers_are_those_in_names(name):
    assert matched([f"v/{name}", "v/2.jpg"], ["391895"], named=Named.NUMBER) == [[f"v/{name}"]]


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (["a/7.jpg", "b/007.jpg"], ["7"]),  # of two photos
        (["1.jpg", "2.jpg", "10.jpg"], ["1", "2", "3"]),  # they count in another way
        (["v/391895.jpg"], ["1895"]),
        (["1.jpg", "2.jpg", "dog.jpg"], ["1", "2"]),  # which may be the first and the second
    ],
)
def test_numbers_that_may_be_anything_are_none_and_the_list_of_images_is_asked_for(ours, said):
    found = matched(ours, said, named=Named.NUMBER)
    assert all("IMAGES=" in why for why in found)


def test_the_identity_leads_and_the_path_chooses_among_copies():
    places = [
        Place(b"a.jpg", ONE),
        Place(b"b.jpg", ONE),
        Place(b"c.jpg", TWO),
        Place(b"d.jpg", None),
    ]
    rows = [
        Said("", "b.jpg", ("a",), ONE),
        Said("", "", ("a",), ONE),
        Said("", "c.jpg", ("a",), ONE),
        Said("", "gone.jpg", ("a",), TWO),
        Said("", "c.jpg", ("a",), "ef" * 32),
        Said("", "d.jpg", ("a",), "ef" * 32),
        Said("", "", ("a",), "ef" * 32),
        Said("", "", ("a",), "7"),
    ]
    found = Matcher(places, [], None).match(rows)
    assert [each.photos for each in found] == [(1,), (0, 1), (0, 1), (2,), (), (3,), (), ()]
    assert "another file" in found[4].why


NAMES = st.lists(st.sampled_from(["a", "b", "c", "1.jpg", "2.jpg"]), min_size=1, max_size=4)
PATHS = st.lists(NAMES.map("/".join), min_size=1, max_size=8, unique=True)


@given(PATHS, PATHS, st.sampled_from(["", "/old/", "x/y/"]))
def test_no_photo_has_two_captions_and_each_has_one_of_its_name(ours, said, before):
    found = matched(ours, [before + each for each in said])
    photos = [photos[0] for photos in found if isinstance(photos, list)]
    assert len(photos) == len(set(photos))
    for name, photos in zip(said, found, strict=True):
        if isinstance(photos, list):
            assert photos[0].split("/")[-1] == name.split("/")[-1]
