"""The `reverse` expander: what a proposer learns by hand, and rounds against policies that follow a rule."""

from __future__ import annotations

import json
import math
import shutil
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from looptool_kit.checks.dedup import Deduplicator
from looptool_kit.checks.rules import passes
from looptool_kit.core.records import Expansions, Verdicts
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand import _proposals as rounds
from looptool_kit.stages.expand.reverse import candidates, facts, within
from looptool_kit.stages.expand.stage import expand, seeds_of, stage
from looptool_kit.stages.train.budget import spent
from looptool_kit.stages.train.proposers.features import Features, dpo, payment
from looptool_kit.world import generate
from looptool_kit.world.plans import WEIGHTS
from looptool_kit.world.proposed import Line, Preferred, Prompt, drawn, features, line_of, read_plan

RECORDED = Path(__file__).parents[3] / "sample_data" / "run"
TOOLS = tuple(t.name for t in generate(1, seed=3, kinds=("ask",))[0].tools)


class Policy:
    """Right but for one kind, which it never answers, or answers rightly one time in `sometimes`."""

    def __init__(self, fails: str = "ask", sometimes: int = 0) -> None:
        self.fails, self.sometimes, self.asked = fails, sometimes, 0

    def plan(self, chats: Any, n: int = 1) -> list[list[int]]:
        return [list(range(at, min(at + 7, len(chats)))) for at in range(0, len(chats), 7)]

    def generate(self, chats: Any, sampling: Sampling) -> list[list[Completion]]:
        self.asked += len(chats)
        return [[self.answer(s, i) for i in range(sampling.n)] for s in chats]

    def answer(self, sample: Sample, number: int) -> Completion:
        wrong = sample.kind == self.fails and not (self.sometimes and number % self.sometimes)
        label = Label(reply=f"Let me think about {number}.") if sample.label.calls else Label(calls=())
        text = render_answer(label if wrong else sample.label) or "?"
        return Completion(text, (1, 2), (-0.1, -0.1), ("a", "b"), "stop")


def recorded(path: Path, **settings: Any) -> Run:
    shutil.copytree(RECORDED, path, ignore=shutil.ignore_patterns("policy"))
    run = Run.open(path)
    run.set(expand__expanders=["reverse"], **settings)
    return run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    def answers_with(policy: Policy) -> Policy:
        monkeypatch.setattr(rounds, "open_engine", lambda *_: policy)
        return policy

    return answers_with


def table(run: Run) -> rounds.Proposals:
    return rounds.Proposals.read(rounds.folder(run, 1) / "proposals.parquet")


def told(run: Run) -> dict[str, Any]:
    return json.loads((rounds.folder(run, 1) / "proposer.json").read_text())  # type: ignore[no-any-return]


# ---------------------------------------------------------------- by hand


def test_one_binary_feature_by_hand() -> None:
    loss, gradient = dpo(np.zeros(1), np.array([[1.0]]), beta=0.1)
    assert loss == pytest.approx(math.log(2)) and gradient.tolist() == pytest.approx([-0.05])


def test_the_gradient_is_that_of_the_loss() -> None:
    random = np.random.default_rng(1)
    differences, moved = random.normal(size=(7, 3)), random.normal(size=3)
    for at in range(3):
        step = np.eye(3)[at] * 1e-6
        slope = (dpo(moved + step, differences)[0] - dpo(moved - step, differences)[0]) / 2e-6
        assert dpo(moved, differences)[1][at] == pytest.approx(slope, rel=1e-5)


def prompt(number: int = 0) -> Prompt:
    return Prompt(tools=TOOLS, examples=(str(number),))


def plan_lines(kinds: tuple[str, ...], number: int = 1) -> list[str]:
    found = [drawn(kind, prompt().specs, Random(f"{kind}{i}")) for kind in kinds for i in range(number)]
    return [line_of(plan) for plan in found if plan]


