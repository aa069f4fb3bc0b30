"""A look at the captions on the terminal."""

from pathlib import Path

from batch.text import printable
from manifests.manifest import read_records
from manifests.record import Record


def table(out: str, rows: int) -> str:
    """Write the first rows of a manifest as text: confidence, path, caption or what is wrong."""
    records = read_records(Path(out, "captions.parquet"))[:rows]
    width = max((len(printable(record.path)) for record in records), default=0)
    return "\n".join(_line(record, min(width, 40)) for record in records)


def _line(record: Record, width: int) -> str:
    score = "    " if record.confidence is None else f"{record.confidence:.2f}"
    captions = [each.caption for each in record.languages] or [record.caption or ""]
    said = " / ".join(filter(None, captions)) or f"({record.status}: {record.error})"
    return f"{score}  {printable(record.path):<{width}}  {said}"
