"""An evaluation scores each photo's own caption, and writes it down for people and programs."""

import csv
import dataclasses
import html
import json
import re
import shutil

import numpy as np
import pytest

import batch.evaluate
import batch.judge
from batch.corpora.corpus import CaptionedPhoto, stop
from batch.errors import ArchiveError
from batch.evaluate import Places, evaluate
from batch.photos import load
from batch.scan import Photo
from batch.variety import variety
from manifests.record import Status
from models.attention_decoder import AttentionDecoder, DecoderConfig
from models.captioner import Captioner, CaptionerConfig
from models.checkpoint import CheckpointError
from models.search import SearchConfig
from models.tokens import TOKENIZER
from models.vocabulary import Vocabulary
from tests.pictures import encoded, noise

COMMON = {"BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"}
HOSTILE = "<script src=x onerror='alert(1)'>\"&.jpg"
WORDS = {
    "en": ["a", "dog", "cat", "runs", "sits", "on", "the", "grass", "sofa", "red", "ball"],
    "ko": ["개가", "고양이가", "풀밭을", "달린다", "앉아", "있다", "빨간", "공을", "소파에", "두"],
}


class FakeEncoder:
    """Features that follow from a photo's colours, without a network; counts the photos it saw."""

    def __init__(self):
        self.batches = 0

    def predict_on_batch(self, pixels):
        """Give (photos, 8, 8, 2048): an 8x8 grid of pixels, their three colours over and over."""
        self.batches += 1
        grid = pixels[:, 18::37, 18::37][:, :8, :8].astype(np.float32) / 255
        return np.tile(grid, 683)[..., :2048]


@pytest.fixture
def encoder(monkeypatch):
    fake = FakeEncoder()
    monkeypatch.setattr(batch.caption, "load_encoder", lambda folder, bfloat16: fake)
    return fake


@pytest.fixture(autouse=True)
def no_meteor(monkeypatch):
    """METEOR starts Java: its own tests do."""
    monkeypatch.setattr(batch.judge, "meteor", lambda candidates, references: None)


def save_captioner(folder, language):
    """Save a small captioner of random weights, large enough that photos differ in captions."""
    vocabulary = Vocabulary.from_captions([" ".join(WORDS[language])], 1)
    decoder = AttentionDecoder(DecoderConfig(len(vocabulary), 4, 4, 4, 8))
    random = np.random.default_rng(5)
    for variable in decoder.weights:
        variable.assign(random.normal(0, 1, variable.shape))
    search = SearchConfig(num_beams=2, max_length=6)
    config = CaptionerConfig(
        f"tiny-{language}", language, decoder.config, search, encoder="imagenet"
    )
    Captioner(config, vocabulary, decoder).save(str(folder))
    return str(folder)


@pytest.fixture(scope="module")
def captioners(tmp_path_factory):
    root = tmp_path_factory.mktemp("captioners")
    return {language: save_captioner(root / language, language) for language in WORDS}


def photos_in(folder, names, language="en"):
    """Draw photos; give them with two captions each, made of the captioner's words."""
    folder.mkdir(exist_ok=True)
    words = WORDS[language]
    for seed, name in enumerate(names):
        shade = noise(8, 8, seed).resize((40 + seed, 30))
        (folder / name).write_bytes(encoded(shade))
    return [
        CaptionedPhoto(name, (" ".join(words[i % 5 : i % 5 + 5]), " ".join(words[:4])))
        for i, name in enumerate(names)
    ]


class Run:
    """One evaluation over photos drawn for it, and its files."""

    def __init__(self, captioner, tmp_path, names, language="en", **search):
        self.captioner, self.search = captioner, search
        self.folder, self.out = tmp_path / "photos", tmp_path / "out"
        self.cache = tmp_path / "features"
        self.photos = photos_in(self.folder, names, language)
        self.tell = stop

    def go(self):
        """Evaluate, and give what evaluate returns."""
        places = Places(*map(str, (self.folder, self.cache, self.out)))
        return evaluate(self.captioner, self.photos, places, self.search, self.tell)

    @property
    def scores(self):
        """What scores.json holds."""
        return json.loads((self.out / "scores.json").read_text(encoding="utf-8"))

    @property
    def rows(self):
        """What captions.csv holds."""
        with (self.out / "scored.csv").open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))

    @property
    def page(self):
        """What index.html holds."""
        return (self.out / "index.html").read_text(encoding="utf-8")

    @property
    def sections(self):
        """The sections of the page by heading: the names of the photos in each."""
        parts = self.page.split("<h2>")[1:]
        names = r'<bdi class="name">(.*?)<'
        return {part.partition(" <small")[0]: re.findall(names, part) for part in parts}


RANKED = ("Best", "Median", "Worst")


