"""Names of all kinds on their whole journey: through a run, out to people, and back."""

import csv
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import openpyxl
import pytest

import batch.caption
from batch.__main__ import main
from batch.captioned import open_captioned
from batch.export import TARGETS, Export, export_captions
from batch.import_captions import Source, import_captions
from batch.merge_review import merge_review
from batch.pipeline import run
from batch.review import sheet_rows, write_sheets
from batch.sidecars import export_sidecars
from manifests.corrections import read_corrections
from manifests.manifest import read_records
from manifests.sidecar import read_xmp
from manifests.spreadsheet import write_review_csv
from manifests.text import escape_cell
from tests.batch.archives import Archive, FakeEncoder, StubCaptioner, draw, state_of
from tests.hostile import HOSTILE_NAMES
from tests.manifests.office import converted, needs_office

BROKEN = b"broken\n=1\x1b[31m\xff.jpg"  # one that no run can read


@dataclass
class Journey:
    """An archive of hostile names that was captioned, in a copy for one test."""

    root: Path
    out: Path
    captioner: str

    @property
    def records(self):
        return read_records(self.out / "captions.parquet")

    @property
    def found(self):
        return open_captioned(str(self.out))

    def of_bytes(self):
        """Give each photo's own caption, by its path: the stand-in's follow from its pixels."""
        return {each.raw_path: each.caption for each in self.records}

    def words(self):
        """Give the words that people have given each photo, by its path."""
        return {each.raw_path: each.review.caption for each in self.records}


def corrected(photo_id):
    """Give the words that a person writes of a photo: nobody else's fit them."""
    return f'=a "person" says\n<b>{photo_id[:12]}</b>, 바다'


def is_of(said, photo_id):
    """Tell whether words are those of a photo; on their way in all spaces become one."""
    return said.split() == corrected(photo_id).split()


