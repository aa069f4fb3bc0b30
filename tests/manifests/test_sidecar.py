"""Captions in XMP: in the fields that others read, beside all that others wrote, and no further."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from manifests.rdf import EMBEDDED, MAX_BYTES, XmpError, xml_text
from manifests.sidecar import Description, Mark, Said, merge_xmp, read_xmp
from tests.manifests.examples import TEXTS

DOG = Said("a dog runs", Mark("en", "approved", "flickr8k-en@12ab", "0.750", "Kim", "2026-11-28"))
HANGUL = Said("개가 달린다", Mark("ko", "edited", reviewer="이"))
GUESS = Said("a cat sits", Mark("en", "machine", "flickr8k-en@12ab", "0.310"))
BOTH = Description((DOG, HANGUL))

LIGHTROOM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0-c000 1.000000, 0000/00/00-00:00:00">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
   xmp:Rating="4"
   photoshop:SidecarForExtension="CR2"
   photoshop:CaptionWriter="Oma"
   crs:Exposure2012="+0.55">
   <dc:creator><rdf:Seq><rdf:li>Jo &amp; Co</rdf:li></rdf:Seq></dc:creator>
   <dc:description>
    <rdf:Alt>
     <rdf:li xml:lang="x-default">Oma im Garten</rdf:li>
     <rdf:li xml:lang="de-DE">Oma im Garten</rdf:li>
    </rdf:Alt>
   </dc:description>
   <xmpMM:History><rdf:Seq><rdf:li stEvt:action="saved" stEvt:changed="/metadata"/></rdf:Seq>
   </xmpMM:History>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
DARKTABLE = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:darktable="http://darktable.sf.net/"
   xmpMM:DerivedFrom="a.jpg"
   darktable:xmp_version="5"
   darktable:history_end="2">
   <!-- the stack -->
   <darktable:history>
    <rdf:Seq>
     <rdf:li darktable:num="0" darktable:operation="exposure" darktable:params="gz03eJxjYGBg"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
DIGIKAM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 6.0.0"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 <rdf:Description rdf:about="" xmlns:digiKam="http://www.digikam.org/ns/1.0/">
  <digiKam:TagsList><rdf:Seq><rdf:li>가족/할머니</rdf:li></rdf:Seq></digiKam:TagsList>
 </rdf:Description>
 <rdf:Description rdf:about="" xmlns:d="http://purl.org/dc/elements/1.1/" d:format="image/jpeg">
  <d:subject><rdf:Bag><rdf:li>Garten</rdf:li></rdf:Bag></d:subject>
 </rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
WITH_DESCRIPTION = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" {}</rdf:RDF></x:xmpmeta>"""
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
OTHERS = [LIGHTROOM.encode(), DARKTABLE.encode(), DIGIKAM.encode()]


def parts_of(xmp):
    """Tell everything in a packet but the fields that are ours: elements, attributes, comments."""
    ours = ("}description", "}AltTextAccessibility", "}CaptionWriter", "{urn:photo-captions")
    found = []
    for node in etree.fromstring(xmp).iter():
        path = [node, *node.iterancestors()]
        names = [each.tag if isinstance(each.tag, str) else "#" for each in path]
        if any(part in name for name in names for part in ours):
            continue
        attributes = {k: v for k, v in node.attrib.items() if not k.endswith("}CaptionWriter")}
        found.append((names, attributes, (node.text or "").strip()))
    return found


def outside(xmp):
    """Tell the processing instructions around a packet."""
    return re.findall(rb"<\?xpacket.*?\?>", xmp)


def test_captions_stand_by_language_with_the_leading_one_as_the_default():
    found = read_xmp(merge_xmp(None, BOTH))
    expected = {"x-default": "a dog runs", "en": "a dog runs", "ko": "개가 달린다"}
    assert (found.captions, found.alt_text) == (expected, expected)
    assert list(found.captions) == ["x-default", "en", "ko"]
    assert found.writer == "Kim"


def test_where_each_caption_comes_from_stands_beside_it():
    english, korean = read_xmp(merge_xmp(None, BOTH)).marks
    assert replace(english, digest="") == DOG.mark
    assert replace(korean, digest="") == HANGUL.mark


def test_a_machines_caption_names_the_machine_as_its_writer_until_a_person_approves_it():
    first = merge_xmp(None, Description((GUESS,)))
    assert read_xmp(first).writer == "flickr8k-en@12ab (machine)"
    assert read_xmp(first).marks[0].status == "machine"
    approved = Said(GUESS.caption, replace(GUESS.mark, status="approved", reviewer="Kim"))
    then = read_xmp(merge_xmp(first, Description((approved,))))
    assert (then.writer, then.marks[0].status) == ("Kim", "approved")


