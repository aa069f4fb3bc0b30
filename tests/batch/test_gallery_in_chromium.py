"""The gallery in a real browser, opened from disk: reviewing, saving, and hostile names."""

import json
from dataclasses import replace
from itertools import product

import pytest

from batch.captioned import open_captioned
from batch.gallery import write_gallery
from batch.merge_review import merge_review
from batch.pipeline import run
from batch.review import sheet_rows
from manifests.gallery import Looked
from manifests.review import ReviewStatus
from manifests.text import escape_cell, unescape_cell
from tests.batch.galleries import Galleried, Page, chromium, corrections

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ENTER, ESCAPE = "\ue007", "\ue00c"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Start a browser for all tests of this file."""
    with chromium(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(browser):
    """Take the browser as it is for somebody new who gave a name."""
    browser.driver.get("about:blank")
    browser.complaints(), browser.requests()
    yield browser
    assert browser.complaints() == []
    assert [
        url for url in browser.requests() if not url.startswith(("file:", "blob:", "about:"))
    ] == []


@pytest.fixture
def gallery(tmp_path):
    """Draw an archive of six photos, the most doubtful last in the order of paths."""
    made = Galleried(tmp_path)
    made.add("2019/beach/a.png", "A dog runs on the beach.", 0.9, taken_at="2019-05-01T10:00:00")
    made.add("2019/b.png", "A cat sits on a sofa.", 0.7, taken_at="2021-05-01T10:00:00")
    made.add("2020/c.png", "두 아이가 바다에서 놀고 있다.", 0.5, language="ko")
    made.add("2020/d.png", "A red ball.", 0.3, alternatives=("A red balloon.", "A ball."))
    made.add("2020/e.png", "Two men.", 0.1, taken_at="2022-05-01T10:00:00")
    made.add("f.png", None, None, status="not_a_scene", error="looks like a page, not a scene")
    return made


def opened(page: Page, gallery: Galleried, reviewer: str | None = "Kim") -> Page:
    """Write and open a gallery in a browser that has kept nothing but the reviewer's name."""
    page.open(gallery.write())
    page.run("localStorage.clear()")
    if reviewer is not None:
        page.run("localStorage.setItem('photo-captions/reviewer', arguments[0])", reviewer)
    page.reload()
    return page


# What is shown.


def test_the_most_doubtful_come_first_each_with_its_picture(page, gallery):
    opened(page, gallery)
    assert page.captions == [row.caption for row in reversed(gallery.rows[:5])]
    assert page.texts(".name")[0] == "2020/e.png"
    sizes = "return [...document.images].filter((it) => it.src).map((it) => it.naturalWidth)"
    assert page.wait(f"{sizes}.every(Boolean) && {sizes[7:]}") == [48] * 6
    assert page.texts(".confidence")[0] == "10% sure"
    assert page.texts(".problem") == ["This photo looks like a page, not a scene"]


@pytest.mark.parametrize(
    ("order", "first"), [("path", "2019/b.png"), ("newest", "2020/e.png"), ("doubt", "2020/e.png")]
)
def test_photos_can_be_put_in_another_order(page, gallery, order, first):
    opened(page, gallery)
    page.choose("order", order)
    assert page.texts(".name")[0] == first
    assert len(page.texts(".name")) == 6


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("folder", "2019/", "ab"),
        ("folder", "2019/beach/", "a"),
        ("language", "ko", "c"),
        ("status", "not_a_scene", "f"),
        ("from", "50", "abc"),
        ("to", "30", "de"),
        ("search", "a  RED", "d"),
        ("search", "2020/", "cde"),
        ("search", "\u1107\u1161\u1103\u1161", "c"),  # sea, with its Hangul in pieces
        ("search", "nothing like it", ""),
        ("review", "approved", ""),
        ("review", "", "abcdef"),
    ],
)
def test_a_filter_leaves_what_fits(page, gallery, name, value, shown):
    opened(page, gallery)
    page.choose(name, value)
    assert sorted(path[-5] for path in page.texts(".name")) == [*shown]
    assert bool(page.texts("#empty")) == (not shown)
    page.click("#clear")
    assert len(page.texts(".name")) == 6


