"""XMP packets as trees: read safely, one property changed, all else kept.

ISO 16684-1 (XMP Specification Part 1), annexes of RDF/XML included: a property may stand in any of
several `rdf:Description`, as an element, as an attribute, or as a plain text where a list belongs.
Comments, processing instructions, foreign namespaces and their prefixes stay as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from manifests import rdf
from manifests.rdf import DEFAULT, XmpError, xml_text


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a property: the prefix that people know, and the namespace that counts."""

    prefix: str
    namespace: str
    local: str

    @property
    def tag(self) -> str:
        """The name as lxml has it."""
        return f"{{{self.namespace}}}{self.local}"


class Packet:
    """An XMP packet in memory.

    Languages are compared without regard to case (BCP 47), and stay as they are spelt.
    """

    def __init__(self, data: bytes | None = None) -> None:
        """Read a packet; None makes an empty one. Raises XmpError."""
        self._tree = rdf.parsed(rdf.NEW if data is None else data)
        self._begin = rdf.begin_of(rdf.DECLARATION if data is None else data)
        root = self._tree.getroot()
        found = [root] if root.tag == rdf.ROOT else list(root.iterchildren(rdf.ROOT))
        if not found:
            raise XmpError("it holds no rdf:RDF, which all XMP has")
        self._rdf = found[0]

    def to_bytes(self) -> bytes:
        """Give the packet in UTF-8."""
        body: bytes = etree.tostring(self._tree, encoding="UTF-8", xml_declaration=False)
        return self._begin + body + b"\n"

    @property
    def is_our_own(self) -> bool:
        """Whether this program made the packet, and no other has written it since."""
        return self._tree.getroot().get(rdf.XMPTK) == rdf.TOOLKIT

    @property
    def properties(self) -> list[str]:
        """Name all properties, as lxml does."""
        attributes = [each for node in self._nodes() for each in node.attrib if each != rdf.ABOUT]
        return attributes + [each.tag for node in self._nodes() for each in node.iterchildren("*")]

    def text(self, name: Name) -> str:
        """Give a plain property; empty where there is none."""
        return next(iter(self.alternatives(name).values()), "")

    def alternatives(self, name: Name) -> dict[str, str]:
        """Give a text by its languages, in their order; a plain text is `x-default`."""
        found: dict[str, str] = {}
        for node in self._nodes():
            if name.tag in node.attrib:
                found.setdefault(DEFAULT, node.attrib[name.tag])
            for element in node.iterchildren(name.tag):
                for item in list(rdf.items_of(element)) or [element]:
                    found.setdefault(item.get(rdf.LANG, DEFAULT), rdf.text_of(item))
        return found

    def structures(self, name: Name) -> list[dict[str, str]]:
        """Give a list of structures of plain texts, by their local names."""
        items = [item for each in self._elements(name) for item in rdf.items_of(each)]
        return [
            {etree.QName(field).localname: rdf.text_of(field) for field in item.iterchildren("*")}
            for item in items
        ]

    def set_text(self, name: Name, text: str) -> None:
        """Set a plain property; an empty text removes it."""
        if xml_text(text) != self.text(name):
            element = self._replaced(name, keep=bool(text))
            if element is not None:
                element.text = xml_text(text)

    def set_alternatives(self, name: Name, texts: Mapping[str, str]) -> None:
        """Set a text by its languages, `x-default` first; none removes it."""
        texts = {language: xml_text(text) for language, text in texts.items()}
        if texts == self.alternatives(name):
            return
        alt = self._alt(name) if texts else None
        if alt is None:
            element = self._replaced(name, keep=bool(texts))
            if element is None:
                return
            alt = etree.SubElement(element, rdf.ALT)
        rdf.fill(alt, texts)
        rdf.indent(alt.getparent())

    def set_structures(self, name: Name, items: Sequence[Mapping[str, str]]) -> None:
        """Set a list of structures, whose fields are in the property's own namespace."""
        clean = [{key: xml_text(text) for key, text in each.items() if text} for each in items]
        if clean == self.structures(name):
            return
        element = self._replaced(name, keep=bool(clean))
        if element is None:
            return
        bag = etree.SubElement(element, rdf.BAG)
        for each in clean:
            item = etree.SubElement(bag, rdf.ITEM, {rdf.PARSE_TYPE: "Resource"})
            for key, text in each.items():
                etree.SubElement(item, f"{{{name.namespace}}}{key}").text = text
        rdf.indent(element)

    def _nodes(self) -> Iterator[Any]:
        yield from self._rdf.iterchildren(rdf.NODE)

    def _elements(self, name: Name) -> list[Any]:
        return [each for node in self._nodes() for each in node.iterchildren(name.tag)]

    def _alt(self, name: Name) -> Any:
        """Give a property's list of languages, where it stands once and in the form it should."""
        elements = self._elements(name)
        if len(elements) != 1 or any(name.tag in node.attrib for node in self._nodes()):
            return None
        parts = list(elements[0].iterchildren("*"))
        return parts[0] if [part.tag for part in parts] == [rdf.ALT] else None

    def _replaced(self, name: Name, *, keep: bool) -> Any:
        """Remove a property, in whatever form, and put an empty element in its place."""
        for node in self._nodes():
            node.attrib.pop(name.tag, None)
        old = self._elements(name)
        for each in old[1 if keep else 0 :]:
            rdf.remove(each)
        if not keep:
            return None
        new = etree.Element(name.tag, nsmap={name.prefix: name.namespace})
        if old:
            new.tail = old[0].tail
            old[0].getparent().replace(old[0], new)
        else:
            rdf.append(self._node(), new)
        return new

    def _node(self) -> Any:
        """Give the node that takes new properties."""
        node = next(self._nodes(), None)
        return etree.SubElement(self._rdf, rdf.NODE, {rdf.ABOUT: ""}) if node is None else node