@pytest.mark.parametrize("existing", OTHERS, ids=["lightroom", "darktable", "digikam"])
def test_all_that_others_wrote_stays(existing):
    merged = merge_xmp(existing, BOTH, replaces=True)
    assert read_xmp(merged).lacks(BOTH) == []
    assert parts_of(merged) == parts_of(existing)
    assert outside(merged) == outside(existing)
    assert merged.startswith(b"<?xml") == existing.startswith(b"<?xml")


@pytest.mark.parametrize("existing", [None, EMBEDDED, *OTHERS])
@pytest.mark.parametrize("replaces", [False, True])
def test_the_same_again_gives_the_same_bytes(existing, replaces):
    merged = merge_xmp(existing, BOTH, replaces=replaces)
    assert merge_xmp(merged, BOTH, replaces=replaces) == merged


def test_a_caption_by_others_stays_and_is_told_unless_it_is_to_be_replaced():
    existing = LIGHTROOM.encode()
    kept = read_xmp(merge_xmp(existing, BOTH))
    assert kept.captions["x-default"] == kept.captions["de-DE"] == "Oma im Garten"
    assert kept.captions["ko"] == "개가 달린다"
    assert (kept.writer, kept.lacks(BOTH)) == ("Oma", ["x-default"])
    taken = read_xmp(merge_xmp(existing, BOTH, replaces=True))
    assert (taken.captions["x-default"], taken.captions["de-DE"]) == ("a dog runs", "Oma im Garten")
    assert (taken.writer, taken.lacks(BOTH)) == ("Kim", [])


def test_a_machines_caption_never_takes_the_place_of_one_by_others():
    guess = Description((GUESS,))
    found = read_xmp(merge_xmp(LIGHTROOM.encode(), guess, replaces=True))
    assert (found.captions["x-default"], found.writer) == ("Oma im Garten", "Oma")
    assert found.lacks(guess) == ["x-default"]


def test_new_words_take_the_place_of_the_old_ones_of_ours_and_of_no_others():
    edited = Description((replace(DOG, caption="two dogs run"), HANGUL))
    found = read_xmp(merge_xmp(merge_xmp(LIGHTROOM.encode(), BOTH), edited))
    assert found.captions["en"] == found.alt_text["x-default"] == "two dogs run"
    assert found.captions["x-default"] == "Oma im Garten"


@pytest.mark.parametrize("existing", OTHERS, ids=["lightroom", "darktable", "digikam"])
def test_what_no_longer_stands_is_taken_back_and_leaves_what_was_there(existing):
    left = merge_xmp(merge_xmp(existing, BOTH), None)
    assert read_xmp(left) == read_xmp(existing)
    assert parts_of(left) == parts_of(existing)
    assert b"photocaptions" not in left


def test_one_language_can_be_taken_back_alone():
    found = read_xmp(merge_xmp(merge_xmp(None, BOTH), Description((HANGUL,))))
    assert found.captions == {"x-default": "개가 달린다", "ko": "개가 달린다"}
    assert [mark.language for mark in found.marks] == ["ko"]
    assert found.writer == "이"


def test_nothing_is_left_of_a_sidecar_that_was_ours_alone():
    assert merge_xmp(merge_xmp(None, BOTH, ending="jpg"), None) == b""
    assert merge_xmp(None, None) == b""
    assert merge_xmp(merge_xmp(EMBEDDED, BOTH), None) == b""


def test_words_that_a_person_has_changed_in_another_program_are_no_longer_ours_to_take_back():
    ours = merge_xmp(None, BOTH)
    theirs = ours.replace("개가 달린다".encode(), "우리 개".encode())
    assert read_xmp(merge_xmp(theirs, None)).captions == {"ko": "우리 개"}


def test_words_that_stood_there_before_are_not_taken_back_when_the_same_are_exported():
    there = WITH_DESCRIPTION.format('dc:description="a dog runs"/>').encode()
    merged = merge_xmp(there, BOTH)
    assert merge_xmp(merged, BOTH) == merged
    assert read_xmp(merge_xmp(merged, None)).captions["x-default"] == "a dog runs"


@pytest.mark.parametrize(
    "form",
    [
        'dc:description="Old"/>',
        "><dc:description>Old</dc:description></rdf:Description>",
        '><dc:description xml:lang="x-default">Old</dc:description></rdf:Description>',
        "><dc:description><rdf:Bag><rdf:li>Old</rdf:li></rdf:Bag></dc:description></rdf:Description>",
        '><dc:description rdf:parseType="Resource"><rdf:value>Old</rdf:value></dc:description>'
        "</rdf:Description>",
        '/><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'dc:description="Old"><dc:description>Older</dc:description></rdf:Description>',
        'dc:description="Old"><dc:description><rdf:Alt><rdf:li xml:lang="x-default">Older</rdf:li>'
        "</rdf:Alt></dc:description></rdf:Description>",
    ],
)
def test_a_caption_in_another_form_is_read_and_brought_into_the_right_one(form):
    existing = WITH_DESCRIPTION.format(form).encode()
    assert read_xmp(existing).captions["x-default"] == "Old"
    merged = merge_xmp(existing, BOTH, replaces=True)
    texts = etree.fromstring(merged).findall(f".//{{*}}description/{RDF}Alt/{RDF}li")
    assert [text.text for text in texts] == ["a dog runs", "a dog runs", "개가 달린다"]
    assert b"Old" not in merged
    assert merge_xmp(merged, BOTH, replaces=True) == merged


