"""Pages to look at in a browser: photos beside their captions; one file, no scripts, no network.

Everything here is a function from values to HTML. Whatever is a photo's name or somebody's words
is escaped; the policy in the page's head lets nothing but its own style and pictures through.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape

from batch.tables import Table

PICTURE = 320  # pixels, the longest side of a picture on a page
_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c1e21; --faint: #5f646b;
  --line: #dcdfe3; --back: #f1f2f4; --gone: #fde0dd; --new: #d5f0da; }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181b; --ink: #e7e9ec; --faint: #a0a6ae; --line: #34383d; --back: #0d0e10;
    --gone: #54262a; --new: #1d4a2b; }
}
* { box-sizing: border-box; }
body { max-width: 82rem; margin: 0 auto; padding: 1rem clamp(1rem, 3vw, 2rem) 3rem;
  background: var(--page); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans KR",
    "Noto Sans CJK KR", "Apple SD Gothic Neo", "Malgun Gothic", sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0 1.25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
small, dl, caption, th { color: var(--faint); }
h2 small { font-weight: normal; font-size: .875rem; margin-left: .5rem; }
.tables { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; align-items: flex-start; }
table { border-collapse: collapse; flex: 0 1 auto; min-width: 0; max-width: min(100%, 42rem);
  font-size: .9375rem; }
caption { text-align: start; padding-bottom: .375rem; font-size: .875rem; }
th, td { padding: .25rem 0; border-top: 1px solid var(--line); vertical-align: top; }
th { text-align: start; font-weight: normal; padding-right: 1.5rem; white-space: nowrap; }
thead th + th { text-align: end; padding: .25rem 0 .25rem .75rem; }
.numbers td { text-align: end; font-variant-numeric: tabular-nums; font-weight: 600;
  padding-left: .75rem; white-space: nowrap; }
@media (max-width: 32rem) {
  table { font-size: .8125rem; }
  th { padding-right: .75rem; white-space: normal; overflow-wrap: normal; }
}
.plots { display: flex; flex-wrap: wrap; gap: 1rem; margin-top: 1.5rem; }
.plots img { width: 30rem; max-width: 100%; border: 1px solid var(--line); border-radius: .5rem; }
.photos { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr));
  gap: 1rem; margin: 0; padding: 0; list-style: none; }
.tables + .photos { margin-top: 1.5rem; }
.photos > li { border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
img { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain;
  background: var(--back); }
.words { padding: .625rem .75rem .75rem; }
.words p { margin: 0 0 .375rem; font-weight: 600; }
.words .problem { font-weight: normal; font-style: italic; color: var(--faint); }
.words ul { margin: .5rem 0; padding-left: 1.125rem; font-size: .875rem; list-style: disc; }
:lang(ko) { word-break: keep-all; }
dl { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0; font-size: .8125rem; }
dl div { display: flex; gap: .375rem; }
dd { margin: 0; color: var(--ink); font-variant-numeric: tabular-nums; }
.words .before { font-weight: normal; color: var(--faint); }
del, ins { border-radius: .2rem; padding: 0 .125rem; }
del { background: var(--gone); }
ins { background: var(--new); text-decoration: none; }
.name { display: block; color: var(--faint); font-size: .75rem; }
dl + .name { margin-top: .375rem; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Card:
    """A photo on a page; `picture` is a `data:` address, `figures` are named values as text.

    `picture` and `caption` are empty where there is none, `problem` says why. `language` is that of
    the caption, as BCP 47, where it is not the page's; `also` are captions by language beside it.
    `before` is an older caption, empty where there was none: the words that changed are marked.
    """

    path: str
    picture: str
    caption: str
    figures: Mapping[str, str]
    references: Sequence[str] = ()
    alternatives: Sequence[str] = ()
    problem: str = ""
    language: str | None = None
    also: Sequence[tuple[str, str]] = ()
    before: str | None = None  # None: there is nothing to compare with


@dataclass(frozen=True)
class Section:
    """Some photos of a page under a heading."""

    heading: str
    note: str
    cards: Sequence[Card]


@dataclass(frozen=True)
class Plot:
    """A drawing on a page, for light pages and for dark ones, as `data:` addresses."""

    told: str  # to who cannot see it
    light: str
    dark: str


def data_address(jpeg: bytes) -> str:
    """Give a JPEG as a `data:` address."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def evaluation_page(
    title: str,
    language: str,
    tables: Iterable[Table],
    plots: Sequence[Plot],
    sections: Iterable[Section],
) -> str:
    """Write the page of an evaluation; `language` is that of captions and references, as BCP 47."""
    drawn = f'<div class="plots">\n{"".join(map(_plot, plots))}</div>\n' if plots else ""
    body = "".join(_section(section, language) for section in sections if section.cards)
    return _document(title, "".join(map(_table, tables)), drawn + body)