def test_captions_are_marked_with_their_language_and_korean_words_stay_whole(page, gallery):
    opened(page, gallery)
    it = "document.querySelector('.caption :lang(ko)')"
    assert page.run(f"return [{it}.lang, getComputedStyle({it}).wordBreak]") == ["ko", "keep-all"]


def test_many_photos_come_a_page_at_a_time(page, tmp_path):
    made = Galleried(tmp_path)
    made.add("a.png", "A dog.", 0.5)
    made.rows = [replace(made.rows[0], path=f"{n:05}.png", confidence=n / 1e4) for n in range(4321)]
    opened(page, made)
    assert len(page.captions) == 100
    assert page.texts("#shown") == ["1\N{EN DASH}100 of 4,321"]
    page.focus(99)
    page.keys("j")
    assert page.texts(".name")[0] == "00100.png"
    page.click(".before")
    assert page.texts(".name")[0] == "00000.png"
    page.choose("search", "04320.png")
    assert page.texts(".name") == ["04320.png"]


# Reviewing.


def test_captions_are_reviewed_by_keys_and_saved_as_corrections(page, gallery):
    opened(page, gallery)
    page.focus(0)
    page.keys("a", "r", "j", "e")
    page.type('개가 달린다, "빨리"; 끝')
    page.keys(ENTER)
    assert page.reviews == ["approved", "rejected", "unreviewed", "edited", *["unreviewed"] * 2]
    assert page.texts("#export") == ["Save corrections (3)"]
    assert "not in the archive" in page.texts("#kept")[0]
    e, d, _, b, *_ = reversed(gallery.rows[:5])
    wanted = [
        (e, e.caption, "approved"),
        (d, d.caption, "rejected"),
        (b, '개가 달린다, "빨리"; 끝', "edited"),
    ]
    assert corrections(page.save()) == [
        {
            "path": row.path,
            "photo_id": row.photo_id,
            "language": row.language,
            "caption": caption,
            "review_status": status,
            "reviewer": "Kim",
            "notes": "",
            "base": row.base,
        }
        for row, caption, status in wanted
    ]
    assert "make merge-review" in page.texts("#kept")[0]


def test_the_keys_are_told_with_the_command_for_the_very_file_that_is_saved(page, gallery):
    opened(page, gallery)
    page.press(key="?")
    (before,) = page.texts("#merge")
    page.click("#help .close")
    page.focus(0)
    page.keys("a")
    assert before.endswith(f" FROM={page.save().name}")


def test_buttons_do_what_keys_do(page, gallery):
    opened(page, gallery)
    page.click("[data-place='1'] .approve")
    page.click("[data-place='2'] .reject")
    page.click("[data-place='3'] .edit")
    page.type("A dog.")
    page.click(".editing .main")
    assert page.reviews[:4] == ["unreviewed", "approved", "rejected", "edited"]
    page.click("[data-place='2'] .undo")
    assert page.reviews[:4] == ["unreviewed", "approved", "unreviewed", "edited"]


def test_keys_work_on_a_korean_keyboard(page, gallery):
    opened(page, gallery)
    page.focus(0)
    page.press(key="ㅁ", code="KeyA")
    assert page.reviews[0] == "approved"


def test_keys_that_are_switched_off_do_nothing(page, gallery):
    opened(page, gallery)
    page.keys("?")
    assert "Approve the caption" in page.texts("#keys dd")
    page.click("#keys-on")
    page.click("#help .close")
    page.focus(0)
    page.keys("a")
    assert page.reviews[0] == "unreviewed"


