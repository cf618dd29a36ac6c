"""The rule tier's schema check against jsonschema's: every error of every call, in words.

    python benchmarks/bench_rules.py [--calls 5000] [--rounds 5] [--quick]

Both get the same schemas, closed (`additionalProperties: false`) as the rule tier closes them. jsonschema
gets one validator a tool, built before the clock starts, as a careful user would do it. Ours finds the tool
by name and its validator itself, each time.
"""

from __future__ import annotations

import argparse
import copy
import random
from collections.abc import Iterator
from functools import partial
from typing import Any

from _measure import HEAD, Work, compare, rows, verdict

from looptool_kit import world
from looptool_kit.checks.rules import call_errors
from looptool_kit.core.samples import Tool, ToolCall

Item = tuple[ToolCall, tuple[Tool, ...]]


def items(count: int, seed: int = 0) -> list[Item]:
    """(call, the tools on offer): right calls of the world, half of them spoilt in one way."""
    rng = random.Random(seed)
    samples = [s for s in world.generate(max(60, count // 5), seed=seed) if s.label.calls]
    out: list[Item] = []
    while len(out) < count:
        sample = rng.choice(samples)
        call = rng.choice(sample.label.calls)
        tool = sample.tool(call.name)
        assert tool is not None
        arguments = copy.deepcopy(dict(call.arguments))
        wrong = list(_wrongs(arguments, tool))
        if rng.random() < 0.5 and wrong:
            arguments = rng.choice(wrong)
        out.append((ToolCall(name=call.name, arguments=arguments), sample.tools))
    return out


def _wrongs(arguments: dict[str, Any], tool: Tool) -> Iterator[dict[str, Any]]:
    """The ways to spoil a call's arguments.

    A required one is left out, one is added, or a value has another type or is outside the enum.
    """
    for name in tool.required:
        yield {k: v for k, v in arguments.items() if k != name}
    yield {**arguments, "urgency": 3}
    for name, value in arguments.items():
        yield {**arguments, name: None}
        if isinstance(value, int):
            yield {**arguments, name: bool(value) if not isinstance(value, bool) else "yes"}
        if isinstance(value, list):
            yield {**arguments, name: [*value, {"a": 1}]}
        if "enum" in tool.properties.get(name, {}):
            yield {**arguments, name: "none of these"}


def _closed(tool: Tool) -> dict[str, Any]:
    schema = copy.deepcopy(tool.parameters)

    def close(part: Any) -> None:
        if isinstance(part, dict):
            for inner in part.values():
                close(inner)
            if isinstance(part.get("properties"), dict) and part.get("type", "object") == "object":
                part.setdefault("additionalProperties", False)
        elif isinstance(part, list):
            for inner in part:
                close(inner)

    schema.setdefault("properties", {})
    close(schema)
    return schema


def ours(count: int) -> Work:
    """`call_errors`, which the rule tier and the judges use."""
    given = items(count)
    return lambda: [call_errors(call, tools) for call, tools in given]


def theirs(count: int) -> Work:
    """jsonschema with one validator a tool."""
    from jsonschema import Draft202012Validator

    given = items(count)
    tools = {t.name: t for _, offered in given for t in offered}
    validators = {name: Draft202012Validator(_closed(tool)) for name, tool in tools.items()}
    return lambda: [
        [e.message for e in validators[call.name].iter_errors(call.arguments)] for call, _ in given
    ]


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--calls", type=int, default=5000)
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--quick", action="store_true", help="300 calls, one round")
    args = ask.parse_args()
    count, rounds = (300, 1) if args.quick else (args.calls, args.rounds)
    costs = compare({"ours": partial(ours, count), "jsonschema": partial(theirs, count)}, rounds, warm=True)
    print(HEAD + "\n" + rows(f"check {count:,} calls", costs) + "\n")
    mine, other = (
        ["pass" if not errors else "fail" for errors in costs[name].value] for name in ("ours", "jsonschema")
    )
    unlike = sum(a != b for a, b in zip(mine, other, strict=True))
    print(
        f"- {mine.count('fail'):,} of {count:,} calls do not satisfy their schema; the two disagree on"
        f" {unlike:,} (target: 0)"
    )
    print(verdict("CPU", costs["jsonschema"].best[0] / costs["ours"].best[0], 3))


if __name__ == "__main__":
    main()
