"""What the JSON formats share: a file's records, and captions as they are kept."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from batch.corpora.corpus import CorpusError, Problem
from manifests.json_rows import MAX_FILE, is_bomb

Split = Literal["train", "dev"]


@dataclass(frozen=True)
class CaptionRecord:
    """A photo as a caption file tells of it; whether it is there is not known yet."""

    file: str
    name: str  # how a person finds it in the file
    path: str  # of the photo, as the file has it
    captions: tuple[str, ...]
    split: Split | None = None

    def problem(self, wrong: str, outcome: str = "left out") -> Problem:
        """Tell what is wrong with this record."""
        return Problem(self.file, self.name, wrong, outcome)


def tidy(caption: str) -> str:
    """Make one line of a caption, its spaces single."""
    return " ".join(caption.split())


def wrong_caption(caption: object) -> str:
    """Say what is wrong with a caption; nothing where it can be kept."""
    if not isinstance(caption, str):
        return "is no text"
    if not caption.strip():
        return "is blank"
    try:
        caption.encode()
    except UnicodeEncodeError:
        return "holds half of a character"
    return ""


def load_json(path: str) -> Any:
    """Read a JSON file. Raises CorpusError naming the file, the place where known, and a remedy."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE or is_bomb(data):
            raise ValueError("more values than any file of captions")
        text = data.decode("utf-8-sig")
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{path}, line {error.lineno}, column {error.colno}"
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            raise CorpusError(f"{place}: ends too early; download it again") from error
        raise CorpusError(f"{place}: is no JSON ({error.msg}); download it again") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: is no UTF-8 text ({error}); save it as UTF-8") from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # numbers of 5,000 digits, lists 5,000 deep
        raise CorpusError(f"{path}: holds no captions ({error}); download it again") from error