@pytest.fixture(scope="module")
def captioned(tmp_path_factory, captioner_folder):
    """Caption an archive of a photo for each hostile name, and one that is broken."""
    home = tmp_path_factory.mktemp("hostile")
    archive = Archive(home / "photos", home / "out", home / "features", captioner_folder)
    for seed, name in enumerate(HOSTILE_NAMES):
        draw(Path(os.fsdecode(os.fsencode(archive.root) + b"/" + name)), seed)
    Path(os.fsdecode(os.fsencode(archive.root) + b"/" + BROKEN)).write_bytes(b"\xff\xd8nothing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch.caption, "load_encoder", lambda folder, bfloat16: FakeEncoder())
        patch.setattr(batch.caption, "has_bfloat16", lambda: False)
        patch.setattr(batch.caption.Captioner, "load", StubCaptioner().loaded)
        run(archive.config())
        first = archive.results
        run(archive.config())
        assert archive.results == first
    return archive


@pytest.fixture
def journey(captioned, tmp_path):
    """Give a copy of the results, to be changed."""
    out = tmp_path / "out"
    shutil.copytree(captioned.out, out)
    return Journey(captioned.root, out, captioned.captioner)


def test_each_photo_has_one_row_with_its_true_name_and_its_own_caption(journey):
    rows = [each for each in journey.records if each.raw_path != BROKEN]
    assert sorted(each.raw_path for each in rows) == sorted(HOSTILE_NAMES)
    assert len({each.photo_id for each in rows}) == len({each.caption for each in rows})
    assert len({each.caption for each in rows}) == len(HOSTILE_NAMES) > 200


def test_a_photo_that_cannot_be_read_has_its_row_too(journey):
    (broken,) = [each for each in journey.records if each.raw_path == BROKEN]
    assert broken.status == "unreadable" and broken.caption is None
    assert len(journey.records) == len(HOSTILE_NAMES) + 1


def test_the_view_has_a_row_for_each_whatever_its_name(journey):
    with (journey.out / "captions.csv").open(encoding="utf-8-sig", newline="") as file:
        ids = [row["photo_id"] for row in csv.DictReader(file)]
    assert sorted(ids) == sorted(each.photo_id for each in journey.records)


def sheet_as_csv(journey, tmp_path):
    path = tmp_path / "sheet.csv"
    write_review_csv(path, sheet_rows(journey.found))
    return path


def sheet_as_xlsx(journey, tmp_path):
    (path,) = write_sheets(journey.found, sheet_rows(journey.found)).paths
    return Path(path)


def write_into_csv(path):
    """Write into each row, turn their order around, and save it as a person's program does."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["caption"] = corrected(row["photo_id"])
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(reversed(rows))


def write_into_xlsx(path):
    book = openpyxl.load_workbook(path)
    sheet = book.active
    names = [cell.value for cell in sheet[1]]
    caption, photo_id = names.index("caption"), names.index("photo_id")
    for row in sheet.iter_rows(min_row=2):
        row[caption].value = corrected(row[photo_id].value)
        row[caption].data_type = "s"
    book.save(path)


def check_merged(journey, path):
    """Merge a file, and see that each word landed on its own photo, and none was dropped."""
    before = journey.of_bytes()
    report = merge_review(str(journey.out), str(path))
    assert report.rows == len(journey.records)
    assert not report.of("not matched", "conflict", "of a photo that has changed since")
    for record in journey.records:
        assert record.review.caption == corrected(record.photo_id)
    assert journey.of_bytes() == before


@pytest.mark.parametrize(
    ("sheet", "write"), [(sheet_as_csv, write_into_csv), (sheet_as_xlsx, write_into_xlsx)]
)
def test_each_correction_comes_back_to_its_own_photo(journey, tmp_path, sheet, write):
    path = sheet(journey, tmp_path)
    write(path)
    check_merged(journey, path)


def test_corrections_in_the_view_itself_come_back_to_their_own_photos(journey):
    path = journey.out / "captions.csv"
    write_into_csv(path)
    check_merged(journey, path)


@pytest.mark.parametrize("sheet", [sheet_as_csv, sheet_as_xlsx])
def test_by_the_path_alone_a_correction_is_its_own_photo_s_or_told(journey, tmp_path, sheet):
    """Some names show alike; then a row says so, and no photo gets another's words."""
    path = sheet(journey, tmp_path)
    said = {each.cells["photo_id"]: each.cells["path"] for each in read_corrections(path)}
    bare = tmp_path / "bare.csv"
    with bare.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["caption", "path"])
        writer.writerows(
            [corrected(photo_id), escape_cell(shown)] for photo_id, shown in said.items()
        )
    report = merge_review(str(journey.out), str(bare))
    landed = {each.photo_id: each.review.caption for each in journey.records}
    told = report.of("not matched", "problem")
    assert len(told) + sum(words is not None for words in landed.values()) == len(landed)
    assert all(words in (None, corrected(photo_id)) for photo_id, words in landed.items())
    assert len(told) < 20
    assert all("look like this path" in line.why for line in told)


@pytest.mark.slow
@needs_office
@pytest.mark.parametrize(
    ("sheet", "write"), [(sheet_as_csv, write_into_csv), (sheet_as_xlsx, write_into_xlsx)]
)
@pytest.mark.parametrize("kind", ["xlsx", "ods", "csv:Text - txt - csv (StarCalc):44,34,76,1"])
def test_what_libreoffice_has_saved_comes_back_to_its_own_photo(
    journey, tmp_path, sheet, write, kind
):
    path = sheet(journey, tmp_path)
    write(path)
    reading = ["--infilter=Text - txt - csv (StarCalc):44,34,76,1,,0,false,false"]
    options = reading if path.suffix == ".csv" else []
    (tmp_path / "saved").mkdir()
    check_merged(journey, converted(path, kind, tmp_path / "saved", *options))


def arguments_of(script):
    """Read the JSON that a script of the gallery calls its page with."""
    _, _, call = script.partition("(")
    return json.loads(f"[{call.rpartition(')')[0]}]")


