"""Calibrate a captioner: fit its confidence to photos that people have captioned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from tqdm import tqdm

from batch.caption import Stage
from batch.config import keep_out_of
from batch.corpora.corpus import CaptionedPhoto, Tell, stop
from batch.encode import batched, encode_into_cache
from batch.errors import ArchiveError
from batch.features import SHARD_PHOTOS, FeatureCache
from batch.tables import Table
from manifests.durable import write_json
from models.calibration import CONFIDENCE_FILE, FOLDS, Calibration, Figures, Fitted, Hypothesis
from models.captioner import Caption, Captioner
from models.confidence import ACCEPTABLE
from models.metrics import score, splitter
from models.search import SearchConfig

FEWEST = 100  # photos; of fewer the figures say little, and the weights less


def calibrate(
    folder: str,
    photos: Sequence[CaptionedPhoto],
    place: str,
    features: str,
    tell: Tell = stop,
) -> Calibration:
    """Caption photos with the captioner in `folder`, fit its confidence, write confidence.json.

    place: the photos' folder; features: root of the cache. `tell` is told of photos that cannot be
    read, which are left out. The photos must not be among those that the captioner was taught with.
    Raises ArchiveError where too few photos are left, CheckpointError where the captioner is none.
    """
    keep_out_of(place, {"CAPTIONER": folder, "FEATURES": features})
    stage = Stage.load([folder], features, {})
    paths = [photo.path for photo in photos]
    identities = encode_into_cache(paths, place, stage.cache, stage.encode, tell)
    sound = [photo for photo in photos if photo.captions and photo.path in identities]
    if len(sound) < FEWEST:
        raise ArchiveError(
            f"{place}: {len(sound)} photos with captions are too few to calibrate on; give at "
            f"least {FEWEST}"
        )
    calibration = _fit(folder, stage, sound, identities)
    write_json(Path(folder, CONFIDENCE_FILE), calibration.as_json())
    return calibration


def _fit(
    folder: str,
    stage: Stage,
    photos: Sequence[CaptionedPhoto],
    identities: Mapping[str, str],
) -> Calibration:
    """Fit a head to what each kind of search finds in photos whose features are in the cache."""
    config = stage.captioner.config
    split = splitter(config.language)
    beams = config.search.num_beams if config.search.num_beams > 1 else SearchConfig().num_beams

    def fit(num_beams: int) -> Fitted:
        captioner = Captioner.load(folder, num_beams=num_beams, temperature=0.0)
        captions = _caption(captioner, stage.cache, {p.path: identities[p.path] for p in photos})
        texts = {path: caption.text for path, caption in captions.items()}
        references = {p.path: p.captions for p in photos if p.path in captions}
        found = score(texts, references, split.split).cider_by_photo
        cider = np.array([100 * found[path] for path in captions])
        hypotheses = [Hypothesis(each.words, each.log_prob) for each in captions.values()]
        return Fitted.fit(str(captioner.config.search), hypotheses, cider)

    fitted_on = {
        "photos": len(photos),
        "captions_by_people_each": round(fmean(len(p.captions) for p in photos), 1),
        "language": config.language,
        "words_split_by": split.name,
        "acceptable_by_cider": ACCEPTABLE,
        "figures": f"{FOLDS}-fold cross-validation",
    }
    return Calibration(fitted_on, fit(beams), fit(1))


def _caption(
    captioner: Captioner, cache: FeatureCache, identities: Mapping[str, str]
) -> dict[str, Caption]:
    """Caption photos, identities by path, from the cache; those damaged there are left out."""
    captions: dict[str, Caption] = {}
    with tqdm(total=len(identities), desc="captioning", unit="photo", disable=None) as bar:
        for chunk in batched(identities.items(), SHARD_PHOTOS):
            features = cache.read(photo_id for _, photo_id in chunk)
            there = {path: features[photo_id] for path, photo_id in chunk if photo_id in features}
            said = captioner.caption(list(there.values()))
            captions |= zip(there, said, strict=True)
            bar.update(len(chunk))
    return captions


def table(calibration: Calibration) -> str:
    """Show what calibration changed, for a terminal."""
    header = ("", "Spearman", "area under risk", "calibration error")
    kinds = {
        "several beams": calibration.several_beams,
        "single caption": calibration.single_caption,
    }
    rows = [
        (f"{kind}, {name}", *_shown(figures))
        for kind, fitted in kinds.items()
        for name, figures in (
            ("geometric mean", fitted.geometric_mean),
            ("calibrated", fitted.calibrated),
        )
    ]
    return Table("", rows, header, numbers=True).as_text()


def _shown(figures: Figures) -> tuple[str, ...]:
    numbers = (figures.spearman, figures.area_under_risk, figures.calibration_error)
    return tuple(f"{number:.3f}" for number in numbers)
