"""What leaves for other programs comes back as it was, and is what those programs read."""

import csv
import io
import json

import pytest
from hypothesis import given

from manifests.errors import ManifestError
from manifests.foreign import Columns, Named, Said, Unread
from manifests.foreign_files import read_captions
from manifests.interchange import (
    HUMAN,
    Line,
    txt_of,
    write_coco,
    write_coco_results,
    write_imagefolder,
    write_imagefolder_csv,
    write_jsonl,
)
from manifests.record import LanguageCaption
from manifests.review import Review, ReviewStatus
from tests.manifests.examples import TEXTS, record, with_files

ODD = ["바다/개.jpg", "\u1107\u1161.jpg", "a\nb.jpg", "=1+1.jpg", '🐕 "dog", x.jpg', "<script>.jpg"]
WORDS = ["개가 달린다", "=1+1", '"a" dog; b', "<script>alert(1)</script>", "-\u2028-", "🐕‍🦺"]
LINES = [
    Line(name, number, words, "en", HUMAN)
    for number, (name, words) in enumerate(zip(ODD, WORDS, strict=True), 1)
]
MIXED = [*LINES, Line("m.jpg", 7, "a machine's", "ko", "git@imported", 0.5)]


def xmp(data):
    """Stand in for the reader of sidecars."""
    if not data.startswith(b"en:"):
        raise ValueError("is no XMP")
    return {"x-default": data[3:].decode(), "en": data[3:].decode()}


def written(write, *given):
    """Give what a writer writes."""
    file = io.BytesIO()
    write(file, *given)
    return file.getvalue()


def read(path, columns=None, images=None):
    """Read a source back."""
    return list(read_captions(path, columns or Columns(), xmp, images))


def wrote(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def pairs(found):
    return [(each.photo, each.captions[0]) for each in found]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("captions.json", write_coco),
        ("metadata.jsonl", write_imagefolder),
        ("metadata.csv", write_imagefolder_csv),
    ],
)
@pytest.mark.parametrize("lines", [LINES, MIXED], ids=["people", "mixed"])
def test_odd_names_and_words_come_back(tmp_path, name, write, lines):
    path = wrote(tmp_path, name, written(write, lines))
    found = [(photo.removeprefix("./"), words) for photo, words in pairs(read(path))]
    assert found == [(each.name, each.caption) for each in lines]


def test_results_come_back_with_their_images(tmp_path):
    images = wrote(tmp_path, "captions.json", written(write_coco, LINES))
    results = wrote(tmp_path, "results.json", written(write_coco_results, LINES))
    assert json.loads(results.read_bytes())[0] == {"image_id": 1, "caption": "개가 달린다"}
    assert pairs(read(results, images=images)) == [(each.name, each.caption) for each in LINES]


def test_coco_is_what_its_own_tools_read(tmp_path):
    data = json.loads(written(write_coco, [Line("a/b.jpg", 3, "a dog", "en", HUMAN, None, 4, 3)]))
    assert data["images"] == [{"id": 3, "file_name": "a/b.jpg", "width": 4, "height": 3}]
    (annotation,) = data["annotations"]
    assert (annotation["id"], annotation["image_id"], annotation["caption"]) == (3, 3, "a dog")


def test_a_folder_of_images_tells_a_machine_s_captions_apart_where_there_are_any():
    people = written(write_imagefolder, LINES[:1]).splitlines()
    assert json.loads(people[0]) == {"file_name": ODD[0], "text": WORDS[0]}
    mixed = [json.loads(line) for line in written(write_imagefolder, MIXED).split(b"\n")[:-1]]
    assert (mixed[0]["source"], mixed[-1]["source"]) == (HUMAN, "git@imported")


def test_no_cell_of_the_csv_begins_a_formula():
    rows = csv.reader(io.StringIO(written(write_imagefolder_csv, LINES).decode(), newline=""))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_a_txt_is_one_line():
    assert txt_of("a dog\r\n  runs\t") == b"a dog runs\n"


@given(TEXTS, TEXTS)
@with_files
def test_json_lines_hold_any_words(tmp_path, machine, human):
    review = Review("ko", ReviewStatus.EDITED, human, "Kim", "n", at="2026-11-28T10:00:00Z")
    row = record(b"caf\xe9/a\n.jpg", caption=machine, language="en", reviews=(review,))
    path = wrote(tmp_path, "all.jsonl", written(write_jsonl, [row], []))
    found = [each for each in read(path) if isinstance(each, Said)]
    words = {"en": machine, "ko": human}
    odd = ("backslashreplace",)
    assert {each.language: each.captions[0] for each in found} == {
        language: said.encode("utf-8", *odd).decode() for language, said in words.items() if said
    }
    assert {each.photo for each in found} <= {"caf\udce9/a\n.jpg"}
    assert {each.photo_id for each in found} <= {row.photo_id}


