"""Scenarios: what they hold, what is wrong with one, what is printed of one, and the command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("simpy", reason="the extra `plan` is not installed")

from tiny_models import broken_engine, tiny_engine
from typer.testing import CliRunner

from looptool_kit.capacity import figures, local, page
from looptool_kit.capacity.scenario import Scenario, load, scenarios
from looptool_kit.capacity.stages import stages, workers_of
from looptool_kit.cli import app
from looptool_kit.cli.simulate import PAGE
from looptool_kit.core.errors import RunError

MINE = """
title = "mine"
samples = 300
workers = 2
held_out = 10
judged = false
[train]
group = 0
[take]
answer = "mine"
sft = "sft-embedded-h100"
[rates.mine]
value = 10
unit = "samples/s a GPU"
kind = "measured"
source = "my card"
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    return file


@pytest.mark.parametrize("name", scenarios())
def test_every_scenario_is_whole_and_on_the_page(name: str) -> None:
    plan = load(name)
    assert name in PAGE and name in (app_help := CliRunner().invoke(app, ["simulate", "--help"]).output), (
        app_help
    )
    assert {"train", "probe", "compose"} <= {w.stage for w in stages(plan)}
    for rate in plan.rates.values():
        assert len(rate.source) > 20, "say where the rate is from"


def test_rows_flow_from_stage_to_stage() -> None:
    plan = load("paper")
    work = {w.stage: w for w in stages(plan)}
    assert work["probe"].items == plan.samples == 18_304
    assert work["expand"].items == work["rules"].items == 4 * round(0.165 * 18_304)
    assert work["train"].items == 286 and work["train"].pieces == 128 * 16
    assert workers_of(work["rules"], plan, 8) == 8 * plan.cluster.cores
    two = plan.model_copy(update={"cluster": plan.cluster.model_copy(update={"judge_gpus": 2})})
    verify = next(w for w in stages(two) if w.stage == "verify")
    assert workers_of(verify, two, 8) == 4 and verify.seconds == work["verify"].seconds / 2


def test_the_papers_counts_add_up() -> None:
    checks = {c.what: c for c in figures.against_the_paper(load("paper"))}
    assert all(checks[f"rows of D{j}"].error == 0 for j in (1, 2, 3, 4))
    assert checks["steps of an iteration"].error == 0
    assert abs(checks["seed samples used"].error) < 0.01


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("samples = 300", "samples = 0", "samples: Input should be greater"),
        ("samples = 300", "sampels = 300", "sampels"),
        ('answer = "mine"', 'answer = "yours"', "is not a rate; there are"),
        ('answer = "mine"', 'answer = "vllm-start"', "is in s"),
        ('sft = "sft-embedded-h100"', "", "take.sft is missing"),
        ("value = 10", "value = inf", "rates.mine.value"),
        ("judged = false", "judged = true", "take.judge is missing"),
        ("[train]", "[shares]\nerror_seeds = 0.9\n[train]", "cannot be more"),
        ('title = "mine"', "title =", "is not TOML"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(mine: Path, old: str, new: str, said: str) -> None:
    mine.write_text(MINE.replace(old, new))
    with pytest.raises(ValueError, match=said) as error:
        load(str(mine))
    assert str(mine) in str(error.value)


def test_an_unknown_scenario_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="ten-million"):
        load("hundred")


def test_the_command_prints_a_plan_and_the_same_one_again(mine: Path) -> None:
    said = [CliRunner().invoke(app, ["simulate", str(mine), "--gpus", "4"]).output for _ in range(2)]
    assert said[0] == said[1]
    assert "One iteration on 4 GPUs" in said[0] and "Assumed, not measured" in said[0]
    for stage in ("seed", "train", "probe", "compose", "evaluate"):
        assert f"  {stage} " in said[0]
    assert "verify" not in said[0]


def test_interruptions_on_the_command_line_make_it_longer(mine: Path) -> None:
    def seconds(*more: str) -> str:
        return CliRunner().invoke(app, ["simulate", str(mine), *more]).output

    assert seconds() != seconds("--interruptions", "30")


def test_the_page_has_every_rate_stage_and_check(mine: Path) -> None:
    plan = load(str(mine))
    rows = figures.grow(plan, figures.sizes_around(plan.workers))
    found = [local.Compared(1, 6, 24, 2.0, 1.0, 1.0)]
    text = page.page([(plan, rows, figures.troubles(plan))], found, 0, "here")
    assert "`mine` | 10 | samples/s a GPU | measured | my card" in text
    assert "| -50.0% |" in text and "Not seen:" in text and "interruptions of a GPU" in text
    picture = page.plot("mine", rows)
    assert picture.startswith("<svg") and "without" in picture
    assert all(len(line) <= 110 or line.startswith(("|", "#", "!")) for line in text.split("\n"))


def test_without_simpy_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch, mine: Path) -> None:
    monkeypatch.setitem(sys.modules, "simpy", None)
    with pytest.raises(ValueError, match=r"looptool-kit\[plan\]"):
        figures.grow(load(str(mine)), [1])


def test_the_check_runs_the_engine_and_the_model_on_the_same_batches() -> None:
    found = local.check(rows=8, batch=2, opening=tiny_engine, new=4)
    assert [c.processes for c in found] == [1, 2]
    assert all(c.rows == 8 and c.batches == 4 and c.real > 0 and c.simulated > 0 for c in found)
    assert found[0].simulated == found[0].alone


def test_a_check_is_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    found = [local.Compared(1, 6, 24, 2.0, 1.0, 1.0)]
    monkeypatch.setattr(local, "check", lambda: made.append(1) or found)
    file = tmp_path / "check.json"
    first = local.kept(file)
    assert first == local.kept(file) and len(made) == 1
    assert first[0]._replace(load=0.0) == found[0]
    file.write_text('{"runs": [{"real": 1}]}')
    with pytest.raises(RunError, match="does not hold the checks"):
        local.kept(file)


def test_a_process_of_the_check_that_fails_is_an_error_and_not_a_wait() -> None:
    with pytest.raises(RuntimeError, match="no weights here"):
        local.check(rows=4, batch=2, opening=broken_engine)


def test_a_scenario_survives_a_change_of_its_numbers() -> None:
    plan = load("embedded")
    assert Scenario.model_validate(plan.model_dump()) == plan
