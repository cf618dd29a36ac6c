"""Samples of the procedural world: exact labels, splits apart, repeatable."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from worlds import calls_of, values_of

from looptool_kit import world
from looptool_kit.core.grading import grade
from looptool_kit.core.samples import Samples
from looptool_kit.core.toolcalls import canonical_calls, parse, render_answer
from looptool_kit.world import plans, spec
from looptool_kit.world.execute import problem

SPECS = spec.specs()


def test_labels_satisfy_their_tools_and_recognisers(splits: dict[str, Samples]) -> None:
    for samples in splits.values():
        for s in samples:
            for call in calls_of(s):
                tool = s.tool(call.name)
                assert tool is not None, (s.id, call.name)
                validator = Draft202012Validator(
                    {**tool.parameters, "additionalProperties": False}, format_checker=FormatChecker()
                )
                assert not list(validator.iter_errors(call.arguments)), call
                assert problem(call) is None
                assert list(call.arguments) == [k for k in tool.properties if k in call.arguments], (
                    "arguments in schema order"
                )
                for key, value in call.arguments.items():
                    assert "default" not in tool.properties[key] or tool.properties[key]["default"] != value
            assert bool(s.label.calls) != bool(s.label.reply)
            assert grade(parse(render_answer(s.label)), s.label).correct


def test_calls_hold_exactly_what_is_mentioned(splits: dict[str, Samples]) -> None:
    for s in splits["train"].where(lambda s: s.kind in ("single", "choice")):
        (call,) = s.meta["calls"]  # type: ignore[misc]
        assert list(s.label.calls[0].arguments) == [
            p.name for p in SPECS[call["tool"]].params if p.name in call["mention"]
        ]  # type: ignore[index,call-overload]
        for key, value in s.label.calls[0].arguments.items():
            t = SPECS[s.label.calls[0].name].by_name[key].type
            if (
                t.schema["type"] == "string"
                and not t.hints
                and "enum" not in t.schema
                and t.name not in ("past date", "birth date")
                and value is not None
            ):
                assert str(value) in s.request, (s.request, key, value)


def test_texts_are_whole(splits: dict[str, Samples]) -> None:
    for samples in splits.values():
        for s in samples:
            for m in s.messages:
                assert not set("{}\ue000\ue001") & set(m.content) or m.role == "tool", m.content
                assert "  " not in m.content and " ," not in m.content, m.content
            assert not set("{}\ue000\ue001") & set(s.label.reply)


def test_no_two_samples_are_alike_and_lists_are_shared(splits: dict[str, Samples]) -> None:
    for split, samples in splits.items():
        assert len({s.id for s in samples}) == len(samples)
        assert len(
            {(s.request.lower(), canonical_calls(s.label.calls), len(s.messages)) for s in samples}
        ) == len(samples)
        assert all(s.split == split and s.source == "world" and 2 <= len(s.tools) <= 3 for s in samples)
    lists = Counter(tuple(t.name for t in s.tools) for s in splits["train"])
    assert len(lists) < len(splits["train"]) / 7


def test_kinds_come_in_their_proportions(splits: dict[str, Samples]) -> None:
    counted = Counter(s.kind for s in splits["train"])
    for kind, weight in plans.WEIGHTS.items():
        assert abs(counted[kind] - 500 * weight) <= 1
    assert {s.kind for s in world.generate(20, 3, kinds=["ask", "decline"])} == {"ask", "decline"}


def test_each_kind_has_its_form(splits: dict[str, Samples]) -> None:
    for s in splits["train"]:
        label = s.label
        if s.kind in ("single", "choice"):
            assert len(label.calls) == 1 and len(s.messages) == 2
        elif s.kind == "parallel":
            assert len(label.calls) in (2, 3)
        elif s.kind == "ask":
            assert (
                label.asks
                and label.mentions
                and s.meta["part"] in SPECS[str(s.meta["targets"][0])].tool.required
            )  # type: ignore[index]
        elif s.kind == "decline":
            assert s.tool(str(s.meta["targets"][0])) is None and label.mentions  # type: ignore[index]
        elif s.kind == "finish":
            assert s.messages[-1].role == "tool" and label.reply and label.mentions
        elif s.kind == "multi_step" and s.meta["mode"] == "second":
            parameter = s.meta["link"][1]  # type: ignore[index]
            assert json.dumps(label.calls[0].arguments[parameter]) in s.messages[-1].content  # type: ignore[index]
        elif s.kind == "multi_turn":
            assert [m.role for m in s.messages] == [
                "system",
                "user",
                "assistant",
                "tool",
                "assistant",
                "user",
            ]


def test_implicit_share(splits: dict[str, Samples]) -> None:
    calls = [c for s in splits["train"] for c in s.meta["calls"]]  # type: ignore[union-attr]
    share = sum(len(c["implicit"]) for c in calls) / sum(len(c["mention"]) for c in calls)  # type: ignore[index,call-overload,arg-type,misc]
    assert 0.1 < share < 0.25


def test_values_are_held_out(splits: dict[str, Samples]) -> None:
    assert not any(
        held for split in ("train", "unseen_phrasings") for s in splits[split] for _, held in values_of(s)
    )
    assert all(held for s in splits["unseen_values"] for _, held in values_of(s))
    assert any(values_of(s) for s in splits["unseen_values"])


def test_phrasings_are_held_out(splits: dict[str, Samples]) -> None:
    used = {split: {p for s in splits[split] for p in s.meta["phrases"]} for split in world.SPLITS}  # type: ignore[union-attr]
    kept = {p for s in SPECS.values() for options in (s.do, s.ask, s.need) for p in spec.reserved(options)}
    shared_by_tools = {
        p
        for s in SPECS.values()
        for options in (s.do, s.ask, s.need)
        for p in set(options) - spec.reserved(options)
    }
    assert not (used["train"] & kept) - shared_by_tools
    for s in splits["unseen_phrasings"]:
        assert set(s.meta["phrases"]) - used["train"], s.request  # type: ignore[arg-type]


def test_tools_are_held_out(splits: dict[str, Samples]) -> None:
    for split, samples in splits.items():
        assert all(spec.is_held(t.name) == (split == "unseen_tools") for s in samples for t in s.tools)
    assert sum(d.held for d in spec.all_domains()) == 2


# ----------------------------------------------------------- repeatable


def test_repeatable_across_processes() -> None:
    code = (
        "import hashlib; from looptool_kit import world\n"
        "s = world.generate(150, 4); n, t = world.plant_noise(s, 0.2, 4)\n"
        "print(hashlib.sha256(''.join(r.model_dump_json() for r in (*s, *n)).encode()).hexdigest())"
    )
    got = set()
    for hash_seed in ("0", "123"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        got.add(
            subprocess.run(
                [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
            ).stdout
        )
    s = world.generate(150, 4)
    n, _ = world.plant_noise(s, 0.2, 4)
    got.add(hashlib.sha256("".join(r.model_dump_json() for r in (*s, *n)).encode()).hexdigest() + "\n")
    assert len(got) == 1
    assert world.generate(20, 1) != world.generate(20, 2)


def test_bad_wishes_are_named() -> None:
    with pytest.raises(ValueError, match="unknown split 'test'; the splits are train"):
        world.generate(5, 1, "test")
    with pytest.raises(ValueError, match="unknown task kind 'sing'"):
        world.generate(5, 1, kinds=["sing"])