def test_pairs_of_a_group_give_its_policy_gradient() -> None:
    """sum_i a_i grad log p(i), computed with the normaliser, against the sum over pairs."""
    lines = plan_lines(("single", "ask", "decline"), 2)
    pays = dict(zip(lines, (0.0, 0.96, 0.36, 1.0, 0.0, 0.64), strict=True))
    rows = [
        rounds.Proposal(round=1, prompt=0, plan=line, passed=True, right=(1 - math.sqrt(1 - pay)) / 2)
        for line, pay in pays.items()
    ]
    assert [r.pay for r in rows] == pytest.approx(list(pays.values()))
    pairs = rounds.pairs(rows, [prompt()], "uncertainty")
    plans = [json.loads(line) for line in lines]
    found = [features(plan, prompt().specs) for plan in plans]
    names = sorted({n for f in found for n in f})
    about = np.array([[f.get(n, 0.0) for n in names] for f in found])
    paid = np.array(list(pays.values()))
    advantages = (paid - paid.mean()) / paid.std()
    chances = np.full(len(plans), 1 / len(plans))
    exact = (advantages[:, None] * (about - chances @ about)).sum(0)
    differences = np.array([about[lines.index(p.chosen)] - about[lines.index(p.rejected)] for p in pairs])
    assert len(pairs) == len(lines) - 1 and all(pair.gap > 0 for pair in pairs)
    assert payment(differences, np.array([p.gap for p in pairs])) == pytest.approx(exact)


def test_a_group_that_was_paid_alike_teaches_nothing() -> None:
    rows = [rounds.Proposal(round=1, prompt=0, plan=line) for line in plan_lines(("single", "ask"))]
    assert rounds.pairs(rows, [prompt()], "uncertainty") == []
    assert rounds.pairs(rows, [prompt()], "failure") == [], "what was not asked is neither failed nor solved"


def test_pairs_are_of_one_prompt() -> None:
    """Fault of the reference: it shuffles prompts, failures and successes apart and joins them again."""
    lines = plan_lines(tuple(WEIGHTS), 2)
    rows = [
        rounds.Proposal(round=1, prompt=i % 3, plan=line, passed=True, solved=i % 2 == 0, right=i % 2 / 2)
        for i, line in enumerate(lines)
    ]
    asked = [prompt(i) for i in range(3)]
    of = {row.plan: asked[row.prompt].key for row in rows}
    for pay in ("failure", "uncertainty"):
        found = rounds.pairs(rows, asked, pay)
        assert len(found) > 10 and len({p.prompt.key for p in found}) == 3
        assert all(of[p.chosen] == of[p.rejected] == p.prompt.key for p in found)
    failed = {row.plan for row in rows if not row.solved}
    assert {p.chosen for p in rounds.pairs(rows, asked, "failure")} <= failed


# --------------------------------------------------------------- proposer


def test_the_same_seed_gives_the_same_proposals_and_another_one_others() -> None:
    kinds = ["ask", None, None, "decline"]
    one, two = (Features().propose(prompt(), kinds, Random(1)) for _ in range(2))
    assert one == two != Features().propose(prompt(), kinds, Random(2))
    found = [json.loads(line.text)["kind"] for line in one]
    assert len({line.text for line in one}) == 4 and {"ask", "decline"} <= set(found)


@pytest.mark.parametrize("paid", [False, True])
def test_what_was_preferred_becomes_likelier(paid: bool) -> None:
    proposer, tools = Features(paid), prompt().specs
    ask, single = plan_lines(("ask",))[0], plan_lines(("single",))[0]
    plans = [plan for line in (ask, single) if (plan := read_plan(line, tools)[0])]
    before = proposer.chances(plans, tools)
    proposer.learn([Preferred(prompt(), ask, single), Preferred(prompt(), "no plan", single)])
    after = proposer.chances(plans, tools)
    assert before[0] == pytest.approx(0.08 / 0.33) and after[0] > before[0]
    assert after.sum() == pytest.approx(1) and proposer.facts()["weights"]["kind=ask"] > 0


def test_each_kind_has_at_least_half_of_its_share() -> None:
    for count in (8, 24, 64, 100):
        kinds = rounds.deck(count, 0.5, Random(1))
        assert len(kinds) == count
        assert all(kinds.count(kind) >= 0.5 * weight * count for kind, weight in WEIGHTS.items())
    assert None not in rounds.deck(40, 1.0, Random(1)) and set(rounds.deck(40, 0.0, Random(1))) == {None}


# ----------------------------------------------------------------- rounds


