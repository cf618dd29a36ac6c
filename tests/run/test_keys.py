"""A key holds what decides a result and nothing else: each setting counts where it is declared, and an old
run's keys stand still.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from scripted_runs import SMALL, files, finished_loop, scripted

from looptool_kit.config import Settings, deciding, with_overrides
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.records import Expansions, Probes, Verdicts
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.loop import Loop
from looptool_kit.policy.policy import Policy, untrained
from looptool_kit.report.plan import plan
from looptool_kit.run.folder import Run
from looptool_kit.run.keys import key
from looptool_kit.run.stage import Stage
from looptool_kit.stages.compose import sections
from looptool_kit.stages.compose import stage as compose_stage
from looptool_kit.stages.evaluate import held_out
from looptool_kit.stages.evaluate.stage import stage as evaluate_stage
from looptool_kit.stages.expand.stage import seeds_of
from looptool_kit.stages.expand.stage import stage as expand_stage
from looptool_kit.stages.probe import stages as probe_stages
from looptool_kit.stages.seed.stage import stage as seed_stage
from looptool_kit.stages.train.frontier import stage as frontier_stage
from looptool_kit.stages.train.stage import recipe
from looptool_kit.stages.verify.stage import stage as verify_stage

JUDGE = {"base_url": "http://localhost:8000/v1", "model": "judge"}
OTHERS = [{"base_url": "http://localhost:8001/v1", "model": "second"}]
DECIDES_NOTHING = {
    "preset": "its settings count, not its name",
    "iterations": "the pool is a stream",
    "seeds.fresh": "the samples count that it names",
    "evaluate.base": "whether the model is scored, not how",
}


def leaves(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any, bool]]:
    """(dotted name, value, machine fact) of every setting."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        machine = name in getattr(model, "machine", ())
        if isinstance(value, BaseModel) and not machine:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, machine


FULL = with_overrides(
    Settings(), judge_llm=JUDGE, generator_llm=JUDGE, jury__others=OTHERS, band__low=0.2, band__high=1.0
)
MACHINE = sorted(name for name, _, machine in leaves(FULL) if machine)
DECISIVE = sorted(name for name, _, machine in leaves(FULL) if not machine)
CHOICES = {
    "trainer": "unsloth",
    "engine": "vllm",
    "report_to": "tensorboard",
    "cluster.address": "127.0.0.1:6379",
    "policy_server": JUDGE,
    "compose.both_correct": "discard",
    "compose.unjudged": "discard",
    "seeds.source": "templates",
    "seeds.domains": ["calendar"],
    "expand.expanders": ["slots"],
    "synthesis.band": [0.1, 2.0],
    "probe.threshold": 1.5,
    "jury.confidence": 0.9,
    "sft.batch": 16,
    "sft.micro_batch": 2,
    "synthesis.turns": 5,
    "synthesis.reflect": 1,
    "verify.judge": "labels",
    "jury.others": [JUDGE],
    "seeds.fresh": [9, 9],
    "calls.most": 100,
    "targets.key_weight": 9,
    "targets.order": "easy_first",
    "preference.loss": "dpo",
    "preference.tokens": "all",
    "augment.perturbations": ["typos"],
    "augment.choice": "random",
    "augment.measure": "accuracy",
    "band.low": 0.1,
    "band.high": 2.0,
    "budget.tokens": [1000],
    "evolve.steps": [2, 3],
    "search.hops": [1, 2],
    "search.top": [1, 2],
    "search.patterns": ["direct"],
    "search.variants": 6,
    "reverse.pay": "uncertainty",
    "episodes.credit": "turn",
    "hardgen.second": "base",
    "hardgen.length": [3, 4],
    "procedural.inputs": [1, 3],
    "procedural.length": [2, 3],
    "procedural.distractors": [2, 3],
}


