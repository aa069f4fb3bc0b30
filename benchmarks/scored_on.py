"""The photos that captions are scored on, and the arguments that name them."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch.corpora.corpus import CaptionedPhoto


def add_photos(parser: argparse.ArgumentParser) -> None:
    """Ask for the caption file, the photos' folder, and the list of those to score on."""
    parser.add_argument("--captions", required=True, help="a token file, or JSON of COCO or AI Hub")
    parser.add_argument("--photos", required=True)
    parser.add_argument("--dev-list", help="names of the photos to score on, of a token file")


def read_photos(options: argparse.Namespace, language: str) -> "tuple[CaptionedPhoto, ...]":
    """Read them with people's captions in a language. Raises CorpusError."""
    from batch.corpora.corpus import stop
    from batch.corpora.read import CorpusFiles, read_corpus

    files = CorpusFiles(options.captions, options.photos, dev_list=options.dev_list)
    return read_corpus(files, language, stop, training=False).dev
