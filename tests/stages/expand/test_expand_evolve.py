"""The `evolve` expander: the seed's words over other tools, on any sample."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from looptool_kit.augment.evolve import Buffer
from looptool_kit.checks.rules import passes
from looptool_kit.core.records import Verdicts
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand.evolve import EXACT_LABELS, children
from looptool_kit.stages.expand.stage import expand, seeds_of, stage
from looptool_kit.world import generate

RECORDED = Path(__file__).parents[3] / "sample_data" / "run"


def test_children_of_any_sample() -> None:
    pool = generate(40, seed=7)
    tool = Tool(
        name="reserve_court",
        description="Reserve a court.",
        parameters={
            "type": "object",
            "properties": {
                "court": {"type": "string"},
                "hours": {"type": "integer"},
                "day": {"type": "string"},
            },
            "required": ["court"],
        },
    )
    own = Sample(
        tools=(tool,),
        messages=(Message(role="user", content='Reserve "Court 9" for 3 hours.'),),
        label=Label(calls=(ToolCall(name="reserve_court", arguments={"court": "Court 9", "hours": 3}),)),
    )
    assert EXACT_LABELS
    for sample in (own, *pool[:10]):
        made = children(sample, 6, Random(1), Buffer(64, [t for s in pool for t in s.tools]), (1, 3))
        good = [c.sample for c in made if c.sample and all(check.passed for check in c.checks)]
        assert len(made) == 6 and len(good) >= 4, sample.label
        assert len({s.id for s in good} | {sample.id}) == len(good) + 1
        for child in good:
            assert child.parent == sample.id and child.strategy == "expanders.evolve" and passes(child)
            assert child.split == sample.split and child.request.startswith(
                sample.request.rstrip().rstrip(".")
            )


def test_tools_that_the_label_does_not_call_stay() -> None:
    sample = next(s for s in generate(40, seed=7) if len(s.label.calls) == 1 and len(s.tools) > 1)
    called = sample.label.calls[0].name
    for candidate in children(sample, 6, Random(3), Buffer(0, sample.tools), (1, 1)):
        joined = candidate.sample and any("join_tools" in str(a) for a in candidate.sample.meta["evolved"])  # type: ignore
        rest = [t for t in sample.tools if t.name != called]
        assert candidate.sample and (joined or all(t in candidate.sample.tools for t in rest))


def test_the_stage_takes_them_and_only_then_asks_for_its_settings(tmp_path: Path) -> None:
    shutil.copytree(RECORDED, tmp_path / "run", ignore=shutil.ignore_patterns("policy"))
    run = Run.open(tmp_path / "run")
    seeds = seeds_of(run, run.table(Verdicts, "verdicts", 1), 1)
    key = stage(run, seeds, 1).key
    run.set(evolve__steps=[2, 2])
    assert stage(run, seeds, 1).key == key, "without the expander its settings decide nothing"
    run.set(expand__expanders=["evolve"])
    two = stage(run, seeds, 1).key
    rows = expand(run, iteration=1)
    accepted = [r for r in rows if r.accepted]
    assert len({r.seed_id for r in accepted}) == len(seeds) and {r.strategy for r in rows} == {
        "expanders.evolve"
    }
    assert all(len({c.name for c in r.checks} & {"novelty", "grounding"}) == 2 for r in rows)
    first = {r.sample.id for r in rows}
    run.set(evolve__steps=[1, 3])
    assert stage(run, seeds, 1).key != two
    assert {r.sample.id for r in expand(run, iteration=1)} != first
    assert Samples(r.sample for r in accepted).by_id().keys().isdisjoint(s.sample.id for s in seeds)
