"""Perturbations keep or move labels exactly, and the suite `robustness` reports what a policy loses under
them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit import world
from looptool_kit.augment import perturb as p
from looptool_kit.checks.rules import check_sample, passes
from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import match, parse, render_answer
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import Policy, base_policy
from looptool_kit.report.html import ReportData, render
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import find_suite, robustness
from looptool_kit.stages.seed import templates
from looptool_kit.text.mentions import recognise
from looptool_kit.text.passages import dialogue


@pytest.fixture(scope="module")
def pool() -> Samples:
    return Samples(s for split in world.SPLITS for s in world.generate(24, 11, split, per_list=3))


@pytest.fixture(scope="module")
def made(pool: Samples) -> dict[str, list[tuple[Sample, Sample]]]:
    """Perturbation -> (original, perturbed)."""
    out: dict[str, list[tuple[Sample, Sample]]] = {}
    for name in p.PERTURBATIONS:
        both = [(s, p.perturb(name, s, Random(s.id), pool)) for s in pool]
        out[name] = [(s, other) for s, other in both if other is not None]
    return out


# ----------------------------------------------------------- all of them


def test_all_apply_to_a_fair_share_and_nearly_all_pass_the_rule_tier(
    pool: Samples, made: dict[str, list[tuple[Sample, Sample]]]
) -> None:
    assert all(map(passes, pool))
    share = {name: len(pairs) / len(pool) for name, pairs in made.items()}
    assert (
        min(share.values()) > 0.2
        and min(
            share[n] for n in ("typos", "longer_context", "tool_order", "renamed_tools", "renamed_parameters")
        )
        > 0.9
    )
    for name, pairs in made.items():
        bad = [(c.detail, other.request) for _, other in pairs for c in check_sample(other) if not c.passed]
        assert len(bad) <= 0.03 * len(pairs), (name, bad)


def test_perturbed_samples_say_where_they_come_from(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    for name, pairs in made.items():
        for s, other in pairs:
            assert (other.split, other.strategy, other.parent, other.kind) == (
                name,
                f"perturb.{name}",
                s.id,
                s.kind,
            )
            assert other.id != s.id and other.meta["split"] == s.split
            assert other.id == Sample.model_validate(other.model_dump()).id


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(list(p.PERTURBATIONS)))
def test_pure_and_repeatable(seed: int, name: str) -> None:
    pool = world.generate(4, seed % 50, world.SPLITS[seed % 4])
    before = [s.model_dump_json() for s in pool]
    once, again = ([p.perturb(name, s, Random(seed), pool) for s in pool] for _ in range(2))
    assert once == again and [s.model_dump_json() for s in pool] == before


_texts = st.text(max_size=30) | st.sampled_from(
    ["book_it", "Friday at 7 pm", "$5k", "2026-13-45", "2026-12-04", "18:30", "", "The Fig", "is-it"]
)
_json = st.recursive(
    _texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=4,
)
_calls = st.lists(
    st.builds(ToolCall, name=_texts, arguments=st.dictionaries(_texts, _json, max_size=3)), max_size=2
).map(tuple)
_tools = st.builds(
    Tool,
    name=_texts.filter(bool),
    description=_texts,
    parameters=st.builds(lambda p, r: {"type": "object", "properties": p, "required": r}, st.dictionaries(_texts, st.just({}), max_size=3),
                         st.lists(_texts, max_size=2)),
)  # fmt: skip
_messages = st.builds(
    Message,
    role=st.sampled_from(["user", "user", "assistant", "tool", "system"]),
    content=_texts,
    tool_calls=_calls,
)
_samples = st.builds(Sample, tools=st.lists(_tools, max_size=3).map(tuple), messages=st.lists(_messages, max_size=4).map(tuple),
                     label=st.builds(Label, calls=_calls, reply=_texts))  # fmt: skip


@settings(max_examples=40)
@given(st.lists(_samples, min_size=1, max_size=3), st.sampled_from(list(p.PERTURBATIONS)), st.integers(0, 99))
def test_anybodys_samples_are_taken(rows: list[Sample], name: str, seed: int) -> None:
    pool = Samples(rows)
    before = [s.model_dump_json() for s in pool]
    for s in pool:
        other = p.perturb(name, s, Random(seed), pool)
        assert other is None or (other.parent == s.id and len(other.label.calls) == len(s.label.calls))
    assert [s.model_dump_json() for s in pool] == before


def test_unknown_names_are_refused(pool: Samples) -> None:
    with pytest.raises(ValueError, match="no perturbation 'noise'; choose among typos, lower_case"):
        p.perturb("noise", pool[0], Random(1), pool)


# ------------------------------------------------------ the label stays


def _strings(value: Any) -> list[str]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return (
        [t for v in inner for t in _strings(v)]
        if inner is not None
        else [value]
        if isinstance(value, str)
        else []
    )


def test_labels_stay_where_only_the_coat_changes(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    for name in (
        "typos",
        "lower_case",
        "longer_context",
        "paraphrase",
        "formats",
        "distractors",
        "tool_order",
    ):
        for s, other in made[name]:
            assert other.label == s.label, name
            assert [(m.role, m.tool_calls) for m in s.messages if m.tool_calls] == [
                (m.role, m.tool_calls) for m in other.messages if m.tool_calls
            ]
            if name not in ("distractors", "tool_order"):
                assert other.tools == s.tools
            else:
                assert (
                    other.messages == s.messages
                    and {t.name: t for t in s.tools}.items() <= {t.name: t for t in other.tools}.items()
                )
            # What a call takes to the letter from the request stands there to the letter.
            texts = [
                t
                for c in s.label.calls
                for t in _strings(c.arguments)
                if t in s.request and not re.match(r"[\d:-]+(T[\d:]+)?$", t)
            ]
            assert all(t in other.request for t in texts), (name, texts, other.request)


def test_slips_are_small_and_spare_what_carries_values(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    slips = Counter[int]()
    for s, other in made["typos"]:
        a, b = s.request.split(" "), other.request.split(" ")
        assert (
            len(a) == len(b)
            and s.messages[:-1] == other.messages[: len(s.messages) - 1]
            or s.messages[-1].role == "tool"
        )
        changed = [(x, y) for x, y in zip(a, b, strict=True) if x != y]
        slips[len(changed)] += 1
        for x, y in changed:
            assert x[0] == y[0] and abs(len(x) - len(y)) <= 1 and x.lower() == x
            assert Counter(x.strip(".,?!")) - Counter(y.strip(".,?!")) == Counter(), (
                "letters are moved or doubled, never lost"
            )
        today = dialogue(s).today
        assert Counter(m.readings for m in recognise(s.request, today)) == Counter(
            m.readings for m in recognise(other.request, today)
        )
    assert set(slips) == {1, 2, 3}


def test_a_slip_makes_no_other_word() -> None:
    rng = Random(1)
    assert all(
        p._slip(word, rng, set()) not in p.REAL_WORDS
        for word in ("trial", "tired", "later", "board")
        for _ in range(50)
    )


def test_lower_case_changes_case_only(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    for s, other in made["lower_case"]:
        said = [(a.content, b.content) for a, b in zip(s.messages, other.messages, strict=True)]
        assert all(a.lower() == b.lower() for a, b in said)
        assert all(
            a.content == b.content
            for a, b in zip(s.messages, other.messages, strict=True)
            if a.role != "user"
        )
    one = _ask(
        'Book The Copper Fig for Ada on Friday at 7 PM, order RES-12 and say "Hi Bo".',
        {"place": "The Copper Fig"},
    )
    (lower,) = [p.lower_case(one, Random(1), Samples())]
    assert (
        lower is not None
        and lower.request == 'book The Copper Fig for ada on friday at 7 pm, order RES-12 and say "Hi Bo".'
    )


def _ask(text: str, arguments: dict[str, Any], schema: dict[str, Any] | None = None) -> Sample:
    schema = schema or {
        n: {"type": "string" if isinstance(v, str) else "number"} for n, v in arguments.items()
    }
    tool = Tool(name="do_it", description="Do it.", parameters={"type": "object", "properties": schema})
    messages = (
        Message(role="system", content="Today is Monday, 2026-11-23."),
        Message(role="user", content=text),
    )
    return Sample(
        tools=(tool,), messages=messages, label=Label(calls=(ToolCall(name="do_it", arguments=arguments),))
    )


def test_longer_contexts_bring_nothing_to_the_point(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    for s, other in made["longer_context"]:
        before = [
            m
            for m in other.messages
            if m not in s.messages and m.content and not m.content.endswith(s.request)
        ]
        assert len(before) in (4, 6) and other.request.endswith(s.request) and other.request != s.request
        assert [m.role for m in other.messages[: 1 + len(before)]] == [
            "system",
            *("user", "assistant") * (len(before) // 2),
        ]
        words = " ".join(m.content for m in before)
        assert not recognise(words) and not re.search(r"\d", words)


def test_paraphrases_keep_everything_but_the_wording(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    kinds = Counter(s.kind for s, _ in made["paraphrase"])
    assert {"single", "choice", "parallel", "multi_step", "multi_turn", "ask", "finish"} <= set(
        kinds
    ) and "decline" not in kinds
    for s, other in made["paraphrase"]:
        assert [m for m in s.messages if m.role != "user"] == [m for m in other.messages if m.role != "user"]
        letters = [re.sub(r"\W", "", x.request.lower()) for x in (s, other)]
        assert letters[0] != letters[1]


def test_paraphrase_needs_a_plan_of_the_world(pool: Samples) -> None:
    with pytest.raises(ValueError, match="was not made by the world"):
        world.paraphrase(_ask("Book it.", {}), Random(1))
    declined = next(s for s in pool if s.kind == "decline")
    with pytest.raises(ValueError, match="stand in no call"):
        world.paraphrase(declined, Random(1))


@pytest.mark.parametrize(
    ("request_", "arguments", "allowed"),
    [
        ("Be there at 6:30 pm.", {"time": "18:30"}, {"18:30", "half past six in the evening"}),
        ("Be there at 18:00.", {"time": "18:00"}, {"6 pm", "6pm", "6 PM", "6PM", "six in the evening"}),
        (
            "Take 90 minutes for it",
            {"minutes": 90},
            {"90 min", "1 hour and 30 minutes", "1 h 30 min", "1.5 hours"},
        ),
        ("Pay $45,000 to them", {"amount": 45000}, {"45,000 dollars", "$45k"}),
        ("Pay 45.50 dollars to them", {"amount": 45.5}, {"$45.50"}),
        ("Dim it to 40%", {"level": 40}, {"40 percent"}),
        ("We are six people", {"people": 6}, {"6"}),
        ("Come on December 4 at last", {"date": "2026-12-04"}, None),
    ],
)
def test_formats_say_the_same(request_: str, arguments: dict[str, Any], allowed: set[str] | None) -> None:
    sample = _ask(request_, arguments)
    seen = set()
    for seed in range(60):
        other = p.perturb("formats", sample, Random(seed), Samples())
        assert other is not None and other.label == sample.label and passes(other), request_
        seen.add(other.request)
    assert len(seen) >= min(len(allowed or "123"), 3)
    if allowed is not None:
        head, tail = re.split(r"6:30 pm|18:00|90 minutes|\$45,000|45\.50 dollars|40%|six", request_)
        assert seen <= {head + said + tail for said in allowed}, seen


@pytest.mark.parametrize(
    ("request_", "arguments"),
    [
        ("Meet me at 7.", {"time": "19:00"}),  # which half of the day nobody says
        ("Book it for 12:30.", {"time": "12:30"}),
        ("Order 4 x Goulash", {"count": 4}),
        ("Weigh out 80 g of rice", {"grams": 80}),
        ('Note "dinner at 18:30" down', {"text": "dinner at 18:30"}),
        ("Send it to 72 Abbey Lane", {"address": "72 Abbey Lane"}),
        ("Plan a 90-minute walk", {"minutes": 90}),
        ("Find me a 90 minute walk", {"minutes": 90}),
        ("Come on the 4th", {"date": "2026-12-04"}),
    ],
)
def test_formats_leave_alone_what_would_read_otherwise(request_: str, arguments: dict[str, Any]) -> None:
    assert all(
        p.perturb("formats", _ask(request_, arguments), Random(seed), Samples()) is None for seed in range(10)
    )


def test_formats_of_world_samples_mention_the_same_values(
    made: dict[str, list[tuple[Sample, Sample]]],
) -> None:
    for s, other in made["formats"]:
        today = dialogue(s).today
        values = [Counter((m.kind, m.readings[0]) for m in recognise(x.request, today)) for x in (s, other)]
        assert values[0] == values[1], (s.request, other.request)
        assert s.messages[:-1] == other.messages[:-1] or s.messages[-1].role == "tool"


def test_distractors_are_beside_the_point(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    home = {tool: domain for domain, tools in world.domains().items() for tool in tools}
    added = Counter[int]()
    for s, other in made["distractors"]:
        more = [t.name for t in other.tools if s.tool(t.name) is None]
        added[len(more)] += 1
        assert not {home[n] for n in more} & {home[str(t)] for t in s.meta["targets"]}  # type: ignore[union-attr]
    assert set(added) <= {1, 2, 3} and added[3] > added[1] + added[2]
    foreign = _ask("Do it.", {}).model_copy(update={"label": Label(reply="No.")})
    assert p.perturb("distractors", foreign, Random(1), Samples(s for s, _ in made["distractors"])) is None


def test_order_of_tools_changes_and_nothing_else(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    for s, other in made["tool_order"]:
        assert s.tools != other.tools and sorted(t.name for t in s.tools) == sorted(
            t.name for t in other.tools
        )
    assert p.perturb("tool_order", _ask("Do it.", {}), Random(1), Samples()) is None


# ---------------------------------------------------- the label follows


def test_labels_follow_names(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    for name in ("renamed_tools", "renamed_parameters"):
        for s, other in made[name]:
            new: dict[str, str] = other.meta["renamed"]  # type: ignore[assignment]
            assert not set(new) & set(new.values())

            def follow(
                calls: Sequence[ToolCall], new: dict[str, str] = new, tools: bool = name == "renamed_tools"
            ) -> tuple[ToolCall, ...]:
                return tuple(
                    (
                        ToolCall(name=new[c.name], arguments=c.arguments)
                        if tools
                        else ToolCall(name=c.name, arguments={new[k]: v for k, v in c.arguments.items()})
                    )
                    for c in calls
                )

            answer = parse(render_answer(s.label.model_copy(update={"calls": follow(s.label.calls)})))
            assert match(answer, other.label) and (
                not s.label.calls or not match(parse(render_answer(s.label)), other.label)
            )
            for a, b in zip(s.messages, other.messages, strict=True):
                assert b.tool_calls == follow(a.tool_calls) and a.content == b.content
                assert b.name == (new[a.name] if a.name and name == "renamed_tools" else a.name)
            assert (
                not {t.name for t in other.tools} & {t.name for t in s.tools} or name == "renamed_parameters"
            )
            if name == "renamed_parameters":
                for t, u in zip(s.tools, other.tools, strict=True):
                    assert list(u.properties) == [new[k] for k in t.properties] and set(u.required) == {
                        new[k] for k in t.required
                    }
                    assert list(u.properties.values()) == list(t.properties.values())


def test_names_in_descriptions_and_texts_follow() -> None:
    one = Tool(
        name="find_boat",
        description="Find a boat; then call book_boat.",
        parameters={"type": "object", "properties": {"date": {}}},
    )
    boat = {"type": "string", "description": "The boat_id of find_boat, a date"}
    two = Tool(name="book_boat", parameters={"type": "object", "properties": {"boat_id": boat}})
    sample = Sample(tools=(one, two), messages=(Message(role="user", content="Use find_boat, find a boat."),),
                    label=Label(calls=(ToolCall(name="find_boat"),)))  # fmt: skip
    other = p.perturb("renamed_tools", sample, Random(3), Samples())
    assert other is not None
    new: dict[str, str] = other.meta["renamed"]  # type: ignore[assignment]
    assert other.tools[0].description == f"Find a boat; then call {new['book_boat']}."
    assert other.request == f"Use {new['find_boat']}, find a boat."
    assert other.tools[1].properties["boat_id"]["description"] == f"The boat_id of {new['find_boat']}, a date"
    other = p.perturb("renamed_parameters", sample, Random(3), Samples())
    assert other is not None
    new = other.meta["renamed"]  # type: ignore[assignment]
    assert (
        other.tools[1].properties[new["boat_id"]]["description"]
        == f"The {new['boat_id']} of find_boat, a date"
    )
    odd = two.model_copy(update={"parameters": {**two.parameters, "anyOf": [{"required": ["boat_id"]}]}})
    assert (
        p.perturb("renamed_parameters", sample.model_copy(update={"tools": (one, odd)}), Random(3), Samples())
        is None
    )


def test_labels_follow_entities(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    for s, other in made["entities"]:
        assert [(c.name, list(c.arguments)) for c in s.label.calls] == [
            (c.name, list(c.arguments)) for c in other.label.calls
        ]
        old, new = ([t for c in x.label.calls for t in _strings(c.arguments)] for x in (s, other))
        pairs = {(a, b) for a, b in zip(old, new, strict=True) if a != b}
        assert pairs and len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs}), (
            "each value has one other"
        )
        text = "\n".join(m.content for m in s.messages if m.role != "assistant")
        for a, b in pairs:
            said = "\n".join(m.content for m in other.messages if m.role != "assistant")
            spoken = b if b in said else b.replace("_", " ")
            assert spoken in said and text.count(a) in (0, said.count(spoken)), (a, b)
            assert a in new or not re.search(rf"(?<!\w){re.escape(a)}(?!\w)", said)


def test_tools_of_ones_own_are_perturbed_too() -> None:
    tools = [
        Tool(name="reserve_part", description="Put a spare part aside.", parameters={"type": "object", "required": ["part_id"], "properties": {
            "part_id": {"type": "string", "description": "Identifier of the part, like PAR-1234"}, "quantity": {"type": "integer", "minimum": 1}}}),
        Tool(name="find_mechanic", description="Find a mechanic in a city.", parameters={"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string"}, "day": {"type": "string", "format": "date"}}}),
        *(Tool(name=f"open_{n}", description=f"Open the {n}.", parameters={"type": "object", "properties": {}}) for n in ("gate", "hangar", "silo")),
    ]  # fmt: skip
    pool = templates.generate(tools, 24, seed=3)
    for name in p.PERTURBATIONS:
        others = [other for s in pool if (other := p.perturb(name, s, Random(1), pool))]
        assert bool(others) == (name != "paraphrase"), name
        assert sum(map(passes, others)) >= 0.9 * len(others), name


# --------------------------------------------------------------- suite


class Scripted:
    """Answers as it is told, and counts what it was asked; prompts of `too_long` do not fit."""

    def __init__(self, say: Callable[[Sample], str], too_long: str = "") -> None:
        self.say, self.too_long, self.asked = say, too_long, 0

    def plan(self, chats: Sequence[Any]) -> list[list[int]]:
        if any(c.split == self.too_long for c in chats):
            raise ValueError("too long")
        return [list(range(i, min(i + 3, len(chats)))) for i in range(0, len(chats), 3)]

    def generate(
        self, chats: Sequence[Any], sampling: Sampling, on_batch: Any = None
    ) -> list[list[Completion]]:
        self.asked += len(chats)
        return [[Completion(self.say(c), (1, 2), (-0.5, -0.5), ("a", "b"), "stop")] for c in chats]

    def score(self, chats: Any, answers: Any) -> Any:
        raise NotImplementedError


def _fragile(sample: Sample) -> str:
    """Right on everything, except under typos, and where the tools stand in another order on every second
    sample.
    """
    wrong = sample.split == "typos" or (sample.split == "tool_order" and int(sample.id, 16) % 2)
    return "I do not know." if wrong and sample.label.calls else render_answer(sample.label)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__held_out=8)
    held = Samples(s for split in world.SPLITS[1:] for s in world.generate(8, 1, split))
    held.write(run.folder(0) / "held_out.parquet")
    held[:2].write(run.folder(1) / "samples.parquet")
    return run


def _use(engine: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    monkeypatch.setattr(robustness, "open_engine", lambda policy, batch: engine)
    return engine


def test_the_drop_is_measured_on_the_same_samples(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = _use(Scripted(_fragile), monkeypatch)
    policy = base_policy("embedded")
    scores = robustness.evaluate(run, policy, ["typos", "tool_order", "lower_case"], 6)
    assert Counter(s.split for s in scores) == {"typos": 6, "lower_case": 6, "tool_order": 6}
    found = {c.perturbation: c.result for c in robustness.changes(scores)}
    calls = {
        s.id: bool(s.label.calls)
        for name in found
        for s in run.table(Samples, f"robustness/{name}.samples", 0)
    }
    hit = sum(calls[s.sample_id] for s in scores if s.split == "typos")
    assert (
        found["typos"].mean_a == 1
        and found["typos"].broken == hit > 0
        and found["typos"].difference == pytest.approx(-hit / 6)
    )
    assert found["lower_case"].difference == 0 and -1 < found["tool_order"].difference <= 0
    held = run.table(Samples, "held_out", 0).by_id()
    assert all(s.extra["of"] in held and s.extra["before"] is True for s in scores)
    asked = engine.asked
    assert (
        robustness.evaluate(run, policy, ["typos", "tool_order", "lower_case"], 6) == scores
        and engine.asked == asked
    )
    probes, samples = robustness.failures(run, policy)
    assert (
        {x.sample_id for x in probes}
        == {s.sample_id for s in scores if not s.correct}
        == set(samples.by_id())
    )
    assert {x.error for x in probes} == {"should_have_called"}
    robustness.print_scores(scores, "base")
    robustness.print_run(run, "base")
    said = capsys.readouterr().out
    assert said.count(f"{found['typos'].difference:+.2f}") >= 2 and said.count("tool_order") >= 2
    with pytest.raises(ValueError, match="no perturbation 'rain'"):
        robustness.evaluate(run, policy, ["rain"])


def test_held_out_scores_are_the_reference_where_they_exist(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = _use(Scripted(_fragile), monkeypatch)
    policy = Policy(name="D1", iteration=1, model="embedded", adapter="a", key="k")
    stage = import_module("looptool_kit.evaluate")
    monkeypatch.setattr(stage, "open_engine", lambda policy, batch: Scripted(lambda s: "Well?"))
    stage.evaluate(run, policy)
    scores = robustness.evaluate(run, policy, ["tool_order"])
    assert engine.asked == len(scores) and run.manifest("robustness/none", 1) is None
    known = {s.sample_id: s.correct for s in run.table(Scores, "scores", 1)}
    assert [s.extra["before"] for s in scores] == [known[str(s.extra["of"])] for s in scores] and not all(
        known.values()
    )


def test_a_smaller_choice_is_part_of_a_larger_one_and_all_follows_from_the_seed(run: Run) -> None:
    for name in ("entities", "formats"):
        small, large = ([b.id for _, b in robustness.perturbed(run, name, n)[0]] for n in (3, None))
        pairs, left_out = robustness.perturbed(run, name)
        assert (
            small == large[:3] and len(pairs) + sum(left_out.values()) == 24 and left_out.get("do not apply")
        )
        assert all(passes(b) and b.parent == a.id for a, b in pairs)


def test_what_was_answered_is_kept_when_stopped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, told = base_policy("embedded"), []

    def until_the_fifth(sample: Sample) -> str:
        told.append(sample.id)
        if len(told) > 4:
            raise KeyboardInterrupt
        return render_answer(sample.label)

    _use(Scripted(until_the_fifth), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        robustness.evaluate(run, policy, ["renamed_tools"], 6)
    engine = _use(Scripted(lambda s: render_answer(s.label)), monkeypatch)
    scores = robustness.evaluate(run, policy, ["renamed_tools"], 6)
    assert engine.asked == 12 - 3 and all(s.correct for s in scores)


def test_prompts_that_fill_the_context_count_as_failed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(Scripted(lambda s: render_answer(s.label), too_long="longer_context"), monkeypatch)
    scores = robustness.evaluate(run, base_policy("embedded"), ["longer_context"], 4)
    assert [s.error for s in scores] == ["context"] * 4 and robustness.changes(scores)[
        0
    ].result.difference == -1
    assert len(robustness.failures(run, base_policy("embedded"))[0]) == 4


def test_policies_are_compared_on_what_both_were_given(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def row(i: int, policy: str, before: bool, after: bool) -> Score:
        return Score(
            sample_id=str(i),
            suite="robustness",
            split="typos",
            kind="single",
            policy=policy,
            correct=after,
            extra={"before": before},
        )

    rows = Scores(
        [
            *(row(i, "base", True, i < 4) for i in range(10)),
            *(row(i, "D2", True, i < 8) for i in range(5, 15)),
        ]
    )
    first, last = robustness.changes(rows)
    assert (first.policy, first.result.n, first.result.difference) == ("base", 5, -1.0)
    assert (last.policy, last.result.n, last.result.difference) == ("D2", 5, pytest.approx(-0.4))
    assert robustness.changes(rows, ["base"])[0].result.n == 10
    engine = _use(Scripted(_fragile), monkeypatch)
    robustness.evaluate(run, base_policy("embedded"), ["typos"], 5)
    engine.say = lambda s: render_answer(s.label)
    robustness.evaluate(
        run, Policy(name="D1", iteration=1, model="embedded", adapter="a", key="k"), ["typos"], 5
    )
    assert [c.policy for c in robustness.changes(robustness.finished(run))] == ["base", "D1"]
    robustness.print_run(run, "D1")
    said = capsys.readouterr().out
    assert "base" in said and "D1" in said and "+0.00" in said


def test_the_command_prints_figures_and_what_was_left_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from looptool_kit.cli import app

    assert find_suite("robustness") is robustness  # type: ignore[comparison-overlap]
    _use(Scripted(_fragile), monkeypatch)
    command = [
        "evaluate",
        str(run.path),
        "--iteration",
        "0",
        "--suite",
        "robustness",
        "--categories",
        "typos,formats",
        "--per-category",
        "20",
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    left = run.manifest("robustness/formats", 0)["left_out"]["do not apply"]  # type: ignore[index]
    assert (
        "typos" in said
        and f"formats: {left} do not apply" in said
        and "ProbeView(*robustness.failures(run, policy))" in said
    )


def test_the_report_shows_the_first_and_the_last_policy() -> None:
    rows = [
        Score(
            sample_id=str(i),
            suite="robustness",
            split=name,
            kind="single",
            policy=policy,
            correct=i < right,
            extra={"before": i < 20},
        )
        for name, policy, right in (
            ("lower_case", "base", 8),
            ("lower_case", "D1", 14),
            ("lower_case", "D2", 18),
            ("typos", "D2", 20),
        )
        for i in range(30)
    ]
    page = render(ReportData(name="r", policies=["base", "D1", "D2"], robustness=rows))
    section = page[
        page.index('<section id="robustness">') : page.index(
            "</section>", page.index('<section id="robustness">')
        )
    ]
    assert [t for t in re.findall(r"<th scope=\"(?:col|row)\">([^<]*)", section)] == [
        "perturbation", "n", "base, before", "after", "change", "D2, before", "after", "change", "typos", "lower case",
    ]  # fmt: skip
    assert re.findall(r'<span class="([a-z]*)">([^<]*)</span><span', section) == [
        ("", "+0.0"),
        ("bad", "−40.0"),
        ("", "−6.7"),
    ]
    assert (
        section.count("66.7 %") == 4
        and "26.7 %" in section
        and "60.0 %" in section
        and section.count("<td>–</td>") == 3
    )
    assert '"robustness-changes"' in page and '<section id="robustness">' not in render(ReportData(name="r"))