@pytest.mark.parametrize("pay", ["failure", "uncertainty"])
def test_a_policy_that_fails_what_asks_is_asked_more_of_it_each_round(
    tmp_path: Path, asked: Any, pay: str
) -> None:
    asked(Policy("ask", sometimes=2 if pay == "uncertainty" else 0))
    run = recorded(
        tmp_path / "run", reverse__rounds=4, reverse__kinds=0.0, reverse__pay=pay, reverse__unsolved=1.0
    )
    rows = expand(run, iteration=1)
    counts = [entry["kinds"]["ask"] / entry["passed"] for entry in told(run)["rounds"]]
    assert counts == sorted(counts) and counts[-1] > 2 * counts[0] > 0
    assert list(told(run)["weights"])[0] == "kind=ask"
    accepted = [row for row in rows if row.accepted]
    assert accepted and {row.sample.kind for row in accepted} == {"ask"}


def test_the_last_rounds_failures_are_children_of_the_nearest_seed(tmp_path: Path, asked: Any) -> None:
    asked(Policy("single", sometimes=3))
    run = recorded(tmp_path / "run")
    seeds = {s.sample.id: s.sample for s in seeds_of(run, run.table(Verdicts, "verdicts", 1), 1)}
    rows = expand(run, iteration=1)
    made = {r.sample.id for r in table(run) if r.round == 2 and r.passed and not r.solved and r.sample}
    accepted = [row for row in rows if row.accepted]
    assert len(accepted) >= 5 and {row.sample.kind for row in accepted} == {"single"}
    lists = {tuple(t.name for t in s.tools) for s in seeds.values()}
    for row in accepted:
        assert row.sample.id in made and row.strategy == "expanders.reverse" == row.sample.strategy
        assert row.sample.parent == row.seed_id in seeds and passes(row.sample)
        assert tuple(t.name for t in row.sample.tools) in lists
    wanted = run.settings.expand.children
    assert max(sum(r.seed_id == s for r in accepted) for s in seeds) <= wanted
    manifest = run.manifest("expansions", 1) or {}
    assert manifest["generated"] == sum(r.generated for r in table(run)) > 0
    assert manifest["proposed"] == 128 and manifest["proposer_tokens"] == 0
    assert spent(run, 2).generated >= manifest["generated"]


