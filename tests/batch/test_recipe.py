"""A preset says what a training is; what it does not understand it refuses by name."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from batch.config import PRESETS as DEFAULTS
from batch.errors import ArchiveError
from batch.recipe import Phase, Recipe
from models.search import SearchConfig

PRESETS = sorted(Path(DEFAULTS["attention"]).parent.glob("*.json"))


@pytest.fixture
def preset(tmp_path):
    def preset(content: object) -> str:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "preset.json").write_text(text)
        return str(tmp_path / "preset.json")

    return preset


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_the_presets_that_ship_are_understood(path):
    recipe = Recipe.read(str(path))
    assert recipe.name == path.stem
    assert recipe.phases
    assert all(phase.passes > 0 and phase.rate > 0 for phase in recipe.phases)


def test_there_is_a_preset_by_default():
    assert {Path(path) for path in DEFAULTS.values()} <= set(PRESETS)


def test_a_preset_need_say_no_more_than_its_name(preset):
    assert Recipe.read(preset({"name": "plain"})) == Recipe("plain")


def test_all_that_a_recipe_has_can_be_said(preset):
    said = {
        "name": "all",
        "seed": 3,
        "phases": [{"passes": 1, "rate": 0.2}, {"passes": 2, "rate": 0.1, "encoder_rate": 0.01}],
        "search": {"num_beams": 2},
    }
    recipe = Recipe.read(preset(said))
    assert recipe.phases == (Phase(1, 0.2), Phase(2, 0.1, 0.01))
    assert recipe.search == SearchConfig(num_beams=2)
    assert recipe.seed == 3
    assert {"phases", "search"} < {field.name for field in fields(Recipe)}


WRONG = {
    "no such setting": ({"name": "x", "fast": True}, "fast"),
    "no such setting of a phase": ({"name": "x", "phases": [{"epochs": 3}]}, "epochs"),
    "no such setting of the search": ({"name": "x", "search": {"beams": 3}}, "beams"),
    "no name": ({}, "name"),
    "half a phase": ({"name": "x", "phases": [{"passes": 2}]}, "rate"),
    "a phase that is none": ({"name": "x", "phases": [3]}, "mapping"),
    "phases that are none": ({"name": "x", "phases": 3}, "iterable"),
    "no phases": ({"name": "x", "phases": []}, "at least one phase"),
    "a self-critical phase that tunes the encoder": (
        {
            "name": "x",
            "phases": [{"passes": 1, "rate": 1, "encoder_rate": 1, "self_critical": 0.5}],
        },
        "self-critical",
    ),
    "nothing but criticism": (
        {"name": "x", "phases": [{"passes": 1, "rate": 1, "self_critical": 1}]},
        "below 1",
    ),
    "an average that never moves": (
        {"name": "x", "phases": [{"passes": 1, "rate": 1, "averaging": 1}]},
        "averaging",
    ),
    "colours beyond black": (
        {"name": "x", "phases": [{"passes": 1, "rate": 1, "colour": 1.5}]},
        "colour",
    ),
    "a crop of nothing": (
        {"name": "x", "phases": [{"passes": 1, "rate": 1, "smallest_crop": 0}]},
        "smallest_crop",
    ),
    "an architecture that there is not": ({"name": "x", "architecture": "rnn"}, "rnn"),
    "a tokenizer that there is not": ({"name": "x", "tokenizer": "letters"}, "letters"),
    "a list": (["name"], "mapping"),
    "no JSON": ("{name: x}", "line 1"),
}


@pytest.mark.parametrize(("content", "word"), WRONG.values(), ids=WRONG)
def test_what_is_not_understood_is_refused_by_name(preset, content, word):
    path = preset(content)
    with pytest.raises(ArchiveError, match=rf"^{re.escape(path)}: not a training preset .*{word}"):
        Recipe.read(path)


def test_a_preset_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ArchiveError, match=r"none\.json"):
        Recipe.read(str(tmp_path / "none.json"))
