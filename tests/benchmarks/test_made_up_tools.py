"""Samples on made-up tools: labels, words and variety, and that held-out tools are left alone."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from num2words import num2words

from looptool_kit import world
from looptool_kit.checks import rules
from looptool_kit.core.samples import Samples
from looptool_kit.text.recognise import recognise

PER_LIST = 6
IDENTIFIER = re.compile("[A-Za-z]+[a-z][A-Z][A-Za-z]*")
HELD_OUT = set(
    re.findall(
        r"\w+",
        "song songs playlist playlists lyrics music album light lights lamp thermostat speaker volume lock "
        "door doors scene candidate candidates interview job vet veterinary pet vaccination",
    )
)


@pytest.fixture(scope="module")
def made_up() -> Iterator[Any]:
    """benchmarks/made_up_tools.py as a module."""
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import made_up_tools  # type: ignore[import-not-found]

        yield made_up_tools
    finally:
        sys.path.remove(folder)


@pytest.fixture(scope="module")
def samples(made_up: Any) -> Samples:
    made: Samples = made_up.generate(1500, "test", PER_LIST)
    return made


def test_the_same_seed_gives_the_same_samples_and_no_two_are_alike(made_up: Any, samples: Samples) -> None:
    assert [s.id for s in made_up.generate(1500, "test", PER_LIST)] == [s.id for s in samples]
    assert {s.id for s in made_up.generate(200, "other")}.isdisjoint({s.id for s in samples})
    assert len(samples) == 1500 == len({s.request.lower() for s in samples})
    assert {(s.source, s.split) for s in samples} == {("made_up", "train")}


def test_every_label_is_valid_for_its_tools(samples: Samples) -> None:
    ungrounded = 0
    for sample in samples:
        checks = {c.name: c for c in rules.check_sample(sample)}
        for name in ("tools", "dialogue", "calls"):
            assert checks[name].passed, f"{sample.request}: {checks[name].detail}"
        values = [v for c in sample.label.calls for v in c.arguments.values()]
        blind = any(isinstance(v, bool) or IDENTIFIER.fullmatch(str(v)) for v in values)
        ungrounded += not blind and not checks["grounding"].passed
        assert bool(sample.label.calls) == (sample.kind not in ("ask", "decline"))
        assert sample.label.asks == (sample.kind == "ask")
        assert (len(sample.label.calls) > 1) == (sample.kind == "parallel")
    # Grounding reads negations its own way and no identifiers in camelCase; of the rest, no "half a million".
    assert ungrounded <= 0.005 * len(samples)


def test_values_are_said_in_the_request(samples: Samples) -> None:
    for sample in samples:
        readings = [r for m in recognise(sample.request) for r in m.readings]
        numbers = {round(float(r), 6) for r in readings if not isinstance(r, str)}
        for call in sample.label.calls:
            tool = sample.tool(call.name)
            assert tool is not None
            for name, value in call.arguments.items():
                where = f"{name}={value!r}: {sample.request}"
                schema = tool.properties[name]
                choice = "enum" in schema or "One of" in schema.get("description", "")
                for text in value if isinstance(value, list) else [value]:
                    if not isinstance(text, str):
                        continue
                    if choice or "enum" in schema.get("items", {}) or "One of" in json.dumps(schema):
                        said = re.sub("[_-]", " ", text).lower()
                        assert said in re.sub("[_-]", " ", sample.request).lower(), where
                    elif re.fullmatch(r"\d{4}-\d\d-\d\d|\d\d:\d\d", text):
                        assert text in readings, where
                    else:
                        assert text in sample.request, where
                if type(value) is int and "half a million" not in sample.request:
                    digits = re.sub(r"(?<=\d),(?=\d{3})", "", sample.request)
                    in_digits = re.search(rf"(?<!\d){value}(?!\d)", digits)
                    in_words = num2words(value) in sample.request
                    assert round(float(value), 6) in numbers or in_digits or in_words, where


def test_questions_and_refusals_say_what_they_have_to(samples: Samples) -> None:
    for sample in samples:
        for group in sample.label.mentions:
            assert any(words.lower() in sample.label.reply.lower() for words in group)
        if sample.kind == "ask":
            assert "?" in sample.label.reply


def test_kinds_come_in_their_shares_and_lists_in_all_sizes(made_up: Any, samples: Samples) -> None:
    kinds = Counter(s.kind for s in samples)
    shares = dict(made_up.SHARES)
    shares["parallel"] = shares.pop("same") + shares.pop("different")
    assert set(kinds) == set(shares) <= set(world.KINDS)
    for kind, share in shares.items():
        assert abs(kinds[kind] / len(samples) - share) < 0.01
    assert {len(s.tools) for s in samples} == set(range(1, 9))
    calls = Counter(len({c.name for c in s.label.calls}) > 1 for s in samples if s.kind == "parallel")
    assert calls[True] and calls[False]
    assert {2, 3, 4} <= {len(s.label.calls) for s in samples}


def test_a_run_of_samples_shares_one_tool_list(samples: Samples) -> None:
    runs: list[list[str]] = []
    before = ""
    for sample in samples:
        tools = "".join(t.canonical for t in sample.tools)
        if tools != before:
            runs.append([])
        runs[-1].append(sample.id)
        before = tools
    assert max(map(len, runs)) <= PER_LIST
    # Of each of the three sorts of lists the last one may be shorter.
    assert sum(len(r) < PER_LIST for r in runs) <= 3


def test_tools_are_many_and_none_is_held_out(samples: Samples) -> None:
    names = {t.name for s in samples for t in s.tools}
    lists = {tuple(t.name for t in s.tools) for s in samples}
    assert len(names) > 0.8 * sum(map(len, lists)) > 400
    for name in names:
        words = {w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
        assert not words & HELD_OUT, name
    plain = {re.sub(r"[\W_]", "", t.name).lower() for t in world.catalogue("unseen_tools")}
    assert not plain & {re.sub(r"[\W_]", "", n).lower() for n in names}
    types = {p["type"] for s in samples for t in s.tools for p in t.properties.values()}
    assert types == {"string", "integer", "number", "boolean", "array", "object"}
