"""Whatever a person does in whatever order: each finished result is still in the folder afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import files, finished_loop, go

import looptool_kit as lt
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Expansions, Probes, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.loop import Loop
from looptool_kit.report.plan import plan
from looptool_kit.report.summary import report_run
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed.stage import seed

SETTINGS: dict[str, list[Any]] = {
    "iterations": [1, 2, 3],
    "seeds__fresh": [[4, 2], [1], [6, 5, 4]],
    "seeds__noise": [0.2, 0.4],
    "sft__learning_rate": [1e-3, 1e-5],
    "sft__learning_rate_later": [5e-4, 1e-6],
    "probe__quantile": [0.3, 0.9],
    "probe__max_new_tokens": [160, 5],
    "verify__judge": ["evidence", "labels"],
    "expand__children": [0, 1, 2],
    "compose__hppl": [3, 1],
    "evaluate__max_new_tokens": [160, 7],
    "evaluate__base": [True, False],
}
TABLES: dict[str, Any] = {
    "samples": Samples,
    "probes": Probes,
    "verdicts": Verdicts,
    "expansions": Expansions,
}
STAGES: dict[str, Callable[..., object]] = {
    "samples": lt.train,
    "probes": lt.verify,
    "verdicts": lt.expand,
    "expansions": lambda run, table, **more: lt.compose(run, expanded=table, **more),
}


def some(run: Run, rng: random.Random) -> object:
    """One thing that a person may do."""
    what = rng.choice(
        ["set", "set", "set", "go", "step", "stage", "stage", "stage", "decide", "open", "seed"]
    )
    if what == "set":
        name = rng.choice(list(SETTINGS))
        return run.set(**{name: rng.choice(SETTINGS[name])})
    if what == "go":
        return go(run)
    if what == "seed":
        return seed(run)
    j = rng.choice([1, 2, 3])
    if what == "step":
        return Loop(run, lambda _: None).step(j)
    if what == "decide":
        rows = [v.sample_id for v in run.table(Verdicts, "verdicts", j)]
        return run.decide("verdict", rng.choice(rows), rng.choice(["PRED_WRONG", "BOTH_WRONG", "undo"]))
    name = rng.choice(list(STAGES))
    rows = list(run.table(TABLES[name], name, j))
    change = rng.choice(["whole", "part", "doubled", "turned", "empty", "mixed"])
    rows = {
        "whole": rows,
        "part": rows[: len(rows) // 2],
        "doubled": rows + rows[:1],
        "turned": rows[::-1],
        "empty": [],
        "mixed": rows + list(run.table(TABLES[name], name, 3 - min(j, 2))),
    }[change]
    more = rng.choice([{}, {"iteration": 1}, {"iteration": 2}])
    return STAGES[name](run, TABLES[name](rows), **more)


def finished(run: Run) -> dict[str, bytes]:
    """The tables and weights that manifests stand for."""
    return {n: c for n, c in files(run.path).items() if n.endswith((".parquet", "weights"))}


@pytest.mark.parametrize("number", [*range(4), 20])
def test_no_order_of_doings_loses_a_finished_result(tmp_path: Path, trained: list[int], number: int) -> None:
    rng, run = random.Random(number), finished_loop(tmp_path / "run")
    for step in range(14):
        before = finished(run)
        with suppress(ValueError, RunError, IndexError):
            some(run, rng)
        plan(run)
        after = set(finished(run).values())
        lost = [name for name, content in before.items() if content not in after]
        # A pool that is made longer holds what was drawn before.
        assert [n for n in lost if n not in ("seed/pool.parquet", "seed/truth.parquet")] == [], step
        if rng.random() < 0.2:
            run.close()
            run = Run.open(run.path)
    report_run(run)