def other(name: str, value: Any) -> Any:
    """Another value for a setting."""
    if name in CHOICES:
        return CHOICES[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return value * 0.5 + 0.125
    return value * 2 + 6 if isinstance(value, int) else f"{value}x"


def changed(settings: Settings, name: str) -> Settings:
    value = dict((n, v) for n, v, _ in leaves(settings))[name]
    more: dict[str, Any] = {"jury__temperature": 0.5} if name == "jury.votes" else {}
    more |= {"episodes__progress": True} if name == "episodes.credit" else {}
    more |= {"band__low": None, "band__high": None} if name == "band.estimate" else {}
    return with_overrides(settings, **{name.replace(".", "__"): other(name, value)}, **more)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    scripted(monkeypatch)
    return finished_loop(tmp_path / "run")


# ------------------------------------------------- settings that decide nothing


@pytest.mark.parametrize(
    "name", [n for n in MACHINE if n.split(".")[0] not in ("judge_llm", "generator_llm")]
)
@pytest.mark.parametrize("trainer", ["trl", "unsloth"])
def test_a_machine_fact_redoes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trainer: str
) -> None:
    trained = scripted(monkeypatch)
    run = finished_loop(tmp_path / "run", trainer=trainer, iterations=1)
    before, count = files(run.path), len(trained)
    run.set(**{name.replace(".", "__"): other(name, dict((n, v) for n, v, _ in leaves(run.settings))[name])})
    assert {s.state for s in plan(run)} == {"done"}
    Loop(run, lambda _: None).run()
    assert files(run.path) == before and len(trained) == count


def test_no_key_sees_a_machine_fact_and_the_page_names_each() -> None:
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    words = page.partition("## Settings that say how this machine works")[2]
    for name in MACHINE:
        if name.split(".")[-1] not in Endpoint.machine:  # those are tried below
            assert deciding(changed(FULL, name), Settings.model_fields) == deciding(
                FULL, Settings.model_fields
            )
        section, _, setting = name.rpartition(".")
        model = section in ("judge_llm", "generator_llm")
        assert (
            f"`{name}`" in words
            or (f"`{setting}`" in words and (model or f"`{section}`" in words))
            or ("the two prices" in words and setting.startswith("price_"))
        ), name


@pytest.mark.parametrize("name", sorted(Endpoint.machine))
def test_how_a_model_is_reached_and_paid_is_no_part_of_what_it_said(name: str) -> None:
    names = ("judge_llm", "generator_llm", "jury")
    value = {"key_env": "OTHER_KEY"}.get(name, 7)
    for role in ("judge_llm", "generator_llm"):
        assert deciding(with_overrides(FULL, **{f"{role}__{name}": value}), names) == deciding(FULL, names)
    jury = with_overrides(FULL, jury__others=[OTHERS[0] | {name: value}])
    assert jury != FULL and deciding(jury, names) == deciding(FULL, names)
    for part in ("base_url", "model"):
        assert deciding(
            with_overrides(FULL, **{f"judge_llm__{part}": "http://elsewhere/v1"}), names
        ) != deciding(FULL, names)


def test_every_field_of_an_endpoint_is_a_machine_fact_or_decides() -> None:
    assert set(Endpoint.model_fields) == Endpoint.machine | {"base_url", "model"}


# -------------------------------------------------- settings that decide something


