"""Which iteration a stage works on is said, not guessed; a read-only run is not written to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scripted_runs import files, go

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Expansions, Probes, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate.stage import develop
from looptool_kit.stages.seed.stage import seed

# ------------------------------------------------ an iteration is said, not guessed

Part = Callable[[Run, dict[str, Any]], object]
PARTS: dict[str, Part] = {
    "train on a part": lambda run, t: lt.train(run, t["samples"][:10]),
    "train on nothing": lambda run, t: lt.train(run, Samples()),
    "train on others": lambda run, t: lt.train(run, world.generate(4, seed=99)),
    "train on a part, iteration said": lambda run, t: lt.train(run, t["samples"][:10], iteration=1),
    "train on iteration 0": lambda run, t: lt.train(run, iteration=0),
    "probe iteration 0": lambda run, t: lt.probe(run, t["samples"], iteration=0),
    "probe a part": lambda run, t: lt.probe(run, t["samples"][:4]),
    "probe a part with its policy": lambda run, t: lt.probe(run, t["samples"][:4], policy_of(run, 1)),
    "probe a part, iteration said": lambda run, t: lt.probe(
        run, t["samples"][:4], policy_of(run, 1), iteration=1
    ),
    "probe with another policy": lambda run, t: lt.probe(run, t["samples"], policy_of(run, 2)),
    "verify a part": lambda run, t: lt.verify(run, t["failed"][:2]),
    "verify a part, iteration said": lambda run, t: lt.verify(run, t["failed"][:2], iteration=1),
    "verify nothing": lambda run, t: lt.verify(run, Probes()),
    "verify nothing, iteration said": lambda run, t: lt.verify(run, Probes(), iteration=1),
    "verify again a part": lambda run, t: lt.verify(run, t["failed"][:2], again=True),
    "verify two iterations": lambda run, t: lt.verify(run, t["probes"] + run.table(Probes, "probes", 2)),
    "expand a part": lambda run, t: lt.expand(run, t["verdicts"][:1]),
    "expand a part, iteration said": lambda run, t: lt.expand(run, t["verdicts"][:1], iteration=1),
    "compose a part of the probes": lambda run, t: lt.compose(
        run, t["probes"][:3], t["verdicts"], t["expanded"]
    ),
    "compose a part of the verdicts": lambda run, t: lt.compose(
        run, t["probes"], t["verdicts"][:1], t["expanded"]
    ),
    "compose a part of the children": lambda run, t: lt.compose(
        run, t["probes"], t["verdicts"], t["expanded"][:1]
    ),
    "compose a part, iteration said": lambda run, t: lt.compose(
        run, t["probes"][:3], t["verdicts"], t["expanded"], iteration=1
    ),
    "train on a dataset, another iteration said": lambda run, t: lt.train(run, t["third"], iteration=1),
    "train on a doubled dataset": lambda run, t: lt.train(run, t["samples"] + t["samples"]),
    "train on a doubled dataset, iteration said": lambda run, t: lt.train(
        run, t["samples"] + t["samples"], iteration=1
    ),
    "train on a dataset with a row twice": lambda run, t: lt.train(run, t["samples"] + t["samples"][:1], 1),
    "train on a part twice": lambda run, t: lt.train(run, t["samples"][:10] + t["samples"][:10], 1),
    "probe a dataset, another iteration said": lambda run, t: lt.probe(run, t["third"], iteration=1),
    "probe a doubled dataset": lambda run, t: lt.probe(run, t["samples"] + t["samples"], iteration=1),
    "verify doubled probes": lambda run, t: lt.verify(run, t["probes"] + t["probes"]),
    "verify a probe twice, iteration said": lambda run, t: lt.verify(run, t["failed"] + t["failed"][:1], 1),
    "verify, another iteration said": lambda run, t: lt.verify(run, t["probes"], iteration=2),
    "expand doubled verdicts": lambda run, t: lt.expand(run, t["verdicts"] + t["verdicts"]),
    "expand a verdict twice, iteration said": lambda run, t: lt.expand(
        run, t["verdicts"] + t["verdicts"][:1], iteration=1
    ),
    "expand, another iteration said": lambda run, t: lt.expand(run, t["verdicts"], iteration=2),
    "expand the verdict on a row that is not there": lambda run, t: lt.expand(
        run, t["verdicts"] + [t["verdicts"][0].model_copy(update={"sample_id": "gone"})]
    ),
    "compose doubled probes": lambda run, t: lt.compose(run, t["probes"] + t["probes"]),
    "compose doubled verdicts": lambda run, t: lt.compose(run, verdicts=t["verdicts"] + t["verdicts"][:1]),
    "compose doubled children": lambda run, t: lt.compose(run, expanded=t["expanded"] + t["expanded"]),
    "compose, another iteration said": lambda run, t: lt.compose(
        run, t["probes"], t["verdicts"], t["expanded"], iteration=2
    ),
    "compose two iterations": lambda run, t: lt.compose(
        run, t["probes"], run.table(Verdicts, "verdicts", 2), t["expanded"]
    ),
}


def tables(run: Run) -> dict[str, Any]:
    probes = run.table(Probes, "probes", 1)
    return {
        "samples": run.table(Samples, "samples", 1),
        "third": run.table(Samples, "samples", 3),
        "probes": probes,
        "failed": probes.where(lambda p: p.state == "failed"),
        "verdicts": run.table(Verdicts, "verdicts", 1),
        "expanded": run.table(Expansions, "expansions", 1),
    }


@pytest.mark.parametrize("call", PARTS.values(), ids=PARTS)
def test_a_part_of_a_stages_input_is_an_error_that_says_what_to_do(
    run: Run, trained: list[int], call: Part
) -> None:
    before, given = files(run.path), tables(run)
    assert len(given["failed"]) > 2 and len(given["verdicts"]) > 1 and len(given["expanded"]) > 1
    with pytest.raises(ValueError, match=r"iteration=|a run of its own"):
        call(run, given)
    assert files(run.path) == before and trained == []


def test_whole_tables_mean_their_iteration_and_do_nothing_again(run: Run, trained: list[int]) -> None:
    before = files(run.path)
    given = tables(run)
    assert lt.train(run, given["samples"]).name == "D1"
    assert lt.probe(run, given["samples"], policy_of(run, 1)) == given["probes"]
    assert lt.verify(run, given["probes"]) == lt.verify(run, given["failed"]) == given["verdicts"]
    assert lt.expand(run, given["verdicts"]) == given["expanded"]
    assert lt.compose(run, given["probes"], given["verdicts"], given["expanded"]) == run.table(
        Samples, "samples", 2
    )
    assert lt.compose(run, verdicts=given["verdicts"]) == run.table(Samples, "samples", 2)
    assert files(run.path) == before and trained == []


def test_reordered_tables_are_the_runs_own_and_do_nothing_again(run: Run, trained: list[int]) -> None:
    before, given = files(run.path), tables(run)
    turned = {name: type(table)(table.rows[::-1]) for name, table in given.items()}
    assert all(turned[name] != given[name] for name in given)
    for more in ({}, {"iteration": 1}):
        assert lt.train(run, turned["samples"], **more).name == "D1"
        assert lt.probe(run, turned["samples"], **more) == given["probes"]
        assert lt.verify(run, turned["probes"], **more) == given["verdicts"]
        assert lt.verify(run, turned["failed"], **more) == given["verdicts"]
        assert lt.expand(run, turned["verdicts"], **more) == given["expanded"]
        composed = lt.compose(run, turned["probes"], turned["verdicts"], turned["expanded"], **more)
        assert composed == run.table(Samples, "samples", 2)
    assert files(run.path) == before and trained == []


def test_probes_of_other_samples_are_named(run: Run) -> None:
    gone = run.table(Probes, "probes", 1)[0].model_copy(update={"sample_id": "gone", "state": "failed"})
    with pytest.raises(ValueError, match="not in D1.*gone.*probe D1 again"):
        lt.verify(run, run.table(Probes, "probes", 1) + [gone])


# -------------------------------------------------------- a run opened to look at

WRITES: dict[str, tuple[dict[str, Any], Callable[[Run], object]]] = {
    "seed": ({"seeds__noise": 0.4}, seed),
    "longer pool": ({"iterations": 6}, seed),
    "train": ({"sft__learning_rate": 1e-5}, lambda run: lt.train(run, iteration=1)),
    "probe": ({"probe__max_new_tokens": 5}, lambda run: lt.probe(run, iteration=1)),
    "states": ({"probe__quantile": 0.9}, lambda run: lt.probe(run, iteration=1)),
    "verify": ({"verify__judge": "labels"}, lambda run: lt.verify(run, iteration=1)),
    "verify again": ({}, lambda run: lt.verify(run, iteration=1, again=True)),
    "expand": ({"expand__children": 2}, lambda run: lt.expand(run, iteration=1)),
    "expand again": ({}, lambda run: lt.expand(run, iteration=1, again=True)),
    "compose": ({"compose__hppl": 1}, lambda run: lt.compose(run, iteration=1)),
    "evaluate": ({"evaluate__max_new_tokens": 5}, lambda run: lt.evaluate(run, policy_of(run, 1))),
    "develop": ({"evaluate__max_new_tokens": 5}, lambda run: develop(run, policy_of(run, 1))),
    "loop": ({"probe__quantile": 0.9}, go),
}


@pytest.mark.parametrize(("change", "call"), WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("how", ["read_only", "closed"])
def test_no_stage_writes_to_a_run_opened_to_look_at(
    run: Run, trained: list[int], change: dict[str, Any], call: Callable[[Run], object], how: str
) -> None:
    run.set(**change)
    run.close()
    looking = Run.open(run.path, read_only=True) if how == "read_only" else run
    before = files(run.path)
    with pytest.raises(RunError, match=r"read-only.*Run\.open"):
        call(looking)
    assert files(run.path) == before and trained == []


def test_tables_of_an_earlier_dataset_are_named_and_no_traceback(run: Run) -> None:
    run.set(seeds__noise=0.5)
    seed(run)  # another D1; its probes and verdicts are still of the earlier one
    before = files(run.path)
    for call in (lambda: lt.expand(run, iteration=1), lambda: lt.compose(run, iteration=1)):
        with pytest.raises(RunError, match=r"is of another D1 than is there now: probe .*again"):
            call()
    left = {name: content for name, content in files(run.path).items() if ".tries." not in name}
    assert left == before, "a stopped try leaves its seconds alone"
