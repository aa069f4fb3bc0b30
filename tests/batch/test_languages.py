"""One run writes captions in several languages, from features that were encoded once."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from batch.__main__ import main
from batch.config import captioner_folders, language_of
from batch.errors import ArchiveError
from batch.page import write_page
from batch.pipeline import run
from models.captioner import Captioner
from tests.batch.archives import save_captioner

NAMES = ["a.png", "b.png", "sub/c.png"]


@pytest.fixture
def korean(tmp_path, captioner_folder):
    """Save a captioner like the first, which says Korean words instead."""
    folder = Path(save_captioner(tmp_path / "korean"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"language": "ko", "name": "tiny-ko"}))
    words = (folder / "vocabulary.txt").read_text().splitlines()
    said = [f"낱말{number}" for number in range(len(words) - 4)]
    (folder / "vocabulary.txt").write_text("\n".join([*words[:4], *said, ""]), encoding="utf-8")
    return str(folder)


@pytest.fixture
def album(archive, fake_encoder):
    archive.draw(*NAMES)
    return archive


def test_each_photo_gets_its_caption_in_each_language(album, korean, fake_encoder):
    summary = run(album.config(others=(korean,)))
    assert (summary.captioned, summary.encoded) == (3, 3)
    assert fake_encoder.photos == 3
    for row in album.records.values():
        english, other = row.languages
        assert (english.language, other.language) == ("en", "ko")
        assert english.caption == row.caption
        assert english.confidence == row.confidence
        assert english.captioner == row.captioner
        assert other.caption.startswith("낱말")
        assert other.captioner.startswith("tiny-ko@")


def test_the_captions_are_those_of_runs_in_one_language(album, korean, tmp_path):
    run(album.config(others=(korean,)))
    both = album.records
    album.out = tmp_path / "alone"
    run(album.config(captioner=korean))
    assert {path: row.caption for path, row in album.records.items()} == {
        path: row.languages[1].caption for path, row in both.items()
    }


def test_the_files_hold_a_column_for_each_language(album, korean):
    run(album.config(others=(korean,)))
    table = pq.read_table(album.out / "captions.parquet").to_pylist()
    sheet = pd.read_csv(album.out / "captions.csv", keep_default_na=False)
    assert [row["caption_ko"] for row in table] == list(sheet["caption_ko"])
    assert [row["caption_en"] for row in table] == list(sheet["caption_en"])
    assert all(text.startswith("낱말") for text in sheet["caption_ko"])
    assert list(sheet["path"]) == NAMES


def test_the_page_shows_every_language(album, korean):
    run(album.config(others=(korean,)))
    page = Path(write_page(str(album.out))).read_text(encoding="utf-8")
    for row in album.records.values():
        assert f'<p lang="ko">{row.languages[1].caption}</p>' in page
        assert f">{row.caption}</p>" in page


def test_a_second_run_has_nothing_to_do_and_a_new_photo_gets_both(album, korean, fake_encoder):
    config = album.config(others=(korean,))
    run(config)
    before = album.results
    assert run(config).captioned == 0
    assert album.results == before
    album.draw("d.png", seed=9)
    assert run(config).captioned == 1
    assert {len(row.languages) for row in album.records.values()} == {2}
    assert fake_encoder.photos == 4


def test_asking_for_a_second_language_later_takes_no_encoding(album, korean, fake_encoder):
    run(album.config())
    first = album.captions
    summary = run(album.config(others=(korean,)))
    assert (summary.captioned, summary.encoded) == (3, 0)
    assert album.captions == first
    assert {len(row.languages) for row in album.records.values()} == {2}
    run(album.config())  # asked for one alone again: nothing is lost
    assert {len(row.languages) for row in album.records.values()} == {2}


def test_a_run_in_one_language_fills_the_columns_of_a_table_in_two(album, korean):
    run(album.config(others=(korean,)))
    album.draw("new.png", seed=7)
    run(album.config())
    row = album.records["new.png"]
    assert [(each.language, each.caption) for each in row.languages] == [("en", row.caption)]
    assert row.languages[0].captioner == row.captioner
    run(album.config(others=(korean,)))
    assert len(album.records["new.png"].languages) == 2


def test_captioning_again_in_one_language_keeps_the_other(album, korean):
    run(album.config(others=(korean,)))
    before = album.records
    run(album.config(captioner=korean, overwrite=True))
    for path, row in album.records.items():
        assert row.languages == before[path].languages
        assert row.caption == before[path].languages[1].caption


def test_captions_that_another_captioner_made_are_told_of(album, korean):
    run(album.config())
    summary = run(album.config(captioner=korean))
    assert summary.captioned == 0
    assert "3 keep the captions of tiny (EXISTING=overwrite" in str(summary)
    assert album.last_run["others"] == {"tiny": 3}
    assert "keep the captions" not in str(run(album.config()))


def test_a_copy_takes_over_all_languages(album, korean):
    config = album.config(others=(korean,))
    run(config)
    (album.root / "copy.png").write_bytes((album.root / "a.png").read_bytes())
    assert run(config).captioned == 0
    assert album.records["copy.png"].languages == album.records["a.png"].languages


def test_captioners_of_one_language_do_not_go_together(album, captioner_folder, tmp_path):
    other = save_captioner(tmp_path / "other")
    with pytest.raises(ArchiveError, match="different languages"):
        run(album.config(others=(other,)))


def test_captioners_with_different_encoders_do_not_go_together(album, korean):
    config = Path(korean, "config.json")
    settings = json.loads(config.read_text()) | {"encoder": "encoder.weights.h5"}
    config.write_text(json.dumps(settings))
    Path(korean, "encoder.weights.h5").write_bytes(b"other weights")
    with pytest.raises(ArchiveError, match="different encoders"):
        run(album.config(others=(korean,)))


def test_captioners_are_named_with_commas(album, korean, captioner_folder, monkeypatch, capsys):
    monkeypatch.chdir(album.root.parent)
    names = f"{captioner_folder},{korean}"
    places = ["--out", str(album.out), "--features", str(album.features)]
    assert main(["caption", "--captioner", names, *places, "--show", "1", str(album.root)]) == 0
    shown = capsys.readouterr().out.splitlines()[0]
    assert album.records["a.png"].languages[0].caption in shown
    assert album.records["a.png"].languages[1].caption in shown


def test_a_folder_with_a_comma_in_its_name_is_one_captioner(tmp_path):
    folder = save_captioner(tmp_path / "mine, new")
    assert captioner_folders(folder) == [folder]


def test_the_captioners_that_ship_go_together():
    folders = captioner_folders("flickr8k-en,flickr8k-ko")
    assert [language_of(folder) for folder in folders] == ["en", "ko"]
    assert all(Path(folder, "config.json").is_file() for folder in folders)
    assert Captioner.load(folders[1]).config.tokenizer == "morphemes"


def test_a_captioner_that_is_not_there_is_named(album, tmp_path):
    with pytest.raises(ArchiveError, match=r"no captioner .*gone"):
        run(album.config(others=(str(tmp_path / "gone"),)))
