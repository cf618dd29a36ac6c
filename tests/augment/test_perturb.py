"""Perturbations keep or move labels exactly."""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit import world
from looptool_kit.augment import perturb as p
from looptool_kit.checks.rules import check_sample, passes
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.stages.seed import templates
from looptool_kit.text.passages import dialogue
from looptool_kit.text.recognise import recognise

RESULTS_AND_REQUESTS = ("noisy_result", "failed_result", "other_result_format", "vague_request")


def test_all_apply_to_a_fair_share_and_nearly_all_pass_the_rule_tier(
    pool: Samples, made: dict[str, list[tuple[Sample, Sample]]]
) -> None:
    assert all(map(passes, pool))
    # Those of results and vague requests have a share of their own: see test_results.py.
    share = {name: len(pairs) / len(pool) for name, pairs in made.items() if name not in RESULTS_AND_REQUESTS}
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
            assert (other.split, other.strategy, other.parent) == (name, f"perturb.{name}", s.id)
            # Where another thing is to be done the kind says so.
            kind = {"vague_request": "ask", "failed_result": "multi_step"}.get(name, s.kind)
            assert other.kind == kind
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
    parameters=st.builds(
        lambda p, r: {"type": "object", "properties": p, "required": r},
        st.dictionaries(_texts, st.just({}), max_size=3),
        st.lists(_texts, max_size=2),
    ),
)
_messages = st.builds(
    Message,
    role=st.sampled_from(["user", "user", "assistant", "tool", "system"]),
    content=_texts,
    tool_calls=_calls,
)
_samples = st.builds(
    Sample,
    tools=st.lists(_tools, max_size=3).map(tuple),
    messages=st.lists(_messages, max_size=4).map(tuple),
    label=st.builds(Label, calls=_calls, reply=_texts),
)


@settings(max_examples=40)
@given(st.lists(_samples, min_size=1, max_size=3), st.sampled_from(list(p.PERTURBATIONS)), st.integers(0, 99))
def test_anybodys_samples_are_taken(rows: list[Sample], name: str, seed: int) -> None:
    pool = Samples(rows)
    before = [s.model_dump_json() for s in pool]
    for s in pool:
        other = p.perturb(name, s, Random(seed), pool)
        calls = 1 if name == "failed_result" else len(s.label.calls)
        assert other is None or (other.parent == s.id and len(other.label.calls) == calls)
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
    one = _ask("Do it.", {})
    assert p.perturb("tool_order", one, Random(1), Samples()) is None
    twice = one.model_copy(update={"tools": one.tools * 2})
    assert p.perturb("tool_order", twice, Random(1), Samples()) is None


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


def own_tool(name: str, description: str, required: list[str], **properties: Any) -> Tool:
    needed: dict[str, Any] = {"required": required} if required else {}
    return Tool(
        name=name,
        description=description,
        parameters={"type": "object"} | needed | {"properties": properties},
    )


def test_tools_of_ones_own_are_perturbed_too() -> None:
    part = {"type": "string", "description": "Identifier of the part, like PAR-1234"}
    city, day = {"type": "string"}, {"type": "string", "format": "date"}
    tools = [
        own_tool(
            "reserve_part",
            "Put a spare part aside.",
            ["part_id"],
            part_id=part,
            quantity={"type": "integer", "minimum": 1},
        ),
        own_tool("find_mechanic", "Find a mechanic in a city.", ["city"], city=city, day=day),
        *(own_tool(f"open_{n}", f"Open the {n}.", []) for n in ("gate", "hangar", "silo")),
    ]
    pool = templates.generate(tools, 24, seed=3)
    for name in p.PERTURBATIONS:
        others = [other for s in pool if (other := p.perturb(name, s, Random(1), pool))]
        # Paraphrases and vague requests are said in the world's words, and no template has a tool result.
        assert bool(others) == (name not in ("paraphrase", *RESULTS_AND_REQUESTS)), name
        assert sum(map(passes, others)) >= 0.9 * len(others), name
