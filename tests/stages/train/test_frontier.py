"""The frontier: rollouts of a sample by hand, GRPO's own used again, and what the table decides."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import SMALL, Scripted, files, go

from looptool_kit.core.grading import consistency
from looptool_kit.core.records import Expansions, Frontier, Measured, Members, Probes, Rollout, Rollouts
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import parse, render_answer
from looptool_kit.lineage.error_seeds import INCONSISTENT, inconsistent_seeds
from looptool_kit.lineage.fates import fates
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.report.plan import plan
from looptool_kit.run.folder import Run
from looptool_kit.stages.train.frontier import chosen, frontier, measure, place_of
from looptool_kit.stages.train.stage import stage as train_stage
from looptool_kit.widgets import ExpansionView, ProbeView


def call(name: str, **arguments: Any) -> str:
    return render_answer(Label(calls=(ToolCall(name=name, arguments=arguments),)))


A, B, C, UNPARSABLE = call("a", x=1), call("b"), call("c"), "<tool_call>{"
SAMPLE = Sample(
    tools=tuple(Tool(name=name) for name in "abc"),
    messages=(Message(role="user", content="do a"),),
    label=Label(calls=(ToolCall(name="a", arguments={"x": 1}),)),
)


def rollouts(*texts: str, sample: Sample = SAMPLE) -> list[Rollout]:
    return [Rollout(step=1, sample_id=sample.id, text=t, finish_reason="stop", reward=0.0) for t in texts]


# ---------------------------------------------------------------- by hand


def test_eight_rollouts_by_hand() -> None:
    row = measure(SAMPLE, rollouts(A, A, A, A, B, B, C, UNPARSABLE))
    assert (row.n, row.pass_rate, row.agreement, row.place) == (8, 0.5, 0.5, "zone")
    assert row.entropy == pytest.approx(1.213, abs=5e-4)
    assert row.reward_mean == 0.5 and row.variance == 0.25
    assert row.inconsistent and not row.inconsistent_without_label


def test_the_reward_of_the_settings_is_measured_and_the_pass_rate_stays() -> None:
    row = measure(SAMPLE, rollouts(A, B, UNPARSABLE, A), "graded")
    assert row.reward_mean == pytest.approx((1 - 1.5 - 2 + 1) / 4) and row.pass_rate == 0.5


def test_what_does_not_parse_agrees_with_nothing() -> None:
    agreement, entropy = consistency([parse(UNPARSABLE)] * 4)
    assert agreement == 0 and entropy == pytest.approx(1.386, abs=5e-4)


def test_order_of_calls_and_words_of_replies_make_no_class() -> None:
    assert consistency([parse(A + B), parse(B + A)]) == (1.0, 0.0)
    assert consistency([parse("No."), parse("I cannot do that.")]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("rate", "place"),
    [
        (0, "below"),
        (1 / 8, "below"),
        (0.2, "zone"),
        (0.85, "zone"),
        (7 / 8, "above"),
        (0.95, "above"),
        (1, "retired"),
    ],
)
def test_places(rate: float, place: str) -> None:
    assert place_of(rate) == place


def test_eight_rollouts_are_in_the_zone_with_two_to_six_right() -> None:
    assert [n for n in range(9) if place_of(n / 8) == "zone"] == [2, 3, 4, 5, 6]


def test_the_commonest_fault_is_kept() -> None:
    row = measure(SAMPLE, rollouts(A, UNPARSABLE, call("a", x=2), call("a", x=3), A))
    assert row.wrong == call("a", x=2) and str(row.faults[0]) == "wrong value at a.x: 2 instead of 1"
    assert measure(SAMPLE, rollouts(A, A)).faults == ()


# ---------------------------------------------------------- GRPO's prompts


def numbered(number: int, parent: str | None = None) -> Sample:
    words = (Message(role="user", content=str(number)),)
    return SAMPLE.model_copy(update={"messages": words, "parent": parent})


def row(sample: Sample, rate: float) -> Measured:
    about = {"sample_id": sample.id, "n": 8, "pass_rate": rate, "place": place_of(rate)}
    return Measured(reward_mean=rate, variance=0, agreement=1, entropy=0, **about)


def test_the_zone_comes_first_and_what_is_always_right_retires() -> None:
    rates = {0: 1.0, 1: 0.0, 2: 0.5, 3: 0.9, 5: 0.25}
    samples = [numbered(n) for n in range(6)]
    child = numbered(6, parent=samples[2].id)
    measured = Frontier(row(samples[n], rate) for n, rate in rates.items())
    kept, places = chosen(Samples([*samples, child]), measured)
    # 4 was not measured; the child counts as its parent.
    assert [s.request for s in kept] == ["2", "5", "6", "4", "1", "3"]
    assert places == {"retired": 1, "below": 1, "zone": 3, "above": 1, "unmeasured": 1}


def test_retired_samples_alone_are_better_than_none() -> None:
    samples = Samples([numbered(0), numbered(1)])
    kept, _ = chosen(samples, Frontier(row(s, 1.0) for s in samples))
    assert kept == samples


def test_without_a_table_the_order_is_as_it_was() -> None:
    samples = Samples([numbered(1), numbered(0)])
    assert chosen(samples, None) == (samples, {})


# -------------------------------------------------------------- error seeds


def test_failed_samples_are_left_to_their_verdict(run: Run) -> None:
    """Their label may be what is wrong."""
    samples, probes = run.table(Samples, "samples", 1), run.table(Probes, "probes", 1)
    table = [measure(s, rollouts(A, A, render_answer(s.label), sample=s)) for s in samples]
    found = inconsistent_seeds(samples, probes, table)
    right = [p.sample_id for p in probes if p.correct]
    assert right and [seed.sample.id for seed in found] == right
    assert {seed.verdict.rationale for seed in found} == {"inconsistent: right in 1 of 3 rollouts"}
    assert all(seed.probe.faults and not seed.probe.answer.error for seed in found)


# ----------------------------------------------------------------- the stage


class Sampled(Scripted):
    """Half of the rollouts are right for the first samples of each batch, all for the others."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.dies = 0

    def generate(self, chats: Sequence[Sample], sampling: Sampling) -> list[list[Completion]]:  # type: ignore[override]
        self.asked.append([s.id for s in chats])
        if len(self.asked) == self.dies:
            raise KeyboardInterrupt
        return [[self.draw(s, at, k) for k in range(sampling.n)] for at, s in enumerate(chats)]

    def draw(self, sample: Sample, at: int, k: int) -> Completion:
        label = Label(reply="Who knows?" if sample.label.calls else "") if k % 2 and at < 3 else sample.label
        return Completion(render_answer(label), (1, 2, 3), (-0.5,) * 3, ("a",) * 3, "stop")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Sampled:
    made = Sampled()
    stage = import_module("looptool_kit.stages.train.frontier")
    monkeypatch.setattr(stage, "open_engine", lambda policy, batch: made)
    return made


