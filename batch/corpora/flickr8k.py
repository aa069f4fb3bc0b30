"""Flickr8k: a token file of `name#number<TAB>caption` lines, and split lists of names.

Hodosh, Young & Hockenmaier 2013, "Framing Image Description as a Ranking Task".
"""

from collections import defaultdict

from batch.corpora.corpus import CaptionedPhoto, Corpus, CorpusError


def read_flickr8k(token_file: str, train_list: str | None, dev_list: str) -> Corpus:
    """Read the captions of the photos that the lists name; without a train list, for scoring alone.

    Raises CorpusError naming the file and the line that is not as it should be, or the photo of a
    list that has no caption.
    """
    captions = read_tokens(token_file)
    train = _split(captions, train_list) if train_list else ()
    return Corpus(train, _split(captions, dev_list))


def read_tokens(token_file: str) -> dict[str, tuple[str, ...]]:
    """Give each name of a token file its captions, in the order of their lines."""
    captions: dict[str, list[str]] = defaultdict(list)
    for number, line in _lines(token_file):
        place, tab, caption = line.partition("\t")
        name, hash_sign, _ = place.rpartition("#")
        if not (tab and hash_sign and name and caption.strip()):
            raise CorpusError(
                f"{token_file}, line {number}: expected name#number, a tab, a caption"
            )
        captions[name].append(caption.strip())
    return {name: tuple(texts) for name, texts in captions.items()}


def _split(captions: dict[str, tuple[str, ...]], names_file: str) -> tuple[CaptionedPhoto, ...]:
    names = list(dict.fromkeys(line.strip() for _, line in _lines(names_file)))
    if not names:
        raise CorpusError(f"{names_file}: names no photo")
    for name in names:
        if name not in captions:
            raise CorpusError(f"{names_file}: {name} has no caption in the token file")
    return tuple(CaptionedPhoto(name, captions[name]) for name in names)


def _lines(path: str) -> list[tuple[int, str]]:
    """Give the lines that are not blank, with their numbers."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = enumerate(file.read().split("\n"), 1)
            return [(number, line) for number, line in lines if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read as UTF-8 text ({error})") from error
