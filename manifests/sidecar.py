"""Captions as XMP: in a sidecar beside a photo, or in the packet within it.

The fields are those that other programs show: `dc:description` by language with `x-default`,
`Iptc4xmpCore:AltTextAccessibility` likewise, `photoshop:CaptionWriter` (IPTC Photo Metadata
Standard 2025.1).

Where a caption comes from has no field in any standard: `Iptc4xmpExt:DigitalSourceType` and IPTC's
fields on AI tell how the *picture* was made, and `xmpMM:History`, what programs did to the file,
only ever grows. So it stands in a namespace of our own, `photocaptions:captions`, one entry a
language: `machine`, `approved` or `edited`, by which captioner, with what confidence, by whom and
when. An entry also has a digest of the words that we wrote. By it our words are told from those of
others, so that they can be brought up to date and taken back, and nobody else's ever are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from manifests.rdf import DEFAULT, xml_text
from manifests.review import digest
from manifests.xmp import Name, Packet

NAMESPACE: Final = "urn:photo-captions:xmp:1.0/"
MACHINE: Final = "machine"

_IPTC: Final = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
_PHOTOSHOP: Final = "http://ns.adobe.com/photoshop/1.0/"
_DESCRIPTION: Final = Name("dc", "http://purl.org/dc/elements/1.1/", "description")
_ALT_TEXT: Final = Name("Iptc4xmpCore", _IPTC, "AltTextAccessibility")
_WRITER: Final = Name("photoshop", _PHOTOSHOP, "CaptionWriter")
_ENDING: Final = Name("photoshop", _PHOTOSHOP, "SidecarForExtension")
_RAW_NAME: Final = Name("crs", "http://ns.adobe.com/camera-raw-settings/1.0/", "RawFileName")
_MARKS: Final = Name("photocaptions", NAMESPACE, "captions")
_OUR_WRITER: Final = Name("photocaptions", NAMESPACE, "writer")


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a caption in one language comes from."""

    language: str  # BCP 47
    status: str  # machine, approved, edited
    captioner: str = ""  # whose words they are, where they are a machine's to the letter
    confidence: str = ""  # 0 to 1, of the same
    reviewer: str = ""
    at: str = ""  # UTC, ISO 8601: when the reviewer's word came in
    digest: str = ""  # of our words; empty where they stood there before us


@dataclass(frozen=True, slots=True)
class Said:
    """A caption in one language, and where it comes from."""

    caption: str
    mark: Mark

    @property
    def language(self) -> str:
        """The caption's language; `x-default` where nobody knows it."""
        return xml_text(self.mark.language) or DEFAULT


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of a photo, at most once a language; the first leads, and is `x-default`."""

    said: tuple[Said, ...]

    @property
    def captions(self) -> dict[str, str]:
        """The captions by language, as XML can hold them."""
        texts = {each.language: xml_text(each.caption) for each in self.said}
        return {DEFAULT: next(iter(texts.values()))} | texts if texts else {}

    @property
    def by_people(self) -> set[str]:
        """The languages whose words are a person's, `x-default` among them where the lead is."""
        found = {each.language for each in self.said if each.mark.status != MACHINE}
        return found | ({DEFAULT} if self.said and self.said[0].language in found else set())

    @property
    def writer(self) -> str:
        """Who wrote the leading caption, for `photoshop:CaptionWriter`."""
        if not self.said:
            return ""
        mark = self.said[0].mark
        return f"{mark.captioner} (machine)" if mark.status == MACHINE else mark.reviewer


@dataclass(frozen=True)
class Xmp:
    """What an XMP packet says of a photo, and by which program that was written."""

    captions: Mapping[str, str]  # by language, `x-default` among them
    alt_text: Mapping[str, str]
    writer: str
    marks: tuple[Mark, ...]  # empty where none of it is ours
    endings: tuple[str, ...] = field(default=())  # of the file it is of, as Adobe's programs say

    def lacks(self, description: Description) -> list[str]:
        """Name the languages whose caption is not the description's: others' words stand there."""
        now, said = _folded(self.captions), description.captions
        return [language for language in said if now.get(language.lower()) != said[language]]