def test_the_gallery_has_a_card_for_each_that_leads_to_its_own_file(journey):
    assert main(["gallery", "--out", str(journey.out), "--no-attention"]) == 0
    scripts = [path.read_text("ascii") for path in (journey.out / "gallery" / "rows").iterdir()]
    cards = [card for script in scripts for card in arguments_of(script)[1]]
    (head,) = arguments_of((journey.out / "gallery" / "head.js").read_text("ascii"))
    fields = head["fields"]
    found = [dict(zip(fields, card, strict=True)) for card in cards]
    ids = {each.raw_path: each.photo_id for each in journey.records}
    assert {unquote_to_bytes(each["original"]): each["photo_id"] for each in found} == ids
    assert all(each["pictured"] for each in found if unquote_to_bytes(each["original"]) != BROKEN)
    assert "<" not in "".join(scripts)


def approved(journey, tmp_path):
    path = sheet_as_csv(journey, tmp_path)
    write_into_csv(path)
    merge_review(str(journey.out), str(path))
    return journey.found


def brought_back(journey, tmp_path, source, **how):
    """Take an export in where nothing is known of any photo; give each photo's caption."""
    out = tmp_path / "anew"
    done = import_captions(
        str(journey.root), str(out), Source(str(source), "another", "en", **how), captions_of
    )
    rows = {each.photo_id: each.caption for each in read_records(out / "captions.parquet")}
    return done, rows


def captions_of(data):
    return read_xmp(data).captions


@pytest.mark.parametrize("to", TARGETS)
def test_what_was_exported_comes_back_to_its_own_photo_or_is_told(journey, tmp_path, to):
    done = export_captions(approved(journey, tmp_path), Export(to))
    kept = {each.photo_id for each in journey.records if each.review.caption}
    left_out = sum(done.skipped.values())
    assert done.photos + (left_out if to != "jsonl" else 0) == len(kept)
    place = Path(done.place)
    files = {"coco": "captions.json", "txt": "", "jsonl": "captions.jsonl"}
    name = files.get(to) if to in files else next(path.name for path in place.iterdir())
    back, rows = brought_back(journey, tmp_path, place / name)
    assert all(is_of(said, photo_id) for photo_id, said in rows.items() if said)
    landed = sum(said is not None for said in rows.values())
    assert landed + len(back.unmatched) + len(back.unread) + left_out >= len(kept)
    assert landed > len(kept) * 0.85


def test_sidecars_come_back_to_their_own_photos(journey, tmp_path):
    before = state_of(journey.root)
    tree = tmp_path / "tree"
    done = export_sidecars(approved(journey, tmp_path), to=str(tree))
    assert done.written + done.left.total() == len(journey.records)
    back, rows = brought_back(journey, tmp_path, tree)
    assert all(is_of(said, photo_id) for photo_id, said in rows.items() if said)
    landed = sum(said is not None for said in rows.values())
    assert landed + len(back.unmatched) + len(back.unread) == done.written
    assert state_of(journey.root) == before


def test_no_name_and_no_caption_steers_the_terminal(journey, tmp_path, capsys):
    path = sheet_as_csv(journey, tmp_path)
    write_into_csv(path)
    out = ["--out", str(journey.out)]
    main(["merge-review", *out, "--", str(path)])
    main(["review", *out])
    main(["gallery", *out, "--no-attention"])
    for to in (*TARGETS, "xmp"):
        into = ["--into", str(tmp_path / to)]
        main(["export", *out, "--to", to, *into])
        main(["export", *out, "--to", to, *into])
    main(["import-captions", *out, "--name", "other", "--", str(tmp_path / "jsonl")])
    main(["sample", *out, "--count", "30"])
    main(["undo-merge", *out])
    printed = "".join(capsys.readouterr())
    assert all(letter.isprintable() for letter in printed.replace("\n", ""))


def test_the_report_of_a_merge_runs_nothing_in_a_spreadsheet(journey, tmp_path):
    path = sheet_as_csv(journey, tmp_path)
    write_into_csv(path)
    report = merge_review(str(journey.out), str(path))
    with Path(report.written).open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.startswith(("=", "+", "@", "-", "\t", "\r")) for cell in cells)
