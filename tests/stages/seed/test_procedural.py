"""The source and the expander `procedural`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from looptool_kit import world
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand.procedural import children
from looptool_kit.stages.seed.stage import seed
from looptool_kit.world.procedural import Procedural, generate, tools_of
from looptool_kit.world.procedural.tools import pool

SMALL = {"seeds__source": "procedural", "seeds__first": 40, "seeds__fresh": [10], "seeds__held_out": 12}


def made(folder: Path, **settings: object) -> tuple[Run, Samples]:
    run = Run.create(folder, **{**SMALL, **settings})
    seed(run)
    return run, run.table(Samples, "pool", 0)


def test_seed_data_with_planted_errors_and_a_split_of_unseen_types(tmp_path: Path) -> None:
    run, rows = made(tmp_path / "run", seeds__noise=0.2, seeds__development=5)
    assert len(rows) == 60 and {s.source for s in rows} == {"procedural"}
    truth = run.table(Truths, "truth", 0)
    assert len(truth) == pytest.approx(12, abs=3)
    held_out = run.table(Samples, "held_out", 0)
    splits = Counter(s.split for s in held_out)
    assert splits == {"unseen_values": 12, "unseen_phrasings": 12, "unseen_tools": 12, "unseen_types": 12}
    how = Procedural(seed=run.settings.seed)
    train, other = ({s.spec.name for s in pool(tools_of(how), split)} for split in ("train", "unseen_types"))
    assert {t.name for s in rows for t in s.tools} <= train
    assert {t.name for s in held_out if s.split == "unseen_types" for t in s.tools} <= other
    development = run.table(Samples, "development", 0)
    assert len(development) == 5 and not {s.id for s in development} & {s.id for s in rows}


def test_it_is_scored_on_the_worlds_samples_and_a_longer_pool_begins_as_a_shorter(tmp_path: Path) -> None:
    run, rows = made(tmp_path / "a")
    _, more = made(tmp_path / "b", seeds__fresh=[25])
    assert [s.id for s in more][: len(rows)] == [s.id for s in rows]
    plain, _ = made(tmp_path / "c", seeds__source="world")
    own, others = (r.table(Samples, "held_out", 0) for r in (run, plain))
    assert [s.id for s in own if s.split != "unseen_types"] == [s.id for s in others]


def test_settings_that_allow_no_plan_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="raise procedural.inputs"):
        made(tmp_path / "run", procedural__inputs=[0, 1], procedural__unions=False, procedural__tools=5000)


def test_children_have_the_shape_of_their_error_seed() -> None:
    how = Procedural()
    seeds = [*world.generate(60, seed=8), *generate(60, 8, how)]
    count = Counter[str]()
    for n, sample in enumerate(seeds):
        rows = children(sample, 2, Random(n), how)
        assert len({r.id for r in rows} | {sample.id}) == len(rows) + 1
        for row in rows:
            assert row.parent == sample.id and row.strategy == "expanders.procedural"
            assert len(row.label.calls) == len(sample.label.calls) and row.label.asks == sample.label.asks
            assert (row.messages[-1].role == "tool") == (
                sample.messages[-1].role == "tool"
            ) or row.label.calls
            count[sample.kind] += 1
        if sample.kind == "decline":
            assert not rows
    assert {"single", "parallel", "ask", "finish", "multi_step"} <= count.keys()
