"""Records for the tests: one to vary by hand, and hypothesis's own, as odd as they may come."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from manifests.record import LanguageCaption, Record, Status
from manifests.review import Offer, Review, ReviewStatus

PLAIN = Record(
    path="2019/dog.jpg",
    caption="a dog runs on the beach",
    status=Status.CAPTIONED,
    confidence=0.75,
    alternatives=("a dog on the beach", "a dog"),
    log_prob=-4.5,
    photo_id="ab" * 32,
    captioner="flickr8k@12ab",
    decode="beam 3",
    width=4000,
    height=3000,
    format="JPEG",
    frames=1,
    taken_at="2019-05-01T10:00:00",
    error=None,
    raw_path=b"2019/dog.jpg",
    size=123_456,
    mtime_ns=1_556_700_000_123_456_789,
)


def record(raw_path: bytes = PLAIN.raw_path, **changes: Any) -> Record:
    """Return a plain record at `raw_path`, with some fields changed."""
    shown = raw_path.decode("utf-8", "backslashreplace")
    return replace(PLAIN, **{"raw_path": raw_path, "path": shown, **changes})


def names(folder: Path) -> list[str]:
    """Return what stands in a folder, hidden files too."""
    return sorted(entry.name for entry in folder.iterdir())


# Each example writes the same file anew; a slow disk or a busy machine is no fault of the code.
with_files = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ODD_TEXTS = st.sampled_from(
    [
        "바닷가를 달리는 개",
        "\u1107\u1161\u1103\u1161",  # Hangul in pieces, as macOS names files
        "🐕‍🦺 on the beach",
        "=1+1",
        "'=1+1",
        "'tis a dog",
        "\uff1dcmd()",
        '@SUM("a";B1)',
        "line one\nline two\r\n\tline three",
        '"quoted", comma; semicolon | bar',
        "\x00\x07\x1b\x7f\ufeff\ufffe",
        r"\x07 and \x5c and \xe9",
        "",
    ]
)
TEXTS = st.one_of(ODD_TEXTS, st.text())
NAMES = st.one_of(
    st.sampled_from([b"caf\xe9.jpg", b"a\nb.jpg", b"=1+1.jpg", "바다.jpg".encode(), b"\xff\xfe"]),
    st.binary(min_size=1).filter(lambda name: b"/" not in name and b"\0" not in name),
)
RAW_PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT32 = st.none() | st.floats(width=32, allow_nan=False)


LANGUAGES = st.sampled_from([(), ("en",), ("en", "ko"), ("ko",), ("ko", "pt-BR")])


def language_captions(language: str) -> st.SearchStrategy[LanguageCaption]:
    """Draw a caption in a language."""
    confidence = st.none() | st.floats(0, 1, width=32)
    return st.builds(LanguageCaption, st.just(language), TEXTS, confidence, TEXTS)


def reviews(language: str) -> st.SearchStrategy[Review]:
    """Draw what a person has said in a language."""
    status = st.sampled_from(ReviewStatus)
    return st.builds(
        Review, st.just(language), status, st.none() | TEXTS, TEXTS, TEXTS, TEXTS, TEXTS
    )


def offers(language: str) -> st.SearchStrategy[Offer]:
    """Draw words that are offered in a language."""
    return st.builds(Offer, st.just(language), TEXTS, TEXTS)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Draw one record with odd text in every place that takes text."""
    texts = {
        name: draw(st.none() | TEXTS)
        for name in ("caption", "photo_id", "captioner", "decode", "format", "taken_at", "error")
    }
    return record(
        draw(RAW_PATHS),
        path=draw(TEXTS),
        status=draw(st.sampled_from(Status)),
        confidence=draw(FLOAT32),
        log_prob=draw(FLOAT32),
        alternatives=tuple(draw(st.lists(TEXTS, max_size=3))),
        width=draw(st.none() | INT64),
        height=draw(st.none() | INT64),
        frames=draw(st.none() | INT64),
        size=draw(INT64),
        mtime_ns=draw(INT64),
        languages=tuple(draw(language_captions(name)) for name in draw(LANGUAGES)),
        language=draw(st.sampled_from([None, "", "en", "ko"])),
        reviews=tuple(draw(reviews(name)) for name in draw(LANGUAGES)),
        offers=tuple(draw(offers(name)) for name in draw(LANGUAGES)),
        **texts,
    )


RECORD_LISTS = st.lists(records(), max_size=6, unique_by=lambda drawn: drawn.raw_path)
