"""AI Hub's Korean captions are read from one file of both splits; what is broken is named."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.__main__ import main
from batch.corpora.aihub import read_aihub
from batch.corpora.corpus import CaptionedPhoto, CorpusError, stop
from batch.corpora.read import CorpusFiles, check_language, read_corpus

FLICKR8K = Path(__file__).parents[2] / "../shared/data/flickr8k"
TRAIN = {
    "file_path": "train2014/COCO_train2014_000000000009.jpg",
    "id": 9,
    "captions": ["A dog runs.", "The dog."],
    "caption_ko": ["개가 달린다.", "  "],
}
DEV = {
    "file_path": "val2014/COCO_val2014_000000391895.jpg",
    "id": 391895,
    "captions": "A man on a moped.",
    "caption_ko": "남자가  작은\n오토바이를 탄다.",
}


def read(entries: list, language: str = "ko") -> tuple[dict[str, tuple], list[str]]:
    said: list[str] = []
    records = read_aihub("k.json", entries, language, lambda problem: said.append(str(problem)))
    return {record.path: (record.split, record.captions) for record in records}, said


def test_korean_captions_are_read_blank_ones_skipped_and_strings_taken_for_lists():
    found, said = read([TRAIN, DEV])
    assert found == {
        TRAIN["file_path"]: ("train", ("개가 달린다.",)),
        DEV["file_path"]: ("dev", ("남자가 작은 오토바이를 탄다.",)),
    }
    assert said == []


@pytest.mark.parametrize("language", ["en", "en-GB"])
def test_english_captions_are_read_for_an_english_captioner(language):
    found, said = read([TRAIN, DEV], language)
    captions = [captions for _, captions in found.values()]
    assert captions == [("A dog runs.", "The dog."), ("A man on a moped.",)]
    assert said == []


@pytest.mark.parametrize("language", ["fr", "", "korean"])
def test_a_language_that_is_not_there_is_refused(language):
    with pytest.raises(CorpusError) as error:
        read([TRAIN], language)
    assert str(error.value) == (
        f"k.json: has captions in Korean and English (ko, en), none in {language!r}; "
        "choose a recipe or a captioner of these languages"
    )


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"),
        ("train2017", "train"),
        ("Train", "train"),
        ("val2014", "dev"),
        ("validation", "dev"),
        ("dev", "dev"),
    ],
)
def test_the_first_folder_tells_the_split(folder, split):
    found, _ = read([TRAIN | {"file_path": f"{folder}/val/train/a.jpg"}])
    assert [value[0] for value in found.values()] == [split]


PATH = "train/a.jpg"
BROKEN = {
    "no record": ("a", "entry 2 is no record of a photo"),
    "no path": ({"caption_ko": ["개"]}, "entry 2 has no file_path"),
    "a path that is a number": ({"file_path": 3, "caption_ko": ["개"]}, "entry 2 has no file_path"),
    "a third split": (
        {"file_path": "test2014/a.jpg", "caption_ko": ["개"]},
        "entry 2 (test2014/a.jpg) is in no split, its file_path begins with neither train, val "
        "nor dev",
    ),
    "no folder": (
        {"file_path": "train.jpg", "caption_ko": ["개"]},
        "entry 2 (train.jpg) is in no split, its file_path begins with neither train, val nor dev",
    ),
    "no captions": ({"file_path": PATH}, f"entry 2 ({PATH}) has no caption_ko"),
    "captions by name": (
        {"file_path": PATH, "caption_ko": {"a": "b"}},
        f"entry 2 ({PATH}) has no caption_ko",
    ),
    "blank captions": (
        {"file_path": PATH, "caption_ko": ["", " \n", None]},
        f"entry 2 ({PATH}) has no caption under caption_ko that is not blank",
    ),
    "a photo twice": (
        TRAIN | {"caption_ko": ["고양이"]},
        f"entry 2 ({TRAIN['file_path']}) is listed twice, the first one counts",
    ),
}


@pytest.mark.parametrize(("entry", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_entry_is_named_and_the_others_are_kept(entry, told):
    found, said = read([TRAIN, entry, DEV])
    assert list(found) == [TRAIN["file_path"], DEV["file_path"]]
    assert found[TRAIN["file_path"]] == ("train", ("개가 달린다.",))
    assert said == [f"k.json: {told}; left out"]


def test_a_caption_that_is_no_text_costs_no_other():
    found, said = read([{"file_path": PATH, "caption_ko": [None, 5, "개", "\ud83d"]}])
    assert found == {PATH: ("train", ("개",))}
    assert said == [
        f"k.json: entry 1 ({PATH}), caption 2, is no text; left out",
        f"k.json: entry 1 ({PATH}), caption 4, holds half of a character; left out",
    ]


@given(
    captions=st.dictionaries(
        st.tuples(st.sampled_from(["train2014", "val2014"]), st.integers(0, 99)),
        st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1),
    )
)
def test_every_caption_that_is_not_blank_comes_with_its_photo(captions):
    entries = [
        {"file_path": f"{folder}/{number}.jpg", "caption_ko": texts}
        for (folder, number), texts in captions.items()
    ]
    found, said = read(json.loads(json.dumps(entries)))
    words = {path: [caption.split() for caption in texts] for path, (_, texts) in found.items()}
    expected = {
        entry["file_path"]: [text.split() for text in entry["caption_ko"] if text.strip()]
        for entry in entries
    }
    assert words == {path: texts for path, texts in expected.items() if texts}
    assert len(said) == len(expected) - len(words)


# The whole corpus, and what a user sees


@pytest.fixture
def korean(tmp_path):
    """Write the file and its photos; give its path."""
    for entry in (TRAIN, DEV):
        path = tmp_path / entry["file_path"]
        path.parent.mkdir()
        path.touch()
    (tmp_path / "k.json").write_text(json.dumps([TRAIN, DEV], ensure_ascii=False))
    return str(tmp_path / "k.json")


def files(korean: str, **more: str) -> CorpusFiles:
    return CorpusFiles(korean, str(Path(korean).parent), **more)


def test_one_file_gives_both_splits(korean):
    corpus = read_corpus(files(korean), "ko", stop)
    assert corpus.train == (CaptionedPhoto(TRAIN["file_path"], ("개가 달린다.",)),)
    assert corpus.dev == (CaptionedPhoto(DEV["file_path"], ("남자가 작은 오토바이를 탄다.",)),)


def test_for_scoring_the_training_photos_need_not_be_there(korean, tmp_path):
    (tmp_path / TRAIN["file_path"]).unlink()
    corpus = read_corpus(files(korean), "ko", stop, training=False)
    assert (corpus.train, len(corpus.dev)) == ((), 1)


def numbered(folder: Path) -> str:
    """Write a file of three photos a split whose names are alike; give its path."""
    entries = [
        {"file_path": f"{split}/{number}.jpg", "caption_ko": [f"{split} {number}"]}
        for split in ("train", "val")
        for number in range(3)
    ]
    (folder / "k.json").write_text(json.dumps(entries))
    return str(folder / "k.json")


def test_for_scoring_no_photo_of_the_training_split_stands_for_a_missing_one(tmp_path):
    captions, said = numbered(tmp_path), []
    for place in ("train/0.jpg", "train/1.jpg", "train/2.jpg", "val/1.jpg"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).touch()
    asked = files(captions)
    corpus = read_corpus(asked, "ko", lambda p: said.append(str(p)), training=False)
    assert corpus.dev == (CaptionedPhoto("val/1.jpg", ("val 1",)),)
    assert said == [
        f"{captions}: entry {n + 4} (val/{n}.jpg) has no photo, val/{n}.jpg is not under "
        f"{tmp_path}; left out"
        for n in (0, 2)
    ]
    (tmp_path / "val/1.jpg").unlink()
    with pytest.raises(CorpusError, match="no photo to validate on is left, of 3"):
        read_corpus(asked, "ko", said.append, training=False)


def test_for_scoring_a_file_that_could_be_of_either_split_is_of_neither(tmp_path):
    captions, said = numbered(tmp_path), []
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "0.jpg").touch()
    with pytest.raises(CorpusError, match="no photo to validate on is left"):
        read_corpus(files(captions), "ko", lambda p: said.append(str(p)), training=False)
    assert "(val/0.jpg) has no photo of its own, photos/0.jpg is another's too" in said[-1]


def test_without_a_place_of_photos_the_captions_alone_are_read(tmp_path):
    corpus = read_corpus(CorpusFiles(numbered(tmp_path)), "ko", stop)
    assert corpus.train[0] == CaptionedPhoto("train/0.jpg", ("train 0",))
    assert (len(corpus.train), len(corpus.dev)) == (3, 3)


def test_a_list_can_pick_the_photos_to_validate_on(korean, tmp_path):
    (tmp_path / "dev").write_text("COCO_train2014_000000000009.jpg\n")
    corpus = read_corpus(files(korean, dev_list=str(tmp_path / "dev")), "ko", stop)
    assert [photo.path for photo in corpus.dev] == [TRAIN["file_path"]]
    assert [photo.path for photo in corpus.train] == [DEV["file_path"]]


def test_a_second_file_is_one_too_many(korean):
    with pytest.raises(CorpusError) as error:
        read_corpus(files(korean, dev_captions=korean), "ko", stop)
    assert str(error.value) == (
        f"{korean}: tells train and dev apart by itself; leave out DEV_CAPTIONS="
    )


@pytest.mark.parametrize(("language", "said"), [("ko", "개가 달린다."), ("en", "A dog runs.")])
def test_the_recipe_and_the_captioner_choose_the_language(
    korean, language, said, monkeypatch, tmp_path
):
    import batch.evaluate
    import batch.train
    from batch.recipe import Recipe

    seen = []
    monkeypatch.setattr(Recipe, "read", lambda path: Recipe("x", language=language))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "config.json").write_text(json.dumps({"language": language}))
    monkeypatch.setattr(batch.train, "train_captioner", lambda *args: seen.append(repr(args)))
    monkeypatch.setattr(batch.evaluate, "evaluate", lambda *args: seen.append(repr(args)))
    corpus = ["--captions", korean, "--photos", str(tmp_path)]
    assert main(["train", *corpus, "--out", "out"]) == 0
    assert said in seen[0]
    assert main(["evaluate", *corpus, "--captioner", str(mine)]) == 0
    assert ("남자가" in seen[1]) == (language == "ko")
    assert said not in seen[1]  # it is of the other split


@pytest.mark.skipif(not FLICKR8K.is_dir(), reason="Flickr8k is not here: ../shared/data/flickr8k")
def test_the_korean_captions_of_flickr8k_are_all_read_and_their_photos_found():
    korean, photos = str(FLICKR8K / "korean.json"), str(FLICKR8K / "images")
    corpus = read_corpus(CorpusFiles(korean, photos), "ko", stop)
    assert (len(corpus.train), len(corpus.dev)) == (6000, 1000)
    assert sum(1 for _ in corpus.captions()) == 30_000
    assert sum(len(photo.captions) for photo in corpus.dev) == 5000
    assert all((FLICKR8K / "images" / photo.path).is_file() for photo in corpus.dev)


def test_captions_of_another_language_are_no_corpus_of_korean(tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("a.jpg#0\tA dog runs .\n")
    (tmp_path / "dev").write_text("a.jpg\n")
    files = CorpusFiles(str(tokens), dev_list=str(tmp_path / "dev"))
    corpus = read_corpus(files, "ko", stop, training=False)
    with pytest.raises(CorpusError, match=r"none of the captions is in Korean.*CAPTIONS="):
        check_language(corpus, "ko", str(tokens))
    check_language(corpus, "en", str(tokens))