def test_decisions_survive_a_reload_and_are_undone_one_by_one(page, gallery):
    opened(page, gallery)
    page.focus(0)
    page.keys("a", "r")
    page.reload()
    page.choose("review", "")
    assert page.reviews[:3] == ["approved", "rejected", "unreviewed"]
    page.focus(0)
    page.keys("u")
    assert page.reviews[:2] == ["approved", "unreviewed"]
    page.keys("u", "u")
    assert page.reviews[:2] == ["unreviewed", "unreviewed"]
    assert page.run("return document.getElementById('export').disabled")


def test_an_edit_can_be_cancelled_started_from_other_words_and_given_a_note(page, gallery):
    opened(page, gallery)
    page.focus(1)
    page.keys("e")
    page.type("No.")
    page.keys(ESCAPE)
    assert page.captions[1] == "A red ball."
    page.keys("e")
    assert page.texts(".others button") == ["A red balloon.", "A ball."]
    page.click(".others button")
    page.run("document.querySelector('.notes-field').value = 'see album 3'")
    page.keys(ENTER)
    assert page.captions[1] == "A red balloon."
    [row] = corrections(page.save())
    assert (row["review_status"], row["notes"]) == ("edited", "see album 3")


def test_a_note_alone_approves_nothing_and_an_empty_caption_is_refused(page, gallery):
    opened(page, gallery)
    page.focus(0)
    page.keys("e")
    page.type("   ")
    page.keys(ENTER)
    assert "Write a caption" in page.texts(".wrong")[0]
    page.type("Two men.")
    page.run("document.querySelector('.notes-field').value = 'who are they?'")
    page.keys(ENTER)
    [row] = corrections(page.save())
    assert (row["review_status"], row["caption"]) == ("unreviewed", "Two men.")
    assert row["notes"] == "who are they?"


def test_a_photo_without_a_caption_can_get_one_but_not_be_approved(page, gallery):
    opened(page, gallery)
    page.focus(5)
    page.keys("a", "r")
    assert page.reviews[5] == "unreviewed"
    page.keys("e")
    page.type("A page of a book.")
    page.keys(ENTER)
    assert page.reviews[5] == "edited"


def test_enter_belongs_to_hangul_that_is_being_put_together(page, gallery):
    opened(page, gallery)
    page.focus(0)
    page.keys("e")
    page.press(key="Enter", isComposing=True)
    assert page.run("return Boolean(document.querySelector('.editing'))")


def test_the_name_is_asked_for_once_and_turning_back_decides_nothing(page, gallery):
    opened(page, gallery, reviewer=None)
    page.focus(0)
    page.keys("a", ESCAPE)
    assert page.reviews[0] == "unreviewed"
    page.keys("a")
    page.type("김영희")
    page.keys(ENTER, "a")
    page.reload()
    page.focus(0)
    page.keys("a")
    assert [row["reviewer"] for row in corrections(page.save())] == ["김영희"] * 3


# Words that are being typed.


def typed(page):
    """Give what stands in the forms that are open."""
    return page.run("return [...document.querySelectorAll('.caption-field')].map((it) => it.value)")


def many(folder):
    """Draw an archive whose photos fill a page, and one more."""
    made = Galleried(folder)
    made.add("a.png", "A dog.", 0.5)
    made.rows = [replace(made.rows[0], path=f"{n:05}.png", confidence=n / 1e4) for n in range(101)]
    return made


def test_typed_words_outlive_turning_back_from_giving_a_name(page, gallery):
    opened(page, gallery, reviewer=None)
    page.focus(0)
    page.keys("e")
    page.type("Two old men.")
    page.keys(ENTER, ESCAPE)
    assert typed(page) == ["Two old men."]
    assert page.reviews[0] == "unreviewed"
    page.keys(ENTER)
    page.type("Kim")
    page.keys(ENTER)
    assert (typed(page), page.reviews[0]) == ([], "edited")
    [row] = corrections(page.save())
    assert (row["caption"], row["reviewer"]) == ("Two old men.", "Kim")


