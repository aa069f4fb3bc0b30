"""Flickr8k: a token file of `name#number<TAB>caption` lines, and split lists of names.

In place of the token file there may be the `descriptions.txt` that was made from it.

Hodosh, Young & Hockenmaier 2013, "Framing Image Description as a Ranking Task".
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from batch.corpora.corpus import CaptionedPhoto, Corpus, CorpusError
from batch.corpora.descriptions import is_description, is_shortened_well, short_name


def read_flickr8k(token_file: str, train_list: str | None, dev_list: str) -> Corpus:
    """Read the captions of the photos that the lists name; without a train list, for scoring alone.

    Raises CorpusError naming the file and the line that is not as it should be, or the photo of a
    list that has no caption of its own.
    """
    captions = read_tokens(token_file)
    lists = {path: read_names(path) for path in (train_list, dev_list) if path}
    alike: dict[str, set[str]] = defaultdict(set)
    for name in (name for names in lists.values() for name in names):
        alike[short_name(name)].add(name)
    train = _split(captions, train_list, lists[train_list], alike) if train_list else ()
    return Corpus(train, _split(captions, dev_list, lists[dev_list], alike))


def read_tokens(token_file: str) -> dict[str, tuple[str, ...]]:
    """Give each name of a token file, or of descriptions, its captions in the order of lines."""
    lines = _lines(token_file)
    if lines and is_description(lines[0][1]):
        return _descriptions(token_file, lines)
    captions: dict[str, list[str]] = defaultdict(list)
    for number, line in lines:
        place, tab, caption = line.partition("\t")
        name, hash_sign, _ = place.rpartition("#")
        if not (tab and hash_sign and name and caption.strip()):
            raise CorpusError(
                f"{token_file}, line {number}: expected name#number, a tab, a caption"
            )
        captions[name].append(caption.strip())
    return {name: tuple(texts) for name, texts in captions.items()}


def training_captions(token_file: str, train_list: str) -> list[str]:
    """Give the captions of the photos that a list names, in the order of the token file.

    Photos are matched by their short names, as the 2017 post does; its ids follow from this order.
    Raises CorpusError where a file cannot be read, or has no caption of these photos.
    """
    names = {short_name(name) for name in read_names(train_list)}
    captions = read_tokens(token_file).items()
    found = [text for name, texts in captions if short_name(name) in names for text in texts]
    if not found:
        raise CorpusError(f"{token_file}: no caption of the photos that {train_list} names")
    return found


def _descriptions(path: str, lines: list[tuple[int, str]]) -> dict[str, tuple[str, ...]]:
    captions: dict[str, list[str]] = defaultdict(list)
    for number, line in lines:
        name, _, caption = line.partition(" ")
        if not name or "\t" in line:
            raise CorpusError(f"{path}, line {number}: expected a name, a space, a caption")
        captions[name].append(caption.strip())
    return {name: tuple(texts) for name, texts in captions.items()}


def read_names(names_file: str) -> list[str]:
    """Read a list of photos, one name a line. Raises CorpusError where it names none."""
    names = list(dict.fromkeys(line.strip() for _, line in _lines(names_file)))
    if not names:
        raise CorpusError(f"{names_file}: names no photo")
    return names


def _split(
    captions: Mapping[str, tuple[str, ...]],
    names_file: str,
    names: Iterable[str],
    alike: Mapping[str, set[str]],
) -> tuple[CaptionedPhoto, ...]:
    """Give a list's photos; by its short name, as in descriptions, only one of `alike` is known."""
    photos = []
    for name in names:
        short = short_name(name)
        texts = captions.get(name) or (captions.get(short) if is_shortened_well(name) else None)
        if not texts:
            raise CorpusError(f"{names_file}: {name} has no caption in the token file")
        if name not in captions and len(alike[short]) > 1:
            other = min(alike[short] - {name})
            raise CorpusError(
                f"{names_file}: the captions of {short!r} could be of {name} or of {other}; "
                "give CAPTIONS= the token file with whole names"
            )
        photos.append(CaptionedPhoto(name, texts))
    return tuple(photos)


def _lines(path: str) -> list[tuple[int, str]]:
    """Give the lines that are not blank, with their numbers."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = enumerate(file.read().split("\n"), 1)
            return [(number, line) for number, line in lines if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read as UTF-8 text ({error})") from error