def test_json_lines_tell_machine_and_human_apart_in_each_language():
    review = Review("ko", ReviewStatus.REJECTED, None, "Kim")
    said = (
        LanguageCaption("en", "a dog", 0.5, "c@1"),
        LanguageCaption("ko", "고양이", 0.25, "k@2"),
    )
    row = record(language="en", languages=said, reviews=(review,), log_prob=None)
    (line,) = written(write_jsonl, [row], []).splitlines()
    found = json.loads(line)["captions"]
    assert found["en"] == {"machine": "a dog", "confidence": 0.5, "captioner": "c@1"}
    assert (found["ko"]["machine"], found["ko"]["human"]) == ("고양이", None)
    assert found["ko"]["review_status"] == "rejected"


def test_json_lines_tell_what_was_filled_in_and_from_which_photo():
    review = Review("en", ReviewStatus.APPROVED, "a dog", "Kim", like="2019/a.jpg")
    (line,) = written(write_jsonl, [record(language="en", reviews=(review,))], []).splitlines()
    assert json.loads(line)["captions"]["en"]["like"] == "2019/a.jpg"


def test_rejected_words_do_not_come_back(tmp_path):
    row = record(language="en", reviews=(Review("en", ReviewStatus.REJECTED, None),))
    path = wrote(tmp_path, "all.jsonl", written(write_jsonl, [row], []))
    assert isinstance(read(path)[0], Unread)


def test_captions_beside_photos(tmp_path):
    (tmp_path / "in" / "바다").mkdir(parents=True)
    wrote(tmp_path, "in/바다/a.txt", txt_of("a dog"))
    wrote(tmp_path, "in/바다/b.jpg.txt", "\ufeff개".encode())
    wrote(tmp_path, "in/c.TXT", "고양이".encode("cp949"))
    wrote(tmp_path, "in/d.jpg.xmp", b"en:a boat")
    wrote(tmp_path, "in/e.xmp", b"<!DOCTYPE")
    wrote(tmp_path, "in/f.txt", b"\xff\xff")
    wrote(tmp_path, "in/g.txt", b" \n")
    wrote(tmp_path, "in/h.txt", b"x" * 70_000)
    found = read(tmp_path / "in")
    said = [each for each in found if isinstance(each, Said)]
    assert sorted(pairs(said)) == sorted(
        [("c", "고양이"), ("d.jpg", "a boat"), ("바다/a", "a dog"), ("바다/b.jpg", "개")]
    )
    assert {each.named for each in said} == {Named.BESIDE}
    left = {each.where: each.why for each in found if isinstance(each, Unread)}
    assert left["e.xmp"] == "is no XMP"
    assert left["f.txt"] == "is no text in UTF-8"
    assert left["g.txt"] == "has no caption"
    assert "more than" in left["h.txt"]


def test_links_out_of_a_folder_are_no_captions(tmp_path):
    (tmp_path / "in").mkdir()
    wrote(tmp_path, "secret", b"root:x:0")
    (tmp_path / "in" / "a.txt").symlink_to(tmp_path / "secret")
    (found,) = read(tmp_path / "in")
    assert isinstance(found, Unread)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"path": "a.jpg", "caption": NaN}', "holds NaN"),
        ('{"path": "a.jpg", "caption": "a", "caption": "b"}', "says 'caption' twice"),
        ('{"path": "a.jpg", "caption": "a", "n": ' + "9" * 5000 + "}", "digits"),
        ('{"path": "a.jpg", "caption": ', "is no JSON"),
        ("[1]", "is no JSON object"),
        ('{"path": "a.jpg", "caption": 7}', "no text"),
        ('{"path": "a.jpg", "caption": null}', "has no caption"),
        ('{"path": "", "caption": "a"}', "names no photo"),
        ('{"path": "a.jpg", "caption": "' + "x" * (1 << 20) + '"}', "longer than"),
    ],
    ids=lambda each: each[:20],
)
def test_a_broken_line_is_told_and_the_next_ones_are_read(tmp_path, line, why):
    path = wrote(tmp_path, "in.jsonl", f'{line}\n\n{{"path": "b.jpg", "caption": "a cat"}}')
    broken, fine = read(path)
    assert (broken.where, fine.where) == ("line 1", "line 3")
    assert why in broken.why
    assert pairs([fine]) == [("b.jpg", "a cat")]


