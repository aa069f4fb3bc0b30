"""The commands for reviewing, from their arguments to what they print and their exit codes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from PIL import Image

from batch.__main__ import main
from batch.pipeline import run
from manifests.manifest import write_records
from manifests.record import Status
from manifests.sidecar import read_xmp
from tests.batch.archives import state_of
from tests.batch.reviewers import Sheet


@pytest.fixture
def ask(album, capsys):
    """Give what runs a command on the album; it gives the exit code and what was printed."""

    def ask(command, *arguments, at_out=True):
        place = ["--out", str(album.out)] if at_out else []
        code = main([command, *arguments, *place])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ask


def edit(path, **cells):
    """Write into the first row of a workbook, as a person does."""
    book = openpyxl.load_workbook(path)
    sheet = book.active
    columns = {cell.value: number for number, cell in enumerate(sheet[1], 1)}
    for name, value in cells.items():
        sheet.cell(2, columns[name]).value = value
    book.save(path)
    return sheet.cell(2, columns["path"]).value


def test_a_sheet_goes_out_is_written_into_and_comes_back(album, ask):
    code, out, _ = ask("review")
    sheet = album.out / "sheets" / "review.xlsx"
    assert (code, out) == (0, f"4 rows to review: {sheet}\n")
    path = edit(sheet, caption="개가 달린다", reviewer="Kim")
    code, out, err = ask("merge-review", str(sheet))
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "4 rows, 1 edited, 3 unchanged: review.xlsx"
    assert album.records[path].review.caption == "개가 달린다"
    code, out, _ = ask("undo-merge")
    assert (code, out.partition(",")[0]) == (0, "undone: 1 decision of review.xlsx")
    assert album.records[path].reviews == ()


def test_a_sheet_that_was_edited_is_kept_when_the_next_is_written(album, ask):
    ask("review")
    sheet = album.out / "sheets" / "review.xlsx"
    edit(sheet, caption="not merged yet")
    _, out, _ = ask("review")
    assert "edited sheets are kept as review.edited-1.xlsx" in out
    ask("merge-review", str(sheet.with_name("review.edited-1.xlsx")))
    assert "not merged yet" in {record.review.caption for record in album.records.values()}
    _, out, _ = ask("review")
    assert "kept" not in out


def test_the_results_are_found_by_the_photos_in_a_file_from_anywhere(
    album, ask, tmp_path, monkeypatch
):
    home = tmp_path / "home"
    (home / "outputs").mkdir(parents=True)
    (home / "outputs" / "photos").symlink_to(album.out)
    file = Sheet(album).write("c.png", caption="my words").save("Downloads.csv")
    monkeypatch.chdir(home)
    code, _, _ = ask("merge-review", str(file), at_out=False)
    assert code == 0
    assert album.records["c.png"].review.caption == "my words"
    monkeypatch.chdir(tmp_path)
    code, _, err = ask("merge-review", str(file), at_out=False)
    assert code == 1
    assert "give OUT=" in err


def test_what_needs_a_look_is_told_and_exits_3(album, ask):
    Sheet(album, "kim.csv").write("c.png", caption="Kim's", reviewer="Kim").bring_back()
    sheet = Sheet(album, "lee.csv").write("a.png", review_status="perhaps")
    elsewhere = {"path": "no such.png", "photo_id": ""}
    sheet.cells.append({**sheet.cells[0], **elsewhere, "review_status": "unreviewed"})
    sheet.cells.append({**sheet.cells[0], **elsewhere, "caption": "my words"})
    code, out, err = ask("merge-review", str(sheet.save()))
    assert code == 3
    assert "review_status 'perhaps' is unknown; give" in err
    assert "no such.png: not matched (no photo of this archive): 'my words" in err
    assert "1 not matched, 1 problem" in out
    assert "1 unchanged, of photos that were not found for certain" in out


def test_a_dry_run_says_that_it_is_one(album, ask):
    file = Sheet(album).write("c.png", caption="my words").save()
    before = state_of(album.root)
    code, out, _ = ask("merge-review", str(file), "--dry-run")
    assert (code, out) == (0, "would be: 4 rows, 1 edited, 3 unchanged: review.csv\n")
    assert not album.records["c.png"].reviews
    assert state_of(album.root) == before


def test_a_sample_is_drawn_checked_and_told(album, ask):
    _, out, _ = ask("sample", "--count", "3")
    sheet = album.out / "sheets" / "sample.xlsx"
    assert out == f"3 rows to review: {sheet}\n"
    book = openpyxl.load_workbook(sheet)
    columns = {cell.value: number for number, cell in enumerate(book.active[1], 1)}
    for row, status in enumerate(["approved", "approved", "rejected"], 2):
        book.active.cell(row, columns["review_status"]).value = status
    book.save(sheet)
    ask("merge-review", str(sheet))
    code, out, _ = ask("sample")
    assert code == 0
    assert "33" in out
    assert "rows to review" not in out


def test_the_gallery_is_a_page_from_disk(album, ask):
    code, out, _ = ask("gallery", "--no-attention")
    page = album.out / "gallery" / "index.html"
    assert (code, out) == (0, f"4 photos: {page}\n")
    assert page.is_file()


def test_only_what_a_person_let_stand_leaves(album, ask):
    code, _, err = ask("export", "--to", "jsonl")
    assert code == 1
    assert "no caption is approved or edited yet" in err
    Sheet(album).write("c.png", caption="my words").bring_back()
    code, out, _ = ask("export", "--to", "jsonl")
    assert (code, out.partition(",")[0]) == (0, "1 caption")
    (line,) = (album.out / "export" / "jsonl" / "captions.jsonl").read_text().splitlines()
    assert json.loads(line)["path"] == "c.png"


def test_sidecars_land_beside_their_photos_which_stay_as_they_are(album, ask):
    before = state_of(album.root / "b")
    Sheet(album).write("b/바다.png", caption="바다에서 노는 개").bring_back()
    code, out, _ = ask("export", "--to", "xmp")
    assert code == 0
    assert out.startswith("4 photos, 1 sidecar written, 3 with no caption that was approved")
    sidecar = album.root / "b" / "바다.png.xmp"
    assert read_xmp(sidecar.read_bytes()).captions["x-default"] == "바다에서 노는 개"
    after = state_of(album.root / "b")
    files = [name for name in before if Path(name).is_file()]
    assert {name: after[name] for name in files} == {name: before[name] for name in files}


def test_iptc_needs_leave_to_change_the_photos(album, ask):
    code, _, err = ask("export", "--to", "iptc")
    assert code == 1
    assert "give EMBED=1" in err


@pytest.mark.parametrize("to", ["word", ""])
def test_a_target_that_is_none_is_told(ask, to):
    code, _, err = ask("export", "--to", to)
    assert code == 1
    assert "xmp, iptc, txt, coco" in err


def test_captions_of_another_program_enter_as_a_machines(album, ask, tmp_path):
    file = tmp_path / "theirs.csv"
    file.write_text("path,caption\nc.png,A wet dog.\nnowhere.png,A cat.\n", "utf-8")
    code, out, err = ask("import-captions", str(file), "--name", "blip")
    assert code == 3
    assert "1 photo captioned" in out
    assert "nowhere.png" in err
    record = album.records["c.png"]
    assert (record.caption, record.reviews) == ("A wet dog.", ())
    assert record.captioner.startswith("blip@")


def test_a_group_is_named_by_one_of_its_photos(album, ask):
    code, _, err = ask("ungroup", "--photo", "no such.png")
    assert code == 1
    assert "no photo of" in err
    code, _, err = ask("ungroup", "--photo", "c.png")
    assert code == 1
    assert "in no group" in err


def test_a_photo_saved_again_stands_behind_the_first_and_is_filled_in(album, ask):
    colours = {"a.png": "red", "b/a.png": "lime", "b/바다.png": "blue", "c.png": "gray"}
    for name, colour in colours.items():
        Image.new("RGB", (48, 32), colour).save(album.root / name)
    Image.new("RGB", (48, 32), "gray").save(album.root / "saved again.png", compress_level=1)
    run(album.config())
    features = ["--features", str(album.features)]
    _, out, _ = ask("review", *features)
    assert out.startswith("4 rows to review")
    assert out.endswith("; 1 copy or near-duplicate left out, filled in from these\n")
    _, out, _ = ask("review", *features, "--ungrouped")
    assert out.startswith("5 rows to review")
    Sheet(album).write("c.png", caption="my words", reviewer="Kim").bring_back()
    assert album.records["saved again.png"].review.like == "c.png"
    row = next(row for row in album.csv_rows if row["path"] == "saved again.png")
    assert (row["caption_human"], row["suggestion"]) == ("my words", "filled in like c.png")
    _, out, _ = ask("ungroup", "--photo", "saved again.png")
    assert out == "2 photos apart, 1 of them undecided again\n"
    assert album.records["saved again.png"].reviews == ()
    assert album.records["c.png"].review.caption == "my words"
    _, out, _ = ask("review", *features)
    assert out.startswith("5 rows, 4 to review, 1 decided: ")


@pytest.mark.parametrize("command", ["review", "undo-merge", "sample", "gallery"])
def test_without_a_place_the_setting_is_named(ask, command):
    code, _, err = ask(command, at_out=False)
    assert code == 1
    assert "give DIR= the folder of photos, or OUT=" in err


@pytest.mark.parametrize("command", ["review", "undo-merge", "sample", "gallery"])
def test_a_folder_without_results_is_told_and_left_as_it_is(tmp_path, capsys, command):
    assert main([command, "--out", str(tmp_path / "nothing")]) == 1
    assert "holds no captions.parquet" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()


def test_a_run_can_end_with_sheets(album, capsys):
    place = ["--out", str(album.out), "--features", str(album.features)]
    arguments = ["--captioner", album.captioner, "--review", "xlsx", str(album.root)]
    assert main(["caption", *place, *arguments]) == 0
    assert "1 row to review" in capsys.readouterr().out
    assert (album.out / "sheets" / "review.xlsx").is_file()


def test_the_counts_of_a_sheet_of_a_merge_and_of_the_status_fit_together(album, ask):
    """A page, a file that is no photo, a copy and a photo that is gone, all in one archive."""
    (album.root / "broken.jpg").write_bytes(b"no photo")
    shutil.copy(album.root / "a.png", album.root / "copy of a.png")
    album.draw("gone.png", "page.png", "page 2.png", seed=50)
    run(album.config())
    (album.root / "gone.png").unlink()
    run(album.config())
    without_scene = {"status": Status.NOT_A_SCENE, "caption": None}
    rows = [
        replace(row, **without_scene) if path.startswith("page") else row
        for path, row in album.records.items()
    ]
    write_records(album.out / "captions.parquet", rows, str(album.root))

    _, out, _ = ask("review")
    assert out.startswith("7 rows, 4 to review, 3 without a caption: ")
    assert "1 copy or near-duplicate left out" in out
    sheet = Sheet(album).write("page.png", caption="a page").write("a.png", caption="two dogs")
    _, out, _ = ask("merge-review", str(sheet.save()))
    assert "8 rows, 2 edited, 6 unchanged; 1 photo filled in: " in out
    _, out, _ = ask("status")
    assert "reviews     3 unreviewed, 2 edited, 1 filled in\n" in out
    _, out, _ = ask("review")
    assert out.startswith("8 rows, 3 to review, 3 decided, 2 without a caption: ")


def test_what_cannot_be_read_has_no_caption_to_approve(album, ask, tmp_path):
    (album.root / "broken.jpg").write_bytes(b"no photo")
    run(album.config())
    Sheet(album).write("a.png", review_status="rejected").bring_back()
    _, out, _ = ask("export", "--to", "xmp", "--machine", "--into", str(tmp_path / "sidecars"))
    told = "1 with a caption that was rejected, 1 with no caption (unreadable)"
    assert out == f"5 photos, 3 sidecars written, {told}\n"
    _, out, _ = ask("export", "--to", "xmp", "--into", str(tmp_path / "others"))
    assert out.endswith("4 with no caption that was approved or edited\n")
    assert "1 with no caption (unreadable), " in out
