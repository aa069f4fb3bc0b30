"""RDF/XML trees: read safely, lists of texts by language, parts put in and taken out in place."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lxml import etree

MAX_BYTES: Final = 10_000_000  # darktable's, with all their masks, stay below one
DEFAULT: Final = "x-default"
TOOLKIT: Final = "photo-captions"
"""What `x:xmptk` says of who made a packet."""

X: Final = "adobe:ns:meta/"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
XMPTK = f"{{{X}}}xmptk"
ROOT, NODE, ITEM = f"{{{RDF}}}RDF", f"{{{RDF}}}Description", f"{{{RDF}}}li"
ALT, BAG, SEQ = f"{{{RDF}}}Alt", f"{{{RDF}}}Bag", f"{{{RDF}}}Seq"
PARSE_TYPE, ABOUT, VALUE = f"{{{RDF}}}parseType", f"{{{RDF}}}about", f"{{{RDF}}}value"
DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_BOM: Final = b"\xef\xbb\xbf"
NEW: Final = f"""<x:xmpmeta xmlns:x="{X}" x:xmptk="{TOOLKIT}">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about=""/>
 </rdf:RDF>
</x:xmpmeta>
""".encode()
EMBEDDED: Final = (
    b'<?xpacket begin="'
    + _BOM
    + b'" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    + NEW
    + b'<?xpacket end="w"?>'
)
"""An empty packet as it stands within a file (ISO 16684-1, 7.3)."""

_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class XmpError(ValueError):
    """Bytes that are no XMP, or none that is safe to read; the text says which and why."""


def xml_text(text: str) -> str:
    """Replace what XML 1.0 cannot hold: control characters by their pictures, the rest by U+FFFD.

    Tab, line feed and carriage return stay.
    """
    return _FORBIDDEN.sub(lambda found: _picture(ord(found[0])), text)


def _picture(code: int) -> str:
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


def parsed(data: bytes) -> Any:
    """Parse XML that may come from anybody. Raises XmpError."""
    if len(data) > MAX_BYTES:
        raise XmpError(f"it has {len(data):,} bytes, more than {MAX_BYTES:,}")
    if b"<!DOCTYPE" in data:  # before anything reads it; UTF-16 is caught below
        raise XmpError("it declares a DOCTYPE, which no XMP has and which can do harm")
    # huge_tree=False: libxml2's own limits on depth, on names and on what entities grow to.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        tree = etree.fromstring(data, parser).getroottree()
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise XmpError(f"it is not well-formed XML ({' '.join(str(error).split())})") from error
    if tree.docinfo.internalDTD is not None or tree.docinfo.externalDTD is not None:
        raise XmpError("it declares a DOCTYPE, which no XMP has and which can do harm")
    return tree


def begin_of(data: bytes) -> bytes:
    """Give what stands before the tree and is no part of it: byte order mark and declaration."""
    mark = _BOM if data.startswith(_BOM) else b""
    declared = data.removeprefix(_BOM).startswith(b"<?xml ")
    return mark + (DECLARATION if declared else b"")


def items_of(element: Any) -> Iterator[Any]:
    """Give the items of a list, which most programs write as rdf:Alt and some as rdf:Bag."""
    for container in element.iterchildren(ALT, BAG, SEQ):
        yield from container.iterchildren(ITEM)


def text_of(element: Any) -> str:
    """Give an element's text without comments; of one with qualifiers its rdf:value."""
    if not len(element):
        return element.text or ""
    value = element.find(f".//{VALUE}")
    return str((element if value is None else value).xpath("string()"))


def fill(alt: Any, texts: Mapping[str, str]) -> None:
    """Bring the items of a list of languages to these texts; items that fit stay untouched."""
    items: dict[str, Any] = {}
    for item in list(alt.iterchildren(ITEM)):
        language = item.get(LANG, DEFAULT)
        if language not in texts or language in items:
            remove(item)
            continue
        item.set(LANG, language)
        items[language] = item
    for place, (language, text) in enumerate(texts.items()):
        item = items[language] if language in items else _new_item(language)
        if text_of(item) != text:
            item[:] = []
            item.text = text
        alt.insert(place, item)


def _new_item(language: str) -> Any:
    item = etree.Element(ITEM, nsmap={"rdf": RDF})
    item.set(LANG, xml_text(language))
    return item


def append(node: Any, element: Any) -> None:
    """Put an element behind all others of a node, on a line of its own."""
    level = len(list(node.iterancestors()))
    if len(node):
        last = node[-1]
        element.tail, last.tail = last.tail, node.text
    else:
        node.text, element.tail = "\n" + " " * (level + 1), "\n" + " " * level
    node.append(element)


def remove(element: Any) -> None:
    """Remove an element and the space before it."""
    before, parent = element.getprevious(), element.getparent()
    if before is not None:
        before.tail = element.tail
    elif len(parent) == 1:
        parent.text = None
    parent.remove(element)


def indent(element: Any) -> None:
    """Put the parts of a property on lines of their own."""
    tail = element.tail
    etree.indent(element, " ", level=len(list(element.iterancestors())))
    element.tail = tail
