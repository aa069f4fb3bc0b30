"""Small tables for a terminal, and as Markdown for a document."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of texts, all of one length: a name, and what follows, `numbers` or words."""

    caption: str
    rows: Sequence[Sequence[str]]
    header: Sequence[str] = ()
    numbers: bool = False

    def as_text(self) -> str:
        """Write the rows under each other, numbers on the right of their columns."""
        lines = [*([self.header] if self.header else []), *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(self._line(line, widths) for line in lines)

    def as_markdown(self) -> str:
        """Write the table as Markdown."""
        header = self.header or [""] * len(self.rows[0])
        lines = [header, ["---"] * len(header), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _line(self, line: Sequence[str], widths: Sequence[int]) -> str:
        name, *values = line
        side = ">" if self.numbers else "<"
        cells = (f"{value:{side}{width}}" for value, width in zip(values, widths[1:], strict=True))
        return "  ".join([f"{name:<{widths[0]}}", *cells]).rstrip()