def read_xmp(data: bytes) -> Xmp:
    """Read an XMP packet. Raises XmpError where it is none, or none that is safe to read."""
    packet = Packet(data)
    raw_name = packet.text(_RAW_NAME)
    endings = (packet.text(_ENDING), raw_name.rpartition(".")[2])
    return Xmp(
        packet.alternatives(_DESCRIPTION),
        packet.alternatives(_ALT_TEXT),
        packet.text(_WRITER),
        _marks(packet),
        tuple(ending.lower() for ending in endings if ending),
    )


def merge_xmp(
    existing: bytes | None,
    description: Description | None,
    *,
    replaces: bool = False,
    ending: str = "",
) -> bytes:
    """Put a description into an XMP packet, or into a new one, and keep all else that is there.

    What we wrote before and is no longer said is taken out. Words of others stay, and are only
    replaced where `replaces`, by a person's and never by a machine's; `Xmp.lacks` tells where they
    stayed. The same again gives the same bytes. Without a description (None) our words are taken
    back: nothing (b"") comes back where nothing else was in the packet. `ending` is told in a new
    packet: that of the photo, where a sidecar's name does not have it. Raises XmpError.
    """
    packet = Packet(existing)
    before = packet.to_bytes()
    _merge(packet, description or Description(()), replaces=replaces)
    if packet.is_our_own and not set(packet.properties) - {_ENDING.tag}:
        return b""
    if existing is None:
        packet.set_text(_ENDING, ending)
    after = packet.to_bytes()
    return existing if existing is not None and after == before else after


def _merge(packet: Packet, description: Description, *, replaces: bool) -> None:
    ours = {mark.digest for mark in _marks(packet)}
    said, firm = description.captions, description.by_people if replaces else set()
    before = packet.alternatives(_DESCRIPTION)
    theirs: set[str] = set()  # others' words that are the same as ours: not to be taken back
    for name in (_DESCRIPTION, _ALT_TEXT):
        now = packet.alternatives(name)
        others = {key: text for key, text in now.items() if digest(text) not in ours}
        theirs |= {digest(text) for text in others.values()}
        packet.set_alternatives(name, _merged(now, others, said, firm))
    after = packet.alternatives(_DESCRIPTION)
    changed = bool(description.said) and before.get(DEFAULT) != after.get(DEFAULT)
    _set_writer(packet, description, changed=changed)
    marks = [_marked(each, theirs) for each in description.said if _stands(each, after)]
    packet.set_structures(_MARKS, [asdict(mark) for mark in marks])


def _merged(
    now: Mapping[str, str], others: Mapping[str, str], said: Mapping[str, str], firm: set[str]
) -> dict[str, str]:
    """Give a field's texts by language, those that are there in their order and spelling."""
    spelt = {language.lower(): language for language in now}
    wanted = {spelt.get(language.lower(), language): text for language, text in said.items()}
    by_people = {spelt.get(each.lower(), each): said[each] for each in said if each in firm}
    chosen = {**wanted, **others, **by_people}
    order = [DEFAULT, *now, *wanted]
    return {language: chosen[language] for language in dict.fromkeys(order) if language in chosen}


def _set_writer(packet: Packet, description: Description, *, changed: bool) -> None:
    """Name the writer of words that are ours; a writer named by others goes with their words."""
    now, ours = packet.text(_WRITER), packet.text(_OUR_WRITER)
    if changed or (ours and now == ours):
        leads = packet.alternatives(_DESCRIPTION).get(DEFAULT) == description.captions.get(DEFAULT)
        writer = xml_text(description.writer) if leads else ""
        packet.set_text(_WRITER, writer)
        packet.set_text(_OUR_WRITER, writer)
    elif ours:
        packet.set_text(_OUR_WRITER, "")


def _stands(said: Said, texts: Mapping[str, str]) -> bool:
    return _folded(texts).get(said.language.lower()) == xml_text(said.caption)


def _folded(texts: Mapping[str, str]) -> dict[str, str]:
    return {language.lower(): text for language, text in texts.items()}


def _marked(said: Said, theirs: set[str]) -> Mark:
    own = digest(xml_text(said.caption))
    return replace(said.mark, language=said.language, digest="" if own in theirs else own)


def _marks(packet: Packet) -> tuple[Mark, ...]:
    known = Mark.__dataclass_fields__
    found: Sequence[Mapping[str, str]] = packet.structures(_MARKS)
    return tuple(
        Mark(**{"language": "", "status": ""} | {k: v for k, v in each.items() if k in known})
        for each in found
    )