def test_typed_words_outlive_decisions_in_another_window(page, gallery):
    opened(page, gallery)
    page.keys("e")
    page.type("Two old ")
    with page.second_window():
        page.focus(0)
        page.keys("r", "a")
        page.save()
    page.wait("return document.querySelector('.card').dataset.review === 'rejected'")
    assert page.reviews[:3] == ["rejected", "approved", "unreviewed"]
    page.driver.switch_to.active_element.send_keys("men.")
    page.settle()
    assert typed(page) == ["Two old men."]
    page.keys(ENTER)
    assert (page.captions[0], page.reviews[0]) == ("Two old men.", "edited")


def test_a_form_that_nobody_typed_in_takes_no_other_windows_decision_back(page, gallery):
    opened(page, gallery)
    page.focus(0)
    page.keys("e")
    with page.second_window():
        page.focus(0)
        page.keys("e")
        page.type("Two old men.")
        page.keys(ENTER)
    page.wait("return document.querySelector('.card').dataset.review === 'edited'")
    page.run("document.querySelector('.notes-field').value = 'who?'")
    page.keys(ENTER)
    [row] = corrections(page.save())
    assert (row["caption"], row["notes"]) == ("Two old men.", "who?")
    assert row["review_status"] == "edited"


def test_typed_words_outlive_pages_that_are_turned_and_filters(page, tmp_path):
    opened(page, many(tmp_path))
    page.focus(0)
    page.keys("e")
    page.type("Two dogs.")
    page.focus(99)
    page.keys("a")  # goes on to the next page
    assert page.texts(".name") == ["00100.png"]
    assert typed(page) == []
    page.click(".before")
    assert typed(page) == ["Two dogs."]
    page.choose("search", "00007.png")
    assert (
        page.run("return dispatchEvent(new Event('beforeunload', { cancelable: true }))") is False
    )
    page.click("#clear")
    assert typed(page) == ["Two dogs."]
    assert page.texts(".editing") == page.texts("[data-place='0'] .editing")
    page.click(".editing .main")
    assert (page.captions[0], page.reviews[0], typed(page)) == ("Two dogs.", "edited", [])
    assert page.run("return dispatchEvent(new Event('beforeunload', { cancelable: true }))")


def test_rows_that_come_in_while_somebody_types_leave_the_cursor_where_it_is(page, gallery):
    opened(page, gallery)
    page.focus(1)
    page.keys("e")
    page.type("A ball.")
    page.run("document.activeElement.setSelectionRange(2, 2); gallery.page.add([])")
    page.driver.switch_to.active_element.send_keys("round ")
    assert typed(page) == ["A round ball."]
    page.keys(ESCAPE)
    assert (typed(page), page.captions[1]) == ([], "A red ball.")


# Where the captioner looked.


class Corners:
    """Stand in for Attended: a word for each of two corners of the photo."""

    def can_tell(self, said):
        """Know the captions in English."""
        return said.caption.isascii()

    def looks(self, captions):
        """Look at the first cell, then at the last."""
        for said in captions:
            yield said, Looked(("first", "last"), bytes([255, *[0] * 126, 255]))


def test_where_the_computer_looked_is_lit_word_by_word(page, gallery):
    page.open(gallery.write(attention=Corners()))
    page.requests()
    page.focus(0)
    page.keys("w")
    assert page.texts(".looked button") == ["first", "last"]
    assert len([url for url in page.requests() if "/looks/" in url]) == 1
    lit = """const canvas = document.querySelector("canvas"), { width, height } = canvas;
        const at = (x, y) => canvas.getContext("2d").getImageData(x, y, 1, 1).data[3];
        return [width, height, at(1, 1), at(width - 2, height - 2)]"""
    assert page.run(lit) == [48, 32, 255, 0]
    page.click(".looked button:nth-child(2)")
    assert page.run(lit) == [48, 32, 0, 255]
    page.click(".look")
    assert page.texts(".looked") == []
    assert len(page.texts(".look")) == 5 - 1  # the Korean caption's is not known


# A gallery that is made anew.


