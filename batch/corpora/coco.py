"""MS-COCO's captions: a JSON object that lists images, and annotations that name an image by id.

Chen et al. 2015, "Microsoft COCO Captions: Data Collection and Evaluation Server".
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from batch.corpora.corpus import CorpusError, Problem, Tell
from batch.corpora.records import CaptionRecord, tidy, wrong_caption

# Both releases number their photos alike: COCO_val2014_000000397133.jpg is 000000397133.jpg.
NUMBERED = re.compile(r"(?:COCO_(?P<folder>[a-z]+\d{4})_)?(?P<number>\d{12})\.jpg")

Images = dict[int | str, str | None]
"""The path of each image by its id; None where it is left out, and so are its annotations."""


def read_coco(path: str, data: Mapping[str, Any], tell: Tell) -> list[CaptionRecord]:
    """Give a record for each image with captions; what is broken is told and left out.

    Raises CorpusError where the file is another one of COCO's, or none.
    """
    listed, annotations = data.get("images"), data.get("annotations")
    _check(path, listed, annotations)
    images = _images(path, listed or (), tell)
    captions = _captions(path, annotations or (), images, tell)
    records = []
    for image_id, place in images.items():
        if place is not None and captions[image_id]:
            record = CaptionRecord(path, f"image {image_id}", place, tuple(captions[image_id]))
            records.append(record)
        elif place is not None:
            tell(Problem(path, f"image {image_id}", f"({place}) has no caption"))
    return records


def photo_number(path: str) -> str | None:
    """Give the number that COCO knows a photo by in all its releases; None for others' names."""
    found = NUMBERED.fullmatch(path.rpartition("/")[2])
    return found["number"] if found else None


def _check(path: str, images: object, annotations: object) -> None:
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise CorpusError(
            f"{path}: is no COCO caption file, images and annotations are not both lists; "
            "give captions_train2014.json or one like it"
        )
    records = [record for record in annotations if isinstance(record, dict)]
    if not any("caption" in record for record in records):
        raise CorpusError(
            f"{path}: has no captions, it may be of another kind (instances, keypoints); "
            "give captions_train2014.json or one like it"
        )


def _images(path: str, listed: Sequence[Any], tell: Tell) -> Images:
    images: Images = {}
    taken: set[str] = set()
    for place, image in enumerate(listed, 1):
        image_id = _key(image, "id")
        name = f"image {image_id}" if image_id is not None else f"the image at place {place}"
        wrong = _wrong_image(image, image_id, images, taken)
        if wrong:
            tell(Problem(path, name, wrong))
            if image_id is not None:
                images.setdefault(image_id, None)
        elif image_id is not None:
            images[image_id] = _place(image)
            taken.add(_place(image))
    return images


def _wrong_image(image: Any, image_id: int | str | None, images: Images, taken: set[str]) -> str:
    if image_id is None:
        return "has no id"
    if images.get(image_id) is not None:
        return "is listed twice, the first one counts"
    if not isinstance(image.get("file_name"), str) or not image["file_name"].strip("/"):
        return "has no file_name"
    if _place(image) in taken:
        return f"has the file_name of another image ({_place(image)}), the first one counts"
    return ""


def _key(record: Any, name: str) -> int | str | None:
    """Give the id that a record holds under a name; None where it holds none."""
    value = record.get(name) if isinstance(record, dict) else None
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _place(image: Mapping[str, Any]) -> str:
    """Give a photo's path with the folder it comes in, which 2017's names don't tell."""
    name, url = str(image["file_name"]), image.get("coco_url")
    numbered = NUMBERED.fullmatch(name)
    if numbered and numbered["folder"]:
        return f"{numbered['folder']}/{name}"
    if numbered and isinstance(url, str) and url.endswith(f"/{name}"):
        return "/".join(url.split("/")[-2:])
    return name


def _captions(
    path: str, annotations: Sequence[Any], images: Images, tell: Tell
) -> dict[int | str, list[str]]:
    """Gather the captions of each image, in the order of the file."""
    captions: dict[int | str, list[str]] = defaultdict(list)
    seen: set[int | str] = set()
    for place, annotation in enumerate(annotations, 1):
        own_id, image_id = _key(annotation, "id"), _key(annotation, "image_id")
        if image_id is not None and images.get(image_id, "") is None:
            continue  # its image was told of
        wrong = "is listed twice, the first one counts" if own_id in seen else ""
        wrong = wrong or _wrong_annotation(annotation, image_id, images)
        if own_id is not None:
            seen.add(own_id)
        if image_id is not None and not wrong:
            captions[image_id].append(tidy(annotation["caption"]))
        else:
            at_place = f"the annotation at place {place}"
            tell(Problem(path, at_place if own_id is None else f"annotation {own_id}", wrong))
    return captions


def _wrong_annotation(annotation: Any, image_id: int | str | None, images: Images) -> str:
    if image_id is None:
        return "has no image_id"
    if image_id not in images:
        return f"is of image {image_id}, which is not listed"
    wrong = wrong_caption(annotation.get("caption"))
    return f"has a caption that {wrong}" if wrong else ""
