"""`looptool compare` and `ablate`: arms that differ in one thing, one D1, one budget, resume, the estimate.

The policy is scripted: nothing trains.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Members, Probes, Scores, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.lineage.fates import fates, flows
from looptool_kit.run.folder import Run
from looptool_kit.stages.train.budget import spent
from looptool_kit.studies.arms import ARMS, CONTROL, FULL, Arm
from looptool_kit.studies.compare import Comparison, collect, compare, folder
from looptool_kit.studies.outcomes import Outcomes, summarise
from looptool_kit.studies.page import text

SMALL: dict[str, Any] = {
    **{
        "seeds__first": 24,
        "iterations": 2,
        "seeds__fresh": [4, 2],
        "seeds__held_out": 4,
        "seeds__noise": 0.3,
        "compose__hppl": 3,
        "probe__quantile": 0.3,
    },
    **{"expand__children": 2, "expand__most": 30, "evaluate__base": False},
}


def ablate(
    root: Path,
    preset: str,
    seeds: list[int],
    only: list[str] | None = None,
    say: Callable[[str], None] = print,
    **settings: Any,
) -> Outcomes:
    """What `looptool ablate` runs."""
    wanted = None if only is None else tuple(only)
    return compare(Comparison(root, ARMS, preset, tuple(seeds), 0, settings, wanted, "ablation"), say=say)


@pytest.fixture
def said() -> list[str]:
    return []


def manifests(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("*.json")}


def test_arms_share_the_warm_start_and_differ_only_where_they_should(
    tmp_path: Path, trained: list[tuple[str, int]], said: list[str]
) -> None:
    found = ablate(tmp_path, "cpu-quick", [0], say=said.append, **SMALL)
    runs = {arm: Run.open(folder(tmp_path, "cpu-quick", 0, arm), read_only=True) for arm in ARMS}
    full = runs[FULL]
    assert Counter(trained) == Counter(
        [("cpu-quick-0", 1), *((r.path.name, j) for r in runs.values() for j in (2, 3))]
    ), "one warm start for all"
    assert all(start(run) == start(full) for run in runs.values())
    assert all(probes(run) == probes(full) for arm, run in runs.items() if arm != CONTROL)
    assert not (runs[CONTROL].folder(1) / "probes.parquet").exists(), "what it does not use is not counted"
    weights = {(r.folder(1) / "policy/sft/adapter/weights").read_text() for r in runs.values()}
    assert weights == {"cpu-quick-0 1"}

    flat = {arm: flattened(run.settings.model_dump()) for arm, run in runs.items()}
    budget = {CONTROL: {"budget__tokens": tuple(spent(full, j).total for j in (2, 3))}}
    assert {arm: {k: v for k, v in values.items() if flat[FULL][k] != v} for arm, values in flat.items()} == {
        arm: {k: tuple(v) if isinstance(v, list) else v for k, v in ARMS[arm].changes.items()}
        | budget.get(arm, {})
        for arm in ARMS
    }  # what is asked for is what differs

    members = {arm: run.table(Members, "members", 2) for arm, run in runs.items() if arm != CONTROL}
    rows = {arm: run.table(Samples, "samples", 2) for arm, run in runs.items()}
    parts = Counter(m.part for m in members[FULL])
    assert parts["ES"] and parts["EE"] and parts["HPPL"] and parts["seed"], "the script leaves nothing out"
    assert list(members["no-hppl"]) == [m for m in members[FULL] if m.part != "HPPL"]
    assert list(members["no-edde"]) == [m for m in members[FULL] if m.part != "EE"]

    judged = {v.verdict for v in full.table(Verdicts, "verdicts", 1)}
    unverified = runs["no-jglv"].table(Verdicts, "verdicts", 1)
    assert "LABEL_WRONG" in judged and {v.verdict for v in unverified} == {"PRED_WRONG"}
    own = {s.id for s in rows[FULL] if s.parent is None}
    taken = {m.sample_id for m in members["no-jglv"] if m.part == "ES"}
    assert (
        taken == {v.sample_id for v in unverified}
        and taken <= set(full.table(Samples, "samples", 1).by_id())
        and own
    )

    again = Counter(m.sample_id for m in members["repeat"] if m.why.startswith("repeated"))
    assert again == Counter(m.came_from for m in members[FULL] if m.part == "EE")
    assert [m for m in members["repeat"] if not m.why.startswith("repeated")] == [
        m for m in members[FULL] if m.part != "EE"
    ]
    assert [s.id for s in rows["repeat"]] == [m.sample_id for m in members["repeat"]] and len(
        rows["repeat"]
    ) == len(rows[FULL])

    pool = full.table(Samples, "pool", 0)
    assert [s.id for s in rows[CONTROL]] == [s.id for s in pool[: 24 + 4]], "its training repeats them"
    assert {o.arm for o in found} == set(ARMS) and len(found) == len(ARMS) * 3
    repeated_rows_are_probed_once_and_have_one_fate(runs["repeat"])


def start(run: Run) -> list[Any]:
    """What all arms of a random seed share."""
    return [run.manifest("policy", 1), run.table(Scores, "scores", 1), run.table(Samples, "held_out", 0)]


def probes(run: Run) -> Probes:
    """What all arms with a loop share beside that."""
    return run.table(Probes, "probes", 1)


def repeated_rows_are_probed_once_and_have_one_fate(run: Run) -> None:
    samples, probes = run.table(Samples, "samples", 2), run.table(Probes, "probes", 2)
    assert len(samples) > len(probes) and [p.sample_id for p in probes] == list(samples.by_id())
    ids = [(f.iteration, f.sample_id) for f in fates(run)]
    steps = [tuple(s.model_dump().values()) for s in flows(run)]
    assert len(ids) == len(set(ids)) and len(steps) == len(set(steps))


def flattened(values: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{room}__{k}": v for room, of in values.items() if isinstance(of, dict) for k, v in of.items()
    } | {k: v for k, v in values.items() if not isinstance(v, dict)}


def test_what_has_finished_is_not_run_again(
    tmp_path: Path, trained: list[tuple[str, int]], said: list[str]
) -> None:
    first = ablate(tmp_path, "cpu-quick", [0, 1], ["control"], say=said.append, **SMALL)
    before, count = manifests(tmp_path), len(trained)
    assert said[0].startswith("4 runs (2 arms, 2 random seeds), 0 finished; ") and said[0].endswith(
        "at the most by rough figures, until the first one measures it"
    )
    assert any(line.endswith("to go") for line in said[1:])
    said.clear()
    again = ablate(tmp_path, "cpu-quick", [0, 1], ["control"], say=said.append, **SMALL)
    assert again == first == Outcomes.read(tmp_path / "ablation.parquet")
    assert len(trained) == count and manifests(tmp_path) == before
    assert said == ["4 runs (2 arms, 2 random seeds), 4 finished"] + [
        f"cpu-quick-{s}{a}: finished before, kept" for a in ("", "-control") for s in (0, 1)
    ]
    ablate(tmp_path, "cpu-quick", [0], ["no-edde"], say=said.append, **SMALL)
    assert trained[count:] == [("cpu-quick-0-no-edde", 2), ("cpu-quick-0-no-edde", 3)]
    kept = Outcomes.read(tmp_path / "ablation.parquet")
    assert {(o.arm, o.seed) for o in kept} == {
        ("full", 0),
        ("no-edde", 0),
        ("control", 0),
    }, "arms that were not asked for this time stay"


def test_stopped_anywhere_it_goes_on_there(
    tmp_path: Path, trained: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("looptool_kit.stages.train.stage")
    whole: Callable[..., Any] = module._train
    # What a run costs is measured, so it differs from run to run; everything else must not.
    monkeypatch.setattr(import_module("looptool_kit.run.stage"), "cpu_clock", lambda: 0.0)
    arms = ["repeat", "control"]
    undisturbed = ablate(tmp_path / "a", "cpu-quick", [0], arms, say=lambda line: None, **SMALL)
    every = list(trained)
    trained.clear()
    left = iter((1, 3, 2, 4))
    stop_in = [next(left)]

    def stopping(*args: Any) -> Any:
        stop_in[0] -= 1
        if not stop_in[0]:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(module, "_train", stopping)
    copy = shutil.copytree
    for moment in range(4):
        if moment == 2:  # in the middle of copying the warm start

            def cut(source: Path, target: Path, **more: Any) -> Path:
                copy(source, target, **more)
                raise KeyboardInterrupt

            monkeypatch.setattr(shutil, "copytree", cut)
        with pytest.raises(KeyboardInterrupt):
            ablate(tmp_path / "b", "cpu-quick", [0], arms, say=lambda line: None, **SMALL)
        monkeypatch.setattr(shutil, "copytree", copy)
        assert (tmp_path / "b" / ".cpu-quick-0-repeat").exists() == (moment == 2)
        stop_in[0] = next(left, 0)
    resumed = ablate(tmp_path / "b", "cpu-quick", [0], arms, say=lambda line: None, **SMALL)
    assert sorted(trained) == sorted(every), "none left out, none twice"
    assert resumed == undisturbed


def test_arms_advance_together_so_that_one_stopped_early_can_be_read(
    tmp_path: Path, trained: list[tuple[str, int]], said: list[str]
) -> None:
    def stop_at_the_first_d3(line: str) -> None:
        if line.startswith("cpu-quick-0-no-edde: train 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ablate(tmp_path, "cpu-quick", [0, 1], ["no-edde", "control"], say=stop_at_the_first_d3, **SMALL)
    arms = [f"cpu-quick-{seed}-{arm}" for arm in ("no-edde", "control") for seed in (0, 1)]
    assert trained == [(f"cpu-quick-{s}", j) for s in (0, 1) for j in (1, 2, 3)] + [(a, 2) for a in arms] + [
        (arms[0], 3)
    ]
    rows = {(r.arm, r.iteration): r for r in summarise(Outcomes.read(tmp_path / "ablation.parquet"))}
    assert all(rows[arm, 2].seeds == (0, 1) and rows[arm, 2].difference for arm in ("no-edde", "control"))
    assert rows[FULL, 3].seeds == (0, 1) and ("no-edde", 3) not in rows
    assert "Not run to D3" in text(Outcomes.read(tmp_path / "ablation.parquet"))


def test_strangers_are_refused(tmp_path: Path, trained: list[tuple[str, int]]) -> None:
    ablate(tmp_path, "cpu-quick", [0], ["no-edde"], say=lambda line: None, **SMALL)
    with pytest.raises(RunError, match="cpu-quick-0 holds a run with other settings"):
        ablate(tmp_path, "cpu-quick", [0], ["no-edde"], say=lambda line: None, **SMALL | {"sft__epochs": 9})
    arm = Run.open(folder(tmp_path, "cpu-quick", 0, "no-edde"))
    arm.set(grpo__steps=5)
    with pytest.raises(RunError, match="cpu-quick-0-no-edde holds a run with other settings .* Move it away"):
        ablate(tmp_path, "cpu-quick", [0], ["no-edde"], say=lambda line: None, **SMALL)
    assert {o.arm for o in collect(Comparison(tmp_path, ARMS, "cpu-quick", (0,), 0))} == {FULL}
    arm.set(grpo__steps=1)
    path = arm.folder(1) / "policy.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"finished": "2020-01-01"}))
    with pytest.raises(RunError, match="does not start from the policy D1"):
        ablate(tmp_path, "cpu-quick", [0], ["no-edde"], say=lambda line: None, **SMALL)
    Run.open(folder(tmp_path, "cpu-quick", 0, FULL)).decide("threshold", "", 1.5)
    with pytest.raises(RunError, match="a person's decisions"):
        ablate(tmp_path, "cpu-quick", [0], ["no-edde"], say=lambda line: None, **SMALL)


def test_what_was_mistyped_is_said(tmp_path: Path) -> None:
    for more, words in (
        (
            ["--arms", "no-judge"],
            "there is no arm no-judge (did you mean no-jglv?); choose from full, no-hppl",
        ),
        (["--seeds", "0-2"], "e.g. --seeds 0,1,2"),
    ):
        result = CliRunner().invoke(app, ["ablate", str(tmp_path), *more])
        assert result.exit_code and words in str(result.exception)


def test_the_command_prints_table_and_place(tmp_path: Path, trained: list[tuple[str, int]]) -> None:
    pairs = [part for k, v in SMALL.items() for part in ("--set", f"{k.replace('__', '.')}={json.dumps(v)}")]
    result = CliRunner().invoke(
        app, ["ablate", str(tmp_path), "--preset", "cpu-quick", "--seeds", "3", "--arms", "control", *pairs]
    )
    assert result.exit_code == 0, result.output
    assert (
        result.output.startswith("2 runs (2 arms, 1 random seed), 0 finished")
        and "cpu-quick-3-control: evaluate D3:" in result.output
    )
    assert (
        text(Outcomes.read(tmp_path / "ablation.parquet")) in result.output
        and "<svg" in (tmp_path / "ablation.html").read_text()
    )


def arms_of(**changes: dict[str, Any]) -> dict[str, Arm]:
    return {"match": Arm("as it is", {})} | {name: Arm(name, of) for name, of in changes.items()}


def test_arms_share_d1_whatever_their_settings_would_make_of_it(
    tmp_path: Path, trained: list[tuple[str, int]]
) -> None:
    arms = arms_of(small={"sft__batch": 4, "sft__micro_batch": 4}) | {"alone": Arm("alone", {}, "seed")}
    plan = Comparison(tmp_path, arms, "cpu-quick", (0,), None, SMALL)
    found = compare(plan, say=lambda line: None)
    assert [t for t in trained if t[1] == 1] == [("cpu-quick-0", 1)], "one D1"
    assert {(o.arm, o.iteration) for o in found} == {(arm, j) for arm in arms for j in (1, 2, 3)}
    first, small = (Run.open(plan.folder(0, arm), read_only=True) for arm in ("match", "small"))
    assert small.settings.sft.batch == 4 and start(small) == start(first)
    # Without --budget all get what the first arm took, iteration by iteration.
    took = tuple(spent(first, j).total for j in (2, 3))
    assert first.settings.budget.tokens == () and min(took) > 0
    for arm in ("small", "alone"):
        run = Run.open(plan.folder(0, arm), read_only=True)
        assert run.settings.budget.tokens == took
        assert [o.budget for o in found if o.arm == arm] == [0, *took]
    assert compare(plan, say=lambda line: None) == found and len(trained) == 7


def test_a_given_budget_is_shared_out_alike(tmp_path: Path, trained: list[tuple[str, int]]) -> None:
    plan = Comparison(tmp_path, arms_of(few={"expand__children": 1}), "cpu-quick", (0,), 10_001, SMALL)
    compare(plan, say=lambda line: None)
    for arm in plan.arms:
        run = Run.open(plan.folder(0, arm), read_only=True)
        assert run.settings.budget.tokens == (5000, 5001)
    other = Comparison(tmp_path, plan.arms, "cpu-quick", (0,), 20_000, SMALL)
    with pytest.raises(RunError, match="holds a run with other settings"):
        compare(other, say=lambda line: None)
    for wrong in (Comparison(tmp_path, plan.arms, seeds=()), Comparison(tmp_path, plan.arms, budget=-1)):
        with pytest.raises(ValueError, match="at least one random seed, and a budget of 0 or more"):
            compare(wrong, say=lambda line: None)


def test_three_measures_are_kept_and_written(tmp_path: Path, trained: list[tuple[str, int]]) -> None:
    arms = tmp_path / "arms.toml"
    arms.write_text("[match]\n[few]\nwords = 'few <b>children</b>'\nexpand.children = 1\n")
    pairs = [part for k, v in SMALL.items() for part in ("--set", f"{k.replace('__', '.')}={json.dumps(v)}")]
    page = tmp_path / "page.md"
    command = ["compare", str(tmp_path / "runs"), "--arms", str(arms), "--preset", "cpu-quick"]
    result = CliRunner().invoke(app, [*command, "--seeds", "3,4", "--out", str(page), *pairs])
    assert result.exit_code == 0, result.output
    found = Outcomes.read(tmp_path / "runs" / "compare.parquet")
    held_out = {s.id: s for s in Run.open(tmp_path / "runs" / "cpu-quick-3").table(Samples, "held_out", 0)}
    for o in found:
        assert len(o.graded) == len(o.ids) == 12
        assert all((value == 1.0) == right for value, right in zip(o.graded, o.correct, strict=True))
        assert set(o.label_logprobs) == {-0.5}
        assert o.seed != 3 or set(o.label_ids) == {i for i, s in held_out.items() if s.label.calls}
        assert o.cpu_seconds is not None and o.probe_tokens == (0 if o.iteration == 1 else o.probe_tokens)
    assert all(o.probe_tokens > 0 for o in found if o.iteration > 1)
    assert text(found, {"match": Arm("match", {}), "few": Arm("few <b>children</b>", {})}) in page.read_text()
    html = (tmp_path / "runs" / "compare.html").read_text()
    assert "<script" not in html and "://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert html.count("<svg") == 3 and "few &lt;b&gt;children" in html and "<b>children" not in html


def test_what_is_compared_with_nothing_pays_for_no_likelihood(
    tmp_path: Path, trained: list[tuple[str, int]]
) -> None:
    ablate(tmp_path, "cpu-quick", [0], [], **SMALL)
    run = Run.open(folder(tmp_path, "cpu-quick", 0, FULL), read_only=True)
    assert scored(run) == set(), "of the loop alone"
    ablate(tmp_path, "cpu-quick", [0], [CONTROL], **SMALL)
    assert scored(run) == {1, 2, 3}, "and of the same loop once there is an arm"


def scored(run: Run) -> set[int]:
    return {j for j in run.iterations if list(run.folder(j).glob("label_logprobs*"))}
