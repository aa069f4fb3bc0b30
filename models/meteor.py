"""METEOR: how close captions are to what people wrote, synonyms and word stems counted.

Denkowski and Lavie, "Meteor universal: language specific translation evaluation for any target
language", WMT 2014. Its English matcher is a Java program that pycocoevalcap brings.
"""

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Final

from models.metrics import Candidates, References, check_captions
from models.tokens import tokenize

METEOR_SECONDS: Final = 900  # 1,000 photos take about 15, most of it reading tables


def meteor(candidates: Candidates, references: References) -> float | None:
    """Return the METEOR score of English captions, or None, with a warning, where it can't run.

    It needs pycocoevalcap, Java and up to 2 GB of memory.
    """
    check_captions(candidates, references)
    try:
        command = [_java(), "-Xmx2G", "-jar", str(_meteor_jar())]
        with tempfile.TemporaryDirectory() as folder:
            command += _meteor_files(Path(folder), candidates, references)
            command += ["-l", "en", "-norm", "-q"]
            finished = subprocess.run(  # noqa: S603 - no shell; the paths are our own
                command, capture_output=True, text=True, timeout=METEOR_SECONDS, check=True
            )
        return float(finished.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        logging.getLogger(__name__).warning("no METEOR score: %s", error)
        return None


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise FileNotFoundError("Java is not on the PATH")
    return java


def _meteor_jar() -> Path:
    package = find_spec("pycocoevalcap")
    for folder in (package and package.submodule_search_locations) or ():
        jar = Path(folder, "meteor", "meteor-1.5.jar")
        if jar.exists():
            return jar
    raise FileNotFoundError("pycocoevalcap is not installed")


def _meteor_files(folder: Path, candidates: Candidates, references: References) -> list[str]:
    """Write a line a caption, and as many lines of references for each; return the arguments.

    Photos with fewer references repeat them: the score is that of the best one.
    """
    most = max(map(len, references.values()))
    padded = ((list(references[photo]) * most)[:most] for photo in candidates)
    _write_lines(folder / "candidates", candidates.values())
    _write_lines(folder / "references", chain.from_iterable(padded))
    return [str(folder / "candidates"), str(folder / "references"), "-r", str(most)]


def _write_lines(path: Path, captions: Iterable[str]) -> None:
    lines = (" ".join(tokenize(caption)) + "\n" for caption in captions)
    path.write_text("".join(lines), encoding="utf-8")
