"""The settings form: made from the settings' types, checked and written as `run.set` does it."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

pytest.importorskip("ipywidgets")

from looptool_kit.config import Settings, load_settings
from looptool_kit.run.folder import Run
from looptool_kit.widgets import settings_form
from looptool_kit.widgets.settings import FIRST_STAGES, redone

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"

UNITS = {"tokens": "tokens", "seq_length": "tokens", "gb": "gigabytes", "tflops": "TFLOPS"}
"""Part of a setting's name -> the unit that its meaning says."""
SECTIONS = [
    name
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", "cpu-quick")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_form_says_what_the_run_says(run: Run, section: str) -> None:
    form = settings_form(run, section)
    settings = getattr(run.settings, section)
    assert list(form.inputs) == list(type(settings).model_fields) and form.changes == {}
    for name, each in form.inputs.items():
        assert each.description == name and len(each.tooltip) > 10
    before = (run.path / "run.toml").read_bytes()
    form.button.click()
    assert (run.path / "run.toml").read_bytes() == before and "Nothing" in form.status.value


def test_saving_writes_the_run_and_shows_the_line_of_python(run: Run) -> None:
    form = settings_form(run, "probe")
    form.inputs["quantile"].value, form.inputs["threshold"].value = 0.8, "1.25"
    assert "run.set(probe__quantile=0.8, probe__threshold=1.25)" in form.python.value
    form.button.click()
    assert run.settings.probe.quantile == 0.8 and load_settings(run.path / "run.toml").probe.threshold == 1.25
    form.inputs["threshold"].value = " "
    form.save()
    assert load_settings(run.path / "run.toml").probe.threshold is None


def test_lists_choices_and_switches(run: Run) -> None:
    seeds, compose, sft = (settings_form(run, section) for section in ("seeds", "compose", "sft"))
    seeds.inputs["fresh"].value, seeds.inputs["domains"].value = "8, 4,2", "calendar"
    compose.inputs["unjudged"].value = "discard"
    sft.inputs["gradient_checkpointing"].value = True
    for form in (seeds, compose, sft):
        form.save()
    assert run.settings.seeds.fresh == (8, 4, 2) and run.settings.seeds.domains == ("calendar",)
    assert run.settings.compose.unjudged == "discard" and run.settings.sft.gradient_checkpointing


@pytest.mark.parametrize(
    ("section", "name", "said", "why"),
    [("grpo", "group", "1", "greater than or equal"), ("grpo", "steps", "two", "whole number")],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    run: Run, section: str, name: str, said: str, why: str
) -> None:
    before = (run.path / "run.toml").read_bytes()
    form = settings_form(run, section)
    form.inputs[name].value = said
    form.save()
    assert (
        "Not saved" in form.status.value
        and "sections.py" not in form.status.value
        and why in form.status.value
        and name in form.status.value
    )
    assert (run.path / "run.toml").read_bytes() == before


def test_text_from_the_run_stays_text_and_unknown_rooms_are_named(run: Run) -> None:
    run.set(seeds__source="<img src=x onerror=bad()>")
    static = settings_form(run, "seeds")._repr_mimebundle_()["text/html"]
    form = settings_form(run, "seeds")
    form.inputs["source"].value = "<script>bad()</script>"
    assert "<img" not in static and "&lt;img" in static and "<script" not in form.python.value
    with pytest.raises(ValueError, match="there are: seeds, synthesis"):
        settings_form(run, "seed")


def test_judges_are_written_as_json_and_shown_as_they_are(run: Run) -> None:
    judges = [
        {"base_url": "http://localhost:8000/v1", "model": "one"},
        {"base_url": "http://localhost:8001/v1", "model": "two", "concurrency": 8},
    ]
    run.set(jury__others=judges)
    form = settings_form(run, "jury")
    assert form.changes == {} and json.loads(form.inputs["others"].value) == judges
    form.inputs["others"].value = json.dumps(judges[1:])
    assert "run.set(jury__others=[{" in form.python.value and "two" in form.python.value
    form.button.click()
    assert (
        [j.model for j in load_settings(run.path / "run.toml").jury.others]
        == ["two"]
        == [j.model for j in run.settings.jury.others]
    )
    for wrong in ("[{", '[{"model": "x"}]', '[{"base_url": "not an address", "model": "x"}]'):
        form.inputs["others"].value = wrong
        form.button.click()
        assert (
            "Not saved" in form.status.value
            and "others" in form.status.value
            and len(run.settings.jury.others) == 1
        )
    form.inputs["others"].value = ""
    form.button.click()
    assert run.settings.jury.others == ()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_has_its_meaning_beside_it_and_every_section_a_stage(run: Run, section: str) -> None:
    form = settings_form(run, section)
    for name, field in form.fields.items():
        first = " ".join((field.description or "").replace("`", "").split())[:20]
        meaning = form.meanings[name].value
        assert first and html.escape(first) in meaning, name
        units = [unit for part, unit in UNITS.items() if part in name]
        assert all(re.search(unit, meaning, re.I) for unit in units), f"the unit of {section}.{name}"
    assert section in FIRST_STAGES


def named(widget: Any) -> list[Any]:
    """The labels within a widget."""
    within = [label for child in getattr(widget, "children", ()) for label in named(child)]
    return [*within, widget] if type(widget).__name__ == "Label" else within


def test_choices_are_offered_and_shares_have_sliders(run: Run) -> None:
    judge = settings_form(run, "verify").inputs["judge"]
    assert {"evidence", "labels", "llm"} <= set(judge.options)
    assert {"world", "templates"} <= set(settings_form(run, "seeds").inputs["source"].options)
    form = settings_form(run, "expand")
    [label] = [w for row in form.children for w in named(row) if w.value == "expanders"]
    assert label, "a field for several words shows its name as the others do"
    assert set(form.inputs["expanders"].allowed_tags) >= {"world", "slots", "repeat"} and form.changes == {}
    form.inputs["expanders"].value = ["repeat"]
    form.save()
    assert load_settings(run.path / "run.toml").expand.expanders == ("repeat",)
    noise = settings_form(run, "seeds").inputs["noise"]
    assert (noise.min, noise.max) == (0, 0.9)


def test_a_change_says_what_is_made_again_and_how_long_that_took(tmp_path: Path) -> None:
    run = Run.open(shutil.copytree(RECORDED, tmp_path / "run"))
    form = settings_form(run, "probe")
    head = form.children[0].value
    assert "Greedy capability probing" in head and "makes again, when next called: probe" in head
    assert form.cost.value == "" and form.python.value == "no change" and form.button.disabled
    form.inputs["quantile"].value = 0.9
    assert not form.button.disabled
    said = form.cost.value
    assert "verify, expand, compose" in said and "took" in said and "min" in said
    form.inputs["batch"].value = str(run.settings.probe.batch + 1)
    form.inputs["quantile"].value = run.settings.probe.quantile
    assert "changes no result" in form.cost.value
    took = [redone(run, [name]) for name in ("seeds.first", "lora.rank", "compose.hppl", "evaluate.base")]
    assert ["train" in t for t in took] == [True, True, True, False], "a later dataset is trained on again"
    assert "Nothing made so far" in redone(Run.create(tmp_path / "new", "cpu-quick"), ["lora.rank"])