@pytest.fixture
def run(captioners, tmp_path, encoder):
    names = [f"{number}.jpg" for number in range(5)]
    return Run(captioners["en"], tmp_path, names)


def own_captions(run, encoder):
    """Caption each photo of a run by itself, past the cache and the shards."""
    captioner = Captioner.load(run.captioner, **run.search)
    return {
        photo.path: captioner.caption(seen(run.folder / photo.path, encoder))[0]
        for photo in run.photos
    }


def seen(path, encoder):
    """Encode one photo by itself."""
    pixels = load(Photo(str(path.parent), path.name, 0, 0)).pixels
    return encoder.predict_on_batch(pixels[None]).astype(np.float16)


def test_each_photo_gets_its_own_caption_whatever_shard_it_is_in(run, encoder, monkeypatch):
    monkeypatch.setattr(batch.caption, "SHARD_PHOTOS", 2)
    run.go()
    wanted = own_captions(run, encoder)
    assert len({caption.text for caption in wanted.values()}) > 1
    assert {row["path"]: row["caption"] for row in run.rows} == {
        path: caption.text for path, caption in wanted.items()
    }
    for row in run.rows:
        assert float(row["confidence"]) == pytest.approx(wanted[row["path"]].confidence, abs=2e-3)


def test_scores_json_tells_what_was_scored_how_and_by_what(run, encoder):
    found = run.go()
    captions = [row["caption"] for row in run.rows]
    assert run.scores["captioner"] == "tiny-en"
    assert re.fullmatch("[0-9a-f]{16}", run.scores["fingerprint"])
    assert run.scores["tokenizer"] == TOKENIZER
    assert run.scores["search"] == str(SearchConfig(num_beams=2, max_length=6))
    assert run.scores["photos"] == 5
    assert run.scores["scores"]["METEOR"] is None
    assert run.scores["scores"]["CIDEr"] == round(found.scores["CIDEr"], 2) > 0
    assert run.scores["variety"]["distinct"] == len(set(captions)) / 5
    assert run.scores["variety"]["words_known"] == len(WORDS["en"])


def test_the_scores_of_a_set_are_the_mean_of_its_rows(run):
    run.go()
    cider = [float(row["CIDEr"]) for row in run.rows]
    assert np.mean(cider) == pytest.approx(run.scores["scores"]["CIDEr"], abs=0.1)


def test_captions_that_equal_their_references_score_higher(run):
    before = run.go().scores
    said = {row["path"]: row["caption"] for row in run.rows}
    run.photos = [CaptionedPhoto(p.path, (said[p.path], *p.captions)) for p in run.photos]
    after = run.go().scores
    assert all(after[name] > before[name] for name in ("BLEU-1", "ROUGE-L", "CIDEr"))


def test_search_settings_are_the_users(run):
    run.search = {"num_beams": 1, "max_length": 3}
    run.go()
    assert run.scores["search"].startswith("beams=1 max_length=3 ")
    assert max(len(row["caption"].split()) for row in run.rows) <= 3


