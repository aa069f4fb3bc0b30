"""COCO's caption files are read, what is broken is named, and no photo is in both splits."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.__main__ import main
from batch.corpora.coco import photo_number, read_coco
from batch.corpora.corpus import CaptionedPhoto, CorpusError, stop
from batch.corpora.read import CorpusFiles, read_corpus
from batch.corpora.records import load_json

COCO = Path(__file__).parents[2] / "../shared/data/coco"


def image(number: int, **more: object) -> dict:
    return {"id": number, "file_name": f"{number}.jpg"} | more


def annotation(number: int, image_id: int, caption: object = "A dog .") -> dict:
    return {"id": number, "image_id": image_id, "caption": caption}


class Album:
    """A folder of caption files and photos, and what was said while they were read."""

    def __init__(self, root: Path) -> None:
        self.root, self.said = root, []

    def __str__(self) -> str:
        return str(self.root)

    def write(self, name: str, images: list, annotations: list, *, photos: bool = True) -> str:
        """Write a caption file, and empty files for its photos."""
        path = self.root / name
        path.write_text(json.dumps({"images": images, "annotations": annotations}))
        for entry in images if photos else ():
            (self.root / str(entry["file_name"])).touch()
        return str(path)

    def simple(self, name: str, *numbers: int) -> str:
        """Write a caption file of photos with a caption each."""
        return self.write(name, [image(n) for n in numbers], [annotation(n, n) for n in numbers])

    def read(self, captions: str, *, training: bool = True, **files: str):
        """Read the corpus of a caption file."""
        self.said = []
        asked = CorpusFiles(captions, str(self), **files)
        return read_corpus(asked, "en", lambda p: self.said.append(str(p)), training=training)

    def names(self, *names: str) -> str:
        """Write a list of names."""
        (self.root / "names.txt").write_text("\n".join(names))
        return str(self.root / "names.txt")


@pytest.fixture
def album(tmp_path):
    return Album(tmp_path)


def paths(photos) -> list[str]:
    return [photo.path for photo in photos]


# Records


def read(images: object, annotations: object) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    said: list[str] = []
    data = {"images": images, "annotations": annotations}
    records = read_coco("c.json", data, lambda problem: said.append(str(problem)))
    return {record.path: record.captions for record in records}, said


def test_captions_are_gathered_by_image_in_the_order_of_the_file():
    texts = [
        annotation(1, 20, "A dog ."),
        annotation(2, 10, "A cat ."),
        annotation(3, 20, "Dogs ."),
    ]
    found, said = read([image(10), image(20)], texts)
    assert found == {"10.jpg": ("A cat .",), "20.jpg": ("A dog .", "Dogs .")}
    assert list(found) == ["10.jpg", "20.jpg"]
    assert said == []


def test_a_caption_becomes_one_line_and_is_kept_as_it_is_else():
    found, _ = read([image(1)], [annotation(1, 1, "\n A  dog,\n\tRUNNING\u00a0. cafe\u0301 ")])
    assert found == {"1.jpg": ("A dog, RUNNING . cafe\u0301",)}


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        (
            {"file_name": "COCO_train2014_000000000009.jpg"},
            "train2014/COCO_train2014_000000000009.jpg",
        ),
        (
            {"file_name": "000000000009.jpg", "coco_url": "http://c.org/val2017/000000000009.jpg"},
            "val2017/000000000009.jpg",
        ),
        ({"file_name": "000000000009.jpg"}, "000000000009.jpg"),
        ({"file_name": "000000000009.jpg", "coco_url": "http://c.org/a.jpg"}, "000000000009.jpg"),
        ({"file_name": "mine/a b.png", "coco_url": 5}, "mine/a b.png"),
    ],
)
def test_the_folder_of_a_photo_is_told_by_its_name_or_its_address(entry, path):
    found, _ = read([{"id": 9} | entry], [annotation(1, 9)])
    assert list(found) == [path]


BROKEN = {
    "an image that is none": (5, None, "the image at place 3 has no id"),
    "an image without an id": ({"file_name": "x.jpg"}, None, "the image at place 3 has no id"),
    "an id that is a list": ({"id": [1], "file_name": "x"}, None, "the image at place 3 has no id"),
    "an id that is true": ({"id": True, "file_name": "x"}, None, "the image at place 3 has no id"),
    "no name": ({"id": 3}, annotation(7, 3), "image 3 has no file_name"),
    "a name of nothing": ({"id": 3, "file_name": "/"}, None, "image 3 has no file_name"),
    "a name that is a number": ({"id": 3, "file_name": 3}, None, "image 3 has no file_name"),
    "an image twice": (image(1), None, "image 1 is listed twice, the first one counts"),
    "a name twice": (
        {"id": 3, "file_name": "1.jpg"},
        annotation(7, 3),
        "image 3 has the file_name of another image (1.jpg), the first one counts",
    ),
    "an image alone": (image(3), None, "image 3 (3.jpg) has no caption"),
    "an annotation that is none": (None, "A dog", "the annotation at place 3 has no image_id"),
    "no image_id": (None, {"id": 7, "caption": "A dog"}, "annotation 7 has no image_id"),
    "no id at all": (None, {"caption": "A"}, "the annotation at place 3 has no image_id"),
    "an unknown image": (
        None,
        annotation(7, 44),
        "annotation 7 is of image 44, which is not listed",
    ),
    "an annotation twice": (
        None,
        annotation(1, 2, "Again ."),
        "annotation 1 is listed twice, the first one counts",
    ),
    "no caption": (None, {"id": 7, "image_id": 1}, "annotation 7 has a caption that is no text"),
    "a number": (None, annotation(7, 1, 5), "annotation 7 has a caption that is no text"),
    "a blank": (None, annotation(7, 1, " \n"), "annotation 7 has a caption that is blank"),
    "half of an emoji": (
        None,
        annotation(7, 1, "\ud83d"),
        "annotation 7 has a caption that holds half of a character",
    ),
}


@pytest.mark.parametrize(("entry", "text", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_record_is_named_once_and_the_others_are_kept(entry, text, told):
    images = [image(1), image(2)] + ([entry] if entry is not None else [])
    texts = [annotation(1, 1), annotation(2, 2)] + ([text] if text is not None else [])
    found, said = read(images, texts)
    assert found == {"1.jpg": ("A dog .",), "2.jpg": ("A dog .",)}
    assert said == [f"c.json: {told}; left out"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "image_id", "file_name", "caption", "coco_url"]), inner
        )
    ),
    max_leaves=12,
)


@given(images=st.lists(JSON), annotations=st.lists(JSON))
def test_whatever_the_records_are_each_photo_comes_once_with_captions(images, annotations):
    found, said = read(images, [annotation(99, 99), *annotations])
    assert all(caption.strip() for texts in found.values() for caption in texts)
    assert all(texts for texts in found.values())
    assert said  # annotation 99 at least


@pytest.mark.parametrize("name", ["COCO_val2014_000000397133.jpg", "x/000000397133.jpg"])
def test_a_photo_has_one_number_in_all_releases(name):
    assert photo_number(name) == "000000397133"
    assert photo_number("397133.jpg") is None


# Files


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1, column 1: ends too early; download it again"),
        ('{"images": [1,\n 2', "line 2, column 3: ends too early; download it again"),
        ('{"images": "a', "line 1, column 12: ends too early; download it again"),
        (
            "{'a'}",
            "line 1, column 2: is no JSON (Expecting property name enclosed in double quotes",
        ),
        ('{"a": 1}\n{}', "line 2, column 1: is no JSON (Extra data); download it again"),
        ("[" * 100_000, "holds no captions (maximum recursion depth exceeded"),
        ("3", "is neither an object as COCO's nor a list as AI Hub's; give a caption file"),
        ("{}", "is no COCO caption file, images and annotations are not both lists"),
        ('{"annotations": [], "images": {}}', "is no COCO caption file"),
        ('{"annotations": [], "images": []}', "has no captions, it may be of another kind"),
        ('{"annotations": [{"bbox": []}], "images": []}', "has no captions, it may be of another"),
        ("[]", "no photo to validate on is left, of 0 with captions"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_place_and_a_remedy(album, text, told):
    path = album.root / "captions.json"
    path.write_text(text)
    with pytest.raises(CorpusError) as error:
        album.read(str(path))
    assert str(error.value).startswith(str(path))
    assert told in str(error.value)


def test_a_file_that_is_no_text_is_refused(album):
    path = album.root / "captions.json"
    path.write_bytes(b'{"images": "caf\xe9"}')
    with pytest.raises(CorpusError, match=r"captions\.json: is no UTF-8 text .*save it as UTF-8"):
        album.read(str(path))


def test_a_byte_order_mark_does_not_matter(album):
    path = album.simple("c", 1)
    text = Path(path).read_text()
    Path(path).write_text(text, encoding="utf-8-sig")
    assert load_json(path) == json.loads(text)
    assert paths(album.read(path, training=False).dev) == ["1.jpg"]


# Splits


def test_two_files_are_two_splits(album):
    train, dev = album.simple("train.json", 1, 2), album.simple("val.json", 3)
    corpus = album.read(train, dev_captions=dev)
    assert corpus.train == tuple(CaptionedPhoto(f"{n}.jpg", ("A dog .",)) for n in (1, 2))
    assert (paths(corpus.dev), album.said) == (["3.jpg"], [])


def test_a_photo_of_both_files_is_kept_in_dev_alone_and_named(album):
    train, dev = album.simple("train.json", 1, 2), album.simple("val.json", 2)
    corpus = album.read(train, dev_captions=dev)
    assert (paths(corpus.train), paths(corpus.dev)) == (["1.jpg"], ["2.jpg"])
    assert album.said == [f"{train}: image 2 (2.jpg) is in both splits; kept in dev alone"]


def test_a_photo_of_2014_is_the_same_photo_in_2017(album):
    old, new = "COCO_train2014_000000000009.jpg", "000000000009.jpg"
    train = album.write(
        "train.json", [image(1), {"id": 9, "file_name": old}], [annotation(1, 1), annotation(2, 9)]
    )
    dev = album.write("val.json", [{"id": 9, "file_name": new}], [annotation(1, 9)])
    corpus = album.read(train, dev_captions=dev)
    assert (paths(corpus.train), paths(corpus.dev)) == (["1.jpg"], [new])
    assert len(album.said) == 1


def test_images_that_have_but_their_id_in_common_are_two_photos(album):
    train = album.write("train.json", [image(1, file_name="a.jpg")], [annotation(1, 1)])
    dev = album.write("val.json", [image(1, file_name="b.jpg")], [annotation(1, 1)])
    corpus = album.read(train, dev_captions=dev)
    assert (paths(corpus.train), paths(corpus.dev), album.said) == (["a.jpg"], ["b.jpg"], [])


def test_lists_pick_the_splits_of_one_file(album):
    path = album.simple("all.json", 1, 2, 3, 4)
    corpus = album.read(path, dev_list=album.names("2.jpg", "4.jpg", "nobody.jpg"))
    assert (paths(corpus.train), paths(corpus.dev)) == (["1.jpg", "3.jpg"], ["2.jpg", "4.jpg"])
    assert album.said == [f"{album}/names.txt: nobody.jpg has no captions; left out"]
    (album.root / "train.txt").write_text("3.jpg\n")
    lists = {"dev_list": album.names("2.jpg"), "train_list": str(album.root / "train.txt")}
    corpus = album.read(path, **lists)
    assert (paths(corpus.train), paths(corpus.dev)) == (["3.jpg"], ["2.jpg"])


def test_a_list_names_photos_by_their_path_where_the_name_is_not_enough(album):
    entries = [image(n, file_name=name) for n, name in enumerate(["a/1.jpg", "b/1.jpg", "2.jpg"])]
    path = album.write("c.json", entries, [annotation(n, n) for n in range(3)], photos=False)
    for entry in entries:
        (album.root / entry["file_name"]).parent.mkdir(exist_ok=True)
        (album.root / entry["file_name"]).touch()
    corpus = album.read(path, dev_list=album.names("1.jpg", "b/1.jpg"))
    assert (paths(corpus.train), paths(corpus.dev)) == (["a/1.jpg", "2.jpg"], ["b/1.jpg"])
    assert album.said == [f"{album}/names.txt: 1.jpg is the name of several photos; left out"]


def test_for_scoring_alone_one_file_is_enough_and_the_other_is_not_opened(album):
    path = album.simple("val.json", 1, 2)
    corpus = album.read(path, training=False)
    assert (corpus.train, paths(corpus.dev)) == ((), ["1.jpg", "2.jpg"])
    (album.root / "train.json").write_text("broken")
    again = album.read(str(album.root / "train.json"), training=False, dev_captions=path)
    assert again == corpus


@given(train=st.sets(st.integers(1, 9)), dev=st.sets(st.integers(1, 9), min_size=1))
def test_no_photo_is_ever_in_both_splits(tmp_path_factory, train, dev):
    album = Album(tmp_path_factory.mktemp("album"))
    files = album.simple("train.json", 10, *train), album.simple("val.json", *dev)
    corpus = album.read(files[0], dev_captions=files[1])
    assert set(paths(corpus.train)) == {f"{n}.jpg" for n in {10} | train - dev}
    assert set(paths(corpus.dev)) == {f"{n}.jpg" for n in dev}


# What a user sees


@pytest.fixture
def run(album, monkeypatch, capsys):
    """Run a command on the album as a user would; give the exit code and both outputs."""
    import batch.evaluate
    import batch.train
    from models.captioner import CaptionerConfig

    english = type("Settings", (), {"language": "en"})()
    monkeypatch.setattr(CaptionerConfig, "read", lambda folder: english)
    monkeypatch.setattr(batch.train, "train_captioner", lambda *_: "trained")
    monkeypatch.setattr(batch.evaluate, "evaluate", lambda *_: "scored")

    def run(command: str, *options: str, photos: str = "") -> tuple[int, str, str]:
        places = ["--photos", photos or str(album), "--out", f"{album}/out"]
        code = main([command, *places, *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_training_names_what_it_left_out_and_goes_on(album, run):
    train = album.write(
        "train.json", [image(1), image(2)], [annotation(1, 1), annotation(2, 2), {"caption": "A"}]
    )
    dev = album.simple("val.json", 3)
    (album.root / "2.jpg").unlink()
    code, out, told = run("train", "--captions", train, "--dev-captions", dev)
    assert (code, out) == (0, "trained\n")
    assert told.splitlines() == [
        f"{train}: the annotation at place 3 has no image_id; left out",
        f"{train}: image 2 has no photo, 2.jpg is not under {album}; left out",
        "problems in the corpus: 2; STRICT=1 stops at the first",
    ]


def test_strict_stops_at_the_first_problem(album, run):
    train = album.write("train.json", [image(1)], [annotation(1, 1), {"caption": "A"}, "no"])
    dev = album.simple("val.json", 3)
    code, out, told = run("train", "--captions", train, "--dev-captions", dev, "--strict")
    assert (code, out) == (1, "")
    assert told == (
        f"error: {train}: the annotation at place 2 has no image_id; "
        "mend it, or leave out STRICT to go on without it\n"
    )


def test_strict_does_not_mind_a_sound_corpus(album, run):
    train, dev = album.simple("train.json", 1), album.simple("val.json", 2)
    found = run("train", "--captions", train, "--dev-captions", dev, "--strict")
    assert found == (0, "trained\n", "")


def test_only_the_first_problems_are_named(album, run):
    many = [{"id": n, "caption": "A"} for n in range(1030)]
    train = album.write("train.json", [image(1)], [annotation(-1, 1), *many])
    dev = album.simple("val.json", 2)
    _, _, told = run("train", "--captions", train, "--dev-captions", dev)
    lines = told.splitlines()
    assert len(lines) == 22
    assert lines[19] == f"{train}: annotation 19 has no image_id; left out"
    assert lines[20] == "and 1,010 more"
    assert lines[21] == "problems in the corpus: 1,030; STRICT=1 stops at the first"


def test_names_that_a_terminal_would_obey_are_shown_harmless(album, run):
    entries = [image(1), image(2, file_name="\x1b[31m.jpg")]
    train = album.write("c.json", entries, [annotation(1, 1), annotation(2, 2)], photos=False)
    dev = album.simple("val.json", 3)
    (album.root / "1.jpg").touch()
    _, _, told = run("train", "--captions", train, "--dev-captions", dev)
    assert "image 2 has no photo, ?[31m.jpg is not under" in told


def test_one_file_of_coco_is_not_enough_to_train(album, run):
    path = album.simple("train.json", 1)
    assert run("train", "--captions", path) == (
        1,
        "",
        f"error: {path}: a file of COCO's holds one split; give DEV_CAPTIONS= the other "
        "(captions_val2014.json), or DEV_LIST= the names of its photos to validate on\n",
    )


def test_a_list_and_a_file_for_the_same_split_are_one_too_many(album, run):
    path = album.simple("train.json", 1)
    options = ["--dev-captions", path, "--dev-list", album.names("1.jpg")]
    assert run("train", "--captions", path, *options) == (
        1,
        "",
        f"error: {album}/names.txt: give DEV_LIST= or DEV_CAPTIONS=, not both\n",
    )


def test_a_token_file_says_which_lists_it_needs(album, run):
    (album.root / "tokens").write_text("[1].jpg#0\tA dog .\n")
    form = f"error: {album}/tokens: a token file as Flickr8k's needs"
    captions = ["--captions", f"{album}/tokens"]
    named = f"{form} TRAIN_LIST= and DEV_LIST=, names of photos, one a line\n"
    assert run("train", *captions) == (1, "", named)
    named = f"{form} DEV_LIST=, names of photos, one a line\n"
    assert run("evaluate", *captions) == (1, "", named)
    lists = ["--dev-list", album.names("[1].jpg"), "--train-list", album.names("[1].jpg")]
    code, _, told = run("train", *captions, *lists, "--dev-captions", "val.json")
    told_it = "error: val.json: DEV_CAPTIONS= goes with COCO's JSON; leave it out\n"
    assert (code, told) == (1, told_it)


def test_where_no_photo_is_found_the_folder_is_doubted_and_the_photos_are_named(album, run):
    train, dev = album.simple("train.json", 1), album.simple("val.json", 2)
    (album.root / "empty").mkdir()
    options = ["--captions", train, "--dev-captions", dev]
    code, _, told = run("train", *options, photos=f"{album}/empty")
    assert code == 1
    assert told.splitlines()[2:] == [
        "problems in the corpus: 2; STRICT=1 stops at the first",
        f"error: {train}: no photo to validate on is left, of 2 with captions; "
        f"are its photos under {album}/empty?",
    ]
    code, _, told = run("train", *options, photos=f"{album}/none")
    message = (
        f"error: '{album}/none' is no folder and no zip file; give PHOTOS= the photos' place\n"
    )
    assert (code, told) == (1, message)


def test_where_dev_takes_all_photos_nothing_is_left_to_learn_from(album, run):
    path = album.simple("train.json", 1)
    code, _, told = run("train", "--captions", path, "--dev-captions", path)
    assert (code, "no photo to learn from is left" in told) == (1, True)


# The published files


@pytest.mark.skipif(not COCO.is_dir(), reason="COCO is not here: ../shared/data/coco")
def test_the_published_captions_are_all_read():
    path = str(COCO / "captions_val2017.json")
    records = read_coco(path, load_json(path), stop)
    assert len(records) == 5000
    assert sum(len(record.captions) for record in records) == 25_014
    assert all(record.path.startswith("val2017/") for record in records)


@pytest.mark.skipif(not COCO.is_dir(), reason="COCO is not here: ../shared/data/coco")
def test_published_photos_are_found_and_the_others_are_named(tmp_path):
    names = [path.name for path in sorted((COCO / "photos").glob("*.jpg"))]
    (tmp_path / "dev").write_text("\n".join(names[:10]))
    files = CorpusFiles(
        str(COCO / "captions_train2017.json"), str(COCO / "photos"), dev_list=str(tmp_path / "dev")
    )
    corpus = read_corpus(files, "en", stop)
    assert (len(corpus.train), len(corpus.dev)) == (70, 10)
    assert sum(1 for _ in corpus.captions()) == 350
    assert {photo.path for photo in (*corpus.train, *corpus.dev)} == set(names)
