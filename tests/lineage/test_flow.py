"""What verdicts and probes make of rows: thresholds, error seeds, and the composition of the next dataset
(method, section 2).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import pytest

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.core.grading import grade
from looptool_kit.core.records import (
    PARTS,
    VERDICTS,
    Check,
    Expansion,
    Expansions,
    Members,
    Probe,
    Probes,
    Verdict,
    VerdictName,
    Verdicts,
)
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.lineage.error_seeds import error_seeds
from looptool_kit.policy.engines import Completion
from looptool_kit.run.folder import Run
from looptool_kit.stages.probe import judge_completion, threshold


def answered(sample: Sample, text: str, logprob: float, finish: str = "stop") -> Probe:
    return judge_completion(sample, Completion(text, (1, 2), (logprob, logprob), ("a", "b"), finish), 1)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def samples() -> Samples:
    return world.generate(8, seed=11, kinds=["single"])


def test_perplexity_is_that_of_the_outputs_own_tokens(samples: Samples) -> None:
    probe = judge_completion(
        samples[0], Completion("x", (1, 2, 3), (-0.1, -0.5, -1.2), ("a", "b", "c"), "stop"), 1
    )
    assert probe.perplexity == pytest.approx(math.exp(1.8 / 3))


def test_a_right_answer_is_mastered_and_a_cut_one_is_not(samples: Samples) -> None:
    text = render_answer(samples[0].label)
    assert answered(samples[0], text, -0.1).state == "mastered"
    cut = answered(samples[0], text, -0.1, "length")
    assert cut.state == "failed" and cut.error == "truncated" and not cut.match


def test_threshold_by_quantile_of_the_correct_or_by_value(samples: Samples) -> None:
    probes = [answered(s, render_answer(s.label), -0.1 * (i + 1)) for i, s in enumerate(samples)]
    wrong = answered(samples[0], "no idea", -9.0)
    limit = threshold([*probes, wrong], 0.5)
    assert sum(p.perplexity > limit for p in probes) == 4
    assert threshold([wrong], 0.5) == math.inf and threshold(probes, 0.5, 1.3) == 1.3


def test_error_seeds_take_the_prediction_where_the_label_was_wrong(samples: Samples) -> None:
    right = [answered(s, render_answer(samples[7].label), -0.2) for s in samples[:4]]
    names = ("PRED_WRONG", "LABEL_WRONG", "BOTH_CORRECT", "BOTH_WRONG")
    verdicts = Verdicts(
        Verdict(sample_id=s.id, iteration=1, status="judged", verdict=v, judge="evidence")  # type: ignore[arg-type]
        for s, v in zip(samples, names, strict=False)
    )
    seeds = error_seeds(samples, Probes(right), verdicts)
    assert [s.verdict.verdict for s in seeds] == ["PRED_WRONG", "LABEL_WRONG"]
    assert seeds[0].sample == samples[0]
    changed = seeds[1].sample
    assert (
        changed.label.calls == samples[7].label.calls
        and changed.parent == samples[1].id
        and changed.id != samples[1].id
    )
    assert changed.messages == samples[1].messages and changed.strategy == "judges.evidence"
    # What the model said is right now; what went wrong in this seed is the label that it had.
    assert seeds[1].probe.answer.calls == samples[1].label.calls
    assert seeds[1].probe.faults == grade(seeds[1].probe.answer, changed.label, changed.tools).faults != ()
    assert seeds[0].probe == right[0]


def test_a_persons_label_says_again_what_the_prediction_has_wrong(samples: Samples) -> None:
    sample = next(s for s in samples if len(s.label.calls) == 1 and s.label.calls[0].arguments)
    call = sample.label.calls[0]
    name = next(iter(call.arguments))
    unknown = call.model_copy(update={"name": "no_such_tool"})
    wrong = call.model_copy(update={"arguments": {**call.arguments, name: "something else"}})
    probe = answered(
        sample.model_copy(update={"label": Label(calls=(unknown,))}),
        render_answer(Label(calls=(wrong,))),
        -0.5,
    )
    probe = probe.model_copy(update={"sample_id": sample.id})
    verdict = Verdict(
        sample_id=sample.id,
        iteration=1,
        status="judged",
        verdict="LABEL_WRONG",
        judge="person:me",
        label=Label(calls=(call,)),
    )
    (seed,) = error_seeds(Samples([sample]), Probes([probe]), Verdicts([verdict]))
    assert [f.parameter for f in seed.probe.faults] == [name] != [f.parameter for f in probe.faults]


def judged(sample: Sample, name: VerdictName | None) -> Verdict:
    status: Literal["judged", "unjudged"] = "judged" if name else "unjudged"
    return Verdict(sample_id=sample.id, iteration=1, status=status, verdict=name, judge="evidence")


def child(parent: str, sample: Sample, accepted: bool) -> Expansion:
    return Expansion(
        seed_id=parent,
        iteration=1,
        sample=sample.model_copy(update={"parent": parent}),
        strategy="expanders.world",
        checks=(Check(name="tools", passed=True),),
        accepted=accepted,
    )


def test_composition_follows_the_method(tmp_path: Path) -> None:
    run = Run.create(
        tmp_path / "run",
        "cpu-quick",
        seeds__first=12,
        iterations=2,
        seeds__fresh=[3, 2],
        seeds__held_out=2,
        seeds__noise=0,
        compose__hppl=2,
        probe__quantile=0.5,
    )
    rows = lt.seed(run)
    calls = [s for s in rows if s.label.calls]
    spare = world.generate(4, seed=99, kinds=["single"])
    verdict_of = dict(zip((s.id for s in calls), (*VERDICTS, None), strict=False))
    probes, verdicts = [], []
    for i, sample in enumerate(rows):
        if sample.id in verdict_of:
            probe = answered(sample, render_answer(Label(calls=spare[0].label.calls)), -0.9)
            verdicts.append(judged(sample, verdict_of[sample.id]))
        else:
            probe = answered(sample, render_answer(sample.label), -0.01 * i)
            if probe.correct and i > 6:
                probe = probe.model_copy(update={"state": "borderline"})
        probes.append(probe)
    seed_id = calls[0].id
    children = Expansions(
        [
            child(seed_id, spare[1], True),
            child(seed_id, spare[2], False),
            child(calls[3].id, spare[3], True),
        ]
    )
    Probes(probes).write(run.folder(1) / "probes.parquet")
    second = lt.compose(run, Probes(probes), Verdicts(verdicts), children, iteration=1)
    members = {m.sample_id: m for m in run.table(Members, "members", 2)}
    parts = {part: [m for m in members.values() if m.part == part] for part in PARTS}
    assert len(second) == len(members) == sum(map(len, parts.values()))
    assert {m.came_from for m in parts["ES"]} == {calls[0].id, calls[1].id}
    # Not the rejected one, nor the child of a row whose verdict is BOTH_WRONG.
    assert [m.sample_id for m in parts["EE"]] == [spare[1].id]
    assert len(parts["HPPL"]) == 2 and all(
        p.perplexity >= q.perplexity
        for p in probes
        if p.sample_id in members and p.state == "borderline"
        for q in probes
        if q.sample_id not in members and q.state == "borderline"
    )
    pool = run.table(Samples, "pool", 0)
    assert [m.sample_id for m in parts["seed"]] == [s.id for s in pool[12:15]]
    assert [m.sample_id for m in parts["unjudged"]] == [calls[4].id]
    assert calls[3].id not in members


def test_domains_limit_the_tools_of_training(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__domains=["banking", "music"], seeds__held_out=6)
    wanted = {name for domain in ("banking", "music") for name in world.domains()[domain]}
    assert {t.name for s in lt.seed(run) for t in s.tools} <= wanted
    held_out = run.table(Samples, "held_out", 0)
    assert {t.name for s in held_out if s.split == "unseen_values" for t in s.tools} <= wanted
    assert not {t.name for s in held_out if s.split == "unseen_tools" for t in s.tools} & wanted
    with pytest.raises(ValueError, match=r"unknown domain 'bankng'.*banking"):
        world.generate(3, seed=0, domains=["bankng"])
    with pytest.raises(ValueError, match=r"recruiting are not in split 'train'.*banking"):
        world.generate(3, seed=0, domains=["recruiting"])
