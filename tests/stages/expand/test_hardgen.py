"""The expander `hardgen`: the table of failing tools, hints that reveal nothing, whole traces or none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from scripted_runs import SMALL, Scripted, finished_loop, go, scripted
from typer.testing import CliRunner

from looptool_kit.checks.rules import check_sample
from looptool_kit.cli import app
from looptool_kit.config import load_preset
from looptool_kit.core.grading import Fault, FaultKind, grade
from looptool_kit.core.records import Check, Expansion, Expansions, Scores
from looptool_kit.core.samples import Label, Sample, Samples, ToolCall
from looptool_kit.core.toolcalls import Answer, render_answer
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.report.plan import plan
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand import _failing
from looptool_kit.stages.expand._failing import Failing, Tried, tabulated
from looptool_kit.stages.expand._hints import _LOOK_UP, _NOT_YET, _WORDS, hint, reach, told, words_of
from looptool_kit.stages.expand.stage import _accept
from looptool_kit.studies.arms import read_arms, shipped
from looptool_kit.world.routes import Route, edges, is_held_route, open_to
from looptool_kit.world.traces import draw_trace, replay, samples_of

NAMES = open_to(("music", "restaurants", "shopping", "weather"))


def steps(count: int, seed: int = 1) -> list[Sample]:
    """Steps of traces, whole ones."""
    rng, out = Random(seed), list[Sample]()
    targets = sorted({e.second for e in edges(NAMES)})
    while len(out) < count:
        if trace := draw_trace(rng.choice(targets), NAMES, (2, 5), rng):
            out += samples_of(trace)
    return out


STEPS = steps(80)

# --------------------------------------------------------------- failing tools


def counts(**tools: tuple[int, dict[str, int]]) -> dict[str, tuple[int, Counter[str]]]:
    return {tool: (asked, Counter(faults)) for tool, (asked, faults) in tools.items()}


def test_a_tool_fails_where_it_is_asked_often_enough_and_mostly_wrong() -> None:
    first = counts(
        play=(9, {"wrong_value": 6, "wrong_tool": 2}),
        make=(12, {"wrong_value": 6}),
        stop=(1, {"wrong_tool": 1}),
        add=(8, {"missing_parameter": 3}),
    )
    table = tabulated(first, None, 2, 0.5)
    assert [(r.tool, r.asked, r.failed, r.fails) for r in table] == [
        ("play", 9, 8, True),
        ("make", 12, 6, True),
        ("stop", 1, 1, False),
        ("add", 8, 3, False),
    ]
    assert table[0].faults == {"wrong_tool": 2, "wrong_value": 6} and table[0].share == 8 / 9
    assert table[0].second_asked is None


def test_with_a_second_policy_both_must_fail_a_tool() -> None:
    first = counts(play=(4, {"wrong_value": 4}), make=(4, {"wrong_value": 2}), add=(4, {"wrong_value": 4}))
    second = counts(play=(4, {"wrong_value": 2}), make=(4, {"wrong_value": 1}), add=(1, {"wrong_value": 1}))
    found = {r.tool: (r.second_asked, r.second_failed, r.fails) for r in tabulated(first, second, 2, 0.5)}
    assert found == {"play": (4, 2, True), "make": (4, 1, False), "add": (1, 1, False)}
    assert {r.tool: r.second_share for r in tabulated(first, {}, 2, 0.5)} == dict.fromkeys(found)


def test_a_fault_counts_for_the_tool_that_it_is_about() -> None:
    def sample(*names: str) -> Sample:
        return Sample(
            tools=(), messages=(), label=Label(calls=tuple(ToolCall(name=n, arguments={}) for n in names))
        )

    both, one = sample("play", "add"), sample("play")
    rows = {both.id: both, one.id: one}
    tries = [
        Tried(
            sample_id=both.id, correct=False, faults=(Fault(kind="wrong_value", tool="add", parameter="x"),)
        ),
        Tried(sample_id=one.id, correct=False, faults=(Fault(kind="unparsable"),)),
        Tried(sample_id=one.id, correct=True),
    ]
    assert _failing._counts(rows, tries) == {
        "play": (3, Counter(unparsable=1)),
        "add": (1, Counter(wrong_value=1)),
    }


# ----------------------------------------------------------------------- hints


def wrong(sample: Sample, kind: int, rng: Random) -> Answer:
    """Different ways to be wrong."""
    (call, *more) = sample.label.calls
    other = rng.choice([t for t in sample.tools if t.name != call.name])
    ways = [
        Answer.of(Label(reply="I cannot say.")),
        Answer.of(Label(calls=(ToolCall(name=other.name, arguments={}), *more))),
        Answer.of(
            Label(calls=(ToolCall(name=call.name, arguments=dict(list(call.arguments.items())[1:])), *more))
        ),
        Answer.of(Label(calls=(call.model_copy(update={"arguments": {**call.arguments, "zzz": 1}}), *more))),
        Answer.of(
            Label(calls=(call.model_copy(update={"arguments": dict.fromkeys(call.arguments, "no")}), *more))
        ),
        Answer.of(Label(calls=(call, *more, ToolCall(name=other.name, arguments={})))),
        Answer(text="<tool_call>{", error="unparsable"),
        Answer(text="<tool_call>{", error="truncated"),
        Answer.of(Label(calls=(ToolCall(name="made_up", arguments={}), *more))),
    ]
    return ways[kind % len(ways)]


def tokens_of(label: Label) -> set[str]:
    """Names and values of a label as they stand, and the words of four letters or more in them."""
    found: set[str] = set()

    def add(value: Any) -> None:
        if isinstance(value, dict):
            for k, v in value.items():
                add(k)
                add(v)
        elif isinstance(value, list):
            for v in value:
                add(v)
        else:
            found.add(str(value).lower())
            found.update(
                w.lower()
                for w in re.findall(r"[A-Za-z]{4,}|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", str(value)))
            )

    for call in label.calls:
        add(call.name)
        add(call.arguments)
    return found - {"than", "that", "this", "from", "with", "what", "have"}


def test_no_hint_of_a_thousand_holds_a_token_of_its_label() -> None:
    rng, given = Random(2), Counter[str]()
    for number in range(1000):
        sample = STEPS[number % len(STEPS)]
        answer = wrong(sample, number, rng)
        if grade(answer, sample.label, sample.tools).correct:
            continue  # a call without arguments has none to get wrong
        words = hint(sample, answer, rng)
        held = set(re.findall(r"\w+", words.lower())) & tokens_of(sample.label)
        assert not held, (words, held, sample.label)
        given[words] += 1
    assert given.total() > 900 and given[""] < 5 and len(given) >= 15, given


def test_a_wording_that_shares_a_word_with_the_label_is_not_taken() -> None:
    sample = STEPS[0]
    told_away = " ".join(_WORDS["should_have_called"][:2])
    label = Label(calls=(ToolCall(name="say", arguments={"text": told_away}),))
    secret = sample.model_copy(update={"label": label})
    assert {hint(secret, Answer.of(Label(reply="Hm.")), Random(i)) for i in range(20)} == {"Use a tool."}
    label = Label(calls=(ToolCall(name="useTool", arguments={"text": told_away}),))
    assert hint(sample.model_copy(update={"label": label}), Answer.of(Label(reply="Hm.")), Random(0)) == ""
    assert words_of(label) >= {"use", "tool", "words", "alone"}


def test_every_kind_of_fault_has_words() -> None:
    assert set(_WORDS) == set(FaultKind.__args__)  # type: ignore[attr-defined]


def test_what_is_called_too_early_or_again_has_a_hint_of_its_own() -> None:
    first, last = next(
        (a, b)
        for a, b in zip(STEPS, STEPS[1:], strict=False)
        if a.meta["step"] == 1 and b.meta["step"] == b.meta["of"] == 2
    )
    assert hint(first, Answer.of(last.label), Random(0)) in _LOOK_UP
    assert hint(last, Answer.of(first.label), Random(0)) in _NOT_YET


class Learner:
    """Right where it was told as many hints as its sample wants; it keeps what it was asked."""

    def __init__(self, wants: dict[str, int]) -> None:
        self.wants, self.asked = wants, list[list[Sample]]()

    def generate(self, chats: Sequence[Sample], sampling: Sampling) -> list[list[Completion]]:
        assert sampling.temperature == 1.0 and sampling.n == 1 and sampling.max_new_tokens == 99
        self.asked.append(list(chats))
        return [[self.answer(s)] for s in chats]

    def answer(self, s: Sample) -> Completion:
        hints = s.messages[0].content.partition(" Hint: ")[2].count(".")
        label = (
            s.label if hints >= self.wants[s.request + str(s.meta["step"])] else Label(reply="I do not know.")
        )
        return Completion(render_answer(label), (1,), (-0.1,), ("a",), "stop")


def test_a_step_is_within_reach_where_hints_lead_to_it() -> None:
    rows = STEPS[:4]
    learner = Learner({s.request + str(s.meta["step"]): n for s, n in zip(rows, (0, 1, 0, 9), strict=True)})
    found = reach(rows, cast(Any, learner), 3, 99, seed=4)
    assert [(r.right, r.hints) for r in found] == [(True, 0), (True, 1), (True, 0), (False, 2)]
    assert [r.generated for r in found] == [1, 2, 1, 3], "each answer is one token here"
    assert [len(asked) for asked in learner.asked] == [4, 2, 1], "what is right is not asked again"
    assert learner.asked[0] == rows
    for asked in learner.asked[1]:
        original = next(s for s in rows if s.messages[1:] == asked.messages[1:] and s.label == asked.label)
        assert asked == told(original, [asked.messages[0].content.partition(" Hint: ")[2]])


# ------------------------------------------------------------- the stage's groups


def row(sample: Sample, group: str, passed: bool = True) -> Expansion:
    checks = (Check(name="calls", passed=passed),)
    return Expansion(seed_id="s", iteration=1, sample=sample, strategy="x", checks=checks, group=group)


def test_a_group_is_accepted_as_a_whole_or_not_at_all() -> None:
    a, b, c, d, e = STEPS[0], STEPS[1], STEPS[20], STEPS[40], STEPS[60]
    rows = _accept([[row(a, "1"), row(c, ""), row(b, "1")]], [], wanted=1, most=9)
    assert [(r.sample, r.accepted) for r in rows] == [(a, True), (b, True), (c, False)], "more than wanted"
    rows = _accept([[row(a, "1"), row(b, "1", passed=False), row(c, "")]], [], wanted=1, most=9)
    assert [r.accepted for r in rows] == [False, False, True]
    assert [k.name for k in rows[0].checks if not k.passed] == ["group"], "and it says why"
    rows = _accept([[row(a, "1"), row(b, "1")], [row(d, "2"), row(e, "2")]], [], wanted=3, most=3)
    assert [r.accepted for r in rows] == [True, True, False, False], "never more than `most` in all"
    rows = _accept([[row(a, "1"), row(b, "1")]], [b], wanted=3, most=9)
    assert not any(r.accepted for r in rows), "one of them is known already"
    alone = _accept([[row(a, ""), row(a, "")]], [], wanted=3, most=9)
    assert [r.accepted for r in alone] == [True, False], "without a group each stands for itself"


# ----------------------------------------------------------------------- a loop

HARD: dict[str, Any] = {
    "seeds__domains": ["music", "restaurants", "shopping", "weather"],
    "seeds__first": 40,
    "expand__expanders": ["hardgen", "world", "slots"],
    "expand__children": 3,
    "expand__most": 40,
    "traces__held_out": 4,
    "hardgen__fails_least": 1,
    "hardgen__fails_share": 0.3,
    "hardgen__second": "",
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    scripted(monkeypatch)
    return finished_loop(tmp_path / "run", iterations=2, **HARD)


def children(run: Run, j: int) -> list[Expansion]:
    return [r for r in run.table(Expansions, "expansions", j) if r.strategy == "expanders.hardgen"]


def test_a_loop_takes_whole_traces_towards_failing_tools(run: Run) -> None:
    table = run.table(Failing, "failing", 1)
    failing = {t.tool for t in table if t.fails}
    made = children(run, 1)
    accepted = [r for r in made if r.accepted]
    assert failing and len(accepted) >= 3
    samples = run.table(Samples, "samples", 1).by_id()
    for r in made:
        assert all(c.passed for c in check_sample(r.sample)) and replay(r.sample) is not None
        assert r.sample.parent == r.seed_id and r.sample.kind == "hard" and r.sample.split == "train"
        targets = {str(t) for t in cast(list[Any], r.sample.meta["targets"])}
        asked = {c.name for c in samples[r.seed_id].label.calls} if r.seed_id in samples else targets
        assert targets & failing & asked, "a trace holds a failing tool of its seed"
        assert "Hint:" not in r.sample.messages[0].content, "kept without the hint"
        reached = next(c for c in r.checks if c.name == "reach")
        assert reached.passed == ("hints" in r.sample.meta) == bool(r.group)
        assert cast(int, r.sample.meta.get("hints", 0)) < 3
    for group in {r.group for r in made if r.group}:
        assert len({r.accepted for r in made if r.group == group}) == 1
    assert sum(r.accepted for r in run.table(Expansions, "expansions", 1)) <= 40
    assert (run.manifest("expansions", 1) or {})["generated"] == sum(r.generated for r in made) > 0
    kept = run.table(Samples, "samples", 2).by_id()
    assert all(r.sample.id in kept for r in accepted)


def test_no_trace_of_the_loop_is_of_the_held_out_split(run: Run) -> None:
    held = [s for s in run.table(Samples, "held_out", 0) if s.split == "unseen_traces"]
    scores = run.table(Scores, "scores", 1)
    assert len(held) == 4 and Counter(s.split for s in scores)["unseen_traces"] == 4
    links = edges(open_to(tuple(HARD["seeds__domains"])))
    for r in (*children(run, 1), *children(run, 2)):
        taken = cast(list[dict[str, list[Any]]], r.sample.meta["taken"])
        tools = [str(t) for t in cast(list[Any], r.sample.meta["targets"])]
        used = {
            (tools[places[p][0]], places[p][1], tools[i], p) for i, places in enumerate(taken) for p in places
        }
        route = [e for e in links if tuple(e) in used]
        assert not is_held_route(Route(tuple(tools), tuple(route)))


def test_without_hints_nobody_is_asked_and_all_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)

    def refused(*_: Any) -> Any:
        raise AssertionError("the policy was asked")

    monkeypatch.setattr(import_module("looptool_kit.stages.expand.hardgen"), "open_engine", refused)
    run = finished_loop(tmp_path / "run", iterations=1, **HARD, hardgen__hints=False)
    made = children(run, 1)
    assert made and all(r.group and "hints" not in r.sample.meta for r in made)
    assert not [c for r in made for c in r.checks if c.name == "reach"]


def test_what_decides_makes_it_again_and_nothing_else_does(run: Run) -> None:
    before = children(run, 1)
    assert {s.state for s in plan(run)} == {"done"}
    for name, value in (("traces__held_out", 5), ("hardgen__tries", 2), ("hardgen__fails_share", 0.4)):
        run.set(**{name: value})
        assert {s.state for s in plan(run)} != {"done"}, name
        run.set(**{name: HARD.get(name, load_preset("cpu").hardgen.tries)})
    assert {s.state for s in plan(run)} == {"done"}
    (run.folder(1) / "expansions.json").unlink()
    go(run)
    assert children(run, 1) == before, "chance is the seed's own"


def test_the_first_policy_decides_alone_only_where_there_is_no_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)
    run = finished_loop(tmp_path / "run", iterations=2, **(HARD | {"hardgen__second": "previous"}))
    first, second = (run.table(Failing, "failing", j) for j in (1, 2))
    assert all(t.second_asked is None for t in first)
    assert all(t.second_asked is not None for t in second)


def test_the_base_policy_is_asked_what_the_probes_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sample] = []

    class Base(Scripted):
        def generate(self, chats: list[Sample], sampling: Sampling) -> list[list[Completion]]:
            asked.extend(chats)
            return super().generate(chats, sampling)

    scripted(monkeypatch)
    monkeypatch.setattr(
        import_module("looptool_kit.stages.expand._failing"), "open_engine", lambda *_: Base()
    )
    settings = SMALL | HARD | {"hardgen__second": "base", "hardgen__hints": False, "iterations": 1}
    del settings["seeds__domains"]  # those of the preset
    with Run.create(tmp_path / "run", "cpu-hard", **settings) as run:
        go(run)
        table = run.table(Failing, "failing", 1)
        assert asked and {s.id for s in asked} <= set(run.table(Samples, "samples", 1).by_id())
        assert len({s.id for s in asked}) == len(asked)
        assert all(t.second_asked == t.asked and t.second_failed == t.failed for t in table)


def test_the_preset_has_six_domains_and_the_split(tmp_path: Path) -> None:
    settings = load_preset("cpu-hard")
    assert len(settings.seeds.domains) == 6 and settings.traces.held_out > 0
    quick = ("seeds.first=8", "seeds.held_out=2", "traces.held_out=3", "seeds.development=0")
    command = ["init", str(tmp_path / "run"), "--preset", "cpu-hard"]
    runner = CliRunner()
    assert runner.invoke(app, [*command, *(w for s in quick for w in ("--set", s))]).exit_code == 0
    said = runner.invoke(app, ["plan", str(tmp_path / "run")])
    assert said.exit_code == 0 and "expand" in said.stdout, said.output
    said = runner.invoke(app, ["seed", str(tmp_path / "run")])
    assert said.exit_code == 0, said.output
    held = Run.open(tmp_path / "run").table(Samples, "held_out", 0)
    assert Counter(s.split for s in held) == {
        "unseen_values": 2,
        "unseen_phrasings": 2,
        "unseen_tools": 2,
        "unseen_traces": 3,
    }


def test_the_arms_differ_in_the_expander_and_in_hints() -> None:
    arms = read_arms(shipped("arms"))
    expanders = {"expand__expanders": ["hardgen", "world", "slots"]}
    assert arms["hardgen"].changes == expanders
    assert arms["hardgen-no-hints"].changes == expanders | {"hardgen__hints": False}
