"""The plain fields that hold a photo's caption beside XMP, which knows languages: IPTC and EXIF."""

from collections.abc import Mapping

from batch.sidecar_places import NoPlaceError
from manifests.review import digest
from manifests.sidecar import Xmp

IPTC, EXIF = "IPTC:Caption-Abstract", "EXIF:ImageDescription"
MAX_IPTC = 2000  # bytes of a Caption-Abstract (IPTC-IIM 4.2, dataset 2:120)
# What cameras put where a caption belongs.
CAMERAS = frozenset({
    "olympus digital camera", "sony dsc", "samsung", "digital camera", "minolta digital camera",
    "kodak digital still camera", "exif_jpeg_picture", "dcim\\100gopro", "default", "untitled",
})  # fmt: skip


def check_encoding(found: dict[str, object]) -> None:
    """Raise NoPlaceError where IPTC fields are in an encoding that is not told.

    To mark the new one as UTF-8 would make the old ones unreadable.
    """
    texts = [str(value) for name, value in found.items() if name.startswith("IPTC:")]
    if found.get("IPTC:CodedCharacterSet") != "UTF8" and not all(map(str.isascii, texts)):
        raise NoPlaceError("has IPTC fields in an old encoding")


def plain_texts(texts: Mapping[str, str], xmp: Xmp, lead: str, *, keeps: bool) -> dict[str, str]:
    """Give the plain fields as they are to be. Raises NoPlaceError over others' words."""
    ours = {mark.digest for mark in xmp.marks} | {digest(cut) for cut in (lead, _cut(lead))}
    ours |= {digest(_cut(text)) for text in xmp.captions.values() if digest(text) in ours}
    wanted = {}
    for name, now in texts.items():
        is_free = not now.strip() or now.strip().lower() in CAMERAS
        is_theirs = not is_free and digest(now) not in ours
        if is_theirs and lead and keeps:
            raise NoPlaceError("has a caption by others, which was kept")
        new = _cut(lead) if name == IPTC else lead
        keeps_now = not lead and (is_theirs or is_free)
        wanted[name] = now if keeps_now or digest(now) == digest(new) else new
    return wanted


def _cut(text: str) -> str:
    """Shorten a text to what an IPTC field holds."""
    data = text.encode()
    if len(data) <= MAX_IPTC:
        return text
    return data[: MAX_IPTC - 3].decode(errors="ignore") + "…"