def test_a_byte_that_is_no_text_costs_its_line_alone(tmp_path):
    path = wrote(tmp_path, "in.jsonl", b'{"path": "\xff"}\n{"path": "b.jpg", "caption": "a"}')
    assert [type(each) for each in read(path)] == [Unread, Said]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deep"),
        ('[{"image_id": 1, "caption": NaN}]', "holds NaN"),
        ('[{"image_id": 1, "image_id": 2}]', "twice"),
        ("{}", "neither COCO's"),
        ('"a"', "neither COCO's"),
        ("", "is no JSON"),
    ],
    ids=lambda each: each[:20],
)
def test_a_json_file_that_is_broken_is_an_error_that_names_it(tmp_path, text, why):
    path = wrote(tmp_path, "in.json", text)
    with pytest.raises(ManifestError, match=why) as error:
        read(path)
    assert str(path) in str(error.value)


def test_coco_s_broken_entries_are_told(tmp_path):
    rows = [
        {"image_id": True, "caption": "a"},
        {"image_id": 1.5, "caption": "a"},
        {"image_id": -1, "caption": "a"},
        {"image_id": 10**30, "caption": "a"},
        {"image_id": 5},
        "text",
        {"image_id": 391895, "caption": "a man"},
        {"image_id": "COCO_val2014_000000391895", "caption": "a bike"},
    ]
    found = read(wrote(tmp_path, "in.json", json.dumps(rows)))
    assert [type(each) for each in found] == [Unread] * 6 + [Said] * 2
    assert [each.named for each in found[6:]] == [Named.NUMBER, Named.BESIDE]


def test_an_image_that_is_listed_under_two_names_is_none(tmp_path):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]
    data = {"images": images, "annotations": [{"image_id": 1, "caption": "a dog"}]}
    (found,) = read(wrote(tmp_path, "in.json", json.dumps(data)))
    assert isinstance(found, Unread)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_come_in_many_ways(tmp_path, encoding, separator):
    rows = [["파일", "Image", "Text"], ["1", "바다/개.jpg", "개가, 달린다; \t'"]]
    text = "\r\n".join(separator.join(f'"{cell}"' for cell in row) for row in rows)
    path = wrote(tmp_path, "in.csv", text.encode(encoding))
    (found,) = read(path)
    assert (found.photo, found.where) == ("바다/개.jpg", "row 2")
    assert found.captions == ("개가, 달린다; \t'",)


@pytest.mark.parametrize(
    ("header", "asked", "why"),
    [
        ("path,caption,title", {}, "caption, title.*CAPTION_COLUMN="),
        ("path,file_name,caption", {}, "path, file_name.*PATH_COLUMN="),
        ("path,words", {}, "its columns: path, words.*CAPTION_COLUMN="),
        ("name,caption", {}, "its columns: name, caption.*PATH_COLUMN="),
        ("path,caption", {"path": "path", "caption": "said"}, "no column 'said'"),
    ],
)
def test_columns_that_cannot_be_told_are_listed_with_the_setting(tmp_path, header, asked, why):
    path = wrote(tmp_path, "in.csv", f"{header}\n" + ",".join("abc"[: header.count(",") + 1]))
    with pytest.raises(ManifestError, match=why):
        read(path, Columns(**asked))


def test_columns_that_are_named_are_read(tmp_path):
    path = wrote(tmp_path, "in.csv", "Name,Title,Description\na.jpg,b,c\n")
    assert pairs(read(path, Columns("name", "description"))) == [("a.jpg", "c")]


def test_a_list_of_objects_and_several_captions_of_one(tmp_path):
    path = wrote(tmp_path, "in.json", '[{"image": "a.jpg", "text": ["a dog", "two"]}]')
    (found,) = read(path)
    assert found.captions == ("a dog", "two")


@pytest.mark.parametrize(
    ("value", "expected"), [("0.5", 0.5), (2, None), ("nan", None), (True, None), ("high", None)]
)
def test_a_confidence_is_from_0_to_1_or_none(tmp_path, value, expected):
    row = {"path": "a.jpg", "caption": "a", "confidence": value}
    (found,) = read(wrote(tmp_path, "in.jsonl", json.dumps(row)))
    assert found.confidence == expected


def test_other_files_are_no_source(tmp_path):
    with pytest.raises(ManifestError, match="jsonl"):
        read(wrote(tmp_path, "in.docx", b""))