def test_a_language_in_another_spelling_is_the_same_language():
    form = (
        '><dc:description><rdf:Alt><rdf:li xml:lang="x-default">Hund</rdf:li>'
        '<rdf:li xml:lang="EN">dog</rdf:li></rdf:Alt></dc:description></rdf:Description>'
    )
    merged = merge_xmp(WITH_DESCRIPTION.format(form).encode(), BOTH, replaces=True)
    assert list(read_xmp(merged).captions) == ["x-default", "EN", "ko"]
    assert read_xmp(merged).lacks(BOTH) == []


def test_of_which_file_a_sidecar_is_stands_in_it_as_adobe_has_it():
    assert read_xmp(LIGHTROOM.encode()).endings == ("cr2",)
    assert read_xmp(merge_xmp(None, BOTH, ending="JPG")).endings == ("jpg",)
    assert read_xmp(merge_xmp(LIGHTROOM.encode(), BOTH, ending="JPG")).endings == ("cr2",)


@given(st.lists(TEXTS.filter(str.strip), min_size=1, max_size=3), TEXTS)
def test_any_text_comes_back_or_shows_what_xml_cannot_hold(texts, name):
    languages = ["en", "ko", "pt-BR"][: len(texts)]
    said = [
        Said(text, Mark(language, "edited", reviewer=name))
        for text, language in zip(texts, languages, strict=True)
    ]
    merged = merge_xmp(LIGHTROOM.encode(), Description(tuple(said)), replaces=True)
    found = read_xmp(merged)
    for text, language in zip(texts, languages, strict=True):
        assert found.captions[language] == found.alt_text[language] == xml_text(text)
    assert found.writer == xml_text(name)
    assert merge_xmp(merged, Description(tuple(said)), replaces=True) == merged
    assert parts_of(merged) == parts_of(LIGHTROOM.encode())


def test_control_characters_become_visible():
    said = Description((replace(DOG, caption="bell\x07 ]]> <script> \udcff\ufffe\r\n&amp;"),))
    text = read_xmp(merge_xmp(None, said)).captions["en"]
    assert text == "bell\u2407 ]]> <script> \ufffd\ufffd\r\n&amp;"


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "billion laughs": f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]><x>&l9;</x>'.encode(),
    "billion laughs in UTF-16": f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]><x a="&l9;"/>'.encode(
        "utf-16"
    ),
    "external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "external DTD": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>',
    "a DOCTYPE in what is XMP else": DARKTABLE.replace(
        '<?xml version="1.0" encoding="UTF-8"?>', '<!DOCTYPE x SYSTEM "file:///etc/passwd">'
    ).encode("utf-16"),
    "an unknown entity": WITH_DESCRIPTION.format('dc:description="&what;"/>').encode(),
    "deep": b"<x>" * 1_000_000 + b"</x>" * 1_000_000,
    "long": DARKTABLE.replace("gz03", "A" * 100_000_000).encode(),
    "a bomb of attributes": b"<x " + b'a="1" ' * 100_000 + b"/>",
    "cut short": LIGHTROOM.encode()[:800],
    "empty": b"",
    "zeros": bytes(1000),
    "a picture": b"\xff\xd8\xff\xe0JFIF",
    "other XML": b"<svg/>",
    "a wrong encoding": b'<?xml version="1.0" encoding="no-such"?><x/>',
}


@pytest.mark.timeout(60)  # each takes milliseconds; what is not refused hangs
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_and_broken_files_are_refused_before_they_do_harm(data):
    with pytest.raises(XmpError):
        merge_xmp(data, BOTH)
    with pytest.raises(XmpError):
        read_xmp(data)


def test_the_largest_sidecars_of_real_programs_are_taken():
    params = "A" * (MAX_BYTES // 2)
    existing = DARKTABLE.replace("gz03", params).encode()
    assert params.encode() in merge_xmp(existing, BOTH)


@given(st.binary(max_size=200), st.integers(0, len(LIGHTROOM.encode())))
def test_damaged_files_are_read_or_refused_and_nothing_else(noise, place):
    data = LIGHTROOM.encode()
    try:
        merged = merge_xmp(data[:place] + noise + data[place + len(noise) :], BOTH)
    except XmpError:
        return
    assert {"en", "ko"} <= set(read_xmp(merged).captions)
