"""Read a caption corpus of any format: which one it is, its splits, and which photos are there."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from batch.corpora.aihub import read_aihub
from batch.corpora.coco import photo_number, read_coco
from batch.corpora.corpus import CaptionedPhoto, Corpus, CorpusError, Problem, Tell
from batch.corpora.flickr8k import read_flickr8k, read_names, read_tokens
from batch.corpora.places import find_photos
from batch.corpora.records import CaptionRecord, load_json
from models.metrics import is_language

TOKEN_LINE = re.compile(rb"[^\t\n]*#\d+\t")
HANGUL = re.compile("[\u1100-\u11ff\uac00-\ud7a3]")
Records = Sequence[CaptionRecord]


@dataclass(frozen=True)
class CorpusFiles:
    """What a corpus is read from: its captions, its photos, and what tells its splits apart."""

    captions: str
    photos: str | None = None  # None: captions alone are read, and no photo is looked for
    train_list: str | None = None
    dev_list: str | None = None
    dev_captions: str | None = None


def read_corpus(files: CorpusFiles, language: str, tell: Tell, *, training: bool = True) -> Corpus:
    """Read Flickr8k's token file, COCO's JSON or AI Hub's; for scoring, the dev split alone.

    `language` chooses among AI Hub's captions. Of the JSON formats, records that are broken and
    photos that are missing are told and left out; a token file has to be as it should. Raises
    CorpusError naming the file, where it cannot be used or where more than it is needed.
    """
    if not is_json(files.captions):
        return _read_tokens(files, training)
    rest, dev = _both(files, language, tell, training)
    train = _apart(_to_learn_from(rest, files, tell) if training else (), dev, tell)
    found = _photos(files.photos, [*train, *dev], rest, tell)
    corpus = Corpus(_present(train, found), _present(dev, found))
    if not corpus.dev or (training and not corpus.train):
        purpose = "learn from" if corpus.dev else "validate on"
        lost = files.photos is not None and not found
        hint = f"are its photos under {files.photos}?" if lost else "do the lists name its photos?"
        raise CorpusError(
            f"{files.captions}: no photo to {purpose} is left, of {len(train) + len(dev):,} with "
            f"captions; {hint}"
        )
    return corpus


def check_language(corpus: Corpus, language: str, captions: str) -> None:
    """Raise CorpusError where Korean is asked for and the dev split of `captions` has none."""
    said = (caption for photo in corpus.dev for caption in photo.captions)
    if is_language(language, "ko") and not any(map(HANGUL.search, said)):
        raise CorpusError(
            f"{captions}: none of the captions is in Korean, which the captioner is to write; give "
            "CAPTIONS= in Korean, or another captioner or preset"
        )


def all_captions(files: CorpusFiles, corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """Give every captioned photo of a corpus' files; a token file's may be in no split."""
    if not is_json(files.captions):
        return read_tokens(files.captions)
    return {photo.path: photo.captions for photo in (*corpus.train, *corpus.dev)}


def is_json(path: str) -> bool:
    """Tell JSON from a token file by its name, or else by how it begins."""
    try:
        with open(path, "rb") as file:
            head = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from error
    if path.lower().endswith(".json"):
        return True
    return head.startswith((b"{", b"[")) and not TOKEN_LINE.match(head)


def _read_tokens(files: CorpusFiles, training: bool) -> Corpus:
    given = {"TRAIN_LIST=": files.train_list, "DEV_LIST=": files.dev_list}
    needed = given if training else {"DEV_LIST="}
    missing = " and ".join(name for name in needed if not given[name])
    if missing or not files.dev_list:
        text = f"a token file as Flickr8k's needs {missing}, names of photos, one a line"
        raise CorpusError(f"{files.captions}: {text}")
    if files.dev_captions:
        raise CorpusError(
            f"{files.dev_captions}: DEV_CAPTIONS= goes with COCO's JSON; leave it out"
        )
    return read_flickr8k(files.captions, files.train_list if training else None, files.dev_list)


def _to_learn_from(rest: Records, files: CorpusFiles, tell: Tell) -> Records:
    return _named(rest, files.train_list, tell) if files.train_list else rest


def _photos(
    photos: str | None, records: Records, rest: Records, tell: Tell
) -> dict[str, CaptionedPhoto]:
    """Find the photos of records; the rest of their file keeps its own, for scoring alone too."""
    if photos is None:
        return {record.path: CaptionedPhoto(record.path, record.captions) for record in records}
    taken = {_photo_of(record) for record in records}
    others = [record for record in rest if _photo_of(record) not in taken]
    return find_photos(photos, records, tell, others)


def _both(files: CorpusFiles, language: str, tell: Tell, training: bool) -> tuple[Records, Records]:
    """Give the records that are not to validate on, and those that are."""
    if files.dev_captions:
        return _two_files(files, files.dev_captions, language, tell, training)
    records = _read(files.captions, language, tell)
    if files.dev_list:
        dev = _named(records, files.dev_list, tell)
        chosen = {record.path for record in dev}
        return [record for record in records if record.path not in chosen], dev
    if any(record.split for record in records):
        halves = [[r for r in records if r.split == split] for split in ("train", "dev")]
        return halves[0], halves[1]
    if training and records:
        raise CorpusError(
            f"{files.captions}: a file of COCO's holds one split; give DEV_CAPTIONS= the other "
            "(captions_val2014.json), or DEV_LIST= the names of its photos to validate on"
        )
    return (), records


def _two_files(
    files: CorpusFiles, dev_captions: str, language: str, tell: Tell, training: bool
) -> tuple[Records, Records]:
    if files.dev_list:
        raise CorpusError(f"{files.dev_list}: give DEV_LIST= or DEV_CAPTIONS=, not both")
    train = _read(files.captions, language, tell) if training else []
    dev = _read(dev_captions, language, tell)
    for record in (*train[:1], *dev[:1]):
        if record.split:
            text = "tells train and dev apart by itself; leave out DEV_CAPTIONS="
            raise CorpusError(f"{record.file}: {text}")
    return train, dev


def _read(path: str, language: str, tell: Tell) -> list[CaptionRecord]:
    data = load_json(path)
    if isinstance(data, dict):
        return read_coco(path, data, tell)
    if isinstance(data, list):
        return read_aihub(path, data, language, tell)
    text = "is neither an object as COCO's nor a list as AI Hub's; give a caption file"
    raise CorpusError(f"{path}: {text}")


def _named(records: Records, names_file: str, tell: Tell) -> list[CaptionRecord]:
    """Give the records of the photos that a list names, by path or by file name."""
    by_name: dict[str, list[CaptionRecord]] = defaultdict(list)
    for record in records:
        for name in {record.path, record.path.rpartition("/")[2]}:
            by_name[name].append(record)
    chosen: dict[str, CaptionRecord] = {}
    for name in read_names(names_file):
        if len(by_name[name]) == 1:
            chosen[by_name[name][0].path] = by_name[name][0]
        else:
            wrong = "is the name of several photos" if by_name[name] else "has no captions"
            tell(Problem(names_file, name, wrong))
    return list(chosen.values())


def _apart(train: Records, dev: Records, tell: Tell) -> list[CaptionRecord]:
    """Give the training records whose photo is in no dev record: no photo is in both splits."""
    held = {_photo_of(record) for record in dev}
    for record in train:
        if _photo_of(record) in held:
            tell(record.problem(f"({record.path}) is in both splits", "kept in dev alone"))
    return [record for record in train if _photo_of(record) not in held]


def _photo_of(record: CaptionRecord) -> str:
    return photo_number(record.path) or record.path


def _present(
    records: Iterable[CaptionRecord], found: dict[str, CaptionedPhoto]
) -> tuple[CaptionedPhoto, ...]:
    return tuple(found[record.path] for record in records if record.path in found)