def test_decisions_are_forgotten_once_the_archive_says_the_same(page, gallery):
    opened(page, gallery)
    page.focus(0)
    page.keys("a", "r")
    merged = {"review_status": ReviewStatus.APPROVED, "reviewer": "Kim"}
    gallery.rows[4] = replace(gallery.rows[4], **merged)
    page.open(gallery.write())
    assert [row["path"] for row in corrections(page.save())] == ["2020/d.png"]


def test_decisions_outlive_new_captions_with_what_they_were_decided_on(page, gallery):
    opened(page, gallery)
    page.focus(0)
    page.keys("e")
    page.type("Two old men.")
    page.keys(ENTER)
    old = gallery.rows[4]
    gallery.rows[4] = replace(old, caption="A man.", machine="A man.")
    gone = gallery.rows.pop(3)
    page.open(gallery.write())
    page.choose("review", "")
    assert page.captions[0] == "Two old men."
    assert page.texts(".machine") == ["The computer wrote: A man."]
    [row] = corrections(page.save())
    assert (row["caption"], row["base"]) == ("Two old men.", old.base)
    assert gone.path not in page.texts(".name")


def test_full_storage_is_told_and_nothing_is_lost_while_the_page_is_open(page, gallery):
    opened(page, gallery)
    full = "throw new DOMException('full', 'QuotaExceededError')"
    page.run(f"Storage.prototype.setItem = () => {{ {full} }}")
    page.focus(0)
    page.keys("a")
    assert "Save your corrections before you close" in page.texts("#kept")[0]
    assert len(corrections(page.save())) == 1


# The whole way: from the page into the archive and back.


NAMES = ["a.png", "b/바다.png", "c.png", "caf\udce9.png", "e.png", "f.png"]


@pytest.fixture
def album(archive, stub_captioner):
    """Caption an archive of six photos."""
    archive.draw(*NAMES)
    run(archive.config())
    return archive


def shown(page, album):
    """Make the gallery of an archive, and open it with all its photos, by their paths."""
    found = open_captioned(str(album.out))
    page.open(write_gallery(found, sheet_rows(found)))
    page.choose("review", "")
    page.choose("order", "path")


def click_at(page, path, button):
    """Click on a button of a photo's card."""
    page.click(f"[data-place='{page.texts('.name').index(path)}'] {button}")


def edited(page, path, caption=None, notes=None):
    """Edit a photo's caption, or its note, by clicking."""
    click_at(page, path, ".edit")
    if caption is not None:
        page.type(caption)
    if notes is not None:
        page.click(".editing .notes-field")
        page.type(notes)
    page.click(".editing .main")


def kept(page):
    """Give the keys of what the browser keeps of galleries, its settings left out."""
    keys = page.run("return Object.keys(localStorage)")
    return sorted({*keys} - {"photo-captions/reviewer", "photo-captions/keys"})


def merged(page, album):
    """Save the corrections and merge them; tell what the manifest holds of each photo then."""
    report = merge_review(str(album.out), str(page.save()))
    assert report.of("conflict", "not matched", "problem") == []
    return {
        path: (str(each.review.status), each.review.caption, each.review.notes)
        for path, each in album.records.items()
        if each.reviews
    }


def test_decisions_go_into_the_archive_as_they_were_made_and_out_of_the_browser(page, album):
    shown(page, album)
    page.run("localStorage.clear(); localStorage.setItem('photo-captions/reviewer', 'Kim')")
    page.reload()
    shown(page, album)
    machine = album.captions
    click_at(page, "a.png", ".approve")
    edited(page, "b/바다.png", '=개가 달린다, "빨리" \\ud83d')
    edited(page, "c.png", "Somebody's words.")
    edited(page, "c.png", machine["c.png"])
    click_at(page, "caf\\xe9.png", ".reject")
    edited(page, "e.png", notes="who is it?")
    assert len(kept(page)) == 5
    decided = {
        "a.png": ("approved", machine["a.png"], ""),
        "b/바다.png": ("edited", '=개가 달린다, "빨리" \\ud83d', ""),
        "c.png": ("approved", machine["c.png"], ""),
        "caf\\xe9.png": ("rejected", None, ""),
        "e.png": ("unreviewed", None, "who is it?"),
    }
    assert merged(page, album) == decided
    assert {each.review.reviewer for each in album.records.values() if each.reviews} == {"Kim"}
    shown(page, album)
    assert kept(page) == []
    assert page.texts("#kept") == []
    edited(page, "b/바다.png", machine["b/바다.png"])
    click_at(page, "a.png", ".reject")
    assert merged(page, album) == decided | {
        "a.png": ("rejected", None, ""),
        "b/바다.png": ("approved", machine["b/바다.png"], ""),
    }
    shown(page, album)
    assert kept(page) == []
    assert page.reviews == ["rejected", "approved", "approved", "rejected", *["unreviewed"] * 2]


