"""Corrections come in from whatever a spreadsheet made of a sheet, and none is lost."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from batch.captioned import open_captioned
from batch.errors import ArchiveError, LockedError
from batch.lock import locked
from batch.merge_review import merge_review, undo_merge, ungroup
from batch.pipeline import run
from batch.review import leading, sheet_rows
from manifests.errors import ManifestError
from manifests.groups import Groups, write_groups
from manifests.manifest import write_records
from manifests.text import unescape_cell
from tests.batch.archives import state_of
from tests.batch.reviewers import Sheet


def said(album):
    """Tell what people have said of each photo."""
    return {
        path: (str(record.review.status), record.review.caption)
        for path, record in album.records.items()
        if record.reviews
    }


def csv_row(album, path):
    """Give the row of a photo in captions.csv."""
    return next(row for row in album.csv_rows if row["path"] == path)


def test_corrections_land_on_their_photos_and_on_no_other(album):
    before = album.captions
    sheet = Sheet(album).write("b/a.png", caption="개가 달린다", reviewer="Kim", notes="wet")
    sheet.write("c.png", review_status="approved").write("a.png", review_status="rejected")
    report = sheet.bring_back()
    assert said(album) == {
        "b/a.png": ("edited", "개가 달린다"),
        "c.png": ("approved", before["c.png"]),
        "a.png": ("rejected", None),
    }
    assert album.captions == before
    assert str(report) == "4 rows, 1 approved, 1 edited, 1 rejected, 1 unchanged: review.csv"
    row = csv_row(album, "b/a.png")
    assert (row["caption_human"], row["review_status"]) == ("개가 달린다", "edited")
    assert (row["reviewer"], row["notes"]) == ("Kim", "wet")


@pytest.mark.parametrize(
    "how",
    [
        {"name": "renamed by somebody.csv"},
        {"encoding": "utf-8"},
        {"encoding": "cp949"},
        {"encoding": "utf-16"},
        {"delimiter": ";"},
        {"delimiter": "\t", "lineterminator": "\n"},
    ],
)
def test_whatever_a_spreadsheet_makes_of_the_file(album, how):
    sheet = Sheet(album).write("b/바다.png", caption="바다에서 노는 개")
    sheet.cells.reverse()
    del sheet.cells[0]
    sheet.drop("machine", "alternatives").bring_back(**how)
    assert said(album) == {"b/바다.png": ("edited", "바다에서 노는 개")}


@pytest.mark.parametrize("lost", ["base", "photo_id", "path", "base machine photo_id"])
def test_columns_that_were_deleted(album, lost):
    sheet = Sheet(album).write("b/a.png", caption="my words")
    sheet.drop(*lost.split()).bring_back()
    assert said(album) == {"b/a.png": ("edited", "my words")}


def test_an_old_sheet_without_its_base_does_not_make_old_captions_a_persons(album, stub_captioner):
    old = Sheet(album).write("c.png", caption="my words").drop("base", "machine")
    stub_captioner.accent = " by another"
    run(album.config(overwrite=True))
    report = old.bring_back()
    assert said(album) == {"c.png": ("edited", "my words")}
    assert report.unchanged == 3


def went_out(album):
    """Give the rows of captions.csv."""
    with (album.out / "captions.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def bring_back(album, rows, *, without=()):
    """Write captions.csv, but for some columns, and take it in."""
    path = album.out / "captions.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        columns = [column for column in rows[0] if column not in without]
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return merge_review(str(album.out), str(path))


def test_captions_csv_itself_may_be_edited(album):
    rows = went_out(album)
    rows[0]["caption"] = "into the caption"
    rows[1]["caption_human"] = "beside it"
    rows[2]["review_status"] = "approved"
    rows[3]["caption"] = ""
    bring_back(album, rows)
    assert said(album) == {
        "a.png": ("edited", "into the caption"),
        "b/a.png": ("edited", "beside it"),
        "b/바다.png": ("approved", album.captions["b/바다.png"]),
        "c.png": ("rejected", None),
    }


def test_captions_csv_with_columns_left_out_rejects_none_and_keeps_words(album):
    rows = went_out(album)
    rows[1]["caption_human"], rows[2]["caption_human"] = "my words", " "
    bring_back(album, rows, without=["caption"])
    assert said(album) == {"b/a.png": ("edited", "my words")}
    rows = went_out(album)
    assert bring_back(album, rows, without=["caption_human"]).unchanged == 4
    rows[1]["caption_human"] = ""
    bring_back(album, rows, without=["caption"])
    assert said(album) == {"b/a.png": ("rejected", None)}


def test_rows_of_other_photos_are_told_only_where_somebody_has_changed_them(album):
    rows = went_out(album)
    for number, row in enumerate(rows):
        row |= {"path": f"other-{number}.png", "photo_id": f"{number:064}"}
    rows[0]["caption"] = ""
    assert len(bring_back(album, rows).lines) == 1
    assert not bring_back(album, rows[1:], without=["caption", "caption_human"]).lines


def test_two_people_two_captions_is_a_conflict_kept_apart(album):
    kims, lees = Sheet(album, "kim.csv"), Sheet(album, "lee.csv")
    kims.write("c.png", caption="Kim's words", reviewer="Kim").bring_back()
    report = lees.write("c.png", caption="Lee's words", reviewer="Lee").bring_back()
    assert [(line.path, line.what) for line in report.lines] == [("c.png", "conflict")]
    record = album.records["c.png"]
    assert record.review.caption == "Kim's words"
    assert str(record.offers_in("en")[0]) == "Lee's words (conflict: Lee wrote)"
    assert (
        "Lee's words" in next(row for row in album.csv_rows if row["path"] == "c.png")["suggestion"]
    )


def test_a_conflict_is_settled_by_whoever_has_seen_both(album):
    test_two_people_two_captions_is_a_conflict_kept_apart(album)
    Sheet(album).write("c.png", caption="Lee's words", reviewer="Park").bring_back()
    record = album.records["c.png"]
    assert (record.review.caption, record.review.reviewer, record.offers) == (
        "Lee's words",
        "Park",
        (),
    )


def test_one_file_that_says_two_things_of_a_photo(album):
    sheet = Sheet(album).write("c.png", caption="first words")
    sheet.cells.append(dict(next(row for row in sheet.cells if row["path"] == "c.png")))
    sheet.cells[-1]["caption"] = "second words"
    sheet.bring_back()
    record = album.records["c.png"]
    assert record.review.caption == "first words"
    assert record.offers_in("en")[0].caption == "second words"


def test_a_sheet_that_is_brought_back_again_and_again(album):
    sheet = Sheet(album).write("c.png", caption="first words")
    sheet.bring_back()
    whole = album.results
    assert sheet.bring_back().unchanged == 4
    assert album.results == whole
    sheet.write("c.png", caption="better words").bring_back()
    assert said(album) == {"c.png": ("edited", "better words")}


def with_copy(album, name="z copy.png", of="c.png"):
    shutil.copy2(album.root / of, album.root / name)
    run(album.config())


def test_a_copy_follows_what_is_said_of_the_first(album):
    with_copy(album)
    report = Sheet(album).write("c.png", caption="my words", reviewer="Kim").bring_back()
    assert str(report) == "5 rows, 1 edited, 4 unchanged; 1 photo filled in: review.csv"
    copy = album.records["z copy.png"].review
    assert (copy.caption, copy.like) == ("my words", "c.png")
    Sheet(album).write("c.png", caption="better words", reviewer="Kim").bring_back()
    assert album.records["z copy.png"].review.caption == "better words"
    undo_merge(str(album.out))
    assert album.records["z copy.png"].review.caption == "my words"
    report = Sheet(album).write("c.png", review_status="rejected").bring_back()
    assert said(album) == {"c.png": ("rejected", None)}
    assert "1 rejected, 4 unchanged; 1 photo no longer filled in" in str(report)


def test_a_copy_with_words_of_its_own_keeps_them_and_follows_no_more(album):
    with_copy(album)
    sheet = Sheet(album).write("c.png", caption="my words").write("z copy.png", caption="its own")
    sheet.bring_back()
    Sheet(album).write("c.png", caption="better words").bring_back()
    assert said(album) == {"c.png": ("edited", "better words"), "z copy.png": ("edited", "its own")}


def test_what_is_said_of_a_copy_alone_is_only_offered_to_the_first(album):
    with_copy(album)
    Sheet(album).write("z copy.png", caption="my words").bring_back()
    assert said(album) == {"z copy.png": ("edited", "my words")}
    assert str(album.records["c.png"].offers_in("en")[0]) == "my words (copy of z copy.png)"


def test_a_copy_that_came_later_is_offered_the_words_and_has_its_own_row(album):
    Sheet(album).write("c.png", caption="my words").bring_back()
    with_copy(album)
    copy = album.records["z copy.png"]
    assert copy.reviews == ()
    assert str(copy.offers_in("en")[0]) == "my words (copy of c.png)"
    rows = leading(sheet_rows(open_captioned(str(album.out))))
    assert "z copy.png" in [row.path for row in rows]
    Sheet(album).write("z copy.png", review_status="approved").bring_back()
    assert album.records["z copy.png"].review.caption == "my words"


def test_a_copy_of_a_near_duplicate_follows_its_leader_and_so_does_the_leaders(album):
    for of in ("a.png", "b/a.png"):
        with_copy(album, f"z {of[-5]}{len(of)}.png", of)
    first, second = (album.records[name].photo_id for name in ("a.png", "b/a.png"))
    (album.out / "reviews").mkdir(exist_ok=True)
    write_groups(album.out / "reviews", Groups([(first, second)]))
    rows = leading(sheet_rows(open_captioned(str(album.out))))
    assert sorted(row.path for row in rows) == ["a.png", "b/바다.png", "c.png"]
    Sheet(album).write("a.png", caption="two dogs").bring_back()
    filled = {path for path, record in album.records.items() if record.review.like == "a.png"}
    assert filled == {"b/a.png", "z a5.png", "z a7.png"}
    ungroup(str(album.out), "b/a.png")
    filled = {path for path, record in album.records.items() if record.review.like == "a.png"}
    assert filled == {"z a5.png"}


def test_copies_are_no_group_to_take_apart(album):
    with_copy(album)
    Sheet(album).write("c.png", caption="my words").bring_back()
    with pytest.raises(ArchiveError, match="no group"):
        ungroup(str(album.out), "c.png")
    assert album.records["z copy.png"].review.caption == "my words"


def near(album, *paths):
    """Let photos be near-duplicates of the first of them."""
    (album.out / "reviews").mkdir(exist_ok=True)
    group = tuple(album.records[path].photo_id for path in paths)
    write_groups(album.out / "reviews", Groups([group]))


def test_a_file_that_was_described_before_it_changed_follows_no_other(album):
    Sheet(album).write("c.png", caption="of c").bring_back()
    album.draw("c.png", seed=77)
    run(album.config())
    near(album, "a.png", "c.png")
    assert "c.png" in [row.path for row in leading(sheet_rows(open_captioned(str(album.out))))]
    assert not Sheet(album).write("a.png", caption="of a").bring_back().of("filled in")
    assert [offer.caption for offer in album.records["c.png"].offers] == ["of c"]


def test_words_on_a_photo_that_has_changed_are_not_hidden_by_those_on_its_leader(album):
    sheet = Sheet(album).write("a.png", caption="of a").write("c.png", caption="of c")
    album.draw("c.png", seed=77)
    run(album.config())
    near(album, "a.png", "c.png")
    assert not sheet.bring_back().of("filled in")
    assert [offer.caption for offer in album.records["c.png"].offers] == ["of c"]


def test_what_is_like_a_rejected_photo_has_its_own_row_again(album):
    first, second = (album.records[name].photo_id for name in ("a.png", "b/a.png"))
    (album.out / "reviews").mkdir(exist_ok=True)
    write_groups(album.out / "reviews", Groups([(first, second)]))
    Sheet(album).write("a.png", review_status="rejected").bring_back()
    rows = leading(sheet_rows(open_captioned(str(album.out))))
    assert len(rows) == 4


def test_each_row_is_counted_once(album):
    first, second = (album.records[name].photo_id for name in ("a.png", "b/a.png"))
    (album.out / "reviews").mkdir(exist_ok=True)
    write_groups(album.out / "reviews", Groups([(first, second)]))
    sheet = Sheet(album).write("a.png", caption="my words").write("c.png", review_status="ok")
    sheet.write("b/바다.png", review_status="ok", caption="and words")
    told = str(sheet.bring_back())
    counts = "1 edited, 1 edited with a problem, 1 problem, 1 unchanged"
    assert told == f"4 rows, {counts}; 1 photo filled in: review.csv"


def test_one_row_is_one_row(album):
    sheet = Sheet(album)
    del sheet.cells[1:]
    assert str(sheet.bring_back()) == "1 row, 1 unchanged: review.csv"


def test_a_row_of_no_photo_here_is_reported_with_its_words(album):
    sheet = Sheet(album).write("c.png", caption="my words", path="../../etc/passwd", photo_id="")
    report = sheet.bring_back()
    (line,) = report.of("not matched")
    assert (line.path, line.after, line.why) == (
        "../../etc/passwd",
        "my words",
        "no photo of this archive",
    )
    assert not said(album)


def test_words_on_a_photo_that_has_changed_since_are_only_offered(album):
    sheet = Sheet(album).write("c.png", caption="of the old photo")
    album.draw("c.png", seed=50)
    run(album.config())
    report = sheet.bring_back()
    assert [line.what for line in report.lines] == ["of a photo that has changed since"]
    record = album.records["c.png"]
    assert record.reviews == ()
    assert (
        str(record.offers_in("en")[0]) == "of the old photo (said of this file before it changed)"
    )


def test_a_sheet_finds_a_photo_that_was_moved_since(album):
    sheet = Sheet(album).write("c.png", caption="my words")
    (album.root / "c.png").replace(album.root / "b" / "new name.png")
    run(album.config())
    sheet.bring_back()
    assert said(album) == {"b/new name.png": ("edited", "my words")}


def test_a_status_that_is_none_is_reported_and_the_rest_taken(album):
    sheet = Sheet(album).write("c.png", review_status="done").write("a.png", caption="my words")
    report = sheet.bring_back()
    (line,) = report.of("problem")
    assert line.path == "c.png"
    assert (
        line.why == "review_status 'done' is unknown; give unreviewed, approved, edited, rejected"
    )
    assert said(album) == {"a.png": ("edited", "my words")}


def test_a_dry_run_tells_the_same_and_writes_nothing(album):
    path = Sheet(album).write("c.png", caption="my words").save()
    before = state_of(album.out)
    told = merge_review(str(album.out), str(path), dry_run=True)
    assert {name: state for name, state in state_of(album.out).items() if "lock" not in name} == {
        name: state for name, state in before.items() if "lock" not in name
    }
    done = merge_review(str(album.out), str(path))
    assert told.lines == done.lines


def test_undo_takes_the_last_merge_back_and_no_other(album):
    Sheet(album, "1.csv").write("a.png", caption="first").bring_back()
    whole = album.results
    Sheet(album, "2.csv").write("a.png", caption="second").write("c.png", caption="x").bring_back()
    assert undo_merge(str(album.out)).startswith("undone: 2 decisions of 2.csv")
    assert said(album) == {"a.png": ("edited", "first")}
    assert album.results == whole
    undo_merge(str(album.out))
    assert not said(album)
    assert undo_merge(str(album.out)) == "there is no merge to undo"


def test_what_was_undone_comes_back_by_merging_the_file_again(album):
    sheet = Sheet(album).write("a.png", caption="my words")
    sheet.bring_back()
    undo_merge(str(album.out))
    sheet.bring_back()
    assert said(album) == {"a.png": ("edited", "my words")}


def test_near_duplicates_are_filled_in_marked_and_follow(album):
    first, second = (album.records[name].photo_id for name in ("a.png", "b/a.png"))
    (album.out / "reviews").mkdir(exist_ok=True)
    write_groups(album.out / "reviews", Groups([(first, second)]))
    Sheet(album).write("a.png", caption="two dogs", reviewer="Kim").bring_back()
    filled = album.records["b/a.png"].review
    assert (filled.caption, filled.like) == ("two dogs", "a.png")
    Sheet(album).write("a.png", caption="three dogs", reviewer="Kim").bring_back()
    assert album.records["b/a.png"].review.caption == "three dogs"
    Sheet(album).write("b/a.png", caption="one dog", reviewer="Kim").bring_back()
    assert album.records["b/a.png"].review.like == ""
    Sheet(album).write("a.png", caption="four dogs", reviewer="Kim").bring_back()
    assert album.records["b/a.png"].review.caption == "one dog"


def test_a_rejected_photo_leaves_its_near_duplicates_undecided(album):
    first, second = (album.records[name].photo_id for name in ("a.png", "b/a.png"))
    (album.out / "reviews").mkdir(exist_ok=True)
    write_groups(album.out / "reviews", Groups([(first, second)]))
    Sheet(album).write("a.png", caption="two dogs", reviewer="Kim").bring_back()
    Sheet(album).write("a.png", review_status="rejected", reviewer="Kim").bring_back()
    assert said(album) == {"a.png": ("rejected", None)}


def test_the_whole_report_is_a_file_that_is_safe_to_open(album):
    report = Sheet(album).write("a.png", caption='=HYPERLINK("http://x")').bring_back()
    with Path(report.written).open(encoding="utf-8-sig", newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["after"].startswith("'=")
    assert unescape_cell(line["after"]) == '=HYPERLINK("http://x")'
    assert album.records["a.png"].review.caption == '=HYPERLINK("http://x")'


def test_an_unfinished_run_goes_on_after_a_merge(album, monkeypatch):
    import batch.caption
    from batch.results import Results

    monkeypatch.setattr(batch.caption, "SHARD_PHOTOS", 1)
    monkeypatch.setattr("batch.encode.CHUNK", 1)
    album.draw("n1.png", "n2.png", "n3.png", seed=70)
    keep = Results.keep

    def keep_and_stop(self, records):
        keep(self, records)
        raise KeyboardInterrupt

    monkeypatch.setattr(Results, "keep", keep_and_stop)
    with pytest.raises(KeyboardInterrupt):
        run(album.config())
    monkeypatch.setattr(Results, "keep", keep)
    Sheet(album).write("a.png", caption="my words").bring_back()
    summary = run(album.config())
    assert summary.captioned == 2
    assert said(album) == {"a.png": ("edited", "my words")}


def test_a_manifest_of_an_older_version_takes_corrections(album):
    old = [replace(record, language=None) for record in album.records.values()]
    write_records(album.out / "captions.parquet", old, str(album.root))
    Sheet(album).write("a.png", caption="my words").bring_back()
    assert [review.caption for review in album.records["a.png"].reviews] == ["my words"]
    assert csv_row(album, "a.png")["caption_human"] == "my words"


def test_a_manifest_of_an_older_version_that_is_put_back_shows_what_people_said(album):
    old = [replace(record, language=None) for record in album.records.values()]
    Sheet(album).write("a.png", caption="my words").bring_back()
    write_records(album.out / "captions.parquet", old, str(album.root))
    run(album.config())
    assert csv_row(album, "a.png")["caption_human"] == "my words"


def test_a_captioner_of_another_language_hides_no_words_and_a_sheet_stays_in_its_own(
    album, stub_captioner
):
    old = Sheet(album)
    Sheet(album).write("a.png", caption="my words").bring_back()
    stub_captioner.config.language = "ko"
    run(album.config(overwrite=True))
    old.write("c.png", caption="English words").bring_back()
    for path, words in (("a.png", "my words"), ("c.png", "English words")):
        assert album.records[path].review_in("en").caption == words
        assert csv_row(album, path)["caption_human_en"] == words
        assert csv_row(album, path)["caption_human"] == ""
    rows = sheet_rows(open_captioned(str(album.out)), "en")
    assert {row.path: row.caption for row in rows}["a.png"] == "my words"


def test_files_that_cannot_be_merged_are_told(album, tmp_path):
    rubbish = tmp_path / "rubbish.csv"
    rubbish.write_bytes(b"\x00\x01\x02")
    with pytest.raises(ManifestError, match=r"rubbish\.csv"):
        merge_review(str(album.out), str(rubbish))
    path = Sheet(album).save()
    with pytest.raises(ArchiveError, match="OUT="):
        merge_review(str(tmp_path / "nothing"), str(path))
    with locked(str(album.out)), pytest.raises(LockedError):
        merge_review(str(album.out), str(path))


@pytest.mark.fault
def test_a_damaged_journal_stops_every_run_before_it_writes(album):
    Sheet(album).write("a.png", caption="my words").bring_back()
    (journal,) = (album.out / "reviews").glob("000001-*")
    journal.write_bytes(journal.read_bytes()[:-9])
    before = album.results
    album.draw("new.png", seed=90)
    with pytest.raises(ManifestError, match="journal of reviews is damaged"):
        run(album.config())
    assert album.results == before


@pytest.mark.fault
def test_a_lost_journal_is_made_anew_from_the_manifest(album):
    Sheet(album).write("a.png", caption="my words", reviewer="Kim").bring_back()
    shutil.rmtree(album.out / "reviews")
    run(album.config(overwrite=True))
    assert said(album) == {"a.png": ("edited", "my words")}
    run(album.config(overwrite=True))
    assert said(album) == {"a.png": ("edited", "my words")}
