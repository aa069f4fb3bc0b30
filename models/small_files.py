"""The small files of a captioner's folder, which may come from anyone: read up to a limit."""

import json
from pathlib import Path
from typing import Any, Final

MAX_JSON: Final = 1 << 22  # bytes; a confidence.json has 5,000
MAX_WORDS: Final = 1 << 24  # bytes of vocabulary.txt: about a million words


def read_text(path: str | Path, limit: int) -> str:
    """Read a file of text, no pipe and no device. Raises OSError, or ValueError where it is none.

    Also ValueError where it has more bytes than `limit`.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(2, "no such file", str(file))
    with file.open("rb") as opened:
        data = opened.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it has more than {limit:,} bytes")
    return data.decode("utf-8")


def read_json(path: str | Path, limit: int = MAX_JSON) -> Any:
    """Read a file of JSON. Raises OSError, or ValueError where it is none or nested too deep."""
    try:
        return json.loads(read_text(path, limit))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