# Hostile names and captions.

HOSTILE = [
    "<img src=x onerror=window.harmed=1>",
    "</script><script>window.harmed=1</script>",
    '"><svg onload=window.harmed=1>',
    "javascript:window.harmed=1",
    "=1+1",
    "line one\nline two",
    "\u202egpj.exe",
    "\u1107\u1161\u1103\u1161 바다",
    "a\u2028b\u2029c",
    "${window.harmed=1}`+`",
    "'=1+1 and \\x07 and \\x5c",
    "🐕‍🦺",
]


def test_hostile_names_and_captions_are_words_and_come_back_whole(page, tmp_path):
    made = Galleried(tmp_path)
    for number, text in enumerate(HOSTILE):
        name = text.replace("/", "|").encode()
        words = {"notes": text, "suggestion": text, "alternatives": (text,), "group": text}
        made.add(b"%d " % number + name, text, number / 100, **words)
    made.add(b"caf\xe9 \xff.jpg", "\udcff alone", 0.9)
    opened(page, made)
    assert page.captions == [*HOSTILE, "\ufffd alone"]
    page.focus(0)
    page.keys(*"a" * len(made.rows))
    page.focus(0)
    page.keys("e", ESCAPE)
    assert page.run("return window.harmed") is None
    tags = page.run(
        "return [...new Set([...document.body.querySelectorAll('*')].map((it) => it.localName))]"
    )
    assert not {"script", "svg", "iframe", "object"} & set(tags)
    saved = corrections(page.save())
    assert [row["path"] for row in saved] == [row.path for row in made.rows]
    assert [row["caption"] for row in saved] == [*HOSTILE, "\udcff alone"]
    assert [row["base"] for row in saved] == [row.base for row in made.rows]


def test_text_never_becomes_html_even_where_a_script_tries(page, gallery):
    opened(page, gallery)
    assert page.outcome("document.body.innerHTML = '<b>'") == "TypeError"
    for name in ("https://example.org/x.js", "rows/../x.js", "/etc/x.js"):
        assert page.outcome(f"dataFiles.createScriptURL('{name}')") == "TypeError"
        assert page.outcome(f"document.createElement('script').src = '{name}'") == "TypeError"
    page.complaints()  # of what was tried


def test_cells_are_escaped_as_the_program_does(page, gallery):
    opened(page, gallery)
    # Controls, halves of a letter and codes of either, alone and side by side.
    pieces = [*"'=\uff1d\\\x07\t\n\ra-@\x7f\x0bu\ufffe\uffff\ud83d\udc36"]
    pieces += ["''", "\\x", "07", "09", "5c", "d83d", "fffe", "ufff"]
    odd = ["".join(some) for some in product(pieces, repeat=3)]
    odd += ["\\" + "".join(some) for some in product(pieces, repeat=2)]
    odd += ["", "바다", *HOSTILE]
    # Halves that make a letter are one to the browser.
    odd = [text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") for text in odd]
    assert [text for text in odd if unescape_cell(escape_cell(text)) != text] == []
    script = "return JSON.stringify(JSON.parse(arguments[0]).map(escapeCell))"
    escaped = json.loads(page.run(script, json.dumps(odd)))
    assert escaped == [escape_cell(text) for text in odd]