def captions_page(title: str, facts: Mapping[str, str], cards: Iterable[Card]) -> str:
    """Write the page of an archive's photos beside their captions, in the order given."""
    shown = Table("What is shown", tuple(facts.items()))
    return _document(title, _table(shown), _cards(cards, ""))


def _document(title: str, tables: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{_text(title)}</h1>
<div class="tables">
{tables}</div>
{body}</body>
</html>
"""


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in table.header)
    lines = "".join(
        f'<tr><th scope="row">{_text(name)}</th>'
        f"{''.join(f'<td>{_text(value)}</td>' for value in values)}</tr>\n"
        for name, *values in table.rows
    )
    return (
        f'<table class="{"numbers" if table.numbers else ""}">\n'
        f"<caption>{_text(table.caption)}</caption>\n"
        f"{f'<thead><tr>{head}</tr></thead>' if head else ''}{lines}</table>\n"
    )


def _plot(plot: Plot) -> str:
    return (
        f'<picture><source srcset="{_text(plot.dark)}" media="(prefers-color-scheme: dark)">'
        f'<img src="{_text(plot.light)}" alt="{_text(plot.told)}"></picture>\n'
    )


def _section(section: Section, language: str) -> str:
    heading = f"<h2>{_text(section.heading)} <small>{_text(section.note)}</small></h2>"
    return f"<section>\n{heading}\n{_cards(section.cards, language)}</section>\n"


def _cards(cards: Iterable[Card], language: str) -> str:
    return f'<ul class="photos">\n{"".join(_card(card, language) for card in cards)}</ul>\n'


def _card(card: Card, language: str) -> str:
    own = language if card.language is None else card.language
    lang = _text(own)
    # What a person wrote describes the photo to who cannot see it; the caption is on trial here.
    alt = _text(card.references[0]) if card.references else ""
    picture = f'<img src="{_text(card.picture)}" alt="{alt}" lang="{lang}">\n'
    captions = "".join(
        f'<p lang="{_text(each)}"{kind}>{said}</p>\n'
        for each, said, kind in _said(card, own)
        if said
    )
    problem = f'<p class="problem">{_text(card.problem)}</p>\n'
    return f"""<li>
{picture if card.picture else ""}<div class="words">
{captions}{problem if card.problem else ""}<dl>{_figures(card.figures)}</dl>
{_list([*card.references, *card.alternatives], lang)}<bdi class="name">{_text(card.path)}</bdi>
</div>
</li>
"""


def _said(card: Card, own: str) -> Iterator[tuple[str, str, str]]:
    """Give a card's captions as HTML: each one's language, words, and what marks its paragraph."""
    if card.before is None:
        yield own, _text(card.caption), ""
    else:
        old, new = _compared(card.before, card.caption)
        yield own, old, ' class="before"'
        yield own, new, ""
    for language, text in card.also:
        yield language, _text(text), ""


def _compared(old: str, new: str) -> tuple[str, str]:
    """Mark the words of two captions, split at spaces, that the other has not in their place."""
    pair = old.split(), new.split()
    changes = SequenceMatcher(None, *pair, autojunk=False).get_opcodes()
    spans = [(kind, pair[0][a:b], pair[1][c:d]) for kind, a, b, c, d in changes]
    return (
        " ".join(_marked("del", kind, words) for kind, words, _ in spans if words),
        " ".join(_marked("ins", kind, words) for kind, _, words in spans if words),
    )


def _marked(tag: str, kind: str, words: Sequence[str]) -> str:
    text = _text(" ".join(words))
    return text if kind == "equal" else f"<{tag}>{text}</{tag}>"


def _list(texts: Sequence[str], lang: str) -> str:
    items = "".join(f"<li>{_text(text)}</li>" for text in texts)
    return f'<ul lang="{lang}">{items}</ul>\n' if items else ""


def _figures(figures: Mapping[str, str]) -> str:
    return "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>"
        for name, value in figures.items()
    )


def _text(text: str) -> str:
    r"""Escape a text for HTML.

    Lone surrogates, which stand for bytes of a name that are no text, are shown as `\udcff`.
    """
    return escape(text.encode("utf-8", "backslashreplace").decode("utf-8"))