def declared(monkeypatch: pytest.MonkeyPatch, run: Run) -> set[str]:
    """The settings that the stages name, whatever the run is set to."""
    named: set[str] = set()

    def spy(settings: Settings, names: Any) -> dict[str, Any]:
        named.update(names := tuple(names))
        return deciding(settings, names)

    monkeypatch.setattr(import_module("looptool_kit.run.stage"), "deciding", spy)
    variants: list[dict[str, Any]] = [
        {},
        {"trainer": "unsloth"},
        {"grpo__steps_first": 1},
        {"sft__epochs": 1, "sft__epochs_later": 1, "sft__rehearsal": 0.5},
        {"verify__judge": "llm", "judge_llm": JUDGE},
        {"verify__judge": "llm", "generator_llm": JUDGE},
        {"probe__threshold": 1.0},
        {"expand__expanders": ["llm", "hardgen"]},
        {"expand__expanders": ["reverse"]},
        {"preference__epochs": 1, "preference__epochs_first": 1},
        {"augment__perturbations": ["typos"]},
        {"search__share": 0.5},
    ]
    plan(run)
    original = run.settings
    for variant in variants:
        run.settings = with_overrides(original, **variant)
        verify_stage(run, run.table(Probes, "probes", 1), 1)
        expand_stage(run, seeds_of(run, run.table(Verdicts, "verdicts", 1), 1), 1)
        probe_stages(run, Samples(), untrained(run.settings), 1)
        frontier_stage(run, Samples(), 1)
        for j in (1, 2):
            named.update(recipe(run.settings, j))
        named.update(sections(run.settings))
    (run.path / "tools.json").write_text('[{"name": "ping", "description": "Ping the server."}]')
    for source in ("world", "evolved", "procedural", "search", "templates", "trees", "a/file.jsonl"):
        run.settings = with_overrides(original, seeds__source=source)
        seed_stage(run)
    run.settings = with_overrides(original, band__low=0.1, band__high=2.0)
    seed_stage(run)
    run.settings = original
    return named