def test_each_language_has_its_scores(captioners, tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(batch.judge, "meteor", lambda candidates, references: 0.2)
    own = {}
    for language in ("en", "ko"):
        found = Run(captioners[language], tmp_path, ["a.jpg", "b.jpg"], language).go()
        own[language] = {k: v for k, v in found.scores.items() if k not in COMMON}, found.splitter
    assert own["en"] == ({"METEOR": 20.0}, "ptb-python-1")
    scores, splitter = own["ko"]
    assert scores.keys() == {"char-BLEU", "chrF"}
    assert splitter.startswith("kiwipiepy ")


def test_korean_is_scored_by_morphemes_and_characters(captioners, tmp_path, encoder):
    run = Run(captioners["ko"], tmp_path, ["a.jpg", "b.jpg"], "ko")
    run.go()
    said = {row["path"]: row["caption"] for row in run.rows}
    run.photos = [CaptionedPhoto(photo.path, (said[photo.path],)) for photo in run.photos]
    scores = run.go().scores
    assert scores["chrF"] == pytest.approx(100)
    assert scores["char-BLEU"] == pytest.approx(100)
    assert scores["BLEU-1"] == pytest.approx(100)


def test_features_are_cached_and_the_encoder_is_not_even_built_again(run, encoder, monkeypatch):
    run.go()
    before = {path.name: path.read_bytes() for path in run.out.iterdir()}
    [folder] = run.cache.iterdir()
    assert re.fullmatch("[0-9a-f]{16}", folder.name)
    monkeypatch.delattr(batch.caption, "load_encoder")
    run.go()
    assert {path.name: path.read_bytes() for path in run.out.iterdir()} == before


def test_damaged_features_are_made_again(run, encoder):
    run.go()
    before = run.rows
    [shard] = run.cache.glob("*/*.parquet")
    data = bytearray(shard.read_bytes())
    data[1000:1100] = bytes(100)
    shard.write_bytes(data)
    run.go()
    assert run.rows == before
    assert encoder.batches == 2


def test_photos_of_equal_bytes_are_scored_each_by_its_own_references(run):
    shutil.copy(run.folder / "0.jpg", run.folder / "copy.jpg")
    run.photos.append(CaptionedPhoto("copy.jpg", ("two zebras",)))
    run.go()
    first, copy = run.rows[0], run.rows[-1]
    assert copy["caption"] == first["caption"]
    assert copy["references"] == "two zebras"


def test_korean_captions_and_hostile_names_come_through_whole(captioners, tmp_path, encoder):
    names = [HOSTILE, "=1+1.jpg", "바다, 개.jpg"]
    run = Run(captioners["ko"], tmp_path, names, "ko")
    run.go()
    assert [row["path"] for row in run.rows] == [HOSTILE, "'=1+1.jpg", "바다, 개.jpg"]
    assert run.rows[0]["references"] == " | ".join(run.photos[0].captions)
    assert "<script" not in run.page
    assert html.escape(HOSTILE) in run.page
    shown = sum(map(len, run.sections.values()))
    assert run.page.count(' lang="ko"') == 3 * shown >= 9
    for row in run.rows:
        assert set(row["caption"].rstrip(".").split()) <= set(WORDS["ko"])
        assert html.escape(row["caption"]) in run.page


@pytest.mark.parametrize(
    ("number", "shown"), [(1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (8, [3, 2, 3]), (41, [12, 12, 12])]
)
def test_the_page_shows_the_best_the_median_and_the_worst(
    captioners, tmp_path, encoder, number, shown
):
    run = Run(captioners["en"], tmp_path, [f"{i:02}.jpg" for i in range(number)])
    ranked = sorted(run.go().photos, key=lambda photo: (-photo.cider, photo.path))
    names = [photo.path for photo in ranked]
    sections = [names for heading, names in run.sections.items() if heading in RANKED]
    assert [len(section) for section in sections] == shown
    assert sections[0] == names[: shown[0]]
    assert sum(shown) == len({name for section in sections for name in section})
    if len(sections) == 3:
        assert sections[2] == names[: -shown[2] - 1 : -1]


def test_the_page_names_tokenizer_scores_and_search(run):
    found = run.go()
    for text in (TOKENIZER, "beams=2", "tiny-en", f"{found.scores['CIDEr']:.1f}"):
        assert text in run.page.partition("<img")[0]
    shown = sum(map(len, run.sections.values()))
    assert run.page.count("data:image/jpeg;base64,") == shown >= 5


def test_the_result_prints_as_a_short_table(run):
    lines = str(run.go()).splitlines()
    assert lines[0].split() == [
        "BLEU-1",
        "BLEU-2",
        "BLEU-3",
        "BLEU-4",
        "ROUGE-L",
        "CIDEr",
        "METEOR",
    ]
    assert len(lines[1].split()) == 7
    assert len(lines[0]) == len(lines[1])
    assert TOKENIZER in "\n".join(lines)
    assert max(map(len, lines)) < 120


@pytest.mark.parametrize("content", [b"", b"no photo at all", None])
def test_a_bad_photo_is_an_error_that_names_it(run, content):
    path = run.folder / "3.jpg"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"photos/3\.jpg: \w+"):
        run.go()
    assert not run.out.exists()


def test_a_bad_photo_is_left_out_of_all_scores_where_that_is_asked_for(run):
    (run.folder / "3.jpg").write_bytes(b"no photo")
    told = []
    run.tell = told.append
    found = run.go()
    assert [problem.file for problem in told] == [str(run.folder / "3.jpg")]
    left = [photo.path for photo in run.photos if photo.path != "3.jpg"]
    assert [photo.path for photo in found.photos] == left
    run.photos = [photo for photo in run.photos if photo.path != "3.jpg"]
    assert run.go().scores == found.scores


def test_bad_photos_alone_are_an_error(run):
    run.photos, run.tell = run.photos[3:4], lambda problem: None
    (run.folder / run.photos[0].path).write_bytes(b"no photo")
    with pytest.raises(ArchiveError, match="none of the photos"):
        run.go()


def test_a_photo_without_captions_is_an_error_that_names_it(run):
    run.photos[2] = CaptionedPhoto("2.jpg", ())
    with pytest.raises(ArchiveError, match=r"2\.jpg"):
        run.go()


def test_no_photos_are_an_error(run):
    run.photos = []
    with pytest.raises(ArchiveError, match="no photos"):
        run.go()


def test_nothing_is_written_among_the_photos(run):
    run.out = run.folder / "results"
    with pytest.raises(ArchiveError, match="inside the photo folder"):
        run.go()
    assert len(list(run.folder.iterdir())) == 5


def test_a_folder_that_is_no_captioner_is_an_error(run, tmp_path):
    run.captioner = str(tmp_path)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        run.go()


DEGENERATE = {
    "A dog on a dog.": {"repeated_word", "repeated_run"},
    "A red ball on the.": {"dangling_end"},
    "Cat sits on the red sofa.": {"cut"},
    "A dog runs.": {"frequent"},
}


def says(run, captions, monkeypatch):
    """Let a run's captioner say these captions, of its photos in their order; None is no scene."""
    said = dict(zip((photo.path for photo in run.photos), captions, strict=True))

    def other(record):
        caption = said[record.path]
        if caption is None:
            status = Status("not_a_scene")
            return dataclasses.replace(record, status=status, caption=None, confidence=None)
        return dataclasses.replace(record, caption=caption)

    real = batch.evaluate.Stage.caption_shards

    def shards(*args):
        for shard in real(*args):
            yield dataclasses.replace(shard, records=[*map(other, shard.records)])

    monkeypatch.setattr(batch.evaluate.Stage, "caption_shards", shards)


def test_degenerate_captions_are_counted_beside_peoples_and_shown(run, monkeypatch):
    says(run, [*DEGENERATE, "A dog runs."], monkeypatch)
    found = run.go()
    for row in run.rows:
        assert set(row["faults"].split()) == DEGENERATE[row["caption"]]
    shares = {"repeated_word": 0.2, "repeated_run": 0.2, "dangling_end": 0.2, "frequent": 0.4}
    assert run.scores["degenerate"] == shares | {"cut": 0.2}
    assert run.scores["degenerate_of_people"]["dangling_end"] == 0.2  # "cat runs sits on the"
    assert run.scores["variety"]["frequent"] == {"A dog runs.": 0.4}
    assert "Same for over 2%" in str(found)
    assert run.sections["Dangling end"] == ["1.jpg"]
    assert run.sections["Same for over 2%"] == ["3.jpg", "4.jpg"]


def test_photos_are_scored_by_the_kinds_that_people_name(run):
    captions = [("A man with a dog.",), ("A boy surfs.",), ("Two dogs.",), ("A bus.",), ("Odd.",)]
    names = [photo.path for photo in run.photos]
    run.photos = [CaptionedPhoto(*each) for each in zip(names, captions, strict=True)]
    found = run.go()
    assert [(row["path"], row["kinds"]) for row in run.rows] == [
        ("0.jpg", "people animals"),
        ("1.jpg", "people sport water"),
        ("2.jpg", "animals"),
        ("3.jpg", "vehicles"),
        ("4.jpg", "other"),
    ]
    rows = {row["kind"]: row for row in run.scores["kinds"]}
    assert rows["people"]["photos"] == 2
    cider = [photo.cider for photo in found.photos[:2]]
    assert rows["people"]["cider"] == pytest.approx(np.mean(cider))


def test_what_confidence_is_worth_is_told_and_drawn(run):
    run.go()
    assert run.scores["confidence"].keys() == {
        "acceptable",
        "area_under_risk",
        "calibration_error",
        "spearman",
    }
    assert (run.out / "confidence.png").read_bytes().startswith(b"\x89PNG")
    assert run.page.count("data:image/png;base64,") == 4  # two plots, light and dark


def test_photos_taken_for_no_scene_are_counted_and_score_as_empty_captions(run, monkeypatch):
    says(run, ["A dog runs.", None, "A cat sits.", None, "A red ball."], monkeypatch)
    found = run.go()
    assert run.scores["no_scene"] == 2
    assert [photo.cider for photo in found.photos if not photo.caption] == [0, 0]
    assert run.sections["Taken for no scene"] == ["1.jpg", "3.jpg"]
    assert run.scores["variety"]["distinct"] == 1  # of those that there are
    assert run.rows[1]["caption"] == ""


def test_a_captioner_that_sees_no_scene_at_all_is_judged_too(run, monkeypatch):
    says(run, [None] * 5, monkeypatch)
    found = run.go()
    assert found.scores["BLEU-4"] == pytest.approx(0)
    assert run.scores["confidence"] is None
    assert not (run.out / "confidence.png").exists()


def test_variety_shows_a_captioner_that_says_one_thing_only():
    vocabulary = Vocabulary.from_captions(["a dog runs", "a cat sleeps"], 1)
    found = variety(["A dog runs.", "A dog runs.", "A cat.", "A dog runs."], vocabulary)
    assert (found.distinct, found.words_used, found.words_known) == (0.5, 4, 5)
    assert (found.most_frequent, found.most_frequent_share) == ("A dog runs.", 0.75)
    assert found.frequent == {"A dog runs.": 0.75}
