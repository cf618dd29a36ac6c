"""Templates for anybody's tools: exact labels, splits apart, repeatable."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from workshop import PYTHON

import looptool_kit as lt
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.samples import Samples, Tool
from looptool_kit.core.toolcalls import canonical_calls
from looptool_kit.stages.seed.templates import SPLITS, generate, held_tools, usable
from looptool_kit.stages.seed.templates.choices import boolean
from looptool_kit.stages.seed.templates.headlines import headline
from looptool_kit.stages.seed.templates.names import unit_of, words_of


def tools_from(text: str, tmp_path: Path) -> list[Tool]:
    (tmp_path / "my_tools.py").write_text(text)
    return lt.load_tools(tmp_path / "my_tools.py")


def test_one_seed_gives_the_same_samples_and_no_two_alike(tmp_path: Path) -> None:
    tools = tools_from(PYTHON, tmp_path)
    rows = generate(tools, 80, seed=4)
    assert rows == generate(tools, 80, seed=4) and rows != generate(tools, 80, seed=5)
    assert (
        len(
            {
                (s.request.lower(), canonical_calls(s.label.calls), *sorted(t.name for t in s.tools))
                for s in rows
            }
        )
        == len(rows)
        == 80
    )
    assert {s.kind for s in rows} == {"single", "choice", "parallel", "ask", "decline"}
    for s in rows:
        assert [c.detail for c in check_sample(s) if not c.passed] == []
        assert (len(s.label.calls) == 2) == (s.kind == "parallel") and s.label.asks == (s.kind == "ask")
        assert s.kind != "decline" or (not s.label.calls and s.label.mentions)


def test_held_out_values_and_wordings_are_never_trained_on(tmp_path: Path) -> None:
    tools = tools_from(PYTHON, tmp_path)
    train = generate(tools, 80, seed=1, kinds=["single"])
    values = {
        json.dumps(v)
        for s in train
        for c in s.label.calls
        for v in c.arguments.values()
        if isinstance(v, str) and len(v) > 8
    }
    phrases = {p for s in train for p in s.meta["phrases"]}  # type: ignore[union-attr]
    for s in generate(tools, 20, seed=1, split="unseen_values", kinds=["single"], avoid=train):
        assert any(json.dumps(v) not in values for c in s.label.calls for v in c.arguments.values())
    for s in generate(tools, 20, seed=1, split="unseen_phrasings", kinds=["single"], avoid=train):
        assert not set(s.meta["phrases"]) <= phrases  # type: ignore[arg-type]


def test_some_tools_of_a_large_catalogue_are_kept_for_evaluation() -> None:
    schema = {"type": "object", "properties": {"house_id": {"type": "string"}}}
    words = (
        "price", "age", "owner", "roof", "garden", "tax", "height", "history", "colour", "heating",
    )  # fmt: skip
    tools = [Tool(name=f"get_{w}", description=f"Get the {w} of a house.", parameters=schema) for w in words]
    held = held_tools(tools)
    assert len(held) == 2 and held_tools(tools[:7]) == frozenset()
    assert not held & {t.name for s in generate(tools, 40, seed=0) for t in s.tools}
    assert {t.name for s in generate(tools, 8, seed=0, split="unseen_tools") for t in s.tools} == held


def test_what_the_tools_do_not_allow_is_said(tmp_path: Path) -> None:
    one = [Tool(name="ping", description="Ping the server.")]
    with pytest.warns(
        UserWarning, match="made 0 of 3 different samples of split train from 1 tools; there are no more"
    ):
        assert generate(one, 3, seed=0, kinds=["parallel"]) == Samples()
    assert {c.name for s in generate(one, 6, seed=0) for c in s.label.calls} == {"ping"}
    nothing = Tool(
        name="odd",
        description="Do it.",
        parameters={"type": "object", "properties": {"x": {"type": "null"}}, "required": ["x"]},
    )
    assert usable([nothing])[1] == {"odd": "x can only be null"}
    with pytest.raises(ValueError, match="none of the 1 tools"):
        generate([nothing], 3, seed=0)
    with pytest.raises(ValueError, match="unknown split"):
        generate(one, 3, seed=0, split="nope")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        lt.init(tmp_path / "run", tmp_path / "nothing.py")
    lt.init(tmp_path / "run", [generate_report], preset="cpu-quick")
    (tmp_path / "run" / "tools.json").unlink()
    with pytest.raises(lt.RunError, match="looptool init"):
        lt.seed(lt.Run.open(tmp_path / "run"))


def generate_report(year: int) -> str:
    """Generate the yearly report."""
    return str(year)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x", "Get the current weather for a given city.", ("get", "the current weather for a given city")),
        ("x", "This tool can be used to search for flights, and returns them sorted.", ("search", "flights")),
        ("x", "Retrieves user details", ("get", "user details")),
        ("x", "A tool for converting units.", ("convert", "units")),
        ("x", "Use this tool when you need to delete a file", ("delete", "a file")),
        ("get_rate", "Current exchange rate", ("get", "the rate")),
        ("create_issue", "", ("create", "an issue")),
        ("users.list", "", ("list", "users")),
        ("getPetById", "", ("get", "the pet")),
    ],
)
def test_headlines(name: str, text: str, expected: tuple[str, str]) -> None:
    assert headline(Tool(name=name, description=text)) == expected


def test_booleans_units_and_names_are_read() -> None:
    said = [
        boolean(n).say(v, date(2026, 1, 1))[0].adverb
        for n, v in (("notify_guests", False), ("include_tax", False))
    ]
    assert said == ["and do not notify guests", "without tax"]
    assert (
        unit_of("timeout seconds", "") == "second"
        and unit_of("amount", "Amount in euros") == "€"
        and unit_of("count", "") == ""
    )
    assert words_of("maxPrice_USD") == "max price usd"


NAMES = st.sampled_from(
    [
        "city",
        "start_date",
        "email",
        "count",
        "x",
        "userId",
        "note",
        "tags",
        "mode",
        "lat",
        "price_usd",
        "is_on",
        "from",
        "to",
        "when",
    ]
)
LEAVES = st.one_of(
    st.just({"type": "string"}),
    st.sampled_from(
        [{"type": "string", "format": f} for f in ("date", "date-time", "time", "email", "uuid", "uri")]
    ),
    st.builds(
        lambda a, n: {"type": "integer", "minimum": a, "maximum": a + n},
        st.integers(-50, 500),
        st.integers(0, 400),
    ),
    st.builds(lambda a: {"type": "number", "minimum": a}, st.integers(0, 50)),
    st.just({"type": "boolean", "description": "Whether to do it twice."}),
    st.just({"enum": ["low", "in_progress", "High"]}),
    st.just({"type": ["string", "null"], "default": None}),
    st.just({"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3,5}$"}),
    st.just({"type": "string", "minLength": 3, "maxLength": 6}),
    st.just({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda i: {"type": "array", "items": i}, inner),
        st.builds(
            lambda p: {"type": "object", "properties": p, "required": sorted(p)},
            st.dictionaries(NAMES, inner, min_size=1, max_size=2),
        ),
    ),
    max_leaves=4,
)


@settings(max_examples=40)
@given(st.dictionaries(NAMES, SCHEMAS, min_size=1, max_size=4), st.randoms(use_true_random=False))
@example(
    {
        "city": {
            "type": "object",
            "properties": {"userId": {"type": "integer", "minimum": 0, "maximum": 0}},
            "required": ["userId"],
        }
    },
    Random(0),
)
def test_any_schema_gives_samples_that_pass_the_rules(properties: dict[str, Any], rng: Random) -> None:
    import warnings

    required = [n for n in properties if rng.random() < 0.6]
    tool = Tool(
        name="do_thing",
        description="Book a thing.",
        parameters={"type": "object", "properties": properties, "required": required},
    )
    if not usable([tool])[0]:
        return  # nothing tells what a person says for one of its parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = generate(
            [tool], 4, seed=rng.randrange(1000), split=rng.choice(SPLITS[:3]), kinds=["single", "ask"]
        )
    for s in rows:
        assert [c.detail for c in check_sample(s) if not c.passed] == []