def test_tokens_of_several_expanders_add_up(
    tmp_path: Path, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hardgen, policy = (
        import_module("looptool_kit.stages.expand.hardgen"),
        asked(Policy("single", sometimes=3)),
    )
    monkeypatch.setattr(hardgen, "open_engine", lambda *_: policy)
    counted = {"generated": 1000, "proposer_tokens": 7}
    monkeypatch.setattr(hardgen, "facts", lambda seeds, run: counted, raising=False)
    run = recorded(tmp_path / "run")
    run.set(expand__expanders=["hardgen", "reverse"])
    tried = sum(row.generated for row in expand(run, iteration=1))
    proposed = sum(row.generated for row in table(run))
    manifest = run.manifest("expansions", 1) or {}
    assert tried and proposed and manifest["generated"] == tried + proposed + 1000
    assert manifest["proposer_tokens"] == 7
    assert spent(run, 2).generated >= tried + proposed + 1000


def test_a_killed_expansion_asks_nothing_twice_and_ends_alike(
    tmp_path: Path, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = asked(Policy("choice", sometimes=3))
    whole = recorded(tmp_path / "whole")
    rows = expand(whole, iteration=1)
    count, policy.asked = policy.asked, 0

    class Stop(Exception):
        pass

    for number in (1, 3, 12, 17):
        cut, real, calls = recorded(tmp_path / f"cut{number}"), policy.generate, []

        def dying(chats: Any, sampling: Sampling, at: int = number, calls: list[int] = calls) -> Any:
            calls.append(1)
            if len(calls) == at:
                raise Stop
            return Policy.generate(policy, chats, sampling)

        monkeypatch.setattr(policy, "generate", dying)
        with pytest.raises(Stop):
            expand(cut, iteration=1)
        monkeypatch.setattr(policy, "generate", real)
        expand(cut, iteration=1)
        assert policy.asked == count, "a batch was answered twice"
        policy.asked = 0
        assert cut.table(Expansions, "expansions", 1) == rows and table(cut) == table(whole)
        assert told(cut) == told(whole) and not list(cut.folder(1).glob("*.parts"))


# ----------------------------------------------------------------- guards


def row(kind: str, right: float, number: int) -> rounds.Proposal:
    sample = SAMPLES[kind].model_copy(update={"split": str(number)})
    return rounds.Proposal(round=2, prompt=0, plan="", sample=sample, passed=True, right=right)


SAMPLES = {kind: generate(1, seed=1, kinds=(kind,))[0] for kind in WEIGHTS}


def test_what_nobody_solves_is_at_most_its_share() -> None:
    rows = [row("ask", 0.0, i) for i in range(9)] + [row("ask", 0.2, i) for i in range(7)]
    for most, count in ((99, 10), (5, 5), (10, 10)):
        found = within(rows, most, 0.3, 0.0)
        assert len(found) == count and sum(not r.right for r in found) <= 0.3 * count
    assert within(rows[:9], 99, 0.3, 0.0) == [] and len(within(rows, 99, 1.0, 0.0)) == 16
    assert all(r.right for r in within(rows, 99, 0.0, 0.0))


def test_no_kind_crowds_out_the_others_and_what_is_uncertain_comes_first() -> None:
    rows = [row("ask", 0.5, i) for i in range(40)] + [row("choice", 0.1, i) for i in range(9)]
    found = within(rows, 20, 0.3, 0.5)
    kinds = [r.sample.kind for r in found if r.sample]
    assert len(found) == 20 and kinds.count("choice") == 2 == 0.5 * WEIGHTS["choice"] * 20
    assert [r.pay for r in found] == sorted((r.pay for r in found), reverse=True)
    assert {r.sample.kind for r in within(rows, 20, 0.3, 0.0) if r.sample} == {"ask"}


# ------------------------------------------------------- what is no plan


def test_a_line_that_is_no_plan_is_kept_with_the_reason_and_not_asked() -> None:
    seen = Deduplicator()
    good = plan_lines(("single",))[0]
    other = json.loads(good) | {"kind": "decline"}
    lines = ["", "{" * 5000, "[" * 3000, "null", json.dumps(other), good, good]
    found = [rounds.checked(Line(text, 3), prompt(), Random(1), seen) for text in lines]
    assert [r.passed for r in found] == [False] * 5 + [True, False]
    assert all(r.why and r.sample is None and r.generated == 3 for r in found[:5])
    assert found[6].why == f"repeats {found[5].sample.id}"  # type: ignore[union-attr]


def test_what_does_not_fit_the_model_is_not_asked(tmp_path: Path, asked: Any) -> None:
    class Short(Policy):
        def plan(self, chats: Any, n: int = 1) -> list[list[int]]:
            if any(len(s.tools) > 2 for s in chats):
                raise ValueError("fills the context")
            return super().plan(chats, n)

    asked(Short())
    run = recorded(tmp_path / "run", reverse__rounds=1)
    expand(run, iteration=1)
    long = [r for r in table(run) if r.sample and len(r.sample.tools) > 2]
    assert long and not any(r.passed for r in long) and {rounds.TOO_LONG} <= {r.why for r in long}
    assert any(r.passed for r in table(run))


def test_data_of_other_sources_has_no_proposals(tmp_path: Path, asked: Any) -> None:
    asked(Policy())
    run = recorded(tmp_path / "run")
    path = run.folder(1) / "samples.parquet"
    samples = [s.model_copy(update={"tools": s.tools[:1], "meta": {}}) for s in Samples.read(path)]
    seeds = seeds_of(run, run.table(Verdicts, "verdicts", 1), 1)
    renamed = [
        s.sample.model_copy(
            update={"tools": tuple(t.model_copy(update={"name": "x"}) for t in s.sample.tools)}
        )
        for s in seeds
    ]
    other = [s._replace(sample=sample) for s, sample in zip(seeds, renamed, strict=True)]
    found = candidates(other, [3] * len(other), [Random(1)] * len(other), Samples(samples), run)
    assert found == [[] for _ in other] and facts(other, run) == {}


def test_the_policy_counts_in_the_key_only_where_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded(tmp_path / "run")
    seeds = seeds_of(run, run.table(Verdicts, "verdicts", 1), 1)
    before, own = stage(run, seeds, 1).made_from, policy_of(run, 1)
    assert before["policy"] and stage(run, seeds, 1).key == stage(run, seeds, 1).key
    run.set(reverse__rounds=3)
    assert stage(run, seeds, 1).made_from["reverse.rounds"] == 3 != before.get("reverse.rounds")
    module = import_module("looptool_kit.stages.expand.reverse")
    monkeypatch.setattr(module, "policy_of", lambda *_: own.model_copy(update={"key": "another"}))
    assert stage(run, seeds, 1).made_from["policy"] != before["policy"]
    run.set(expand__expanders=["world"])
    assert not {"policy", "reverse.rounds"} & stage(run, seeds, 1).made_from.keys()
