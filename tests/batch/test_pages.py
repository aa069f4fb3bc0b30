"""A page shows each photo beside its own words, and nothing in it can be more than words."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from batch.captioned import small_picture
from batch.pages import Card, Plot, Section, data_address, evaluation_page
from batch.photos import PhotoError
from batch.tables import Table
from tests.pictures import BLUE, GREEN, RED, encoded, exif, noise, turned, upright

HOSTILE = '<script>alert("1")</script> \' & </style> <img src=x onerror=alert(1)>.jpg'
PICTURE = "data:image/jpeg;base64,AAAA"
TABLES = [
    Table("Scores", [("BLEU-4", "21.3"), ("METEOR", "-")], numbers=True),
    Table("Facts", [("Words split by", "ptb-python-1")]),
]
VOID = {"meta", "img", "source"}


class Reader(HTMLParser):
    """Read a page as a browser does: its elements, their attributes and texts."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Insist that elements end in the order they began."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Note a text and the element it is in."""
        if data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def all(self, tag):
        """Give the attributes of each element of a kind."""
        return [attrs for name, attrs in self.elements if name == tag]

    def said(self, tag):
        """Give the texts in the elements of a kind."""
        return [text for name, text in self.texts if name == tag]


def card(path="a.jpg", caption="A dog runs.", references=("a dog", "the dog")):
    return Card(path, PICTURE, caption, {"CIDEr": "88.0"}, references)


def page_of(*cards, title="flickr8k-en on 3 photos", language="en"):
    return evaluation_page(title, language, TABLES, [], [Section("Best", "by CIDEr", cards)])


def picture(data):
    """Open the picture behind a `data:` address."""
    kind, _, text = data_address(small_picture(data, 320)).partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_a_photo_stands_beside_its_caption_references_score_and_name():
    read = Reader(page_of(card()))
    assert read.all("img") == [{"src": PICTURE, "alt": "a dog", "lang": "en"}]
    assert read.said("p") == ["A dog runs."]
    assert read.said("li") == ["a dog", "the dog"]
    assert (read.said("dt"), read.said("dd")) == (["CIDEr"], ["88.0"])
    assert read.said("bdi") == ["a.jpg"]


def test_the_scores_and_the_tokenizer_stand_on_top():
    page = page_of(card())
    assert Reader(page).said("th") == ["BLEU-4", "METEOR", "Words split by"]
    assert Reader(page).said("td") == ["21.3", "-", "ptb-python-1"]
    assert page.index("ptb-python-1") < page.index("<img")


def test_hostile_names_and_captions_are_shown_as_they_are_and_do_nothing():
    read = Reader(page_of(card(HOSTILE, HOSTILE, (HOSTILE,)), title=HOSTILE))
    assert read.said("bdi") == read.said("p") == read.said("h1") == read.said("title") == [HOSTILE]
    assert read.all("img") == [{"src": PICTURE, "alt": HOSTILE, "lang": "en"}]
    assert not read.all("script")
    assert not [name for _, attrs in read.elements for name in attrs if name.startswith("on")]


def test_a_hostile_language_stays_inside_its_attribute():
    read = Reader(page_of(card(), language='en"><script>'))
    assert read.all("p") == [{"lang": 'en"><script>'}]


def test_the_policy_allows_the_pages_own_style_and_nothing_that_runs_or_loads():
    read = Reader(page_of(card()))
    [policy] = [m["content"] for m in read.all("meta") if "http-equiv" in m]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert not re.findall(r"(?:src|href|url)\W{1,2}(?!data:)\w+:", page_of(card()))


def test_korean_captions_are_marked_as_korean_in_fonts_that_have_them():
    page = page_of(card("바다/개 1.jpg", "개가 달린다.", ("개 한 마리가 달린다",)), language="ko")
    read = Reader(page)
    assert read.said("p") == ["개가 달린다."]
    assert [attrs.get("lang") for attrs in read.all("p")] == ["ko"]
    assert read.all("html") == [{"lang": "en"}]  # the headings are
    assert all(font in page for font in ("Noto Sans CJK KR", "Malgun Gothic", "Apple SD Gothic"))


def test_a_name_that_is_no_text_is_shown_byte_by_byte():
    read = Reader(page_of(card(b"caf\xe9.jpg".decode("utf-8", "surrogateescape"))))
    assert read.said("bdi") == [r"caf\udce9.jpg"]


def test_sections_without_photos_are_left_out():
    sections = [Section("Best", "", [card()]), Section("Median", "", [])]
    read = Reader(evaluation_page("t", "en", TABLES, [], sections))
    assert read.said("h2") == ["Best"]


def test_a_table_of_several_columns_names_them():
    table = Table("Kinds", [("people", "7", HOSTILE)], ("", "photos", HOSTILE), numbers=True)
    read = Reader(evaluation_page("t", "en", [table], [], []))
    assert read.said("caption") == ["Kinds"]
    assert read.said("th") == ["photos", HOSTILE, "people"]
    assert read.said("td") == ["7", HOSTILE]


def test_a_plot_follows_the_readers_colours_and_is_told_to_who_cannot_see_it():
    plot = Plot(HOSTILE, "data:image/png;base64,LIGHT", "data:image/png;base64,DARK")
    read = Reader(evaluation_page("t", "en", TABLES, [plot], []))
    assert read.all("img") == [{"src": plot.light, "alt": HOSTILE}]
    assert read.all("source") == [{"srcset": plot.dark, "media": "(prefers-color-scheme: dark)"}]


def test_the_page_follows_the_readers_colours_and_width():
    page = page_of(card())
    assert "prefers-color-scheme: dark" in page
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in Reader(
        page
    ).all("meta")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(orientation):
    image = picture(turned(orientation))
    assert image.size == (96, 64)
    fields = [image.getpixel(place) for place in ((24, 16), (72, 16), (24, 48))]
    for found, drawn in zip(fields, (RED, GREEN, BLUE), strict=True):
        assert max(abs(a - b) for a, b in zip(found, drawn, strict=True)) < 12


@pytest.mark.parametrize(
    ("size", "shown"),
    [((1000, 500), (320, 160)), ((500, 1000), (160, 320)), ((40, 30), (40, 30))],
)
def test_pictures_are_at_most_320_pixels_a_side(size, shown):
    assert picture(encoded(upright(*size))).size == shown


def test_pictures_say_nothing_of_the_photographer():
    data = encoded(noise(), exif=exif(1, "2019:05:04 12:33:10"), comment=b"by Kim")
    shown = picture(data)
    assert not shown.getexif()
    assert "comment" not in shown.info


def test_a_broken_photo_has_no_picture():
    with pytest.raises(PhotoError):
        small_picture(encoded(upright())[:200], 320)
