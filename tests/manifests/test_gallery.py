"""A gallery's files: JSON in scripts that nothing in a name or a caption can break out of."""

import base64
import json
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from manifests.gallery import (
    FIELDS,
    ROWS_A_FILE,
    Card,
    Head,
    Looked,
    head_file,
    in_order,
    looks_file,
    page_files,
    places,
    row_files,
)
from manifests.review import ReviewStatus, SheetRow
from tests.manifests.examples import TEXTS

ROW = SheetRow(
    path="2019/dog.jpg",
    photo_id="ab" * 32,
    language="en",
    caption="A dog.",
    machine="A dog.",
    suggestion="",
    alternatives=("A cat.",),
    confidence=0.25,
    review_status=ReviewStatus.UNREVIEWED,
    reviewer="",
    notes="",
    status="captioned",
    group="",
)


def card(row=ROW, **changes):
    return Card(row, 0, "2019-05-01T10:00:00", True, "", "2019/dog.jpg", **changes)


def arguments(script):
    """Read what a script calls the page with, as JSON."""
    call = re.fullmatch(r"gallery\.(\w+)\((.*)\);\n", script.decode("ascii"))
    return call[1], json.loads(f"[{call[2]}]")


def rows_in(files):
    """Read all rows of files, by field."""
    found = [arguments(script) for script in files.values()]
    assert [(name, number) for name, (number, _) in found] == [
        ("rows", number) for number in range(len(found))
    ]
    return [dict(zip(FIELDS, cells, strict=True)) for _, (_, rows) in found for cells in rows]


def head(**changes):
    told = {"name": "photos", "archive": "/photos", "address": "", "key": "0" * 16, "merge": ""}
    return Head(**{**told, "total": 0, "rows": [], "looks": {}, **changes})


@given(TEXTS | st.text(st.characters(exclude_categories=())), TEXTS)
def test_any_text_comes_back_from_a_script_that_is_plain_ascii(caption, path):
    odd = replace(ROW, caption=caption, notes=caption, path=path, alternatives=(caption, path))
    files = row_files([card(odd)])
    [row] = rows_in(files)
    assert (row["caption"], row["path"]) == (caption, path)
    assert (row["alternatives"], row["base"]) == ([caption, path], odd.base)
    for script in files.values():
        assert b"<" not in script
        assert script.count(b"\n") == 1


def test_rows_come_whole_and_in_their_order_some_thousand_a_file():
    cards = [card(replace(ROW, path=f"{number}.jpg")) for number in range(2 * ROWS_A_FILE + 1)]
    files = row_files(cards)
    assert len(files) == 3
    assert list(files) == sorted(files)
    assert [row["path"] for row in rows_in(files)] == [each.row.path for each in cards]


def test_a_file_with_other_rows_has_another_name_and_the_same_rows_the_same_one():
    first, again = row_files([card()]), row_files([card()])
    other = row_files([card(replace(ROW, caption="A cat."))])
    assert first == again
    assert first.keys() != other.keys()
    assert row_files([]) == {}


def test_the_most_doubtful_row_is_first_and_rows_without_a_caption_are_last():
    sure = [0.5, None, 0.1, 1.0, None, 0.0]
    rows = [replace(ROW, path=f"{n}.jpg", confidence=each) for n, each in enumerate(sure)]
    rows[4] = replace(rows[4], machine="")
    assert [row.path[0] for row in in_order(rows)] == ["1", "5", "2", "0", "3", "4"]


def test_places_are_those_of_a_walk_through_the_folders():
    paths = ["b.jpg", "a.jpg", "a/z.jpg", "a/b/c.jpg"]
    assert places(replace(ROW, path=path) for path in paths) == [3, 2, 1, 0]


def test_where_the_captioner_looked_is_found_by_photo_and_caption():
    looked = Looked(("</script>", "개"), bytes(range(128)))
    name, [looks] = arguments(looks_file({("ab" * 32, "A dog.\u2028"): looked}))
    assert name == "looks"
    [(key, (words, grids))] = looks.items()
    assert key == f"{'ab' * 32}/A dog.\u2028"
    assert words == ["</script>", "개"]
    assert base64.b64decode(grids) == bytes(range(128))


def test_the_head_names_the_archive_and_its_files():
    name, [told] = arguments(head_file(head(name="</script>", rows=["rows/0000-ab.js"])))
    assert name == "open"
    assert told["name"] == "</script>"
    assert told["rows"] == ["rows/0000-ab.js"]
    assert told["fields"] == [*FIELDS]


# The page itself.


def test_the_page_names_files_that_are_there_and_nothing_from_elsewhere():
    files = page_files()
    page = files["index.html"].decode()
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {*named} == {*files, "head.js"} - {"index.html"}
    for name, content in files.items():
        assert b"://" not in content, name


def test_the_page_has_no_script_or_style_of_its_own():
    page = page_files()["index.html"].decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src)", page)
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in policy
    assert "http" not in policy


def test_scripts_make_no_html_of_texts():
    sinks = rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function"
    for name, content in page_files().items():
        assert not re.search(sinks, content), name