def test_every_setting_is_declared_by_a_stage_or_a_machine_fact(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = declared(monkeypatch, run)
    covered = {n for n in DECISIVE for m in named if n == m or n.startswith(f"{m}.")}
    assert sorted(set(DECISIVE) - covered) == sorted(DECIDES_NOTHING)


@pytest.mark.parametrize("name", [n for n in DECISIVE if n not in DECIDES_NOTHING])
def test_a_setting_that_decides_changes_what_its_stage_is_made_from(name: str) -> None:
    assert deciding(changed(FULL, name), [name.split(".")[0]]) != deciding(FULL, [name.split(".")[0]])


@pytest.mark.parametrize(
    ("name", "touches"),
    [
        ("sft.epochs", 1),
        ("sft.learning_rate", 1),
        ("grpo.steps_first", 1),
        ("sft.epochs_later", 2),
        ("sft.learning_rate_later", 2),
        ("grpo.steps", 2),
        ("preference.epochs_first", 1),
        ("preference.epochs", 2),
        ("frontier.prompts", 2),
    ],
)
def test_a_setting_of_some_iterations_counts_in_these_alone(name: str, touches: int) -> None:
    settings = Settings()
    one = with_overrides(
        settings, **{name.replace(".", "__"): other(name, dict((n, v) for n, v, _ in leaves(settings))[name])}
    )
    same = {j: deciding(one, recipe(one, j)) == deciding(settings, recipe(settings, j)) for j in (1, 2)}
    assert same == {touches: False, 3 - touches: True}


def test_a_phase_that_is_left_out_adds_nothing() -> None:
    none = with_overrides(Settings(), grpo__steps=0)
    assert deciding(with_overrides(none, grpo__group=99), recipe(none, 2)) == deciding(none, recipe(none, 2))
    none = with_overrides(Settings(), sft__epochs_later=0)
    assert deciding(with_overrides(none, sft__batch=40), recipe(none, 2)) == deciding(none, recipe(none, 2))


def test_a_later_slice_of_seed_samples_changes_no_earlier_dataset(run: Run) -> None:
    run.set(iterations=3, seeds__fresh=[4, 2, 5])
    before = files(run.path)
    Loop(run, lambda _: None).run()
    after = files(run.path)
    kept = {n for n in before if not n.startswith("seed/") and "/03/" not in n}
    assert {n: after[n] for n in kept} == {n: before[n] for n in kept}


# --------------------------------------------------------------- keys stand still


FROZEN_SETTINGS = json.loads("""{
  "seed": 3, "seeds": {"first": 24, "noise": 0.2, "domains": ["music"]}, "lora": {"rank": 8},
  "sft": {"epochs": 1, "learning_rate_later": 0.0002, "save_steps": 5}, "grpo": {"steps": 2, "group": 4},
  "probe": {"batch": 16, "quantile": 0.3}, "verify": {"judge": "llm"}, "jury": {"confidence": 0.7},
  "judge_llm": {"base_url": "http://localhost:8000/v1", "model": "judge", "retries": 2},
  "expand": {"most": 50}, "compose": {"hppl": 9}, "evaluate": {"max_new_tokens": 64}
}""")
FROZEN_SAMPLE = json.loads("""{
  "tools": [{"name": "set_timer", "description": "Set a timer.",
             "parameters": {"type": "object", "properties": {"minutes": {"type": "integer"}}}}],
  "messages": [{"role": "user", "content": "Wake me in ten minutes."}],
  "label": {"calls": [{"name": "set_timer", "arguments": {"minutes": 10}}]}
}""")
FROZEN_KEYS: dict[str, tuple[str, str]] = {
    "seed": ("d312edbd5eeffddd", "4b014586d870a09e"),
    "policy 1": ("d5d284cea900e3f4", "275e5e1bd20b225a"),
    "policy 2": ("cedb18c530ea0edf", "7fd1baf89d574cb0"),
    "probes_raw": ("3fc7b2217375329f", "3fc7b2217375329f"),
    "probes": ("4b806027c8b68828", "fe829d87b9062b48"),
    "verdicts": ("8aaa917e465156a1", "e89bf24d24ca2e9e"),
    "expansions": ("4a45346116b653e9", "99af37b2de0df910"),
    "composition": ("9fcc078b7565aae5", "56accf5315977989"),
    "scores": ("a91e11a6266a2c4d", "c5520c7098a0ff63"),
}
"""Stage -> its key under the default settings and under `FROZEN_SETTINGS`, as runs hold them: a change here
makes every finished run work again.
"""


def frozen_keys(settings: Settings, path: Path) -> dict[str, str]:
    """Stage -> its key on one sample that is asked about, failed by nobody and expanded to nothing."""
    run = Run(path, settings, read_only=True)
    samples = Samples([Sample.model_validate(FROZEN_SAMPLE)])
    samples.write(run.folder(1) / "samples.parquet")
    samples.write(run.folder(0) / "held_out.parquet")
    policy = Policy(name="base", iteration=0, model="embedded", key="base")
    raw, probes = probe_stages(run, samples, policy, 1)
    stages = {
        "seed": seed_stage(run),
        "policy 1": Stage(run, "policy", 1, [], recipe(settings, 1), samples=samples, policy="base"),
        "policy 2": Stage(run, "policy", 2, [], recipe(settings, 2), samples=samples, policy="base"),
        "probes_raw": raw,
        "probes": probes,
        "verdicts": verify_stage(run, Probes(), 1),
        "expansions": expand_stage(run, [], 1),
        "composition": compose_stage(run, Probes(), Verdicts(), Expansions(), {}, Samples(), 1),
        "scores": evaluate_stage(run, policy, held_out.category(run)),
    }
    return {name: stage.key for name, stage in stages.items()}


def test_the_keys_of_a_recorded_run_stand_still(tmp_path: Path) -> None:
    usual, own = (
        frozen_keys(Settings(), tmp_path),
        frozen_keys(Settings.model_validate(FROZEN_SETTINGS), tmp_path),
    )
    assert {name: (usual[name], own[name]) for name in usual} == FROZEN_KEYS


def test_what_is_at_its_default_adds_nothing() -> None:
    assert deciding(Settings(), Settings.model_fields) == {}
    stated = Settings.model_validate(json.loads(Settings().model_dump_json()))
    assert deciding(stated, Settings.model_fields) == {}
    sample = Sample.model_validate(FROZEN_SAMPLE)
    assert key(Samples([sample])) == key(Samples([Sample.model_validate_json(sample.model_dump_json())]))


def test_an_unknown_name_is_no_silent_hole_in_a_key() -> None:
    for name in ("sft.batches", "nonsense", "sft.save_steps"):
        with pytest.raises(ValueError, match=name):
            deciding(Settings(), [name])


def test_small_settings_are_the_ones_that_these_tests_run_on(run: Run) -> None:
    assert (
        all(s.state == "done" for s in plan(run))
        and run.iterations == [1, 2, 3]
        and SMALL["seeds__first"] == len(run.table(Samples, "samples", 1))
    )