def test_grpos_own_rollouts_are_used_where_there_are_four(run: Run, engine: Sampled) -> None:
    first, second, third, *_ = run.table(Samples, "samples", 1)
    place = run.folder(1) / "policy" / "grpo" / "rollouts"
    wrong = [UNPARSABLE] * 3
    rows = [
        *rollouts(render_answer(first.label), *wrong, sample=first),
        *rollouts(*wrong, sample=second),
        *rollouts(*wrong * 2, sample=third),
    ]
    Rollouts(rows).write(place / "step-0001.parquet")
    last = rollouts(render_answer(third.label), *wrong, sample=third)
    Rollouts(last).write(place / "step-0002.parquet")
    table = {r.sample_id: r for r in frontier(run, 1)}
    asked = {i for batch in engine.asked for i in batch}
    assert asked == set(table) - {first.id, third.id}
    # Of a sample that was asked twice the last step counts.
    assert [(table[s.id].n, table[s.id].pass_rate) for s in (first, third)] == [(4, 0.25)] * 2
    manifest = run.manifest("frontier", 1)
    assert manifest["of_grpo"] == 2 and manifest["generated"] == len(asked) * 8 * 3
    assert manifest["rows"] == len(table) == len(run.table(Samples, "samples", 1))


def test_rollouts_at_another_temperature_are_none_of_these(run: Run, engine: Sampled) -> None:
    first = run.table(Samples, "samples", 1)[0]
    place = run.folder(1) / "policy" / "grpo" / "rollouts"
    Rollouts(rollouts(*["?"] * 4, sample=first)).write(place / "step-0001.parquet")
    run.set(frontier__temperature=0.7)
    frontier(run, 1)
    assert first.id in {i for batch in engine.asked for i in batch}


