"""ToolMatch against the comparer of LoopTool's published code.

    python benchmarks/bench_match.py [--reference PATH] [--pairs 5000] [--rounds 5] [--quick]

Both match 5,000 pairs whose right answer is known by construction: first calls that are parsed already, then
the text of a prediction with the calls of a label. PATH is a checkout of LoopTool's public repository: `git
clone https://github.com/Rednote-DeepExperience/LoopTool`. Two functions are taken from it,
`compare_parsed_content` and `_extract_tool_calls`. Without a checkout it is not measured.

`canonical JSON` is a yardstick, the least that a strict comparison in plain Python does: `json.loads` of each
call, `json.dumps` with sorted keys, and the sorted texts compared. It holds 1 and 1.0 apart.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from _measure import HEAD, Work, compare, rows, verdict

from looptool_kit import world
from looptool_kit.core.samples import Label, ToolCall
from looptool_kit.core.toolcalls import Answer, match, parse, render_calls

SOURCE = "dataloop/judgement_label_verification.py"
THEIRS = "LoopTool's comparer"
TARGET = 1.04
"""Of canonical JSON's speed at least: 130,000 pairs a second where that does 125,000."""
Call = dict[str, Any]
Pair = tuple[list[Call], list[Call], bool]


def pairs(count: int, seed: int = 0) -> list[Pair]:
    """Pairs of prediction and label, half of them matching.

    The third value is whether they match; what is done to a label decides it. Calls are {name, arguments}.
    """
    rng = random.Random(seed)
    labels = [
        [c.model_dump() for c in s.label.calls]
        for s in world.generate(max(60, count // 5), seed=seed)
        if s.label.calls
    ]
    out: list[Pair] = []
    while len(out) < count:
        label = copy.deepcopy(rng.choice(labels))
        # Nested values, of which the world has few.
        for call in rng.sample(label, rng.randint(0, len(label))):
            call["arguments"]["options"] = {
                "tags": rng.sample(["a", "b", "c", "d"], 3),
                "limit": rng.randint(2, 9),
                "exact": rng.random() < 0.5,
            }
        if rng.random() < 0.3:
            label = [*label, copy.deepcopy(rng.choice(label)), copy.deepcopy(rng.choice(label))]
        changed = copy.deepcopy(label)
        same = rng.random() < 0.5
        if rng.choice(_keep if same else _spoil)(changed, rng):
            out.append((changed, label, same))
    return out


def _shuffled_keys(calls: list[Call], rng: random.Random) -> bool:
    for call in calls:
        items = list(call["arguments"].items())
        rng.shuffle(items)
        call["arguments"] = dict(items)
    return True


def _shuffled_calls(calls: list[Call], rng: random.Random) -> bool:
    rng.shuffle(calls)
    return True


def _floats(calls: list[Call], rng: random.Random) -> bool:
    for call in calls:
        call["arguments"] = {k: float(v) if type(v) is int else v for k, v in call["arguments"].items()}
    return True


def _other_value(calls: list[Call], rng: random.Random) -> bool:
    return _change(
        calls,
        rng,
        lambda v: isinstance(v, str | int | float),
        lambda v: v + ("x" if isinstance(v, str) else 1),
    )


def _boolean_for_integer(calls: list[Call], rng: random.Random) -> bool:
    return _change(calls, rng, lambda v: type(v) is int and v in (0, 1), bool) or _change(
        calls, rng, lambda v: isinstance(v, bool), int
    )


def _array_order(calls: list[Call], rng: random.Random) -> bool:
    spots = [c["arguments"]["options"] for c in calls if "options" in c["arguments"]]
    for options in spots[:1]:
        options["tags"] = options["tags"][::-1]
    return bool(spots)


def _array_count(calls: list[Call], rng: random.Random) -> bool:
    spots = [c["arguments"]["options"] for c in calls if "options" in c["arguments"]]
    for options in spots[:1]:
        options["tags"] = [*options["tags"], options["tags"][0]]
    return bool(spots)


def _multiset(calls: list[Call], rng: random.Random) -> bool:
    """AAB becomes ABB."""
    unlike = [(i, j) for i, a in enumerate(calls) for j, b in enumerate(calls) if i < j and a != b]
    if len(calls) < 3 or not unlike:
        return False
    i, j = rng.choice(unlike)
    calls[i] = copy.deepcopy(calls[j])
    return True


def _missing_argument(calls: list[Call], rng: random.Random) -> bool:
    call = rng.choice(calls)
    return (
        bool(call["arguments"])
        and call["arguments"].pop(rng.choice(list(call["arguments"]))) is not NotImplemented
    )


def _other_tool(calls: list[Call], rng: random.Random) -> bool:
    rng.choice(calls)["name"] += "_2"
    return True


def _change(
    calls: list[Call], rng: random.Random, fits: Callable[[Any], bool], to: Callable[[Any], Any]
) -> bool:
    spots = [(c["arguments"], k) for c in calls for k, v in c["arguments"].items() if fits(v)]
    if not spots:
        return False
    arguments, name = rng.choice(spots)
    arguments[name] = to(arguments[name])
    return True


_keep = (_shuffled_keys, _shuffled_calls, _floats)
_spoil = (
    _other_value,
    _boolean_for_integer,
    _array_order,
    _array_count,
    _multiset,
    _missing_argument,
    _other_tool,
)


def ours(count: int) -> Work:
    """`match` on answers and labels as the probe holds them."""
    given = [(_answer(a), Label(calls=_calls(b))) for a, b, _ in pairs(count)]
    return lambda: [match(a, b) for a, b in given]


def ours_of_text(count: int) -> Work:
    """`parse` of a completion and `match` with a label, as for a reward."""
    given = [(render_calls(_calls(a)), Label(calls=_calls(b))) for a, b, _ in pairs(count)]
    return lambda: [match(parse(a), b) for a, b in given]


def canonical_of_text(count: int) -> Work:
    """The yardstick."""
    call = re.compile(r"<tool_call>\n(.*?)\n</tool_call>", re.DOTALL)

    def text(value: Any) -> str:
        return json.dumps(value, sort_keys=True)

    given = [(render_calls(_calls(a)), sorted(map(text, b))) for a, b, _ in pairs(count)]
    return lambda: [sorted([text(json.loads(c)) for c in call.findall(a)]) == b for a, b in given]


def theirs_of_text(count: int, checkout: str) -> Work:
    """The published parser and comparer, on a label that is parsed already."""
    extract = _function(Path(checkout) / SOURCE, "_extract_tool_calls")
    compare_parsed = _function(Path(checkout) / SOURCE, "compare_parsed_content")
    given = [(render_calls(_calls(a)), extract(render_calls(_calls(b)))) for a, b, _ in pairs(count)]
    return lambda: [_compared(compare_parsed, extract(a), b) for a, b in given]


def _calls(calls: list[Call]) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(**c) for c in calls)


def _answer(calls: list[Call]) -> Answer:
    return Answer(calls=_calls(calls))


def theirs(count: int, checkout: str) -> Work:
    """The published comparer on calls in its own parser's form.

    That is {name: arguments}.
    """
    compare_parsed = _function(Path(checkout) / SOURCE, "compare_parsed_content")
    given = [
        ([{c["name"]: c["arguments"]} for c in a], [{c["name"]: c["arguments"]} for c in b])
        for a, b, _ in pairs(count)
    ]
    return lambda: [_compared(compare_parsed, a, b) for a, b in given]


def _compared(function: Any, a: Any, b: Any) -> bool | None:
    try:
        return bool(function(a, b))
    except TypeError:
        return None  # a value that it cannot compare


def _function(path: Path, name: str) -> Any:
    """One function of a file.

    Its other parts want packages that are not installed.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    space: dict[str, Any] = {"Counter": Counter, "json": json, "re": re}
    exec(compile(tree, str(path), "exec"), space)
    return space[name]


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--reference", help="a checkout of LoopTool's public repository")
    ask.add_argument("--pairs", type=int, default=5000)
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--quick", action="store_true", help="300 pairs, one round")
    args = ask.parse_args()
    count, rounds = (300, 1) if args.quick else (args.pairs, args.rounds)
    sides: dict[str, Any] = {"ours": partial(ours, count)}
    of_text: dict[str, Any] = {
        "ours": partial(ours_of_text, count),
        "canonical JSON": partial(canonical_of_text, count),
    }
    if args.reference:
        if not (Path(args.reference) / SOURCE).exists():
            ask.error(
                f"{args.reference} holds no {SOURCE}: it is not a checkout of"
                " https://github.com/Rednote-DeepExperience/LoopTool"
            )
        sides[THEIRS] = partial(theirs, count, args.reference)
        of_text[THEIRS] = partial(theirs_of_text, count, args.reference)
    costs, texts = compare(sides, rounds, warm=True), compare(of_text, rounds, warm=True)
    right = [same for *_, same in pairs(count)]
    print(HEAD)
    print(rows(f"match {count:,} pairs", costs))
    print(rows(f"parse and match {count:,} pairs", texts) + "\n")
    for work, measured in (("match", costs), ("parse and match", texts)):
        for name, cost in measured.items():
            wrong = sum(a != b for a, b in zip(cost.value, right, strict=True))
            target = " (target: 0)" if name == "ours" else ""
            print(
                f"- {work}, {name}: {wrong:,} wrong of {count:,}{target}, {count / cost.best[0]:,.0f} pairs/s"
            )
    floor = texts["canonical JSON"].best[0] / texts["ours"].best[0]
    print(verdict("parse and match, against canonical JSON, CPU", floor, TARGET))
    if args.reference:
        print(
            verdict(
                "match, against LoopTool's comparer, CPU", costs[THEIRS].best[0] / costs["ours"].best[0], 2
            )
        )
    else:
        print(
            "- LoopTool's comparer is not measured: `--reference PATH` takes a checkout of"
            " https://github.com/Rednote-DeepExperience/LoopTool"
        )


if __name__ == "__main__":
    main()
