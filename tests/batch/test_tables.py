"""A table reads the same in a terminal and as Markdown."""

from batch.tables import Table

KINDS = Table(
    "Kinds", [("people", "778", "46.8"), ("sport", "5", "101.2")], ("", "n", "CIDEr"), True
)


def test_numbers_stand_under_each_other():
    assert KINDS.as_text().splitlines() == [
        "          n  CIDEr",
        "people  778   46.8",
        "sport     5  101.2",
    ]


def test_texts_begin_under_each_other():
    table = Table("", [("Search", "beams=4"), ("Split by", "ptb")])
    assert table.as_text() == "Search    beams=4\nSplit by  ptb"


def test_markdown_has_a_header_even_where_the_table_has_none():
    assert KINDS.as_markdown().splitlines() == [
        "|  | n | CIDEr |",
        "| --- | --- | --- |",
        "| people | 778 | 46.8 |",
        "| sport | 5 | 101.2 |",
    ]
    assert Table("", [("a", "b")]).as_markdown().splitlines()[0] == "|  |  |"