def test_a_killed_stage_asks_nothing_twice(run: Run, engine: Sampled) -> None:
    engine.dies = 2
    with pytest.raises(KeyboardInterrupt):
        frontier(run, 1)
    assert run.manifest("frontier", 1) is None
    engine.dies = 0
    table = frontier(run, 1)
    first, lost, *rest = engine.asked
    assert rest[0] == lost and not {*first} & {i for batch in rest for i in batch}
    count = len(engine.asked)
    assert frontier(run, 1) == table and len(engine.asked) == count


def test_what_the_table_does_not_come_from_redoes_nothing(run: Run, engine: Sampled) -> None:
    frontier(run, 1)
    count = len(engine.asked)
    run.set(frontier__prompts=True, frontier__seeds=True, expand__children=3)
    frontier(run, 1)
    assert len(engine.asked) == count
    run.set(frontier__n=4)
    assert {r.n for r in frontier(run, 1)} == {4} and len(engine.asked) > count


# ------------------------------------------------------------------ the loop


@pytest.fixture
def measured_run(tmp_path: Path, trained: list[int], engine: Sampled) -> Run:
    switches = {"frontier__prompts": True, "frontier__seeds": True, "iterations": 2, "grpo__steps": 1}
    run = Run.create(tmp_path / "measured", "cpu-quick", **(SMALL | switches))
    go(run)
    return run


def test_inconsistent_samples_are_seeds_of_expansion_and_stay(measured_run: Run) -> None:
    run = measured_run
    table = {r.sample_id: r for r in run.table(Frontier, "frontier", 1)}
    right = {p.sample_id for p in run.table(Probes, "probes", 1) if p.correct}
    hard = {i for i in right if table[i].inconsistent}
    assert hard and hard < right
    members = {m.sample_id: m for m in run.table(Members, "members", 2)}
    assert all(members[i].part == "ES" and members[i].why.startswith("inconsistent: ") for i in hard)
    assert {m.sample_id for m in members.values() if m.why.startswith("inconsistent")} == hard
    children = {e.seed_id for e in run.table(Expansions, "expansions", 1) if e.accepted}
    assert children & hard
    known = {f.sample_id: f for f in fates(run) if f.iteration == 1}
    assert {known[i].fate for i in hard} == {"error seed"} and not any(known[i].outdated for i in hard)
    assert run.manifest("expansions", 1)["seeds"] == len([m for m in members.values() if m.part == "ES"])


def test_a_measured_loop_is_done_when_it_is_done(measured_run: Run, trained: list[int]) -> None:
    run = measured_run
    steps = plan(run)
    assert {s.state for s in steps} == {"done"}
    assert [s.iteration for s in steps if s.name == "frontier"] == [1, 2]
    before, count = files(run.path), len(trained)
    go(run)
    assert files(run.path) == before and len(trained) == count


def test_prompts_make_the_next_policy_depend_on_the_table(measured_run: Run) -> None:
    run = measured_run
    samples = {j: run.table(Samples, "samples", j) for j in (1, 2)}
    made = {j: train_stage(run, samples[j], j).made_from for j in (1, 2)}
    assert "frontier" in made[2] and "frontier" not in made[1]
    run.set(frontier__prompts=False)
    assert "frontier" not in train_stage(run, samples[2], 2).made_from


def test_nothing_is_measured_by_default(run: Run, engine: Sampled) -> None:
    go(run)
    assert not engine.asked and not list(run.path.glob("iterations/*/frontier*"))
    assert "frontier" not in {s.name for s in plan(run)}
    assert "frontier" not in ProbeView(run).rows.names


def test_the_views_show_what_was_measured(measured_run: Run) -> None:
    view = ProbeView(measured_run, iteration=1)
    table = {r.sample_id: r for r in measured_run.table(Frontier, "frontier", 1)}
    assert {"frontier", "pass rate"} <= set(view.rows.names)
    view.filters = {"iteration": "1", "frontier": "inconsistent"}
    assert {s.id for s in view.selection} == {i for i, r in table.items() if r.inconsistent}
    view.filters = {"iteration": "1", "frontier": "retired"}
    assert {s.id for s in view.selection} == {i for i, r in table.items() if r.place == "retired"}
    assert {view.rows.cell("pass rate", i) for i in view.order} == {"1.00"}
    seeds = ExpansionView(measured_run, iteration=1).seeds
    assert any(seed.verdict.judge == INCONSISTENT for seed in seeds)
